//! One segment file: its name, its 64-byte head, and how it comes into being.
//!
//! ```text
//! "PASSJRNL" | version u32 | zero u32 | segment id u64 | first sequence u64 | previous checksum u32 | zero u32 | salt 16
//! | zero u32 | CRC-32C of all before u32
//! ```
//! A segment is written under a temporary name and renamed when it is whole and durable, so a file with a segment's name always
//! has a head; what a crash leaves under the temporary name was never part of the journal.

use crate::JournalError;
use crate::disk::Disk;
use crate::frame::{Link, Salt};
use crc32c::crc32c;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes before the first batch.
pub(crate) const HEAD_BYTES: usize = 64;
const MAGIC: [u8; 8] = *b"PASSJRNL";
const VERSION: u32 = 1;
const SUFFIX: &str = ".segment";

/// A segment as its head describes it.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) id: u64,
    pub(crate) file: File,
    /// The link that its first batch carries.
    pub(crate) first: Link,
    pub(crate) salt: Salt,
    /// Bytes of the file.
    pub(crate) bytes: u64,
}

/// The path of a segment.
pub(crate) fn path(folder: &Path, id: u64) -> PathBuf {
    folder.join(format!("{id:016x}{SUFFIX}"))
}

/// Ids of the segments in the folder, rising. Removes what a crash left of an unfinished one.
pub(crate) fn list(folder: &Path) -> Result<Vec<u64>, JournalError> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(folder).map_err(JournalError::io("cannot list", folder))? {
        let entry = entry.map_err(JournalError::io("cannot list", folder))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.ends_with(".new") {
            fs::remove_file(entry.path()).map_err(JournalError::io("cannot remove", entry.path()))?;
        } else if let Some(id) = name.strip_suffix(SUFFIX).and_then(|hex| u64::from_str_radix(hex, 16).ok()) {
            ids.push(id);
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

/// Creates a segment of `bytes` in all, durably. On an error nothing is left behind.
pub(crate) fn create(
    folder: &Path,
    id: u64,
    first: Link,
    bytes: u64,
    disk: &dyn Disk,
) -> Result<Segment, JournalError> {
    let path = path(folder, id);
    let unfinished = path.with_extension("segment.new");
    let built = build(&unfinished, id, first, bytes, disk).and_then(|segment| {
        fs::rename(&unfinished, &path)?;
        disk.sync_folder(folder)?;
        Ok(segment)
    });
    built.map_err(|error| {
        // Under its own name it must not stay: the segment before may go on, and this head's link would then be wrong.
        for left in [&unfinished, &path] {
            drop(fs::remove_file(left));
        }
        JournalError::io("cannot create", path)(error)
    })
}

fn build(path: &Path, id: u64, first: Link, bytes: u64, disk: &dyn Disk) -> io::Result<Segment> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?;
    disk.reserve(&file, bytes)?;
    let mut salt = Salt::default();
    File::open("/dev/urandom")?.read_exact(&mut salt)?;
    disk.write(&file, 0, &encode_head(id, first, &salt))?;
    disk.sync(&file)?;
    file.sync_all()?;
    Ok(Segment { id, file, first, salt, bytes })
}

pub(crate) fn encode_head(id: u64, first: Link, salt: &Salt) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..8].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[16..24].copy_from_slice(&id.to_le_bytes());
    head[24..32].copy_from_slice(&first.sequence.to_le_bytes());
    head[32..36].copy_from_slice(&first.previous.to_le_bytes());
    head[40..56].copy_from_slice(salt);
    let checksum = crc32c(&head[..60]);
    head[60..].copy_from_slice(&checksum.to_le_bytes());
    head
}

/// Opens a segment and checks its head.
pub(crate) fn open(folder: &Path, id: u64, writable: bool) -> Result<Segment, JournalError> {
    let path = path(folder, id);
    let file = OpenOptions::new()
        .read(true)
        .write(writable)
        .open(&path)
        .map_err(JournalError::io("cannot open", &path))?;
    let bytes = file.metadata().map_err(JournalError::io("cannot read", &path))?.len();
    let mut head = [0; HEAD_BYTES];
    if bytes < HEAD_BYTES as u64 {
        return Err(JournalError::Corrupt { segment: id, offset: 0, what: "the file is cut short" });
    }
    file.read_exact_at(&mut head, 0).map_err(JournalError::io("cannot read", &path))?;
    let (first, salt) = decode_head(&head, id, path)?;
    Ok(Segment { id, file, first, salt, bytes })
}

fn decode_head(head: &[u8; HEAD_BYTES], id: u64, path: PathBuf) -> Result<(Link, Salt), JournalError> {
    let number = |at: usize| head[at..at + 4].try_into().map_or(0, u32::from_le_bytes);
    let long = |at: usize| u64::from(number(at + 4)) << 32 | u64::from(number(at));
    let corrupt = |what| JournalError::Corrupt { segment: id, offset: 0, what };
    if head[..8] != MAGIC {
        return Err(corrupt("this is not a segment"));
    }
    if number(8) != VERSION {
        return Err(JournalError::TooNew { path, version: number(8) });
    }
    if crc32c(&head[..60]) != number(60) {
        return Err(corrupt("the head fails its checksum"));
    }
    if long(16) != id {
        return Err(corrupt("the file bears the name of another segment"));
    }
    let mut salt = Salt::default();
    salt.copy_from_slice(&head[40..56]);
    Ok((Link { sequence: long(24), previous: number(32) }, salt))
}
