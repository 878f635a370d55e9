//! Shared parts of the tests: tests.

use passerelle_pki::clock::Timestamp;
use passerelle_proto::tlog::leaf_hash;
use ring::rand::SystemRandom;

use super::*;

fn id() -> ExchangeId {
    ExchangeId::draw(Timestamp::from_seconds(1_772_452_800), &SystemRandom::new()).unwrap()
}

#[test]
fn a_body_that_was_not_committed_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(&folder.path().join("bodies")).unwrap();
    let id = id();
    let mut writer = spool.create(id).unwrap();
    writer.push(b"sealed", leaf_hash(b"sealed")).unwrap();
    drop(writer);
    assert!(!spool.has(id));
    assert_eq!(fs::read_dir(spool.folder()).unwrap().count(), 0);
}

#[test]
fn a_committed_body_is_read_again_with_its_hashes() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(&folder.path().join("bodies")).unwrap();
    let id = id();
    let mut writer = spool.create(id).unwrap();
    let chunks = [vec![1; passerelle_proto::envelope::SEALED_CHUNK_SIZE], vec![2; 20]];
    for chunk in &chunks {
        writer.push(chunk, leaf_hash(chunk)).unwrap();
    }
    writer.commit().unwrap();
    let hashes = spool.hashes(id).unwrap().unwrap();
    assert_eq!(hashes.hashes(), [leaf_hash(&chunks[0]), leaf_hash(&chunks[1])]);
    let (mut reader, mut chunk) = (spool.read(id).unwrap(), Vec::new());
    for expected in &chunks {
        assert!(reader.next(&mut chunk).unwrap());
        assert_eq!(chunk, *expected);
    }
    assert!(!reader.next(&mut chunk).unwrap());
    reader.seek(1).unwrap();
    assert!(reader.next(&mut chunk).unwrap() && chunk == chunks[1]);
}

#[test]
fn sweeping_removes_what_nobody_needs_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(&folder.path().join("bodies")).unwrap();
    let (kept, gone) = (id(), id());
    for id in [kept, gone] {
        let mut writer = spool.create(id).unwrap();
        writer.push(b"sealed", leaf_hash(b"sealed")).unwrap();
        writer.commit().unwrap();
    }
    fs::write(spool.folder().join("not-an-id"), b"").unwrap();
    spool.sweep(|id| id == kept).unwrap();
    assert!(spool.has(kept) && spool.hashes(kept).unwrap().is_some());
    assert!(!spool.has(gone) && spool.hashes(gone).unwrap().is_none());
    assert_eq!(fs::read_dir(spool.folder()).unwrap().count(), 2);
}

#[test]
fn what_was_begun_and_left_is_given_up_after_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(&folder.path().join("bodies")).unwrap();
    let (old, fresh, whole) = (id(), id(), id());
    let now = Timestamp::from_seconds(1_772_452_800);
    let before = |age: Duration| {
        let since_epoch = Duration::from_millis(now.as_millis()) - age;
        std::time::UNIX_EPOCH + since_epoch
    };
    for (id, name, age) in [
        (old, spool.beside(old, PART), ABANDONED + Duration::from_secs(60)),
        (fresh, spool.beside(fresh, PART), Duration::from_secs(60)),
        (whole, spool.path(whole), 2 * ABANDONED),
    ] {
        fs::write(spool.beside(id, HASHES), b"").unwrap();
        File::create(name).unwrap().set_modified(before(age)).unwrap();
    }
    spool.sweep_abandoned(now).unwrap();
    assert!(!spool.beside(old, PART).exists() && !spool.beside(old, HASHES).exists());
    assert!(spool.beside(fresh, PART).exists() && spool.has(whole));
    assert_eq!(fs::read_dir(spool.folder()).unwrap().count(), 4);
}
