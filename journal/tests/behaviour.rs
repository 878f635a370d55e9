//! What a journal promises while nothing crashes: order, positions, limits, locks, dropped segments, group commit.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use passerelle_journal::{Journal, JournalError, Options, Position};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

fn small_segments() -> Options {
    Options { segment_bytes: 4 << 10, entry_bytes_max: 64 << 10, ..Options::default() }
}

fn payloads(journal: &Journal, from: Position) -> Vec<Vec<u8>> {
    journal.read_from(from).unwrap().map(|entry| entry.unwrap().payload.to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever is appended, in whatever batches, with reopenings between, is read back in order and by position.
    #[test]
    fn reads_back_what_was_appended(batches in prop::collection::vec(
        (prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3_000), 0..5), any::<bool>()), 1..12)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(folder.path(), small_segments()).unwrap();
        let mut model: Vec<(Position, Vec<u8>)> = Vec::new();
        for (batch, reopen) in batches {
            let positions = journal.append_batch(&batch).unwrap();
            model.extend(positions.into_iter().zip(batch));
            if reopen {
                drop(journal);
                let (opened, recovered) = Journal::open(folder.path(), small_segments()).unwrap();
                prop_assert_eq!(recovered.cut_bytes, 0);
                journal = opened;
            }
        }
        let expected: Vec<_> = model.iter().map(|(_, payload)| payload.clone()).collect();
        prop_assert_eq!(payloads(&journal, Position::START), expected);
        for (index, (position, payload)) in model.iter().enumerate() {
            let entry = journal.entry(*position).unwrap();
            prop_assert_eq!(entry.as_ref(), payload.as_slice());
            prop_assert_eq!(payloads(&journal, *position).len(), model.len() - index);
            prop_assert_eq!(Position::from_bytes(position.to_bytes()), *position);
        }
        prop_assert!(model.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].0.to_bytes() < pair[1].0.to_bytes()));
    }
}

#[test]
fn a_reader_resumes_where_another_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), small_segments()).unwrap();
    journal.append_batch(&["one", "two"]).unwrap();
    let next = journal.read_from(Position::START).unwrap().last().unwrap().unwrap().next;
    assert!(payloads(&journal, next).is_empty());
    journal.append_batch(&["three"]).unwrap();
    assert_eq!(payloads(&journal, next), [b"three"]);
    assert!(payloads(&journal, journal.end()).is_empty());
}

#[test]
fn a_second_opener_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), Options::default()).unwrap();
    let open = || Journal::open(folder.path(), Options::default());
    assert!(matches!(open().unwrap_err(), JournalError::Locked(_)));
    drop(journal);
    open().unwrap();
}

#[test]
fn creating_never_touches_what_exists_and_opening_never_creates() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| Journal::open(path, Options::default());
    assert!(matches!(open(folder.path()).unwrap_err(), JournalError::NotFound(_)));
    assert!(matches!(open(&folder.path().join("missing")).unwrap_err(), JournalError::NotFound(_)));
    let journal = Journal::create(folder.path(), Options::default()).unwrap();
    journal.append_batch(&["kept"]).unwrap();
    drop(journal);
    let again = Journal::create(folder.path(), Options::default());
    assert!(matches!(again.unwrap_err(), JournalError::AlreadyExists(_)));
    assert_eq!(payloads(&open(folder.path()).unwrap().0, Position::START), [b"kept"]);
}

#[test]
fn too_large_an_entry_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), small_segments()).unwrap();
    let refused = journal.append_batch(&[vec![0; 10], vec![0; (64 << 10) + 1]]);
    assert!(
        matches!(refused.unwrap_err(), JournalError::EntryTooLarge { bytes, limit } if bytes == limit as usize + 1)
    );
    assert!(payloads(&journal, Position::START).is_empty());
    journal.append_batch(&[vec![0; 64 << 10]]).expect("an entry at the limit, larger than a segment");
}

