//! Exact entries by leaf index, published or not.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use passerelle_proto::tlog::bundle;
use passerelle_proto::tlog::tile::{FULL_WIDTH, Level, TilePath};
use passerelle_proto::tlog::{NoteVerifier, TileSource, VerifiedCheckpoint};

use super::{LogError, LogFolder, Tail};
use crate::view::EntrySource;

/// The bundle that was read last: its index and its entries as far as they were published.
type Held = Option<(u64, Vec<Bytes>)>;

/// Reads entries. Keeps the bundle that was read last, since neighbours are asked for together.
#[derive(Debug)]
pub struct Entries {
    folder: LogFolder,
    tail: Arc<Tail>,
    key: NoteVerifier,
    held: Mutex<Held>,
}

impl Entries {
    /// Reads from the folder and the tail of the log whose checkpoints `key` verifies.
    pub(crate) fn new(folder: LogFolder, tail: Arc<Tail>, key: NoteVerifier) -> Self {
        Self { folder, tail, key, held: Mutex::default() }
    }

    /// Entries in the log, published or not.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tail.end()
    }

    /// Entries that are published.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.tail.first()
    }

    /// The folder of the published log.
    #[must_use]
    pub fn folder(&self) -> &LogFolder {
        &self.folder
    }

    /// The verifier of the log's checkpoints: what is given to those who check the log.
    #[must_use]
    pub fn key(&self) -> &NoteVerifier {
        &self.key
    }

    /// The published checkpoint, when there is one.
    ///
    /// # Errors
    /// [`LogError`] when it cannot be read or does not verify.
    pub fn checkpoint(&self) -> Result<Option<VerifiedCheckpoint>, LogError> {
        self.folder.checkpoint(&self.key)
    }

    fn in_folder(&self, leaf_index: u64) -> io::Result<Option<Bytes>> {
        let width = u64::from(FULL_WIDTH);
        let (index, offset) = (leaf_index / width, usize::try_from(leaf_index % width).unwrap_or(0));
        if let Some((held, entries)) = self.held.lock().unwrap_or_else(PoisonError::into_inner).as_ref()
            && *held == index
            && let Some(entry) = entries.get(offset)
        {
            return Ok(Some(entry.clone()));
        }
        let Some(path) = TilePath::in_tree(Level::Entries, index, self.published()) else { return Ok(None) };
        let bytes = Bytes::from(self.folder.tile(path)?);
        // The folder may answer with the full bundle for a partial one: the entries beyond are real too.
        let slices = bundle::entries(&bytes, FULL_WIDTH).map_while(Result::ok);
        let entries: Vec<Bytes> = slices.map(|slice| bytes.slice_ref(slice)).collect();
        let found = entries.get(offset).cloned();
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some((index, entries));
        Ok(found)
    }
}

impl EntrySource for Entries {
    fn entry(&self, leaf_index: u64) -> io::Result<Option<Bytes>> {
        // Published between the two looks: the second one finds it.
        match self.tail.entry(leaf_index) {
            Some(entry) => Ok(Some(entry)),
            None => self.in_folder(leaf_index),
        }
    }
}
