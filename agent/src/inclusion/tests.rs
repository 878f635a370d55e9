//! Receipts against logs in memory: honest ones, and every one that is not.

use std::collections::BTreeMap;

use passerelle_pki::clock::{Clock, ManualClock};
use passerelle_pki::key::{Ed25519Key, Signer};
use passerelle_proto::tlog::{
    Checkpoint, LogWriter, NoteSigner, TilePath, TileSource, VerifiedCheckpoint, leaf_hash,
};

use super::round::{Batch, Looked};
use super::*;

/// A log in memory, signed with a key that all of a test share.
struct Log {
    writer: LogWriter,
    tiles: BTreeMap<TilePath, Vec<u8>>,
    signer: NoteSigner,
}

#[derive(Debug, thiserror::Error)]
#[error("no tile")]
struct NoTile;

impl TileSource for &Log {
    type Error = NoTile;

    fn tile(&self, path: TilePath) -> Result<Vec<u8>, NoTile> {
        self.tiles.get(&path).cloned().ok_or(NoTile)
    }
}

impl Log {
    fn new(key: &Arc<Ed25519Key>) -> Self {
        let key: Arc<dyn Signer> = Arc::<Ed25519Key>::clone(key);
        let signer = NoteSigner::new("journal.example".parse().unwrap(), key).unwrap();
        Self { writer: LogWriter::new(), tiles: BTreeMap::new(), signer }
    }

    fn append(&mut self, entries: &[String]) -> VerifiedCheckpoint {
        for write in self.writer.append(entries).unwrap() {
            self.tiles.insert(write.path, write.bytes);
        }
        let origin = "journal.example".to_owned();
        Checkpoint::new(origin, self.writer.size(), self.writer.root()).sign(&self.signer).unwrap()
    }
}

struct Scene {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    key: Arc<Ed25519Key>,
    receipts: Receipts,
}

const SETTINGS: CheckSettings =
    CheckSettings { within: Duration::from_secs(900), every: Duration::from_secs(60) };

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_768_478_400)));
        let key = Arc::new(Ed25519Key::generate().unwrap());
        let receipts = Receipts::open(folder.path(), SETTINGS, clock.clone()).unwrap();
        Self { folder, clock, key, receipts }
    }

    /// Drops the receipts and opens them again, as after a kill.
    fn reopened(self) -> Self {
        let Self { folder, clock, key, receipts } = self;
        drop(receipts);
        let receipts = Receipts::open(folder.path(), SETTINGS, clock.clone()).unwrap();
        Self { folder, clock, key, receipts }
    }

    /// The gateway promises that `entry` stands at `index`.
    async fn promise(&self, index: u64, entry: &str) -> ExchangeId {
        let id = ExchangeId::draw(self.clock.now(), &ring::rand::SystemRandom::new()).unwrap();
        let body = wire::ReceiptBody {
            exchange_id: id.to_wire(),
            leaf_index: index,
            leaf_hash: leaf_hash(entry.as_bytes()).as_bytes().to_vec().into(),
            ..wire::ReceiptBody::default()
        };
        self.receipts.note(Side::Sent, &wire::Receipt::default(), &body).await.unwrap();
        id
    }

    async fn look(&self, log: &Log, checkpoint: &VerifiedCheckpoint) {
        let batch: Batch = self.receipts.batch((0, None)).expect("something to be checked");
        let looked: Looked = batch.look(log, checkpoint);
        self.receipts.take(&batch, looked, checkpoint).await.unwrap();
    }

    fn reason(&self, id: ExchangeId) -> Option<Missing> {
        let status = self.receipts.status();
        status.named.iter().find(|missing| missing.exchange_id == id).map(|missing| missing.reason)
    }
}

fn entries(from: u64, to: u64) -> Vec<String> {
    (from..to).map(|n| format!("entrée {n}")).collect()
}

#[tokio::test]
async fn what_is_in_the_log_is_found_and_stays_found_after_a_kill() {
    let scene = Scene::new();
    let mut log = Log::new(&scene.key);
    let first = log.append(&entries(0, 300));
    for index in [0, 7, 255, 256, 299] {
        scene.promise(index, &format!("entrée {index}")).await;
    }
    let late = scene.promise(300, "entrée 300").await;
    let scene = scene.reopened();
    assert_eq!(scene.receipts.status().unchecked, 6);
    scene.look(&log, &first).await;
    assert_eq!((scene.receipts.status().unchecked, scene.receipts.status().found), (1, 5));
    // What is only late is no alarm, until its time is over.
    assert_eq!(scene.reason(late), None);
    let scene = scene.reopened();
    let second = log.append(&entries(300, 70_000));
    scene.look(&log, &second).await;
    let status = scene.receipts.status();
    assert_eq!((status.unchecked, status.missing, status.log_alarm), (0, 0, None));
    assert_eq!(scene.reopened().receipts.status().checked_size, Some(70_000));
}

