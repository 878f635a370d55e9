//! The service `Calls`: a request is logged, relayed to an agent of the provider that waits for calls, and its answer is
//! logged before it is released (`docs/formats/call.md`).
//!
//! What a request and an answer must pass is what every exchange passes (`exchange::checks`, then the ledger). Nothing of a
//! body is stored: small ones are in memory while they are passed on, larger ones flow through, chunk by chunk, as fast as
//! their receiver takes them. A call that was accepted and has no answer leaves one more event, which says why.
//!
//! `desk`: who waits for calls, and the calls under way; `open`: the side that asks; `serve`: the side that answers;
//! `parts`: bodies that flow through.

mod desk;
mod open;
mod parts;
mod serve;
mod service;
#[cfg(test)]
mod tests;

pub use service::{CallLimits, CallsService, Parts};
