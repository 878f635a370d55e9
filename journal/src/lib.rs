//! Durable append-only segments with group commit: what the gateway's log and the agent's outbox and inbox stand on.
//!
//! An entry is a run of bytes; the journal does not know what it means. Entries that are appended together form a
//! *batch*: one write, one `fdatasync`, and after a crash either all of them are there or none. [`Journal::append_batch`]
//! returns when they are on disk; [`Journal::appender`] lets many tasks share one such commit.
//!
//! The format, and what happens after a crash at each point, is in `docs/formats/journal.md`.
//!
//! Invariants:
//! - what was returned as appended is read again after a crash or a power cut, or opening fails and says where;
//! - after a failed write or sync nothing more is appended until the journal is opened again;
//! - a reader sees only what is durable.

mod appender;
mod disk;
mod error;
mod frame;
mod journal;
mod position;
mod reader;
mod recover;
mod segment;

pub use appender::Appender;
pub use error::JournalError;
pub use journal::{Journal, Recovered, SegmentInfo};
pub use position::Position;
pub use reader::{Entry, Reader};

/// How a journal is laid out. The same values need not be given at every opening: they only concern new segments.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes that a segment reserves on disk. A larger batch gets a segment of its own size.
    pub segment_bytes: u64,
    /// Bytes of the largest entry.
    pub entry_bytes_max: u32,
    /// Bytes of entries that one group commit takes at the most.
    pub batch_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, entry_bytes_max: 8 << 20, batch_bytes_max: 16 << 20 }
    }
}

#[cfg(test)]
mod faults;
#[cfg(test)]
mod golden;
