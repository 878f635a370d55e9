//! The folder of the published log: reading and writing its files durably.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use passerelle_pki::files;
use passerelle_proto::tlog::tile::{self, Level, TilePath};
use passerelle_proto::tlog::{FileWrite, NoteVerifier, TileSource, VerifiedCheckpoint};

/// Bytes that a checkpoint may have.
const CHECKPOINT_LIMIT: u64 = 64 * 1024;
/// Bytes that a full entry bundle can have.
const TILE_LIMIT: u64 = 256 * (2 + 65_535);
/// The folder's owner alone reads it from the disk: entries name agencies and agreements.
const MODE: u32 = 0o600;

/// Why the published log cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The system refused.
    #[error("{path} of the published log")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The checkpoint is not one that this log's key signed. Restore the folder from a copy.
    #[error(
        "the published checkpoint does not verify under this gateway's key; restore the log folder from a copy"
    )]
    Checkpoint(#[source] passerelle_proto::tlog::checkpoint::CheckpointError),
    /// The tiles are not those that the checkpoint signs. Restore the folder from a copy.
    #[error(
        "the published tiles do not have the root that the checkpoint signs; restore the log folder from a copy"
    )]
    OtherTree,
    /// The right edge of the log cannot be read. Restore the folder from a copy.
    #[error("the published log cannot be continued: {0}; restore the log folder from a copy")]
    Edge(String),
    /// An entry cannot be added. Ours.
    #[error("the log cannot be extended")]
    Append(#[source] passerelle_proto::tlog::AppendError),
    /// The origin is not one that a checkpoint can have. The configuration is wrong.
    #[error("« {0} » is not the origin of a log; correct `log.origin`")]
    Origin(String),
    /// The log's key cannot sign.
    #[error("the log's key cannot sign checkpoints")]
    Key(#[source] passerelle_proto::tlog::note::NoteError),
}

/// The folder.
#[derive(Clone, Debug)]
pub struct LogFolder {
    root: PathBuf,
}

impl LogFolder {
    /// The folder at `root`, made when there is none.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn open(root: &Path) -> Result<Self, LogError> {
        match files::create_private_directory(root) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(failed(root, source)),
            _ => Ok(Self { root: root.to_owned() }),
        }
    }

    /// The folder's path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The published checkpoint, when there is one.
    ///
    /// # Errors
    /// [`LogError`] when it cannot be read or does not verify.
    pub fn checkpoint(&self, key: &NoteVerifier) -> Result<Option<VerifiedCheckpoint>, LogError> {
        let path = self.root.join("checkpoint");
        match files::read_limited(&path, CHECKPOINT_LIMIT) {
            Ok(bytes) => VerifiedCheckpoint::open(&bytes, key).map(Some).map_err(LogError::Checkpoint),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed(&path, source)),
        }
    }

    /// Writes tiles and bundles, all durable when this returns.
    pub(super) fn write(&self, writes: &[FileWrite]) -> Result<(), LogError> {
        for write in writes {
            let path = self.root.join(write.path.to_string());
            let parent = path.parent().unwrap_or(&self.root);
            self.create_folders(parent)?;
            files::replace(&path, &write.bytes, MODE).map_err(|source| failed(&path, source))?;
        }
        Ok(())
    }

    /// Replaces the checkpoint.
    pub(super) fn write_checkpoint(&self, note: &str) -> Result<(), LogError> {
        let path = self.root.join("checkpoint");
        files::replace(&path, note.as_bytes(), MODE).map_err(|source| failed(&path, source))
    }

    /// Removes the partial tiles that became full between a published tree of `before` entries and one of `now`: the
    /// full ones are published, and begin with the same bytes. Earlier partial ones stay, since somebody may be reading
    /// the checkpoint that they belong to. What cannot be removed does no harm.
    pub(super) fn remove_partial(&self, before: u64, now: u64) {
        let levels = std::iter::once(Level::Entries).chain((0..=tile::TOP_LEVEL).map(Level::Hashes));
        for level in levels {
            let full = |size: u64| size / level.span() / u64::from(tile::FULL_WIDTH);
            for index in full(before)..full(now) {
                let Ok(path) = TilePath::new(level, index, tile::FULL_WIDTH) else { continue };
                let folder = self.root.join(format!("{path}.p"));
                if let Err(error) = fs::remove_dir_all(&folder)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    tracing::warn!(folder = %folder.display(), %error, "partial tiles cannot be removed");
                }
            }
        }
    }

    /// Makes the folders down to `folder`, each durable in its parent.
    fn create_folders(&self, folder: &Path) -> Result<(), LogError> {
        if folder.is_dir() || folder == self.root {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.create_folders(parent)?;
        }
        match files::create_private_directory(folder) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(failed(folder, source)),
            _ => Ok(()),
        }
    }
}

impl TileSource for LogFolder {
    type Error = io::Error;

    fn tile(&self, path: TilePath) -> io::Result<Vec<u8>> {
        match files::read_limited(&self.root.join(path.to_string()), TILE_LIMIT) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_full() => {
                files::read_limited(&self.root.join(path.full().to_string()), TILE_LIMIT)
            }
            read => read,
        }
    }
}

fn failed(path: &Path, source: io::Error) -> LogError {
    LogError::Io { path: path.to_owned(), source }
}
