//! Writes a log as tiles: gives the files that appending entries adds, and the root that follows.
//!
//! Does no I/O. The caller writes the files durably, and only then signs and publishes a checkpoint of
//! [`LogWriter::size`] and [`LogWriter::root`]. When a write fails or the process stops, the writer is dropped and made
//! again with [`LogWriter::resume`] from the last published size: the same entries then give the same files.

use super::bundle::{self, BundleError};
use super::hash::{Hash, leaf_hash};
use super::tile::{
    FULL_WIDTH, Level, NodeError, TILE_HEIGHT, TOP_LEVEL, TileError, TileNodes, TilePath, TileSource,
};
use super::tree::{self, TreeError, complete_root};
use super::{Frontier, SIZE_LIMIT};

/// One file to write: full ones never change again; a partial one is superseded by a wider one at the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileWrite {
    /// Where.
    pub path: TilePath,
    /// Its whole content.
    pub bytes: Vec<u8>,
}

/// Why entries could not be appended. The writer is then unchanged.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// An entry is too long.
    #[error("entry {index} of those given cannot be in the log")]
    Entry {
        /// Which of the given entries, from 0.
        index: usize,
        /// Why.
        #[source]
        error: BundleError,
    },
    /// The log would be over [`SIZE_LIMIT`] entries.
    #[error("the log is full")]
    Full,
}

/// Why a log could not be continued.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResumeError<E> {
    /// The hashes on the right edge of the log could not be read.
    #[error("the tiles of the log could not be read")]
    Tiles(#[source] TreeError<NodeError<E>>),
    /// The last, partial bundle of the log could not be read.
    #[error("{path} could not be read")]
    Bundle {
        /// The bundle.
        path: TilePath,
        /// The source's own error.
        #[source]
        error: E,
    },
    /// The last, partial bundle of the log is not what the tiles say.
    #[error("{path} is not the bundle that the tiles are over")]
    OtherBundle {
        /// The bundle.
        path: TilePath,
    },
}

/// The right edge of a log: its frontier, and the tiles and the bundle that are not full yet. Takes less than 100 KiB
/// beside the entries of the last, partial bundle.
#[derive(Clone, Debug, Default)]
pub struct LogWriter {
    frontier: Frontier,
    /// The partial tile of each level; fewer than 256 hashes each.
    edges: Vec<Vec<Hash>>,
    /// The partial bundle.
    bundle: Vec<u8>,
}

impl LogWriter {
    /// A writer for a new log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A writer that continues the log of `size` entries. Reads only its right edge; compare [`LogWriter::root`] with
    /// the published checkpoint.
    ///
    /// # Errors
    /// [`ResumeError`] when a tile or the partial bundle cannot be read, or they do not belong together.
    pub fn resume<S: TileSource>(source: &S, size: u64) -> Result<Self, ResumeError<S::Error>> {
        let mut nodes = TileNodes::new(source, size);
        let peaks = tree::peaks(&mut nodes, size).map_err(ResumeError::Tiles)?;
        let range = TreeError::Range { asked: size, size };
        let frontier = Frontier::from_peaks(size, peaks).map_err(|_| ResumeError::Tiles(range))?;
        let mut edges = Vec::new();
        for level in 0..=TOP_LEVEL {
            let hashes = size >> (TILE_HEIGHT * u32::from(level));
            if hashes == 0 {
                break;
            }
            let partial = !hashes.is_multiple_of(FULL_WIDTH.into());
            let index = hashes / u64::from(FULL_WIDTH);
            let edge = if partial {
                nodes.hashes(level, index).map_err(|error| ResumeError::Tiles(TreeError::Source(error)))?
            } else {
                &[]
            };
            edges.push(edge.to_vec());
        }
        let bundle = match edges.first() {
            Some(edge) if !edge.is_empty() => read_bundle(source, size, edge)?,
            _ => Vec::new(),
        };
        Ok(Self { frontier, edges, bundle })
    }

