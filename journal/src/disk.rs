//! The few calls that change the disk, behind a seam, so that tests can make each of them fail.

use rustix::fs::{FallocateFlags, fallocate};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What a journal asks of the disk. Every call is durable only after the sync that follows it.
pub(crate) trait Disk: Send + Sync + fmt::Debug {
    /// Reserves `bytes` from the start of the file, reading as zeros.
    fn reserve(&self, file: &File, bytes: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`.
    fn write(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes the file's content durable (`fdatasync`).
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Makes the folder's entries durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// The disk itself.
#[derive(Debug)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn reserve(&self, file: &File, bytes: u64) -> io::Result<()> {
        match fallocate(file, FallocateFlags::empty(), 0, bytes) {
            // A file system without reservation: the length alone, so that reads past the end give zeros.
            Err(rustix::io::Errno::OPNOTSUPP) => file.set_len(bytes),
            done => Ok(done?),
        }
    }

    fn write(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}
