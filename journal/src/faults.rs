//! The disk fails at a chosen call: what the caller is told, and what is there afterwards.

use crate::disk::{Disk, RealDisk};
use crate::{Journal, JournalError, Options, Position};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Which call fails next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Reserve = 1,
    Write = 2,
    Sync = 3,
    SyncFolder = 4,
}

/// The real disk, until a fault is armed: then that call fails once.
#[derive(Debug, Default)]
struct FaultyDisk {
    armed: AtomicU32,
}

impl FaultyDisk {
    fn arm(&self, call: Call) {
        self.armed.store(call as u32, Ordering::SeqCst);
    }

    fn pass(&self, call: Call) -> io::Result<()> {
        match self.armed.compare_exchange(call as u32, 0, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => Err(io::Error::from(io::ErrorKind::StorageFull)),
            Err(_) => Ok(()),
        }
    }
}

impl Disk for FaultyDisk {
    fn reserve(&self, file: &File, bytes: u64) -> io::Result<()> {
        self.pass(Call::Reserve)?;
        RealDisk.reserve(file, bytes)
    }

    fn write(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        // A failing write leaves half of itself behind.
        if let Err(error) = self.pass(Call::Write) {
            RealDisk.write(file, offset, &bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        RealDisk.write(file, offset, bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.pass(Call::Sync)?;
        RealDisk.sync(file)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.pass(Call::SyncFolder)?;
        RealDisk.sync_folder(folder)
    }
}

fn options() -> Options {
    Options { segment_bytes: 1 << 10, ..Options::default() }
}

fn read(journal: &Journal) -> Vec<Vec<u8>> {
    let reader = journal.read_from(Position::START).expect("a reader");
    reader.map(|entry| entry.expect("an entry").payload.to_vec()).collect()
}

#[test]
fn a_full_disk_refuses_and_the_journal_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Arc::new(FaultyDisk::default());
    let journal =
        Journal::create_on(Arc::<FaultyDisk>::clone(&disk), folder.path(), options()).expect("created");
    journal.append_batch(&[[1; 700]]).expect("appended");
    disk.arm(Call::Reserve);
    let refused = journal.append_batch(&[[2; 700]]);
    assert!(matches!(refused, Err(JournalError::Io { .. })), "{refused:?}");
    assert_eq!(read(&journal), [[1; 700]], "nothing of the refused batch");
    journal.append_batch(&[[3; 700]]).expect("there is room again");
    drop(journal);
    let (journal, _) = Journal::open(folder.path(), options()).expect("opened");
    assert_eq!(read(&journal), [[1; 700], [3; 700]]);
}

#[test]
fn after_a_failed_write_or_sync_nothing_is_appended_until_it_is_opened_again() {
    for call in [Call::Write, Call::Sync] {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Arc::new(FaultyDisk::default());
        let journal =
            Journal::create_on(Arc::<FaultyDisk>::clone(&disk), folder.path(), options()).expect("created");
        journal.append_batch(&["acknowledged"]).expect("appended");
        disk.arm(call);
        assert!(matches!(journal.append_batch(&["lost"]), Err(JournalError::Io { .. })));
        assert!(matches!(journal.append_batch(&["after"]), Err(JournalError::Poisoned)));
        drop(journal);
        let (journal, _) = Journal::open(folder.path(), options()).expect("opened");
        let entries = read(&journal);
        assert_eq!(entries[0], b"acknowledged");
        // Unacknowledged, so it may be there (a failed sync) or not (half a write), but whole.
        assert!(entries[1..].iter().all(|entry| entry == b"lost"), "{call:?}: {entries:?}");
        journal.append_batch(&["again"]).expect("appended");
        assert_eq!(read(&journal).last().expect("an entry"), b"again");
    }
}

#[test]
fn a_segment_that_could_not_be_made_durable_is_tried_again() {
    for call in [Call::Write, Call::Sync, Call::SyncFolder] {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Arc::new(FaultyDisk::default());
        let journal =
            Journal::create_on(Arc::<FaultyDisk>::clone(&disk), folder.path(), options()).expect("created");
        journal.append_batch(&[[1; 700]]).expect("appended");
        disk.arm(call);
        assert!(matches!(journal.append_batch(&[[2; 700]]), Err(JournalError::Io { .. })));
        journal.append_batch(&[[3; 70]]).expect("a smaller one, in the segment before");
        drop(journal);
        let (journal, _) = Journal::open(folder.path(), options()).expect("opened");
        journal.append_batch(&[[4; 700]]).expect("appended at the second try");
        let lengths: Vec<_> = read(&journal).iter().map(|entry| (entry[0], entry.len())).collect();
        assert_eq!(lengths, [(1, 700), (3, 70), (4, 700)], "{call:?}");
    }
}

/// What a failed sync left may be in the page cache alone: opening must write it again and sync it before it is shown.
#[test]
fn opening_makes_the_last_batch_durable_before_it_shows_it() {
    for call in [Call::Write, Call::Sync] {
        let folder = tempfile::tempdir().expect("a folder");
        drop(
            Journal::create(folder.path(), options())
                .expect("created")
                .append_batch(&["entry"])
                .expect("appended"),
        );
        let disk = Arc::new(FaultyDisk::default());
        disk.arm(call);
        let opened = Journal::open_on(Arc::<FaultyDisk>::clone(&disk), folder.path(), options());
        assert!(matches!(opened, Err(JournalError::Io { .. })), "{call:?} was not asked for");
        let (journal, _) =
            Journal::open_on(disk, folder.path(), options()).expect("opened at the second try");
        assert_eq!(read(&journal), [b"entry"]);
    }
}