    /// Entries in the log.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Root of the tree over them.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The frontier of the tree.
    #[must_use]
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Appends entries; returns the files that this adds: every bundle and tile that became full, then the partial
    /// ones of the new size that changed.
    ///
    /// # Errors
    /// [`AppendError::Entry`] or [`AppendError::Full`]; the writer is then unchanged.
    pub fn append<T: AsRef<[u8]>>(&mut self, entries: &[T]) -> Result<Vec<FileWrite>, AppendError> {
        for (index, entry) in entries.iter().enumerate() {
            let length = entry.as_ref().len();
            if length > bundle::ENTRY_LIMIT {
                return Err(AppendError::Entry { index, error: BundleError::EntryTooLong(length) });
            }
        }
        if u64::try_from(entries.len()).ok().is_none_or(|more| more > SIZE_LIMIT - self.size()) {
            return Err(AppendError::Full);
        }
        let before = self.size();
        let mut writes = Vec::new();
        for entry in entries {
            // Neither can fail: lengths and the new size were checked above.
            bundle::push(&mut self.bundle, entry.as_ref())
                .map_err(|error| AppendError::Entry { index: 0, error })?;
            self.push_leaf(leaf_hash(entry.as_ref()), &mut writes)?;
        }
        self.partials(before, &mut writes);
        Ok(writes)
    }

    fn push_leaf(&mut self, leaf: Hash, writes: &mut Vec<FileWrite>) -> Result<(), AppendError> {
        self.frontier.push(leaf).map_err(|_| AppendError::Full)?;
        let size = self.size();
        if size.is_multiple_of(FULL_WIDTH.into()) {
            write_last(Level::Entries, size, std::mem::take(&mut self.bundle), writes);
        }
        let mut hash = leaf;
        for level in 0..=TOP_LEVEL {
            if self.edges.len() == usize::from(level) {
                self.edges.push(Vec::new());
            }
            let Some(edge) = self.edges.get_mut(usize::from(level)) else { break };
            edge.push(hash);
            if edge.len() < usize::from(FULL_WIDTH) {
                break;
            }
            let full = std::mem::take(edge);
            write_last(Level::Hashes(level), size, tile_bytes(&full), writes);
            let Some(root) = complete_root(&full) else { break };
            hash = root;
        }
        Ok(())
    }

    /// The partial files of the new size that a log of `before` entries did not have.
    fn partials(&self, before: u64, writes: &mut Vec<FileWrite>) {
        let size = self.size();
        if before < size && !self.bundle.is_empty() {
            write_last(Level::Entries, size, self.bundle.clone(), writes);
        }
        for (level, edge) in (0..=TOP_LEVEL).zip(&self.edges) {
            let level = Level::Hashes(level);
            if !edge.is_empty() && before / level.span() < size / level.span() {
                write_last(level, size, tile_bytes(edge), writes);
            }
        }
    }
}

/// Adds the last tile of a level in the tree of `size` entries.
fn write_last(level: Level, size: u64, bytes: Vec<u8>, writes: &mut Vec<FileWrite>) {
    let last = (size / level.span()).saturating_sub(1) / u64::from(FULL_WIDTH);
    if let Some(path) = TilePath::in_tree(level, last, size) {
        writes.push(FileWrite { path, bytes });
    }
}

fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn read_bundle<S: TileSource>(
    source: &S,
    size: u64,
    edge: &[Hash],
) -> Result<Vec<u8>, ResumeError<S::Error>> {
    let index = size / u64::from(FULL_WIDTH);
    let path = TilePath::in_tree(Level::Entries, index, size)
        .ok_or(ResumeError::Tiles(TreeError::Source(NodeError::Tile(TileError::Range))))?;
    let mut bytes = source.tile(path).map_err(|error| ResumeError::Bundle { path, error })?;
    let other = ResumeError::OtherBundle { path };
    // The source may answer with a wider bundle: its beginning is the one meant.
    let Ok(length) = bundle::prefix_length(&bytes, path.width()) else { return Err(other) };
    bytes.truncate(length);
    match bundle::leaf_hashes(&bytes, path.width()) {
        Ok(hashes) if hashes == edge => Ok(bytes),
        _ => Err(other),
    }
}
