//! Everything that can be done to a log in a folder is found, and the bad thing is named.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod support;

use passerelle_proto::tlog::tree::{self, Leaves};
use passerelle_proto::tlog::{Hash, leaf_hash, node_hash};
use passerelle_verify::{Checks, EntryFault, Fault, TileFault, verify_log};
use support::{Log, entry, fault, signer, verify};

#[track_caller]
fn assert_entry(log: &Log, expected: u64, why: &EntryFault) {
    match log.fault() {
        Fault::Entry { index, reason, .. } => assert_eq!((index, &reason), (expected, why)),
        other => panic!("{other}"),
    }
}

#[track_caller]
fn assert_tile(log: &Log, expected: &str, why: &TileFault) {
    match log.fault() {
        Fault::Tile { path, reason } => assert_eq!((path.to_string().as_str(), &reason), (expected, why)),
        other => panic!("{other}"),
    }
}

#[track_caller]
fn assert_checkpoint(log: &Log, expected: Option<usize>) {
    let fault = log.fault();
    assert_eq!(
        (fault.kind(), fault.path().as_deref(), fault.line()),
        ("checkpoint", Some("checkpoint"), expected)
    );
}

#[test]
fn good_logs_of_all_shapes() {
    for size in [0, 1, 2, 15, 255, 256, 257, 512, 600] {
        let log = Log::of(size, 100);
        let verdict = log.verify().unwrap();
        assert_eq!((verdict.size, verdict.root), (size, *log.published().root()));
        let leaves: Vec<_> = (0..size).map(|index| leaf_hash(&entry(index))).collect();
        assert_eq!(verdict.root, tree::root(&mut Leaves(&leaves), size).unwrap());
        assert_eq!(verdict.entry_bytes, (0..size).map(|index| entry(index).len() as u64).sum::<u64>());
        assert_eq!(verdict.strays.unwrap().count, 0, "{size}");
    }
}

#[test]
fn a_changed_byte_of_an_entry() {
    for (size, index, bundle) in
        [(15, 7, "000.p/15"), (600, 0, "000"), (600, 300, "001"), (600, 599, "002.p/88")]
    {
        let log = Log::of(size, 1000);
        log.edit_bundle(&format!("tile/entries/{bundle}"), width(bundle), |entries| {
            entries[usize::try_from(index % 256).unwrap()][0] ^= 1;
        });
        assert_entry(&log, index, &EntryFault::Changed);
    }
}

fn width(bundle: &str) -> u16 {
    bundle.split_once(".p/").map_or(256, |(_, width)| width.parse().unwrap())
}

#[test]
fn a_dropped_swapped_or_added_entry() {
    let bundles = [("tile/entries/001", 256), ("tile/entries/002.p/88", 88)];
    for (n, (name, width)) in (1u64..).zip(bundles) {
        let first = n * 256;
        let log = Log::of(600, 1000);
        log.edit_bundle(name, width, |entries| drop(entries.remove(40)));
        assert_entry(&log, first + 40, &EntryFault::Changed);

        let log = Log::of(600, 1000);
        log.edit_bundle(name, width, |entries| drop(entries.pop()));
        assert_entry(&log, first + u64::from(width) - 1, &EntryFault::Missing);

        let log = Log::of(600, 1000);
        log.edit_bundle(name, width, |entries| entries.swap(3, 60));
        assert_entry(&log, first + 3, &EntryFault::Changed);

        let log = Log::of(600, 1000);
        log.edit_bundle(name, width, |entries| entries.insert(20, b"de plus".to_vec()));
        assert_entry(&log, first + 20, &EntryFault::Changed);

        let log = Log::of(600, 1000);
        log.edit_bundle(name, width, |entries| entries.push(b"de plus".to_vec()));
        assert_tile(&log, name, &TileFault::Stray(9));
    }
    // Between bundles.
    let log = Log::of(600, 1000);
    let mut other = Vec::new();
    log.edit_bundle("tile/entries/001", 256, |entries| {
        other = std::mem::replace(&mut entries[9], b"x".to_vec());
    });
    log.edit_bundle("tile/entries/000", 256, |entries| entries[9] = other);
    assert_entry(&log, 9, &EntryFault::Changed);
}

#[test]
fn a_changed_byte_of_a_tile() {
    let log = Log::of(600, 1000);
    log.flip("tile/0/001", 32 * 17 + 5);
    assert_tile(&log, "tile/0/001", &TileFault::Changed { position: 17 });

    let log = Log::of(600, 1000);
    log.flip("tile/0/002.p/88", 0);
    assert_tile(&log, "tile/0/002.p/88", &TileFault::Changed { position: 0 });

    let log = Log::of(600, 1000);
    log.flip("tile/1/000.p/2", 40);
    assert_tile(&log, "tile/1/000.p/2", &TileFault::Changed { position: 1 });
}

