//! What can go wrong, and what to do about it.

use crate::Position;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a journal could not be opened, read or appended to.
///
/// Cloneable, since one failed commit answers every caller that waited on it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused. Nothing was appended.
    #[error("{action} {path}")]
    Io {
        /// What was attempted, such as "cannot open".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own error.
        #[source]
        source: Arc<io::Error>,
    },
    /// The folder already holds a journal: creating is never done over something that exists.
    #[error("{0} already holds a journal: open it, or choose an empty folder")]
    AlreadyExists(PathBuf),
    /// The folder holds no journal.
    #[error("{0} holds no journal: create it first")]
    NotFound(PathBuf),
    /// Another process, or another handle of this one, has it open.
    #[error("{0} is open elsewhere: stop the other process, then start again")]
    Locked(PathBuf),
    /// A segment was written by a newer release.
    #[error("{path} has format version {version}, newer than this program reads: run the newer release")]
    TooNew {
        /// The segment's file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// Bytes that were durable have changed or are gone. Restore the segment from a copy; do not delete it.
    #[error("segment {segment:016x} is damaged at byte {offset}: {what}; restore this file from a copy")]
    Corrupt {
        /// Id of the segment.
        segment: u64,
        /// Byte offset in its file.
        offset: u64,
        /// What does not hold.
        what: &'static str,
    },
    /// The position names no entry of this journal, or its segment was dropped.
    #[error("no entry at {0}")]
    NoEntry(Position),
    /// The caller's entry is too large.
    #[error("an entry of {bytes} bytes is over the limit of {limit}")]
    EntryTooLarge {
        /// Bytes of the entry.
        bytes: usize,
        /// The limit, in bytes.
        limit: u32,
    },
    /// An earlier write or sync failed, so what is on disk is not known. Open the journal again.
    #[error("an earlier write failed; restart to continue from what is durable")]
    Poisoned,
    /// The thread that commits has stopped.
    #[error("the journal is closed")]
    Closed,
}

impl JournalError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source: Arc::new(source) }
    }
}
