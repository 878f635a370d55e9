//! The four directory endpoints of GovStack's Information Mediator, on an address of their own, off by default.
//!
//! They show who can be met and what is offered, to programs of this machine, without a token: no record, no call, no
//! person goes through here. What Passerelle is beyond that (agreements, purposes, sealed bodies) they cannot say.
//!
//! - [`GovstackSettings`]; `names`: the identifiers of a path; `offers`: what there is; `answers`: how it is said;
//! - `routes`: what can be asked.

mod answers;
mod names;
mod offers;
mod routes;

use std::net::SocketAddr;

pub(crate) use names::is_identifier;
pub(crate) use routes::router;

/// Under which names the agencies are shown, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GovstackSettings {
    /// The address, on loopback.
    pub listen: SocketAddr,
    /// The instance that all agencies belong to.
    pub instance: String,
    /// The class of every agency.
    pub class: String,
}
