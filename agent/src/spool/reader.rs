//! Reading a body chunk by chunk.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use passerelle_proto::envelope::SEALED_CHUNK_SIZE;

/// A whole body being read. What comes out is held against the header by whoever opens or sends it.
#[derive(Debug)]
pub(crate) struct SpoolReader {
    file: File,
}

impl SpoolReader {
    pub(super) fn new(file: File) -> Self {
        Self { file }
    }

    /// Goes to a chunk.
    pub(crate) fn seek(&mut self, chunk: u64) -> io::Result<()> {
        let offset = chunk.saturating_mul(SEALED_CHUNK_SIZE as u64);
        self.file.seek(SeekFrom::Start(offset)).map(|_| ())
    }

    /// Reads the next sealed chunk; false at the end.
    pub(crate) fn next(&mut self, chunk: &mut Vec<u8>) -> io::Result<bool> {
        Ok(super::read_full(&mut self.file, chunk, SEALED_CHUNK_SIZE)? > 0)
    }
}
