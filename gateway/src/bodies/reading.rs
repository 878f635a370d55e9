//! Reading a complete body from any chunk on. Blocking: call it off the I/O threads.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;
use passerelle_proto::envelope::{sealed_chunk_length, sealed_length};

use super::{Bodies, BodyName};

/// A body that is being read.
#[derive(Debug)]
pub struct Reading {
    hashes: Bytes,
    file: File,
    plaintext_length: u64,
    next: u64,
}

impl Bodies {
    /// Opens a complete body at its `from_chunk`th chunk.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when it is not here; what the system says otherwise.
    pub fn read(&self, name: &BodyName, plaintext_length: u64, from_chunk: u64) -> io::Result<Reading> {
        let hashes = fs::read(self.path(name, "hashes"))?.into();
        let mut file = File::open(self.path(name, "body"))?;
        // All chunks before the last have the same length.
        let each = sealed_chunk_length(plaintext_length, 0).unwrap_or(0) as u64;
        let start = from_chunk.saturating_mul(each).min(sealed_length(plaintext_length));
        file.seek(SeekFrom::Start(start))?;
        Ok(Reading { hashes, file, plaintext_length, next: from_chunk })
    }
}

impl Reading {
    /// Leaf hashes of all chunks, 32 bytes each, in order.
    #[must_use]
    pub fn hashes(&self) -> Bytes {
        self.hashes.clone()
    }

    /// The next sealed chunk; `None` after the last.
    ///
    /// # Errors
    /// What the system says.
    pub fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let Some(length) = sealed_chunk_length(self.plaintext_length, self.next) else { return Ok(None) };
        let mut chunk = vec![0; length];
        self.file.read_exact(&mut chunk)?;
        self.next += 1;
        Ok(Some(chunk.into()))
    }
}
