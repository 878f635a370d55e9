//! Opening, reading and writing the sled folder.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use prost::Message;

use super::{apply::ViewBatch, keys, meta};

/// Memory that sled may use for its page cache.
const CACHE_BYTES: u64 = 16 << 20;

/// The view. Clones share it.
#[derive(Clone, Debug)]
pub struct View {
    db: sled::Db,
    path: PathBuf,
}

/// Why the view gave no answer. Ours; the cure is to rebuild it.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// sled refused.
    #[error("the view cannot be read or written")]
    Sled(#[from] sled::Error),
    /// sled panicked: a torn or damaged file.
    #[error("the view is damaged (sled panicked)")]
    Panicked,
    /// A row does not have the form that this version writes.
    #[error("the view holds a malformed {0}")]
    Malformed(&'static str),
    /// Written by another format, or of another log.
    #[error("the view is of another {0}")]
    Foreign(&'static str),
    /// The folder could not be removed.
    #[error("the view's folder {path} cannot be removed")]
    Remove {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl View {
    /// Opens the view at `path`, or makes an empty one there. A damaged one is an error: see [`View::recreate`].
    pub fn open(path: &Path, origin: &str) -> Result<Self, ViewError> {
        let db = guarded(|| sled::Config::new().path(path).cache_capacity(CACHE_BYTES).open())??;
        let view = Self { db, path: path.to_owned() };
        let meta = guarded(|| view.meta())??;
        if meta.format != 0 && meta.format != meta::FORMAT {
            return Err(ViewError::Foreign("format"));
        }
        if meta.format != 0 && meta.origin != origin {
            return Err(ViewError::Foreign("log"));
        }
        Ok(view)
    }

    /// Deletes what is at `path` and opens an empty view there. Only while the journal's lock is held: it is what
    /// tells that no other gateway uses the folder.
    pub fn recreate(path: &Path, origin: &str) -> Result<Self, ViewError> {
        let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        match removed {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(ViewError::Remove { path: path.to_owned(), source })
            }
            _ => Self::open(path, origin),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How far the view has come.
    pub fn meta(&self) -> Result<meta::Meta, ViewError> {
        Ok(self.row(keys::META)?.unwrap_or_default())
    }

    /// Writes a batch, all or nothing.
    pub fn write(&self, batch: ViewBatch) -> Result<(), ViewError> {
        let batch = batch.into_sled();
        guarded(|| self.db.apply_batch(batch))?.map_err(ViewError::Sled)
    }

    /// Asks sled to write what it holds; what it cannot write is rebuilt at the next start.
    pub fn flush(&self) -> Result<(), ViewError> {
        guarded(|| self.db.flush())?.map(|_bytes| ()).map_err(ViewError::Sled)
    }

    pub(super) fn db(&self) -> &sled::Db {
        &self.db
    }

    pub(super) fn put(&self, key: &[u8], value: &[u8]) -> Result<(), ViewError> {
        guarded(|| self.db.insert(key, value))?.map(|_before| ()).map_err(ViewError::Sled)
    }

    pub(super) fn row<M: Message + Default>(&self, key: &[u8]) -> Result<Option<M>, ViewError> {
        match guarded(|| self.db.get(key))?? {
            Some(bytes) => M::decode(bytes.as_ref()).map(Some).map_err(|_error| ViewError::Malformed("row")),
            None => Ok(None),
        }
    }
}

impl From<Panicked> for ViewError {
    fn from(_panicked: Panicked) -> Self {
        Self::Panicked
    }
}

/// sled panicked.
struct Panicked;

/// Runs what may panic inside sled, and makes an error of the panic.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_panic| Panicked)
}
