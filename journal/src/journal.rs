//! The journal: a folder of segments, one of which is being written.

use crate::appender::Appender;
use crate::disk::{Disk, RealDisk};
use crate::frame::{self, Link};
use crate::reader::{self, Reader};
use crate::recover;
use crate::segment::{self, Segment};
use crate::{JournalError, Options, Position};
use bytes::Bytes;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A handle on an open journal. Clones share it; the folder is unlocked when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Journal {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    options: Options,
    disk: Arc<dyn Disk>,
    writer: Mutex<Writer>,
    syncs: AtomicU64,
    /// Held for its lock.
    _lock: File,
}

#[derive(Debug)]
struct Writer {
    /// Ids of all segments, rising; the last is `active`.
    segments: Vec<u64>,
    active: Segment,
    end: u64,
    next: Link,
    poisoned: bool,
}

/// What opening found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Segments in the folder.
    pub segments: usize,
    /// Entries in the last segment.
    pub entries_in_last: u64,
    /// Bytes of a half-written batch that were cut from the end; 0 after a clean stop. What was cut was never acknowledged,
    /// unless the disk lost it.
    pub cut_bytes: u64,
}

/// A segment, for those who decide which can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its id.
    pub id: u64,
    /// Bytes that it takes on disk.
    pub bytes: u64,
    /// Whether it is the one being written, which cannot be dropped.
    pub open: bool,
}

impl Journal {
    /// Creates an empty journal in `folder`, which is made if it is missing.
    ///
    /// # Errors
    /// [`JournalError::AlreadyExists`] where there is one; otherwise what the system refused.
    pub fn create(folder: &Path, options: Options) -> Result<Self, JournalError> {
        Self::create_on(Arc::new(RealDisk), folder, options)
    }

    pub(crate) fn create_on(
        disk: Arc<dyn Disk>,
        folder: &Path,
        options: Options,
    ) -> Result<Self, JournalError> {
        fs::create_dir_all(folder).map_err(JournalError::io("cannot create", folder))?;
        let lock = lock(folder)?;
        if !segment::list(folder)?.is_empty() {
            return Err(JournalError::AlreadyExists(folder.to_path_buf()));
        }
        let active = segment::create(
            folder,
            1,
            Link { sequence: 0, previous: 0 },
            options.segment_bytes,
            disk.as_ref(),
        )?;
        let parent =
            folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        disk.sync_folder(parent).map_err(JournalError::io("cannot sync", parent))?;
        let writer = Writer {
            segments: vec![1],
            end: segment::HEAD_BYTES as u64,
            next: active.first,
            active,
            poisoned: false,
        };
        Ok(Self::of(folder, options, disk, writer, lock))
    }

