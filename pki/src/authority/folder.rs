//! The files of an authority's folder, and its lock.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::AuthorityError;
use crate::files;

/// Encrypted PKCS#8, 0600. Whoever has it and its passphrase is the authority.
pub(super) const KEY: &str = "ca.key.pem";
/// The authority's certificate. Public; changing it makes the folder unusable, nothing more.
pub(super) const CERTIFICATE: &str = "ca.cert.pem";
/// The root's certificate. Public; what others must trust they take from elsewhere.
pub(super) const ROOT: &str = "root.cert.pem";
/// One line for each certificate issued, append-only.
pub(super) const ISSUED: &str = "issued.jsonl";
/// One line for each revocation, append-only. Removing one un-revokes a certificate at the next list.
pub(super) const REVOKED: &str = "revoked.jsonl";
/// The latest revocation list. Signed, and can be made anew.
pub(super) const LIST_DER: &str = "crl.der";
/// The same as PEM.
pub(super) const LIST_PEM: &str = "crl.pem";
/// Held by whoever changes the folder.
pub(super) const LOCK: &str = "lock";

/// The lock of a folder; released when dropped, or when the process ends.
#[derive(Debug)]
pub(super) struct Locked(#[expect(dead_code, reason = "held for its lock, released by closing")] File);

/// Takes the folder's lock, waiting for whoever holds it: they are done in milliseconds, or dead and it is free.
pub(super) fn lock(directory: &Path) -> Result<Locked, AuthorityError> {
    let path = directory.join(LOCK);
    let file_error = |source| AuthorityError::File { path: path.clone(), source };
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(files::PRIVATE).open(&path);
    let file = file.map_err(file_error)?;
    flock(&file, FlockOperation::LockExclusive).map_err(|errno| file_error(io::Error::from(errno)))?;
    Ok(Locked(file))
}

/// Replaces a file of the folder.
pub(super) fn replace(directory: &Path, name: &str, bytes: &[u8], mode: u32) -> Result<(), AuthorityError> {
    let path = directory.join(name);
    files::replace(&path, bytes, mode).map_err(|source| AuthorityError::File { path, source })
}
