//! The service `Administration`: what operators do to agencies, agents and agreements. Each call takes a role; nobody
//! drafts, signs and activates alone. What is decided is decided in the ledger, with [`crate::state`].

mod agencies;
mod agreements;
mod service;

pub use service::AdministrationService;
