//! The service `Exchange`: records in, records out, acknowledgements.
//!
//! What a submission must pass before the ledger sees it is in `checks`; the ledger decides the rest with the log in
//! hand. A refusal always leaves an event and tells the sender why.

mod checks;
mod collect;
mod download;
mod leases;
mod rate;
mod service;
mod state;
mod submit;
mod upload;

pub use checks::ExchangeLimits;
pub(crate) use checks::Refusal;
pub use leases::Leases;
pub use service::{ExchangeService, Parts};
