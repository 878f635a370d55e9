//! What can be wrong with a log or a proof: the first bad thing, by name, in French and in English.

use std::fmt;

use passerelle_proto::tlog::checkpoint::CheckpointError;
use passerelle_proto::tlog::{Hash, TilePath};

use crate::french;

/// The first bad thing found. It is the fault of whoever wrote, stored or served the log.
#[derive(Debug)]
pub enum Fault {
    /// A checkpoint is missing, malformed, or not signed by the given key.
    Checkpoint {
        /// Which checkpoint.
        which: Which,
        /// What is wrong; `None` when there is none.
        error: Option<CheckpointError>,
    },
    /// Entries and tiles agree with one another, but not with line 3 of the signed checkpoint: the log was rewritten.
    Root {
        /// Root that was signed.
        signed: Hash,
        /// Root that the entries give.
        computed: Hash,
    },
    /// An entry is wrong.
    Entry {
        /// Its index in the log, from 0.
        index: u64,
        /// The bundle that holds it.
        bundle: TilePath,
        /// What is wrong.
        reason: EntryFault,
    },
    /// A tile or bundle is wrong.
    Tile {
        /// Which one.
        path: TilePath,
        /// What is wrong.
        reason: TileFault,
    },
    /// The log has fewer entries than an earlier checkpoint of it.
    RolledBack {
        /// Entries then.
        old_size: u64,
        /// Entries now.
        size: u64,
    },
    /// The first entries of the log are not those of an earlier checkpoint of it.
    Forked {
        /// Entries at the earlier checkpoint.
        old_size: u64,
        /// Root at that size that was signed.
        signed: Hash,
        /// Root at that size that the entries give.
        computed: Hash,
    },
}

/// Which checkpoint a [`Fault::Checkpoint`] is about.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one that the log has now.
    Current,
    /// The earlier one that the operator kept.
    Old,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryFault {
    /// It is not the entry that the checkpoint was signed over: changed, or entries were swapped, dropped or added.
    Changed,
    /// It is not the entry that its tile says, and which of them is right cannot be told: more is wrong further up.
    Disagrees,
    /// It is missing, or cut: its bundle ends before.
    Missing,
    /// Its contents are erased, and no event after it says so: who holds the files removed them.
    ErasedUnlogged,
    /// Its contents are erased under a rule whose period was not over for it.
    ErasedEarly,
    /// It is in the log, but is not an event.
    Undecodable(String),
    /// It is dated before the entry before it: whoever wrote it says that it is older than it is.
    BackDated {
        /// Its moment, milliseconds since the UNIX epoch.
        time_ms: u64,
        /// That of the entry before it.
        before_ms: u64,
    },
}

/// What is wrong with a tile or bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TileFault {
    /// There is no such file.
    Missing,
    /// Its length is not that of such a tile.
    Length,
    /// A bundle has bytes after its last entry.
    Stray(usize),
    /// It is not the tile that the checkpoint was signed over; the entries are.
    Changed {
        /// First hash that is wrong, from 0 in the tile.
        position: usize,
    },
    /// It agrees with its entries, but not with the tile above it, which is right: entries and tile were changed
    /// together.
    ChangedWithEntries,
    /// It is not what its entries give, and neither gives the signed root: more is wrong.
    Disagrees {
        /// First hash that differs, from 0 in the tile.
        position: usize,
    },
    /// An earlier, partial tile that is not the beginning of the present one: a reader of an earlier checkpoint is
    /// served something else.
    Earlier,
}

impl Fault {
    /// What kind of thing is wrong, for programs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Checkpoint { .. } | Self::Root { .. } => "checkpoint",
            Self::Entry { .. } => "entry",
            Self::Tile { .. } => "tile",
            Self::RolledBack { .. } => "rolled_back",
            Self::Forked { .. } => "forked",
        }
    }

    /// Index of the bad entry.
    #[must_use]
    pub fn entry(&self) -> Option<u64> {
        match self {
            Self::Entry { index, .. } => Some(*index),
            _ => None,
        }
    }

    /// Path of the bad file, or of the one that the bad thing is in.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        match self {
            Self::Entry { bundle: path, .. } | Self::Tile { path, .. } => Some(path.to_string()),
            Self::Checkpoint { which: Which::Current, .. } | Self::Root { .. } => {
                Some("checkpoint".to_owned())
            }
            Self::Checkpoint { which: Which::Old, .. } | Self::RolledBack { .. } | Self::Forked { .. } => {
                None
            }
        }
    }

    /// Line of the checkpoint that is bad, from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Checkpoint { error, .. } => error.as_ref().and_then(CheckpointError::line),
            Self::Root { .. } => Some(3),
            _ => None,
        }
    }

    /// One sentence in French.
    #[must_use]
    pub fn message_fr(&self) -> String {
        french::fault(self)
    }

    /// One sentence in English.
    #[must_use]
    pub fn message_en(&self) -> String {
        match self {
            Self::Checkpoint { which, error } => {
                let which = match which {
                    Which::Current => "checkpoint",
                    Which::Old => "earlier checkpoint",
                };
                match error {
                    None => format!("{which}: missing"),
                    Some(error) => format!("{which}: {}", chain(error)),
                }
            }
            Self::Root { signed, computed } => format!(
                "checkpoint, line 3: the root {signed} was signed, the entries give {computed}; the log was rewritten"
            ),
            Self::Entry { index, bundle, reason } => match reason {
                EntryFault::Changed => format!(
                    "entry {index} ({bundle}) is not the one that was logged: changed, or an entry was swapped, dropped or added"
                ),
                EntryFault::Disagrees => format!(
                    "entry {index} ({bundle}) and its tile disagree, and neither leads to the signed root"
                ),
                EntryFault::Missing => format!("entry {index} ({bundle}) is missing or cut"),
                EntryFault::ErasedUnlogged => format!(
                    "the contents of entry {index} ({bundle}) are erased, and no event of the log says so: they were removed unlawfully"
                ),
                EntryFault::ErasedEarly => format!(
                    "the contents of entry {index} ({bundle}) are erased, and the period of the erasure that names it was not over"
                ),
                EntryFault::Undecodable(why) => format!("entry {index} ({bundle}) is not an event: {why}"),
                EntryFault::BackDated { time_ms, before_ms } => format!(
                    "entry {index} ({bundle}) is back-dated: its moment is {time_ms} ms, that of the entry before it {before_ms} ms"
                ),
            },
            Self::Tile { path, reason } => format!("{path} {}", tile_en(reason)),
            Self::RolledBack { old_size, size } => {
                format!("the log was rolled back: {size} entries, {old_size} at the earlier checkpoint")
            }
            Self::Forked { old_size, signed, computed } => format!(
                "the log was forked: at {old_size} entries the root {signed} was signed, the entries give {computed}"
            ),
        }
    }
}

fn tile_en(reason: &TileFault) -> String {
    match reason {
        TileFault::Missing => "is missing".to_owned(),
        TileFault::Length => "does not have the length of such a tile".to_owned(),
        TileFault::Stray(stray) => format!("has {stray} bytes after its last entry: an entry was added"),
        TileFault::Changed { position } => {
            format!("was changed: its hash {position} is not that of the entries")
        }
        TileFault::ChangedWithEntries => "was changed together with its entries".to_owned(),
        TileFault::Disagrees { position } => {
            format!("disagrees with its entries at hash {position}, and neither leads to the signed root")
        }
        TileFault::Earlier => "is not the beginning of the present tile".to_owned(),
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message_en())
    }
}

impl std::error::Error for Fault {}
