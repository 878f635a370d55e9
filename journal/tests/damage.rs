//! What opening and reading do with a segment that a crash, a disk or a hand has changed.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use passerelle_journal::{Journal, JournalError, Options, Position};
use std::fs;
use std::path::{Path, PathBuf};

const HEAD_BYTES: usize = 64;

fn options() -> Options {
    Options { segment_bytes: 2 << 10, ..Options::default() }
}

fn segment(folder: &Path, id: u64) -> PathBuf {
    folder.join(format!("{id:016x}.segment"))
}

fn read(folder: &Path) -> Result<Vec<Vec<u8>>, JournalError> {
    let (journal, _) = Journal::open(folder, options())?;
    journal.read_from(Position::START)?.map(|entry| entry.map(|entry| entry.payload.to_vec())).collect()
}

/// A journal of two batches in one segment: its folder, its bytes, and where the second batch begins and ends.
fn two_batches() -> (tempfile::TempDir, Vec<u8>, usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), options()).unwrap();
    journal.append_batch(&["first", "batch"]).unwrap();
    let begin = usize::try_from(journal.end().offset).unwrap();
    journal.append_batch(&["the second", "and last"]).unwrap();
    let end = usize::try_from(journal.end().offset).unwrap();
    drop(journal);
    let bytes = fs::read(segment(folder.path(), 1)).unwrap();
    (folder, bytes, begin, end)
}

#[test]
fn a_batch_torn_at_any_byte_is_cut_whole() {
    let (folder, bytes, begin, end) = two_batches();
    for written in begin..end {
        let mut torn = bytes.clone();
        torn[written..end].fill(0);
        fs::write(segment(folder.path(), 1), &torn).unwrap();
        assert_eq!(
            read(folder.path()).unwrap(),
            [b"first", b"batch"],
            "torn after {} bytes",
            written - begin
        );
        let after = fs::read(segment(folder.path(), 1)).unwrap();
        assert!(after[begin..].iter().all(|byte| *byte == 0), "what was cut must not stay on disk");
    }
}

/// A file that ends early, as some file systems leave it, is torn as one that goes on with zeros.
#[test]
fn a_file_that_ends_inside_the_last_batch_is_cut_whole() {
    let (folder, bytes, begin, end) = two_batches();
    for length in begin..end {
        fs::write(segment(folder.path(), 1), &bytes[..length]).unwrap();
        assert_eq!(read(folder.path()).unwrap(), [b"first", b"batch"], "ends after {} bytes", length - begin);
        let (journal, _) = Journal::open(folder.path(), options()).unwrap();
        journal.append_batch(&[[7; 100]]).unwrap();
        drop(journal);
        assert_eq!(read(folder.path()).unwrap(), [&b"first"[..], b"batch", &[7; 100]]);
        fs::remove_file(segment(folder.path(), 2)).unwrap();
    }
}

/// A later batch that ends in zeros is still seen behind damage, though nothing shows where it ends.
#[test]
fn damage_before_a_batch_of_zeros_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), options()).unwrap();
    journal.append_batch(&["first"]).unwrap();
    journal.append_batch(&[[0; 100]]).unwrap();
    drop(journal);
    let mut bytes = fs::read(segment(folder.path(), 1)).unwrap();
    bytes[HEAD_BYTES] ^= 1;
    fs::write(segment(folder.path(), 1), &bytes).unwrap();
    assert!(matches!(read(folder.path()).unwrap_err(), JournalError::Corrupt { segment: 1, offset: 64, .. }));
}

#[test]
fn a_bit_changed_before_the_last_batch_is_an_error_that_names_its_place() {
    let (folder, bytes, begin, _) = two_batches();
    for at in 0..begin {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(segment(folder.path(), 1), &changed).unwrap();
        match read(folder.path()) {
            Err(JournalError::Corrupt { segment: 1, offset, .. }) => {
                let expected = if at < HEAD_BYTES { 0 } else { HEAD_BYTES as u64 };
                assert_eq!(offset, expected, "byte {at}");
            }
            Err(JournalError::TooNew { .. }) if (8..12).contains(&at) => {}
            other => panic!("byte {at}: {other:?}"),
        }
    }
}

