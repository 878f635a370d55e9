//! A folder held open: what is done in it is done in that very folder, whatever its path comes to lead to, and a link
//! that somebody put where a file or a folder should be is never followed.
//!
//! Blocking calls.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::move_without_replacing;

/// What tells one state of a file from another.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    /// Bytes.
    pub(crate) size: u64,
    modified: (i64, u64),
    /// Names that lead to it.
    pub(crate) links: u64,
    /// Whether it is a regular file.
    pub(crate) is_file: bool,
}

impl Stamp {
    #[expect(clippy::unnecessary_cast, reason = "the fields' types differ between architectures")]
    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as u64),
            links: stat.st_nlink as u64,
            is_file: FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile,
        }
    }

    /// When it was last written, by the file system's clock.
    pub(crate) fn modified(&self) -> (i64, u64) {
        self.modified
    }

    /// Of an open file.
    pub(crate) fn of_open(file: &impl AsFd) -> io::Result<Self> {
        Ok(Self::of(&rustix::fs::fstat(file)?))
    }
}

/// A folder held open.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    handle: OwnedFd,
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Place {
    /// Opens a folder, by a path that an administrator gave: links in it are followed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let handle = rustix::fs::openat(CWD, path, FOLDER, Mode::empty())?;
        Ok(Self { path: path.to_owned(), handle })
    }

    /// Opens a folder inside this one, which must not be a link.
    pub(crate) fn sub(&self, name: &str) -> io::Result<Self> {
        let handle = rustix::fs::openat(&self.handle, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(Self { path: self.path.join(name), handle })
    }

    /// The same; made when it is not there.
    pub(crate) fn sub_or_new(&self, name: &str, mode: u32) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.handle, name, Mode::from_raw_mode(mode)) {
            Err(error) if error != Errno::EXIST => return Err(error.into()),
            _ => {}
        }
        self.sub(name)
    }

    /// Where it was when it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its path still leads to it.
    pub(crate) fn is_there(&self) -> bool {
        let same = |there: Stat| {
            rustix::fs::fstat(&self.handle)
                .is_ok_and(|here| (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino))
        };
        rustix::fs::stat(&self.path).is_ok_and(same)
    }

    /// Whether both lie on one file system, so that a file moves between them in one step.
    pub(crate) fn is_beside(&self, other: &Self) -> io::Result<bool> {
        Ok(rustix::fs::fstat(&self.handle)?.st_dev == rustix::fs::fstat(&other.handle)?.st_dev)
    }

    /// Names in it, at most so many.
    pub(crate) fn names(&self, most: usize) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if names.len() >= most {
                break;
            }
            names.push(name.to_owned());
        }
        Ok(names)
    }

    /// What stands under a name, a link as such.
    pub(crate) fn look(&self, name: &OsStr) -> io::Result<Option<(FileType, Stamp)>> {
        match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some((FileType::from_raw_mode(stat.st_mode), Stamp::of(&stat)))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether something stands under a name.
    pub(crate) fn has(&self, name: &str) -> io::Result<bool> {
        Ok(self.look(name.as_ref())?.is_some())
    }

    /// Opens a file to read. Never waits, as for the other end of a pipe.
    pub(crate) fn read(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.handle, name, flags, Mode::empty())?.into())
    }

    /// Reads a regular file of at most so many bytes; nothing when it is not there.
    pub(crate) fn read_small(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match self.read(name.as_ref()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let stamp = Stamp::of_open(&file)?;
        if !stamp.is_file {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {limit} bytes")));
        }
        Ok(Some(bytes))
    }

    /// Begins a file anew; what stood under the name is gone.
    pub(crate) fn create(&self, name: &str) -> io::Result<File> {
        self.remove(name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.handle, name, flags, Mode::from_raw_mode(0o660))?.into())
    }

    /// Writes a file whole under its name, in place of another. `durable`: it is on the disk, its name not yet.
    pub(crate) fn put(&self, name: &str, bytes: &[u8], durable: bool) -> io::Result<()> {
        let hidden = format!(".{name}.tmp");
        let mut file = self.create(&hidden)?;
        file.write_all(bytes)?;
        if durable {
            file.sync_all()?;
        }
        drop(file);
        Ok(rustix::fs::renameat(&self.handle, &hidden, &self.handle, name)?)
    }

    /// Moves a file in one step; [`io::ErrorKind::AlreadyExists`] when the other name is taken.
    pub(crate) fn move_to(&self, name: &OsStr, there: &Self, to: &OsStr) -> io::Result<()> {
        Ok(move_without_replacing((&self.handle, name), (&there.handle, to))?)
    }

    /// Removes a file. What is gone already is no error.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()) {
            Err(error) if error != Errno::NOENT => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Removes an empty folder; one that is not empty stays.
    pub(crate) fn remove_empty(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::REMOVEDIR) {
            Err(error) if ![Errno::NOENT, Errno::NOTEMPTY, Errno::EXIST].contains(&error) => {
                Err(error.into())
            }
            _ => Ok(()),
        }
    }

    /// Makes the names in it durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.handle)?)
    }

    /// Takes the folder for this process alone, as long as the file lives; nothing when another has it.
    pub(crate) fn lock(&self, name: &str) -> io::Result<Option<File>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.handle, name, flags, Mode::from_raw_mode(0o600))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file.into())),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
