//! `passerelle-verify`: checks a Passerelle log, one proof from it, or the evidence of one exchange, without trusting
//! whoever holds it.
//!
//! Owns the walk over a whole log ([`verify_log`]) and the command around it ([`run`]). The trusted key always comes from
//! the operator of the check, never from the log. Every entry is hashed again; every tile is compared with what the
//! entries give; memory does not grow with the log.
//!
//! Exit status of the command: 0 the log (or proof) is good, 1 it is bad, 2 it could not be checked.

mod blame;
mod cli;
mod erasure;
mod evidence;
mod fault;
mod folder;
mod french;
mod remote;
mod report;
mod source;
mod strays;
mod trust;
mod verify;
mod walk;

pub use cli::{run, run_with};
pub use erasure::Erased;
pub use fault::{EntryFault, Fault, TileFault, Which};
pub use folder::Folder;
pub use remote::{Remote, RemoteOptions};
pub use source::{Fetched, LogSource, SourceError};
pub use strays::Strays;
pub use verify::{Checks, EntryCheck, Verdict, VerifyError, open_checkpoint, verify_log};