#[test]
fn a_tile_of_any_level_in_a_log_of_three() {
    let log = Log::of(66_000, 66_000);
    assert_eq!(log.verify().unwrap().size, 66_000);
    for (name, position) in
        [("tile/0/100", 4), ("tile/1/000", 200), ("tile/1/001.p/1", 0), ("tile/2/000.p/1", 0)]
    {
        log.flip(name, 32 * position + 31);
        assert_tile(&log, name, &TileFault::Changed { position });
        log.flip(name, 32 * position + 31);
    }
    log.edit_bundle("tile/entries/200", 256, |entries| entries[7] = b"autre".to_vec());
    assert_entry(&log, 200 * 256 + 7, &EntryFault::Changed);
}

#[test]
fn files_that_are_missing_or_of_another_length() {
    for name in
        ["tile/entries/000", "tile/entries/002.p/88", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"]
    {
        let log = Log::of(600, 1000);
        log.remove(name);
        assert_tile(&log, name, &TileFault::Missing);
    }
    for name in ["tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"] {
        for change in [-1i64, 1, -32, 32] {
            let log = Log::of(600, 1000);
            let mut bytes = log.read(name);
            bytes.resize(usize::try_from(i64::try_from(bytes.len()).unwrap() + change).unwrap(), 0);
            log.put(name, &bytes);
            assert_tile(&log, name, &TileFault::Length);
        }
    }
}

#[test]
fn an_entry_and_its_tile_changed_together() {
    let log = Log::of(600, 1000);
    log.edit_bundle("tile/entries/000", 256, |entries| entries[9] = b"autre".to_vec());
    let mut tile = log.read("tile/0/000");
    tile[9 * 32..10 * 32].copy_from_slice(leaf_hash(b"autre").as_bytes());
    log.put("tile/0/000", &tile);
    assert_tile(&log, "tile/0/000", &TileFault::ChangedWithEntries);

    // And the tile above them too: only the signed root still says so.
    let hashes: Vec<_> = tile.as_chunks::<32>().0.iter().copied().map(Hash::from_bytes).collect();
    let mut above = log.read("tile/1/000.p/2");
    above[..32].copy_from_slice(tree::complete_root(&hashes).unwrap().as_bytes());
    log.put("tile/1/000.p/2", &above);
    assert!(matches!(log.fault(), Fault::Root { .. }));
    assert_checkpoint(&log, Some(3));

    // The last tile has none above it.
    let log = Log::of(2, 2);
    let other = [leaf_hash(b"a"), leaf_hash(b"b")];
    log.edit_bundle("tile/entries/000.p/2", 2, |entries| *entries = vec![b"a".to_vec(), b"b".to_vec()]);
    log.put("tile/0/000.p/2", &[other[0].as_bytes().as_slice(), other[1].as_bytes()].concat());
    match log.fault() {
        Fault::Root { computed, .. } => assert_eq!(computed, node_hash(&other[0], &other[1])),
        other => panic!("{other}"),
    }
}

#[test]
fn an_entry_and_an_upper_tile_changed_apart() {
    let log = Log::of(600, 1000);
    log.edit_bundle("tile/entries/000", 256, |entries| entries[9] = b"autre".to_vec());
    log.flip("tile/1/000.p/2", 40);
    assert_entry(&log, 9, &EntryFault::Disagrees);
}

#[test]
fn a_checkpoint_that_was_changed_or_is_another_s() {
    let log = Log::of(15, 15);
    let good = log.read("checkpoint");
    for at in 0..good.len() {
        log.flip("checkpoint", at);
        assert_eq!(log.fault().kind(), "checkpoint", "byte {at}");
        log.put("checkpoint", &good);
    }
    let text = String::from_utf8(good.clone()).unwrap();
    for (from, to) in [("\n15\n", "\n14\n"), ("\n15\n", "\n015\n"), ("essai\n", "autre\n")] {
        log.put("checkpoint", text.replacen(from, to, 1).as_bytes());
        assert_checkpoint(&log, None);
    }
    for bytes in [&b""[..], b"\n", text.split("\n\n").next().unwrap().as_bytes(), &vec![b'a'; 1 << 20]] {
        log.put("checkpoint", bytes);
        assert_checkpoint(&log, None);
    }
    // Right in everything, but signed with another key under the same name.
    log.put("checkpoint", &good);
    let checkpoint = log.published().checkpoint().clone();
    let other = checkpoint.sign(&signer(support::ORIGIN)).unwrap();
    log.put("checkpoint", other.note().as_bytes());
    assert_checkpoint(&log, None);
    log.remove("checkpoint");
    assert!(matches!(log.fault(), Fault::Checkpoint { error: None, .. }));
    log.put("checkpoint", &good);
    log.verify().unwrap();
}

#[test]
fn a_log_that_was_truncated_or_rolled_back() {
    let mut log = Log::of(300, 300);
    let old = log.published();
    log.append((300..600).map(entry));
    let now = log.published();
    let extended = verify(&log.source(), log.verifier(), Some(&old)).unwrap();
    assert_eq!(extended.old_size, Some(300));
    verify(&log.source(), log.verifier(), Some(&now)).unwrap();

    // The old checkpoint again: by itself a good log, but not for somebody who saw the newer one.
    log.put("checkpoint", old.note().as_bytes());
    let verdict = log.verify().unwrap();
    let strays = verdict.strays.unwrap();
    assert_eq!(strays.count, 5, "two bundles, two tiles and one of level 1: {:?}", strays.named);
    match fault(verify(&log.source(), log.verifier(), Some(&now))) {
        Fault::RolledBack { old_size, size } => assert_eq!((old_size, size), (600, 300)),
        other => panic!("{other}"),
    }
    // The newer checkpoint without its files.
    log.put("checkpoint", now.note().as_bytes());
    log.remove("tile/entries/001");
    assert_tile(&log, "tile/entries/001", &TileFault::Missing);
}

#[test]
fn a_log_that_was_forked() {
    for (old_size, size) in [(10u64, 20), (256, 300), (300, 300), (20, 600)] {
        let mut log = Log::new();
        // Signed with the log's own key, over another fourth entry.
        log.append((0..size).map(|index| if index == 3 { b"autre".to_vec() } else { entry(index) }));
        log.verify().unwrap();
        let leaves: Vec<_> = (0..old_size).map(|index| leaf_hash(&entry(index))).collect();
        let root = tree::root(&mut Leaves(&leaves), old_size).unwrap();
        let old = log.checkpoint(old_size, root);
        match fault(verify(&log.source(), log.verifier(), Some(&old))) {
            Fault::Forked { old_size: found, signed, .. } => assert_eq!((found, signed), (old_size, root)),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn earlier_partial_tiles_are_checked_too() {
    for name in [
        "tile/0/000.p/100",
        "tile/entries/000.p/200",
        "tile/1/000.p/1",
        "tile/0/001.p/44",
        "tile/entries/001.p/144",
    ] {
        let log = Log::of(600, 100);
        log.verify().unwrap();
        log.flip(name, 6);
        assert_tile(&log, name, &TileFault::Earlier);
        // A log may remove them.
        log.remove(name);
        log.verify().unwrap();
    }
}

#[test]
fn a_partial_tile_may_be_gone_when_the_full_one_is_there() {
    let mut log = Log::of(200, 200);
    let old = log.published();
    log.append((200..256).map(entry));
    log.put("checkpoint", old.note().as_bytes());
    log.remove("tile/0/000.p/200");
    log.remove("tile/entries/000.p/200");
    assert_eq!(log.verify().unwrap().size, 200);
    log.edit_bundle("tile/entries/000", 256, |entries| entries[199] = b"autre".to_vec());
    assert_entry(&log, 199, &EntryFault::Changed);
}

#[test]
fn stray_files_are_reported() {
    let log = Log::of(300, 300);
    for name in [
        "tile/0/001.p/45",
        "tile/0/002",
        "tile/3/000",
        "tile/entries/x001/000",
        "notes.txt",
        "tile/0/000.tmp",
    ] {
        log.put(name, b"?");
    }
    let strays = log.verify().unwrap().strays.unwrap();
    assert_eq!(strays.count, 6);
    assert_eq!(strays.named.first().unwrap(), "notes.txt");
}

#[test]
fn every_byte_of_every_file_counts() {
    let log = Log::of(20, 20);
    for name in ["tile/entries/000.p/20", "tile/0/000.p/20"] {
        for at in 0..log.read(name).len() {
            log.flip(name, at);
            let fault = log.fault();
            assert_eq!(fault.path().as_deref(), Some(name), "byte {at}: {fault}");
            log.flip(name, at);
        }
    }
    log.verify().unwrap();
}

#[test]
fn entries_that_are_no_events_are_named_when_asked() {
    let log = Log::of(300, 300);
    let refuse = |entry: &[u8]| {
        if entry.ends_with(b"277") { Err(EntryFault::Undecodable("refusé".to_owned())) } else { Ok(()) }
    };
    let mut seen = Vec::new();
    let mut checks = Checks {
        log: log.verifier(),
        old: None,
        entry: Some(&refuse),
        progress: &mut |done, size| seen.push((done, size)),
    };
    match fault(verify_log(&log.source(), &mut checks)) {
        Fault::Entry { index, reason, .. } => {
            assert_eq!((index, reason), (277, EntryFault::Undecodable("refusé".to_owned())));
        }
        other => panic!("{other}"),
    }
    assert_eq!(seen, [(0, 300), (256, 300)]);
}

#[test]
fn a_folder_that_is_not_there_is_no_verdict() {
    let log = Log::new();
    let nowhere = passerelle_verify::Folder::open(&log.path("nulle-part"));
    assert!(nowhere.is_err());
    let file = passerelle_verify::Folder::open(&log.path("checkpoint"));
    assert!(file.is_err());
}