#[test]
fn a_dropped_segment_is_gone_for_good_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), small_segments()).unwrap();
    let positions: Vec<_> =
        (0..4_u8).map(|number| journal.append_batch(&[vec![number; 3_000]]).unwrap()[0]).collect();
    assert_eq!(journal.segments().len(), 4);
    assert!(journal.drop_segment(positions[0].segment).unwrap());
    assert!(!journal.drop_segment(positions[0].segment).unwrap(), "dropping twice does nothing");
    assert!(!journal.drop_segment(positions[3].segment).unwrap(), "the open segment stays");
    assert!(matches!(journal.entry(positions[0]).unwrap_err(), JournalError::NoEntry(_)));
    assert!(matches!(journal.read_from(positions[0]).unwrap_err(), JournalError::NoEntry(_)));
    drop(journal);
    let (journal, recovered) = Journal::open(folder.path(), small_segments()).unwrap();
    assert_eq!(recovered.segments, 3);
    assert_eq!(
        payloads(&journal, Position::START).iter().map(|payload| payload[0]).collect::<Vec<_>>(),
        [1, 2, 3]
    );
}

#[test]
fn positions_that_name_no_entry_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), small_segments()).unwrap();
    let position = journal.append_batch(&["entry"]).unwrap()[0];
    for offset in [0, position.offset + 1, position.offset + 3, u64::MAX] {
        journal.entry(Position { offset, ..position }).expect_err("an offset inside or outside of the entry");
    }
    journal
        .entry(Position { segment: 99, offset: position.offset })
        .expect_err("a segment that is not there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_appends_share_a_sync() {
    const APPENDS: u64 = 2_000;
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), Options::default()).unwrap();
    let appender = journal.appender().unwrap();
    let start = Arc::new(tokio::sync::Barrier::new(64));
    let tasks: Vec<_> = (0..64_u64)
        .map(|task| {
            let (appender, start) = (appender.clone(), Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                for number in (task..APPENDS).step_by(64) {
                    appender.append(number.to_be_bytes().to_vec()).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let mut numbers: Vec<_> = payloads(&journal, Position::START);
    numbers.sort();
    assert_eq!(numbers, (0..APPENDS).map(|number| number.to_be_bytes().to_vec()).collect::<Vec<_>>());
    assert!(journal.syncs() < APPENDS, "{} syncs for {APPENDS} appends: nothing was shared", journal.syncs());
}

#[tokio::test]
async fn one_entry_over_the_limit_does_not_fail_its_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), small_segments()).unwrap();
    let appender = journal.appender().unwrap();
    let (small, large) = tokio::join!(appender.append(vec![1; 8]), appender.append(vec![2; (64 << 10) + 1]));
    small.unwrap();
    assert!(matches!(large.unwrap_err(), JournalError::EntryTooLarge { .. }));
}

#[test]
fn a_position_in_an_earlier_segment_that_names_no_entry_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), small_segments()).unwrap();
    let position = journal.append_batch(&[[1; 3_000]]).unwrap()[0];
    journal.append_batch(&[[2; 3_000]]).unwrap();
    for offset in [position.offset + 1, 4 << 10, u64::MAX - 7, u64::MAX] {
        journal.entry(Position { offset, ..position }).expect_err("no entry is there");
    }
}

/// A reader that remembers more than the journal holds has met an older copy of it: silence would skip what comes next.
#[test]
fn a_position_beyond_the_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), small_segments()).unwrap();
    journal.append_batch(&["entry"]).unwrap();
    let end = journal.end();
    assert!(payloads(&journal, end).is_empty());
    for beyond in
        [Position { offset: end.offset + 1, ..end }, Position { segment: end.segment + 1, offset: 64 }]
    {
        assert!(
            matches!(journal.read_from(beyond).unwrap_err(), JournalError::NoEntry(position) if position == beyond)
        );
    }
}

#[tokio::test]
async fn once_the_appender_is_dropped_the_journal_can_be_opened_again() {
    for _ in 0..50 {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::create(folder.path(), small_segments()).unwrap();
        let appender = journal.appender().unwrap();
        appender.append(vec![1]).await.unwrap();
        drop((appender, journal));
        Journal::open(folder.path(), small_segments()).unwrap();
    }
}