#[tokio::test]
async fn an_entry_that_never_comes_is_missing_once_its_time_is_over() {
    let scene = Scene::new();
    let mut log = Log::new(&scene.key);
    let checkpoint = log.append(&entries(0, 10));
    let id = scene.promise(10, "entrée 10").await;
    scene.look(&log, &checkpoint).await;
    assert_eq!(scene.reason(id), None);
    scene.clock.advance(SETTINGS.within + Duration::from_secs(1));
    assert_eq!(scene.reason(id), Some(Missing::NotLogged));
    // A log that could not be looked at is told otherwise, once that was tried.
    let scene = scene.reopened();
    assert_eq!(scene.reason(id), None);
    scene.receipts.tell();
    assert_eq!(scene.reason(id), Some(Missing::NotSeen));
}

#[tokio::test]
async fn another_entry_at_the_place_is_an_alarm_at_once() {
    let scene = Scene::new();
    let mut log = Log::new(&scene.key);
    let mut rewritten = entries(0, 600);
    rewritten[299] = "autre chose".to_owned();
    let checkpoint = log.append(&rewritten);
    let id = scene.promise(299, "entrée 299").await;
    let honest = scene.promise(298, "entrée 298").await;
    scene.look(&log, &checkpoint).await;
    assert_eq!((scene.reason(id), scene.reason(honest)), (Some(Missing::OtherEntry), None));
    assert_eq!(scene.receipts.status().found, 1);
}

#[tokio::test]
async fn a_log_that_does_not_continue_the_one_before_is_proof_that_stays() {
    let scene = Scene::new();
    let (mut log, mut other) = (Log::new(&scene.key), Log::new(&scene.key));
    let first = log.append(&entries(0, 300));
    scene.promise(5, "entrée 5").await;
    scene.look(&log, &first).await;
    let mut rewritten = entries(0, 400);
    rewritten[3] = "autre chose".to_owned();
    let second = other.append(&rewritten);
    let id = scene.promise(399, "entrée 399").await;
    scene.look(&other, &second).await;
    let scene = scene.reopened();
    let alarm = scene.receipts.status().log_alarm.unwrap();
    assert!(alarm.contains("the log was rewritten"), "{alarm}");
    // The receipt is not taken as found in a tree that is no continuation.
    assert_eq!(scene.receipts.status().unchecked, 1);
    let kept = scene.receipts.table().contradiction.clone().unwrap();
    assert_eq!((kept.first, kept.second), (first.note().to_owned(), second.note().to_owned()));
    scene.clock.advance(SETTINGS.within + Duration::from_secs(1));
    scene.receipts.tell();
    assert_eq!(scene.reason(id), Some(Missing::NotSeen));
}

#[tokio::test]
async fn tiles_that_are_not_the_signed_ones_prove_nothing() {
    // In a full tile, in the last one, and in one of the level above.
    for (path, byte) in [("tile/0/000", 32 * 9), ("tile/0/001.p/44", 3), ("tile/1/000.p/1", 1)] {
        let scene = Scene::new();
        let mut log = Log::new(&scene.key);
        let checkpoint = log.append(&entries(0, 300));
        scene.promise(if path.contains("001") { 257 } else { 5 }, "entrée 5").await;
        scene.promise(260, "entrée 260").await;
        log.tiles.get_mut(&path.parse().unwrap()).unwrap()[byte] ^= 1;
        scene.look(&log, &checkpoint).await;
        let status = scene.receipts.status();
        let alarm = status.log_alarm.unwrap_or_else(|| panic!("{path}: no alarm"));
        assert!(alarm.contains("does not lead to the root"), "{path}: {alarm}");
    }
}

#[tokio::test]
async fn an_old_copy_says_nothing() {
    let scene = Scene::new();
    let mut log = Log::new(&scene.key);
    let old = log.append(&entries(0, 10));
    let new = log.append(&entries(10, 20));
    scene.promise(15, "entrée 15").await;
    scene.look(&log, &new).await;
    scene.promise(3, "entrée 3").await;
    scene.look(&log, &old).await;
    let status = scene.receipts.status();
    assert_eq!((status.unchecked, status.missing, status.log_alarm), (1, 0, None));
}

#[tokio::test]
async fn what_is_still_to_be_found_outlives_its_segment() {
    let scene = Scene::new();
    let mut log = Log::new(&scene.key);
    let checkpoint = log.append(&entries(0, 10));
    scene.promise(1, "entrée 1").await;
    scene.look(&log, &checkpoint).await;
    let id = scene.promise(12, "entrée 12").await;
    // A receipt has about a kilobyte: enough of them to close the first segment.
    let filler = wire::Receipt { body: vec![7; 1 << 20].into(), ..wire::Receipt::default() };
    for index in 0..20 {
        let body = wire::ReceiptBody {
            exchange_id: id.to_wire(),
            leaf_index: 1_000 + index,
            leaf_hash: vec![1; 32].into(),
            ..wire::ReceiptBody::default()
        };
        scene.receipts.note(Side::Received, &filler, &body).await.unwrap();
    }
    assert!(!scene.receipts.0.log.closed().is_empty());
    scene.receipts.drop_oldest().unwrap();
    let scene = scene.reopened();
    assert_eq!(scene.receipts.status().unchecked, 21);
    assert_eq!(scene.receipts.status().checked_size, Some(10));
}
