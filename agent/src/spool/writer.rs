//! Writing a body: in a part file, made durable and named at the end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;

use passerelle_pki::files::{self, PRIVATE};
use passerelle_proto::envelope::{ChunkHashes, SEALED_CHUNK_SIZE, VerifiedChunks};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::tlog::Hash;

use super::{HASHES, PART, Spool, read_full};

/// A body being written.
#[derive(Debug)]
pub(crate) struct SpoolWriter {
    spool: Spool,
    id: ExchangeId,
    file: File,
    hashes: ChunkHashes,
    next: u64,
    /// A half-written body stays for later.
    keep: bool,
    done: bool,
}

impl SpoolWriter {
    pub(super) fn create(spool: Spool, id: ExchangeId) -> io::Result<Self> {
        let path = spool.beside(id, PART);
        let file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path)?;
        Ok(Self { spool, id, file, hashes: ChunkHashes::default(), next: 0, keep: false, done: false })
    }

    pub(super) fn resume(spool: Spool, id: ExchangeId, chunks: &VerifiedChunks) -> io::Result<Self> {
        let path = spool.beside(id, PART);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE)
            .open(path)?;
        let (mut next, mut chunk) = (0, Vec::with_capacity(SEALED_CHUNK_SIZE));
        let mut right = 0;
        while next < chunks.count() {
            let read = read_full(&mut file, &mut chunk, SEALED_CHUNK_SIZE)?;
            if chunks.check(next, &chunk).is_err() {
                break;
            }
            next += 1;
            right += read as u64;
        }
        file.set_len(right)?;
        file.seek(SeekFrom::Start(right))?;
        Ok(Self { spool, id, file, hashes: chunks.hashes().clone(), next, keep: true, done: false })
    }

    /// The chunk that is wanted next.
    pub(crate) fn next_chunk(&self) -> u64 {
        self.next
    }

    /// Writes the next chunk, whose hash is new.
    pub(crate) fn push(&mut self, chunk: &[u8], hash: Hash) -> io::Result<()> {
        self.file.write_all(chunk)?;
        self.hashes.push(hash);
        self.next += 1;
        Ok(())
    }

    /// Writes the next chunk, whose hash was there before; the caller has checked it.
    pub(crate) fn push_checked(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.file.write_all(chunk)?;
        self.next += 1;
        Ok(())
    }

    /// Makes the body durable under its name.
    pub(crate) fn commit(mut self) -> io::Result<()> {
        if !self.spool.durable {
            fs::write(self.spool.beside(self.id, HASHES), self.hashes.to_bytes())?;
            fs::rename(self.spool.beside(self.id, PART), self.spool.path(self.id))?;
            self.done = true;
            return Ok(());
        }
        self.file.sync_all()?;
        self.spool.keep_hashes(self.id, &self.hashes)?;
        fs::rename(self.spool.beside(self.id, PART), self.spool.path(self.id))?;
        self.done = true;
        files::sync_directory(self.spool.folder())
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        if !self.done && !self.keep {
            // What stays behind is swept at the next opening.
            fs::remove_file(self.spool.beside(self.id, PART)).ok();
        }
    }
}
