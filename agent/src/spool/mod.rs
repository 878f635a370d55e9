//! Sealed bodies too large for the journal, a file each, sealed chunks one after another, with their hashes beside them.
//!
//! `<id>.part` is being written; `<id>` is whole and durable, and `<id>.hashes` was durable before it. Nothing here is
//! plain. What no journal entry names is removed when the store opens.

mod reader;
mod writer;

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::files::{self, PRIVATE};
use passerelle_proto::envelope::{ChunkHashes, PLAINTEXT_LIMIT, VerifiedChunks, chunk_count};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::tlog::HASH_SIZE;

pub(crate) use reader::SpoolReader;
pub(crate) use writer::SpoolWriter;

const PART: &str = "part";
const HASHES: &str = "hashes";
/// A day longer than a record lives when nobody says otherwise: what was cut is gone on with until then.
const ABANDONED: Duration = Duration::from_secs(8 * 86_400);

/// A folder of bodies. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    folder: Arc<PathBuf>,
    /// A body that has its name is on the disk for certain.
    durable: bool,
}

impl Spool {
    /// Opens the folder, or makes it.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        if let Some(parent) = folder.parent() {
            files::sync_directory(parent)?;
        }
        Ok(Self { folder: Arc::new(folder.to_path_buf()), durable: true })
    }

    /// Opens the folder for bodies that are only passing through: nothing is made durable, and what an earlier process left
    /// is removed.
    pub(crate) fn passing(folder: &Path) -> io::Result<Self> {
        let spool = Self { durable: false, ..Self::open(folder)? };
        spool.sweep(|_| false)?;
        Ok(spool)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, id: ExchangeId) -> PathBuf {
        self.folder.join(id.to_string())
    }

    fn beside(&self, id: ExchangeId, extension: &str) -> PathBuf {
        self.folder.join(format!("{id}.{extension}"))
    }

    /// Begins a body. It is removed again unless [`SpoolWriter::commit`] is reached.
    pub(crate) fn create(&self, id: ExchangeId) -> io::Result<SpoolWriter> {
        SpoolWriter::create(self.clone(), id)
    }

    /// Goes on with a body whose hashes were kept, after the last chunk that is right.
    pub(crate) fn resume(&self, id: ExchangeId, chunks: &VerifiedChunks) -> io::Result<SpoolWriter> {
        SpoolWriter::resume(self.clone(), id, chunks)
    }

    /// Whether the whole body is here.
    pub(crate) fn has(&self, id: ExchangeId) -> bool {
        self.path(id).exists()
    }

    /// Reads a whole body from its first chunk.
    pub(crate) fn read(&self, id: ExchangeId) -> io::Result<SpoolReader> {
        Ok(SpoolReader::new(File::open(self.path(id))?))
    }

    /// The hashes kept beside a body, if any. Not verified: whoever uses them holds them against the header.
    pub(crate) fn hashes(&self, id: ExchangeId) -> io::Result<Option<ChunkHashes>> {
        let path = self.beside(id, HASHES);
        let limit = chunk_count(PLAINTEXT_LIMIT).saturating_mul(HASH_SIZE as u64);
        let bytes = match files::read_limited(&path, limit) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(ChunkHashes::from_bytes(&bytes).ok())
    }

    /// Keeps hashes, durably.
    pub(crate) fn keep_hashes(&self, id: ExchangeId, hashes: &ChunkHashes) -> io::Result<()> {
        files::replace(&self.beside(id, HASHES), &hashes.to_bytes(), PRIVATE)
    }

    /// Removes everything about a body. What is gone already is no error.
    pub(crate) fn remove(&self, id: ExchangeId) -> io::Result<()> {
        for path in [self.path(id), self.beside(id, PART), self.beside(id, HASHES)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes bodies that were begun and that nobody has written to for longer than they are worth keeping.
    pub(crate) fn sweep_abandoned(&self, now: Timestamp) -> io::Result<()> {
        for entry in fs::read_dir(&*self.folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != PART) || !is_abandoned(&path, now) {
                continue;
            }
            if let Some(id) = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()) {
                tracing::info!(%id, "a body that was begun long ago is given up");
                self.remove(id)?;
            }
        }
        Ok(())
    }

    /// Removes what `needed` does not claim: whole bodies, and half-written ones.
    pub(crate) fn sweep(&self, needed: impl Fn(ExchangeId) -> bool) -> io::Result<()> {
        for entry in fs::read_dir(&*self.folder)? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if !stem.parse().is_ok_and(&needed) {
                fs::remove_file(&path)?;
            }
        }
        files::sync_directory(&self.folder)
    }
}

/// Whether a file was last written longer ago than [`ABANDONED`]. What cannot be told is not.
fn is_abandoned(path: &Path, now: Timestamp) -> bool {
    let written = fs::metadata(path).and_then(|metadata| metadata.modified());
    let since_epoch = written.ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since_epoch.is_some_and(|age| {
        let written = Timestamp::from_millis(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        now.since(written) > ABANDONED
    })
}

/// Fills the buffer as far as the file goes.
fn read_full(file: &mut File, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    buffer.clear();
    file.by_ref().take(most as u64).read_to_end(buffer)
}

#[cfg(test)]
mod tests;
