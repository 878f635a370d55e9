//! The published log: tiles, entry bundles and the signed checkpoint, in one folder, as C2SP tlog-tiles says.
//!
//! It is the permanent home of events. A file is durable before the checkpoint that needs it, and the checkpoint is
//! replaced whole, so that whoever reads the folder at any moment, after any crash, finds a log that verifies. What is
//! durable in the journal and not published yet waits in [`Tail`], in memory.
//!
//! Invariant: a checkpoint is only signed over a tree that continues the one that was signed before.

mod entries;
mod folder;
mod publisher;
mod tail;

pub use entries::Entries;
pub use folder::{LogError, LogFolder};
pub use publisher::{Publication, Publisher};
pub use tail::{Mark, Tail};
