//! A log that shrinks or forks is told, also after a restart; one that grows is followed.

use std::sync::Arc;

use passerelle_pki::key::Ed25519Key;
use passerelle_proto::tlog::NoteSigner;
use passerelle_proto::tlog::checkpoint::Checkpoint;
use passerelle_proto::tlog::hash::leaf_hash;

use super::*;
use crate::identity::house::House;

struct Log {
    house: House,
    signer: NoteSigner,
}

impl Log {
    fn new() -> Self {
        let key = Arc::new(Ed25519Key::generate().unwrap());
        let signer = NoteSigner::new("journal.qc.example".parse().unwrap(), key).unwrap();
        Self { house: House::new(), signer }
    }

    /// A signed checkpoint with a root that follows from `tree`.
    fn note(&self, size: u64, tree: &str) -> Vec<u8> {
        let checkpoint = Checkpoint::new("journal.qc.example".to_owned(), size, leaf_hash(tree.as_bytes()));
        checkpoint.sign(&self.signer).unwrap().note().as_bytes().to_vec()
    }

    fn open(&self) -> Checkpoints {
        let folder = self.house.data_dir("agent");
        Checkpoints::open(&folder, Some(self.signer.verifier()), self.house.shared_clock()).unwrap()
    }

    fn take(&self, checkpoints: &Checkpoints, size: u64, tree: &str) -> Result<Seen, CheckpointsError> {
        checkpoints.take(&self.note(size, tree), self.signer.verifier())
    }
}

#[test]
fn a_log_that_grows_is_followed_and_remembered() {
    let log = Log::new();
    let checkpoints = log.open();
    assert_eq!(checkpoints.seen(), None);
    for (size, tree) in [(3, "a"), (3, "a"), (9, "b")] {
        assert_eq!(log.take(&checkpoints, size, tree).unwrap().size, size);
    }
    assert_eq!(checkpoints.alarm(), None);
    assert_eq!(log.open().seen().unwrap().size, 9, "after a restart");
}

#[test]
fn a_log_that_shrinks_is_told_as_long_as_it_does_and_forgets_nothing() {
    let log = Log::new();
    let checkpoints = log.open();
    log.take(&checkpoints, 9, "b").unwrap();
    // The agent is started again between: what it saw is what counts.
    let checkpoints = log.open();
    let shrunk = Contradiction::Shrunk { shown: 8, seen: 9 };
    let refused = log.take(&checkpoints, 8, "a");
    assert!(matches!(refused, Err(CheckpointsError::Contradiction(found)) if found == shrunk), "{refused:?}");
    assert_eq!(checkpoints.alarm(), Some(shrunk));
    assert_eq!(checkpoints.seen().unwrap().size, 9);
    log.take(&checkpoints, 10, "c").unwrap();
    assert_eq!(checkpoints.alarm(), None);
}

#[test]
fn two_trees_of_one_size_are_kept_as_proof_and_stay_an_alarm() {
    let log = Log::new();
    let checkpoints = log.open();
    log.take(&checkpoints, 9, "b").unwrap();
    let refused = log.take(&checkpoints, 9, "another");
    assert!(matches!(refused, Err(CheckpointsError::Contradiction(Contradiction::Forked(9)))), "{refused:?}");
    log.take(&checkpoints, 12, "c").unwrap();
    let checkpoints = log.open();
    assert_eq!(checkpoints.alarm(), Some(Contradiction::Forked(9)), "growing on does not lift it");
    let file = std::fs::read_to_string(log.house.data_dir("agent").join(FILE)).unwrap();
    let kept: Stored = serde_json::from_str(&file).unwrap();
    let proof = kept.forked.unwrap().map(|kept| {
        let opened = VerifiedCheckpoint::open(kept.note.as_bytes(), log.signer.verifier()).unwrap();
        (opened.size(), *opened.root())
    });
    assert_eq!(proof, [(9, leaf_hash(b"b")), (9, leaf_hash(b"another"))]);
}

#[test]
fn what_the_log_did_not_sign_changes_nothing() {
    let (log, other) = (Log::new(), Log::new());
    let checkpoints = log.open();
    log.take(&checkpoints, 9, "b").unwrap();
    let mut altered = log.note(20, "c");
    altered[20] ^= 1;
    for note in [other.note(20, "c"), altered, log.note(20, "c")[..30].to_vec(), Vec::new()] {
        let refused = checkpoints.take(&note, log.signer.verifier());
        assert!(matches!(refused, Err(CheckpointsError::NotBelieved(_))), "{refused:?}");
    }
    assert_eq!((checkpoints.seen().unwrap().size, checkpoints.alarm()), (9, None));
}

#[test]
fn a_file_that_cannot_be_read_or_is_of_another_key_is_begun_anew() {
    let (log, other) = (Log::new(), Log::new());
    log.take(&log.open(), 9, "b").unwrap();
    let folder = log.house.data_dir("agent");
    let other_key = Some(other.signer.verifier());
    assert_eq!(Checkpoints::open(&folder, other_key, log.house.shared_clock()).unwrap().seen(), None);
    std::fs::write(folder.join(FILE), "{").unwrap();
    assert_eq!(log.open().seen(), None);
}
