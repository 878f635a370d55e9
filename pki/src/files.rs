//! Durable file helpers.
//!
//! Owns how a file comes to be: never half-written, never over an existing one by accident, and on the disk before
//! the call returns (file and directory entry both synced). What a crash can leave behind is a temporary file named
//! `.<name>.<16 hex>.tmp`, which nothing reads.
//!
//! Blocking calls: from async code, run them where blocking is allowed.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};

/// Readable and writable by the owner alone: keys, tokens, indexes.
pub const PRIVATE: u32 = 0o600;
/// Readable by all: certificates, revocation lists, checkpoints.
pub const PUBLIC: u32 = 0o644;

/// Writes a new file, whole and durable, with these permission bits.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when something stands at `path`, which then stays untouched; otherwise what the
/// system says.
pub fn create_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = write_temporary(path, bytes, mode)?;
    // A hard link fails when the target exists, atomically, where a rename would replace it.
    let linked = fs::hard_link(&temporary, path);
    let removed = fs::remove_file(&temporary);
    linked?;
    removed?;
    sync_directory(parent(path))
}

/// Replaces the file at `path`, or creates it: a reader, or a crash, sees the old bytes or the new, never a mix.
///
/// # Errors
/// What the system says; the old file is then still whole.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = write_temporary(path, bytes, mode)?;
    if let Err(error) = fs::rename(&temporary, path) {
        // The temporary file is of no use to anyone; if it cannot go, the first error is the one to tell.
        fs::remove_file(&temporary).ok();
        return Err(error);
    }
    sync_directory(parent(path))
}

/// Creates a directory for its owner alone (0700), durably. The parent must exist.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when something stands at `path`.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)?;
    sync_directory(parent(path))
}

/// Makes the entries of a directory durable.
///
/// # Errors
/// What the system says.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`] when it is longer, before it is read.
pub fn read_limited(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {limit} bytes")));
    }
    Ok(bytes)
}

/// The directory that holds `path`.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A sibling of `path` that nobody else uses.
pub(crate) fn temporary_sibling(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let mut random = [0; 8];
    SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("the system gave no randomness"))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", hex::encode(random)));
    Ok(parent(path).join(hidden))
}

fn write_temporary(path: &Path, bytes: &[u8], mode: u32) -> io::Result<PathBuf> {
    let temporary = temporary_sibling(path)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(error) = written {
        fs::remove_file(&temporary).ok();
        return Err(error);
    }
    Ok(temporary)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(directory: &Path) -> Vec<OsString> {
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_new_file_has_its_bytes_and_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        create_new(&path, b"secret", PRIVATE).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"secret");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["key.pem"]);
    }

    #[test]
    fn an_existing_file_is_never_overwritten_by_creation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        create_new(&path, b"first", PRIVATE).unwrap();
        let error = create_new(&path, b"second", PRIVATE).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(names(folder.path()), ["key.pem"]);
    }

    #[test]
    fn replacing_leaves_nothing_else_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crl.der");
        replace(&path, b"first", PUBLIC).unwrap();
        replace(&path, b"second", PUBLIC).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names(folder.path()), ["crl.der"]);
    }

    #[test]
    fn a_file_that_cannot_be_placed_leaves_no_litter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir_all(path.join("inside")).unwrap();
        assert!(replace(&path, b"bytes", PUBLIC).is_err());
        assert_eq!(names(folder.path()), ["taken"]);
    }

    #[test]
    fn reading_stops_at_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long");
        fs::write(&path, b"12345").unwrap();
        assert_eq!(read_limited(&path, 5).unwrap(), b"12345");
        assert_eq!(read_limited(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
