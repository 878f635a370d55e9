//! The local interface: HTTP for the agency's systems, on loopback or a Unix socket. `openapi.yaml` is its contract.
//!
//! - [`model`]: what it says; `routes`: what can be asked; `request`: the headers of a record to be sent;
//! - `auth`: who may ask; `problem`: errors; `server`: listening.

pub mod model;

mod auth;
mod problem;
mod request;
mod routes;
mod server;
#[cfg(test)]
mod tests;

pub use auth::TokenError;
pub use routes::OPENAPI;
pub use server::{LocalError, Server};