#[test]
fn a_bit_changed_in_the_last_batch_is_never_read_as_valid() {
    let (folder, bytes, begin, end) = two_batches();
    for at in begin..end {
        let mut changed = bytes.clone();
        changed[at] ^= 0x80;
        fs::write(segment(folder.path(), 1), &changed).unwrap();
        let (_, recovered) = Journal::open(folder.path(), options()).unwrap();
        assert_eq!(recovered.cut_bytes, (end - begin) as u64, "byte {at}");
        assert_eq!(read(folder.path()).unwrap(), [b"first", b"batch"], "byte {at}");
    }
}

/// A crash, a cut, a shorter batch in its place: what stood behind must not come back as the batch after it.
#[test]
fn stale_bytes_behind_a_cut_never_return() {
    let (folder, bytes, begin, end) = two_batches();
    let mut torn = bytes.clone();
    torn[begin] ^= 1;
    torn.copy_within(begin..end, end);
    fs::write(segment(folder.path(), 1), &torn).unwrap();
    let (journal, recovered) = Journal::open(folder.path(), options()).unwrap();
    assert_eq!(recovered.cut_bytes, 2 * (end - begin) as u64);
    journal.append_batch(&["x"]).unwrap();
    drop(journal);
    assert_eq!(read(folder.path()).unwrap(), [&b"first"[..], b"batch", b"x"]);
}

/// A payload that is itself the image of a segment, taken from another journal, is a payload and nothing else.
#[test]
fn a_payload_cannot_pass_for_a_batch() {
    let (_other, image, _, end) = two_batches();
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), options()).unwrap();
    journal.append_batch(&["before"]).unwrap();
    let begin = usize::try_from(journal.end().offset).unwrap();
    journal.append_batch(&[&image[HEAD_BYTES..end]]).unwrap();
    drop(journal);
    let mut torn = fs::read(segment(folder.path(), 1)).unwrap();
    torn[begin] ^= 1;
    fs::write(segment(folder.path(), 1), &torn).unwrap();
    assert_eq!(read(folder.path()).unwrap(), [b"before"]);
}

#[test]
fn an_earlier_segment_that_lost_its_end_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), options()).unwrap();
    for number in 0..4_u8 {
        journal.append_batch(&[vec![number; 900]]).unwrap();
    }
    assert_eq!(journal.segments().len(), 2);
    drop(journal);
    let path = segment(folder.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    let second = HEAD_BYTES + 32 + 8 + 900;
    bytes[second..].fill(0);
    fs::write(&path, bytes).unwrap();
    assert!(matches!(read(folder.path()).unwrap_err(), JournalError::Corrupt { segment: 1, .. }));
}

#[test]
fn a_segment_of_a_newer_release_is_not_touched() {
    let (folder, mut bytes, _, _) = two_batches();
    bytes[8] = 2;
    fs::write(segment(folder.path(), 1), &bytes).unwrap();
    assert!(matches!(read(folder.path()).unwrap_err(), JournalError::TooNew { version: 2, .. }));
    assert_eq!(fs::read(segment(folder.path(), 1)).unwrap(), bytes);
}

#[test]
fn what_a_crash_left_of_a_new_segment_is_removed() {
    let (folder, _, _, _) = two_batches();
    let unfinished = folder.path().join("0000000000000002.segment.new");
    fs::write(&unfinished, b"half a head").unwrap();
    assert_eq!(read(folder.path()).unwrap().len(), 4);
    assert!(!unfinished.exists());
}

#[test]
fn a_file_cut_short_or_renamed_is_an_error() {
    let (folder, bytes, _, _) = two_batches();
    fs::write(segment(folder.path(), 1), &bytes[..HEAD_BYTES - 1]).unwrap();
    assert!(matches!(read(folder.path()).unwrap_err(), JournalError::Corrupt { .. }));
    fs::remove_file(segment(folder.path(), 1)).unwrap();
    fs::write(segment(folder.path(), 7), &bytes).unwrap();
    assert!(matches!(read(folder.path()).unwrap_err(), JournalError::Corrupt { segment: 7, .. }));
    fs::write(segment(folder.path(), 7), b"").expect("an empty file in its place");
    assert!(matches!(read(folder.path()).unwrap_err(), JournalError::Corrupt { segment: 7, .. }));
}