    /// Opens the journal in `folder`, and cuts a batch that a crash left half-written.
    ///
    /// # Errors
    /// [`JournalError::NotFound`], [`JournalError::Locked`], [`JournalError::TooNew`], and [`JournalError::Corrupt`] where
    /// durable bytes of the last segment have changed. Earlier segments are checked as they are read.
    pub fn open(folder: &Path, options: Options) -> Result<(Self, Recovered), JournalError> {
        Self::open_on(Arc::new(RealDisk), folder, options)
    }

    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        folder: &Path,
        options: Options,
    ) -> Result<(Self, Recovered), JournalError> {
        if !folder.is_dir() {
            return Err(JournalError::NotFound(folder.to_path_buf()));
        }
        let lock = lock(folder)?;
        let segments = segment::list(folder)?;
        let Some(last) = segments.last() else { return Err(JournalError::NotFound(folder.to_path_buf())) };
        let active = segment::open(folder, *last, true)?;
        let tail = recover::recover(&active, disk.as_ref())?;
        let recovered =
            Recovered { segments: segments.len(), entries_in_last: tail.entries, cut_bytes: tail.cut_bytes };
        if tail.cut_bytes > 0 {
            tracing::warn!(
                segment = last,
                offset = tail.end,
                bytes = tail.cut_bytes,
                "cut a half-written batch"
            );
        }
        let writer = Writer { segments, active, end: tail.end, next: tail.next, poisoned: false };
        Ok((Self::of(folder, options, disk, writer, lock), recovered))
    }

    fn of(folder: &Path, options: Options, disk: Arc<dyn Disk>, writer: Writer, lock: File) -> Self {
        let inner = Inner {
            folder: folder.to_path_buf(),
            options,
            disk,
            writer: Mutex::new(writer),
            syncs: AtomicU64::new(0),
            _lock: lock,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Appends the entries as one batch: when this returns, all are on disk. Blocks for one `fdatasync`.
    ///
    /// # Errors
    /// Nothing was appended. A full disk is [`JournalError::Io`] and leaves the journal usable when it shows while a segment is
    /// being reserved; a failed write or sync ends in [`JournalError::Poisoned`] from then on.
    pub fn append_batch<E: AsRef<[u8]>>(&self, entries: &[E]) -> Result<Vec<Position>, JournalError> {
        self.check_sizes(entries)?;
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut writer = self.writer();
        if writer.poisoned {
            return Err(JournalError::Poisoned);
        }
        let bytes = frame::encoded_bytes(entries) as u64;
        if writer.end + bytes > writer.active.bytes {
            self.roll(&mut writer, bytes)?;
        }
        let (bytes, offsets, next) = frame::encode(entries, writer.next, &writer.active.salt);
        let (segment, start) = (writer.active.id, writer.end);
        let disk = &self.inner.disk;
        let written =
            disk.write(&writer.active.file, start, &bytes).and_then(|()| disk.sync(&writer.active.file));
        if let Err(error) = written {
            writer.poisoned = true;
            return Err(JournalError::io("cannot write", segment::path(&self.inner.folder, segment))(error));
        }
        self.inner.syncs.fetch_add(1, Ordering::Relaxed);
        writer.end += bytes.len() as u64;
        writer.next = next;
        Ok(offsets.into_iter().map(|offset| Position { segment, offset: start + offset }).collect())
    }

    fn check_sizes<E: AsRef<[u8]>>(&self, entries: &[E]) -> Result<(), JournalError> {
        let limit = self.inner.options.entry_bytes_max;
        let too_large = |bytes: usize, limit| JournalError::EntryTooLarge { bytes, limit };
        for bytes in entries.iter().map(|entry| entry.as_ref().len()) {
            if bytes > limit as usize {
                return Err(too_large(bytes, limit));
            }
        }
        let whole = frame::encoded_bytes(entries);
        if whole > i32::MAX as usize { Err(too_large(whole, i32::MAX as u32)) } else { Ok(()) }
    }

    /// Goes on in a new segment. On an error the journal is as it was.
    fn roll(&self, writer: &mut Writer, least: u64) -> Result<(), JournalError> {
        let id = writer.active.id + 1;
        let bytes = self.inner.options.segment_bytes.max(least + segment::HEAD_BYTES as u64);
        let segment = segment::create(&self.inner.folder, id, writer.next, bytes, self.inner.disk.as_ref())?;
        writer.segments.push(id);
        writer.end = segment::HEAD_BYTES as u64;
        writer.active = segment;
        Ok(())
    }

    /// A front for many tasks: what waits at the same time shares one batch and one `fdatasync`. Starts one thread. Dropping the last
    /// clone of the appender commits what still waits and ends the thread before it returns.
    ///
    /// # Errors
    /// [`JournalError::Io`] when the thread cannot be started.
    pub fn appender(&self) -> Result<Appender, JournalError> {
        Appender::start(self.clone(), self.inner.options.batch_bytes_max)
            .map_err(JournalError::io("cannot start the thread that commits", &self.inner.folder))
    }

    /// Reads on from a position that an entry or [`Journal::end`] gave, or from [`Position::START`].
    ///
    /// # Errors
    /// [`JournalError::NoEntry`] where the segment was dropped, or where the position is beyond the end: the journal is then older
    /// than what its reader remembers, and going on would skip entries.
    pub fn read_from(&self, from: Position) -> Result<Reader, JournalError> {
        let end = self.end();
        if from > end {
            return Err(JournalError::NoEntry(from));
        }
        Reader::start(&self.inner.folder, &self.writer().segments.clone(), from, end)
    }

    /// The payload of the entry at `position`, checked against its checksum.
    ///
    /// # Errors
    /// [`JournalError::NoEntry`], or [`JournalError::Corrupt`].
    pub fn entry(&self, position: Position) -> Result<Bytes, JournalError> {
        if position >= self.end() || !self.writer().segments.contains(&position.segment) {
            return Err(JournalError::NoEntry(position));
        }
        reader::entry_at(&self.inner.folder, position)
    }

    /// One past the last durable entry.
    #[must_use]
    pub fn end(&self) -> Position {
        let writer = self.writer();
        Position { segment: writer.active.id, offset: writer.end }
    }

    /// How many batches this handle has made durable: entries over syncs is what group commit gains.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.inner.syncs.load(Ordering::Relaxed)
    }

    /// Every segment, rising.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let writer = self.writer();
        let bytes = |id| fs::metadata(segment::path(&self.inner.folder, id)).map_or(0, |file| file.len());
        let info = |id: &u64| SegmentInfo { id: *id, bytes: bytes(*id), open: *id == writer.active.id };
        writer.segments.iter().map(info).collect()
    }

    /// Drops a segment that nothing needs any more, durably. The one being written stays; dropping what is gone does nothing.
    ///
    /// A reader's remembered position needs its segment even when it is the segment's end: drop only segments before it.
    ///
    /// # Errors
    /// What the system refused; the segment then still counts.
    pub fn drop_segment(&self, id: u64) -> Result<bool, JournalError> {
        let mut writer = self.writer();
        if id == writer.active.id || !writer.segments.contains(&id) {
            return Ok(false);
        }
        let path = segment::path(&self.inner.folder, id);
        fs::remove_file(&path).map_err(JournalError::io("cannot remove", path))?;
        writer.segments.retain(|segment| *segment != id);
        let folder = &self.inner.folder;
        self.inner.disk.sync_folder(folder).map_err(JournalError::io("cannot sync", folder))?;
        Ok(true)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // The lock's own poison says that a thread panicked; the writer's state is then still whole.
        self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock(folder: &Path) -> Result<File, JournalError> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(JournalError::io("cannot open", &path))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| JournalError::Locked(folder.to_path_buf()))?;
    Ok(file)
}
