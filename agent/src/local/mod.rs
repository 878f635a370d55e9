//! The local interface: HTTP for the agency's systems, on loopback, a Unix socket or TLS. `openapi.yaml` is its contract.
//!
//! - [`model`]: what it says; `routes`: what can be asked; `request`: the headers of a record to be sent; `call`: calls;
//! - `auth`: who may ask; `problem`: errors; `server`, `listener`, `tls`: listening; `scrape`: measures.

pub mod model;

mod auth;
mod call;
mod events;
mod evidence;
mod incoming;
mod listener;
mod problem;
mod request;
mod routes;
mod scrape;
mod server;
mod services;
#[cfg(test)]
mod tests;
mod tls;
mod webhooks;

pub use routes::OPENAPI;
pub use server::{LocalError, Server};
pub use tls::LocalTlsError;
