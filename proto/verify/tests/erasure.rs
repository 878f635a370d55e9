//! Erased contents: lawful ones leave a good log, all others are named.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod support;

use passerelle_proto::event;
use passerelle_proto::wire::{self, EventKind, LeafRange, actor, event::Detail};
use passerelle_verify::{EntryFault, Fault};
use support::{Log, fault, verify};

/// An event of the gateway at `time_ms`.
fn event(time_ms: u64, kind: EventKind, detail: Detail) -> Vec<u8> {
    let actor = wire::Actor { actor: Some(actor::Actor::Gateway("essai".to_owned())), ..Default::default() };
    let nonce = bytes(16);
    event::encode(&wire::Event {
        nonce,
        time_ms,
        kind: kind.into(),
        actor: Some(actor),
        detail: Some(detail),
    })
    .unwrap()
}

fn bytes<T: From<Vec<u8>>>(length: usize) -> T {
    vec![7; length].into()
}

fn reading(time_ms: u64) -> Vec<u8> {
    event(time_ms, EventKind::LogRead, Detail::Access(wire::AccessDetail::default()))
}

fn erasure(time_ms: u64, ranges: &[(u64, u64)], before_ms: u64) -> Vec<u8> {
    let ranges = ranges.iter().map(|&(first, end)| LeafRange { first, end }).collect();
    let detail = wire::ErasureDetail { ranges, agreement: String::new(), period_ms: 1_000, before_ms };
    event(time_ms, EventKind::ContentsErased, Detail::Erasure(detail))
}

/// 300 entries at the times 0 to 299, then an erasure of `ranges` at 2,000, then more.
fn log(ranges: &[(u64, u64)], before_ms: u64) -> Log {
    let mut log = Log::new();
    log.append((0..300).map(reading));
    log.append(std::iter::once(erasure(2_000, ranges, before_ms)));
    log.append((0..300).map(|n| reading(3_000 + n)));
    log
}

fn erase(log: &Log, entries: std::ops::Range<usize>) {
    log.edit_bundle("tile/entries/000", 256, |all| all[entries].iter_mut().for_each(Vec::clear));
}

#[track_caller]
fn assert_fault(log: &Log, expected: u64, why: &EntryFault) {
    match log.fault() {
        Fault::Entry { index, reason, .. } => assert_eq!((index, &reason), (expected, why)),
        other => panic!("{other}"),
    }
}

#[test]
fn what_an_event_names_may_be_gone_and_all_else_still_verifies() {
    let log = log(&[(3, 50), (60, 100)], 200);
    let old = log.published();
    let erased = log.verify().unwrap().erased;
    assert_eq!((erased.entries, erased.pending, erased.events), (0, 87, 1), "logged and not done yet");
    erase(&log, 3..50);
    let erased = log.verify().unwrap().erased;
    assert_eq!((erased.entries, erased.pending), (47, 40), "done in part, as after a kill");
    erase(&log, 60..100);
    let verdict = verify(&log.source(), log.verifier(), Some(&old)).unwrap();
    assert_eq!((verdict.erased.entries, verdict.erased.pending), (87, 0));
    assert_eq!(verdict.root, *old.root());
}

#[test]
fn a_marker_that_no_event_names_is_a_fault() {
    let log = log(&[(3, 50)], 200);
    erase(&log, 3..51);
    assert_fault(&log, 50, &EntryFault::ErasedUnlogged);
    let log = Log::of(600, 300);
    erase(&log, 9..10);
    assert_fault(&log, 9, &EntryFault::ErasedUnlogged);
}

#[test]
fn an_event_cannot_name_what_comes_after_it() {
    let mut log = Log::new();
    log.append(std::iter::once(erasure(2_000, &[(3, 50)], 900)));
    log.append((0..300).map(|n| reading(2_000 + n)));
    erase(&log, 3..50);
    assert_fault(&log, 3, &EntryFault::ErasedUnlogged);
}

#[test]
fn contents_that_were_too_young_are_a_fault() {
    // Entry 100 is from the time 100: the event says that all it names is from before 80.
    let log = log(&[(70, 101)], 80);
    erase(&log, 100..101);
    assert_fault(&log, 100, &EntryFault::ErasedEarly);
}

#[test]
fn a_marker_does_not_hide_a_changed_tile() {
    let log = log(&[(3, 50)], 200);
    erase(&log, 3..50);
    log.flip("tile/0/000", 10 * 32);
    let found = fault(log.verify());
    assert!(matches!(found.kind(), "tile" | "checkpoint"), "{found}");
}

#[test]
fn other_contents_are_no_erasure() {
    let log = log(&[(3, 50)], 200);
    log.edit_bundle("tile/entries/000", 256, |all| all[5] = b"\0".to_vec());
    assert_fault(&log, 5, &EntryFault::Changed);
}
