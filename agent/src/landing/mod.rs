//! How a file lands in a folder: whole, durable, and never over another one.
//!
//! Bytes go to a hidden file beside the final place; only when all of them are on the disk does it get its name, in one
//! step that fails when the name is taken. A crash leaves at most a hidden file, which the next [`Folder::open`] removes:
//! it knows a dead one by its lock, which dies with the process that held it.
//!
//! [`name`]: the names of files that others named; [`place`]: a folder held open, for those who move files about.

pub(crate) mod name;
pub(crate) mod place;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use ring::rand::{SecureRandom, SystemRandom};
use rustix::fs::{AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use name::numbered;

const PREFIX: &str = ".passerelle-";
const SUFFIX: &str = ".part";
/// Names that are tried for one file.
const CHOICES: u32 = 10_000;
/// Hidden files that are made at most until one is ours.
const ATTEMPTS: u32 = 16;

/// A folder in which files land. It stays the same folder when its path is given to another.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    handle: OwnedFd,
}

impl Folder {
    /// Opens an existing folder, and removes what interrupted runs left half-written in it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        let folder = Self { path: path.to_owned(), handle };
        folder.sweep()?;
        Ok(folder)
    }

    /// Begins a file.
    pub(crate) fn begin(&self) -> io::Result<Landing<'_>> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for _ in 0..ATTEMPTS {
            let mut random = [0; 8];
            SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("no randomness"))?;
            let hidden = format!("{PREFIX}{}{SUFFIX}", hex::encode(random));
            let file = match rustix::fs::openat(&self.handle, &hidden, flags, Mode::RUSR | Mode::WUSR) {
                Err(Errno::EXIST) => continue,
                file => File::from(file?),
            };
            let landing =
                Landing { folder: self, hidden: Some(hidden), file, digest: Context::new(&SHA256), bytes: 0 };
            rustix::fs::flock(&landing.file, FlockOperation::LockExclusive)?;
            // Another run may have taken it for a dead one before it was locked.
            if rustix::fs::fstat(&landing.file)?.st_nlink > 0 {
                return Ok(landing);
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "no free hidden name"))
    }

    fn sweep(&self) -> io::Result<()> {
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_hidden = name.to_str().is_ok_and(|name| {
                name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX)).is_some_and(|middle| {
                    middle.len() == 16 && middle.bytes().all(|byte| byte.is_ascii_hexdigit())
                })
            });
            if !is_hidden {
                continue;
            }
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            // Gone or not ours to read: not ours to remove either.
            let Ok(file) = rustix::fs::openat(&self.handle, name, flags, Mode::empty()) else { continue };
            if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                match rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()) {
                    Err(error) if error != Errno::NOENT => return Err(error.into()),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// A file that is being written. Dropped before it has landed, nothing is left of it.
pub(crate) struct Landing<'a> {
    folder: &'a Folder,
    hidden: Option<String>,
    file: File,
    digest: Context,
    bytes: u64,
}

/// A file that stands under its name, on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Landed {
    /// Where.
    pub(crate) path: PathBuf,
    /// Its bytes.
    pub(crate) bytes: u64,
    /// Their SHA-256.
    pub(crate) sha256: [u8; 32],
}

impl Landing<'_> {
    /// Adds bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.digest.update(bytes);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Gives the file its name, or the next free one like it. When this returns, bytes and name are on the disk.
    pub(crate) fn land(mut self, name: &str) -> io::Result<Landed> {
        self.file.sync_all()?;
        let hidden = self.hidden.clone().ok_or(io::ErrorKind::NotFound)?;
        for count in 1..=CHOICES {
            let choice = numbered(name, count);
            let folder = &self.folder.handle;
            match move_without_replacing((folder, hidden.as_ref()), (folder, choice.as_ref())) {
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    self.hidden = None;
                    rustix::fs::fsync(&self.folder.handle)?;
                    let mut sha256 = [0; 32];
                    sha256.copy_from_slice(self.digest.clone().finish().as_ref());
                    return Ok(Landed { path: self.folder.path.join(choice), bytes: self.bytes, sha256 });
                }
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{CHOICES} × {name}")))
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        if let Some(hidden) = self.hidden.take() {
            // What cannot go now goes when the folder is opened next.
            rustix::fs::unlinkat(&self.folder.handle, hidden, AtFlags::empty()).ok();
        }
    }
}

/// One step that fails when `to` exists; by a second link where the file system has no such renaming.
fn move_without_replacing(
    (from_folder, from): (&OwnedFd, &OsStr),
    (to_folder, to): (&OwnedFd, &OsStr),
) -> Result<(), Errno> {
    match rustix::fs::renameat_with(from_folder, from, to_folder, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::linkat(from_folder, from, to_folder, to, AtFlags::empty())?;
            rustix::fs::unlinkat(from_folder, from, AtFlags::empty())
        }
        moved => moved,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_stands_there_is_never_touched() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("avis.txt"), "d'avant").unwrap();
        std::os::unix::fs::symlink("nulle-part", place.path().join("avis (2).txt")).unwrap();
        fs::create_dir(place.path().join("avis (3).txt")).unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let mut landing = folder.begin().unwrap();
        landing.write(b"abc").unwrap();
        let landed = landing.land("avis.txt").unwrap();
        assert_eq!(landed.path, place.path().join("avis (4).txt"));
        assert_eq!(fs::read(place.path().join("avis.txt")).unwrap(), "d'avant".as_bytes());
        assert_eq!(fs::read(&landed.path).unwrap(), b"abc");
        assert!(!place.path().join("nulle-part").exists());
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((landed.bytes, hex::encode(landed.sha256).as_str()), (3, expected));
        assert_eq!(names(place.path()).len(), 4);
    }

    #[test]
    fn an_interrupted_file_never_has_its_name_and_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let mut landing = folder.begin().unwrap();
        landing.write(b"la moiti").unwrap();
        let hidden = names(place.path());
        assert!(hidden.len() == 1 && hidden[0].starts_with('.'), "{hidden:?}");
        drop(landing);
        assert!(names(place.path()).is_empty());
    }

    #[test]
    fn what_a_killed_run_left_goes_and_what_a_living_one_writes_stays() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let mut living = folder.begin().unwrap();
        living.write(b"vivant").unwrap();
        fs::write(place.path().join(".passerelle-0011223344556677.part"), "mort").unwrap();
        fs::write(place.path().join(".passerelle-notes.part"), "autre chose").unwrap();
        Folder::open(place.path()).unwrap();
        let kept = names(place.path());
        assert!(!kept.contains(&".passerelle-0011223344556677.part".to_owned()), "{kept:?}");
        assert!(kept.contains(&".passerelle-notes.part".to_owned()), "{kept:?}");
        let landed = living.land("vivant.txt").unwrap();
        assert_eq!(fs::read(landed.path).unwrap(), b"vivant");
    }

    #[test]
    fn a_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let landed = folder.begin().unwrap().land("vide").unwrap();
        assert_eq!(fs::metadata(landed.path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
