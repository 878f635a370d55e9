//! What a ledger is opened with, and why it may not open.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use passerelle_journal::{JournalError, Options};
use passerelle_pki::clock::SharedClock;
use passerelle_pki::key::Signer;
use passerelle_proto::event::EventError;
use tokio::sync::mpsc;

use super::{CommitError, LedgerError};
use crate::log::LogError;
use crate::state::{ApplyError, State};
use crate::view::{Finished, ViewError};

/// What a log is called, and whose key signs for it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The log's origin line, such as `passerelle.example/log` (C2SP tlog-checkpoint).
    pub origin: String,
    /// The gateway's name, the actor of what time brings about.
    pub gateway: String,
}

/// What a ledger is opened with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder of the journal. Its parent must exist.
    pub journal: PathBuf,
    /// Folder of the published log. Its parent must exist.
    pub log: PathBuf,
    /// Folder of the view.
    pub view: PathBuf,
    /// Names.
    pub origin: Origin,
    /// Signs receipts.
    pub receipt_key: Arc<dyn Signer>,
    /// Signs checkpoints. Another key than the receipts': who checks the log trusts this one alone.
    pub log_key: Arc<dyn Signer>,
    /// The time.
    pub clock: SharedClock,
    /// The state before the first event.
    pub state: State,
    /// How long the publisher gathers before it signs a checkpoint.
    pub publish_interval: Duration,
    /// Layout of new journal segments.
    pub segments: Options,
    /// Told of every exchange in the spool that nobody waits for any more. What a crash keeps from being told is found
    /// with [`Ledger::waits_for`](super::Ledger::waits_for).
    pub finished: Option<mpsc::UnboundedSender<Finished>>,
    /// Program version, for the event of the start.
    pub version: String,
    /// SHA-256 of the configuration file, for the event of the start.
    pub configuration_digest: [u8; 32],
}

/// Why a ledger could not be opened. Ours: nothing was written but, where it says so, what recovers.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The journal.
    #[error("the journal cannot be opened")]
    Journal(#[source] JournalError),
    /// A published log without its journal: what is in transit is gone, and a new journal would hide it.
    #[error(
        "there is a published log in {log}, but no journal in {journal}; restore the journal from a copy"
    )]
    JournalMissing {
        /// Where the journal should be.
        journal: PathBuf,
        /// The published log.
        log: PathBuf,
    },
    /// The published log.
    #[error("the published log cannot be continued")]
    Log(#[source] LogError),
    /// The published log ends after the journal: the journal is an old copy, or lost what was durable.
    #[error(
        "the published log has {published} events, the journal ends at {journal}: the journal is not this log's \
         latest; restore it from a later copy"
    )]
    JournalBehind {
        /// Events in the published log.
        published: u64,
        /// Leaf index after the journal's last event.
        journal: u64,
    },
    /// Events between the end of the published log and the beginning of the journal are nowhere.
    #[error(
        "events {from} to {to} (excluded) are neither in the published log nor in the journal; restore the log \
         folder, or the missing journal segments, from a copy"
    )]
    Gap {
        /// First missing leaf.
        from: u64,
        /// First leaf that is there again.
        to: u64,
    },
    /// An event of the journal, or of a bundle, is not the one that the published tree has.
    #[error(
        "event {0} is not the one in the published log; restore the journal or the log folder from a copy"
    )]
    Altered(u64),
    /// An entry of the published log has no contents, and no event of erasure names it.
    #[error(
        "the contents of event {0} were removed from the published log, and no event says that they were erased; \
         restore the log folder from a copy"
    )]
    Emptied(u64),
    /// The published events do not have the root that the checkpoint signs.
    #[error(
        "the published events do not have the root that the checkpoint signs; restore the log folder from a copy"
    )]
    OtherTree,
    /// An entry of the published log could not be read.
    #[error("event {leaf} of the published log cannot be read; restore the log folder from a copy")]
    Unreadable {
        /// Its leaf.
        leaf: u64,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A journal entry is not a commit.
    #[error("an entry of the journal cannot be understood")]
    Commit(#[source] CommitError),
    /// An entry is not an event.
    #[error("entry {leaf} of the log is not an event")]
    Entry {
        /// Its leaf.
        leaf: u64,
        /// Why.
        #[source]
        source: EventError,
    },
    /// An event does not fit those before it.
    #[error("the log's events do not follow from each other")]
    State(#[source] ApplyError),
    /// The view, even a new one.
    #[error("the view cannot be made; delete its folder and see whether the disk is full")]
    View(#[source] ViewError),
    /// A thread could not be started.
    #[error("a thread of the ledger cannot be started")]
    Thread(#[source] std::io::Error),
    /// The event of the start could not be logged.
    #[error("the start cannot be logged; see whether the disk is full")]
    Start(#[source] LedgerError),
}
