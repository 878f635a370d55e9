//! The gateway of Passerelle: enforces agreements, keeps the audit log, and carries sealed records that it cannot
//! read.
//!
//! Everything the gateway knows is a fold over the events of its log. The [`journal`](passerelle_journal) is the
//! source; the published log ([`log`]) is the permanent home of events; [`view`] (sled) and [`state`] are derived
//! and can be thrown away. One thread ([`ledger`]) decides and logs as one step.
//!
//! Invariants: nothing is answered as accepted before its event and its record are durable; nothing here opens a
//! body; a caller's agency is read from its certificate, never from a field.

pub mod administration;
pub mod agreements;
pub mod audit;
pub mod bodies;
pub mod calls;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod directory;
pub mod enrolment;
pub mod evidence;
pub mod exchange;
pub mod ledger;
pub mod log;
pub mod operators;
pub mod rpc;
pub mod serve;
pub mod state;
pub mod view;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs `passerelle-gateway` with `args` (the program's name first) and gives its exit status.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    cli::run(args)
}
