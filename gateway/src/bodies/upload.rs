//! One upload: chunks checked one by one against the hashes that the header commits to, resumable where it was cut.
//! Blocking: call it off the I/O threads.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use passerelle_pki::files;
use passerelle_proto::envelope::{BodyError, VerifiedChunks, VerifiedEnvelope, sealed_chunk_length};

use super::{Bodies, BodyName, create};

/// An upload under way.
#[derive(Debug)]
pub struct Upload {
    chunks: VerifiedChunks,
    plaintext_length: u64,
    file: File,
    part: PathBuf,
    body: PathBuf,
    /// Chunks written, not all durable.
    next: u64,
    complete: bool,
}

/// Why an upload cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The chunk is not the one that the header commits to. The sender's fault.
    #[error("a chunk is not the one that the header announces")]
    Body(#[from] BodyError),
    /// More chunks than there are. The sender's fault.
    #[error("there are more chunks than the header announces")]
    TooMany,
    /// The disk. Ours.
    #[error("the spool cannot be written")]
    Io(#[from] io::Error),
}

impl Bodies {
    /// Starts or resumes the upload of `envelope`'s body. What an earlier attempt left is checked again, chunk by
    /// chunk, and kept up to the first that does not hold.
    ///
    /// # Errors
    /// What the system says.
    pub fn upload(
        &self,
        name: &BodyName,
        envelope: &VerifiedEnvelope,
        chunks: VerifiedChunks,
    ) -> io::Result<Upload> {
        create(&self.root.join(name.agency.as_str()))?;
        let (part, body) = (self.path(name, "part"), self.path(name, "body"));
        files::replace(&self.path(name, "hashes"), &chunks.hashes().to_bytes(), 0o600)?;
        let complete = body.is_file();
        let file = if complete {
            File::open(&body)?
        } else {
            let mut options = fs::OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&part)?
        };
        let plaintext_length = envelope.header().plaintext_length;
        let next = if complete { chunks.count() } else { 0 };
        let mut upload = Upload { chunks, plaintext_length, file, part, body, next, complete };
        if !complete {
            upload.resume()?;
        }
        Ok(upload)
    }
}

impl Upload {
    /// Finds the first chunk that is not here whole, and cuts the file before it.
    fn resume(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut kept = 0;
        while let Some(length) = sealed_chunk_length(self.plaintext_length, self.next) {
            let mut chunk = vec![0; length];
            match self.file.read_exact(&mut chunk) {
                Ok(()) if self.chunks.check(self.next, &chunk).is_ok() => {
                    self.next += 1;
                    kept += length as u64;
                }
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            }
        }
        self.file.set_len(kept)?;
        self.file.seek(SeekFrom::Start(kept))?;
        Ok(())
    }

    /// The first chunk that is still wanted.
    #[must_use]
    pub fn next_chunk(&self) -> u64 {
        self.next
    }

    /// Whether every chunk was written.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.next == self.chunks.count()
    }

    /// Writes the next chunk, once it was checked.
    ///
    /// # Errors
    /// [`UploadError`]; nothing is written then.
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), UploadError> {
        if self.is_whole() {
            return Err(UploadError::TooMany);
        }
        self.chunks.check(self.next, chunk)?;
        self.file.write_all(chunk)?;
        self.next += 1;
        Ok(())
    }

    /// Makes what was written durable; the whole body, once it is whole, under its final name.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&mut self) -> io::Result<()> {
        if self.complete {
            return Ok(());
        }
        self.file.sync_data()?;
        if self.is_whole() {
            fs::rename(&self.part, &self.body)?;
            if let Some(folder) = self.body.parent() {
                files::sync_directory(folder)?;
            }
            self.complete = true;
        }
        Ok(())
    }

    /// Whether the whole body is durable.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}
