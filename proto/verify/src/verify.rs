//! The whole check of a log, from its checkpoint to its stray files.

use passerelle_proto::tlog::note::NOTE_LIMIT;
use passerelle_proto::tlog::{Hash, NoteVerifier, VerifiedCheckpoint};

use crate::erasure::Erased;
use crate::fault::{EntryFault, Fault, Which};
use crate::source::{Fetched, LogSource, SourceError};
use crate::strays::Strays;
use crate::walk::Walk;

/// A check of one entry's content; entries come in the order of the log.
pub type EntryCheck = dyn Fn(&[u8]) -> Result<(), EntryFault>;

/// What to check a log against, and how to tell how far it is.
pub struct Checks<'a> {
    /// The log's key, from whoever trusts it.
    pub log: &'a NoteVerifier,
    /// An earlier checkpoint of the same log: its entries must still be the first ones.
    pub old: Option<&'a VerifiedCheckpoint>,
    /// A further check of every entry's content.
    pub entry: Option<&'a EntryCheck>,
    /// Called with the entries checked so far and their number, bundle by bundle.
    pub progress: &'a mut dyn FnMut(u64, u64),
}

/// A log that is good: every entry is under the signed root, and every tile is what the entries give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Name of the log.
    pub origin: String,
    /// Entries in it.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
    /// Tiles and bundles that were compared, earlier partial ones included.
    pub files: u64,
    /// Bytes in all entries.
    pub entry_bytes: u64,
    /// What was erased, lawfully as far as the log shows.
    pub erased: Erased,
    /// Entries at the earlier checkpoint, when one was given.
    pub old_size: Option<u64>,
    /// Files that the checkpoint does not call for; `None` when the source cannot list its files.
    pub strays: Option<Strays>,
}

/// Why a log was not found good.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It is bad.
    #[error("the log is bad")]
    Bad(#[source] Box<Fault>),
    /// It could not be read: nothing is known about it.
    #[error("the log could not be read")]
    Unreadable(#[source] SourceError),
}

impl From<Fault> for VerifyError {
    fn from(fault: Fault) -> Self {
        Self::Bad(Box::new(fault))
    }
}

/// Checks a whole log: the checkpoint's signature, every entry, every tile, every erasure, and the earlier checkpoint if one is given.
/// Memory does not grow with the log, only with the number of ranges that were erased.
///
/// # Errors
/// [`VerifyError::Bad`] with the first bad thing, [`VerifyError::Unreadable`] when the log could not be read.
pub fn verify_log(source: &dyn LogSource, checks: &mut Checks<'_>) -> Result<Verdict, VerifyError> {
    let checkpoint = match source.fetch("checkpoint", NOTE_LIMIT).map_err(VerifyError::Unreadable)? {
        Fetched::Bytes(bytes) => open_checkpoint(&bytes, checks.log, Which::Current)?,
        Fetched::Missing => return Err(Fault::Checkpoint { which: Which::Current, error: None }.into()),
        Fetched::TooLong => open_checkpoint(&vec![0; NOTE_LIMIT + 1], checks.log, Which::Current)?,
    };
    if let Some(old) = checks.old
        && old.size() > checkpoint.size()
    {
        return Err(Fault::RolledBack { old_size: old.size(), size: checkpoint.size() }.into());
    }
    let walked = Walk::new(source, &checkpoint, checks.old).run(checks)?;
    let mut strays = Strays::default();
    let listed = source
        .visit_files(&mut |path| strays.look(path, checkpoint.size()))
        .map_err(VerifyError::Unreadable)?;
    strays.named.sort();
    Ok(Verdict {
        origin: checkpoint.checkpoint().origin.clone(),
        size: checkpoint.size(),
        root: *checkpoint.root(),
        files: walked.files,
        entry_bytes: walked.entry_bytes,
        erased: walked.erased,
        old_size: checks.old.map(VerifiedCheckpoint::size),
        strays: listed.then_some(strays),
    })
}

/// Opens a checkpoint with the log's key.
///
/// # Errors
/// [`Fault::Checkpoint`] when it is malformed or not signed by that key.
pub fn open_checkpoint(bytes: &[u8], log: &NoteVerifier, which: Which) -> Result<VerifiedCheckpoint, Fault> {
    VerifiedCheckpoint::open(bytes, log).map_err(|error| Fault::Checkpoint { which, error: Some(error) })
}
