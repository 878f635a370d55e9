//! The local interface: HTTP for the agency's systems, on loopback or a Unix socket. `openapi.yaml` is its contract.

pub mod model;
