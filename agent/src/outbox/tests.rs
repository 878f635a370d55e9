//! Shared parts of the tests: tests.

use std::time::Duration;

use super::*;
use crate::identity::house::{DAY, House, Member, START};
use crate::records::fixtures::{sealed, tear};

struct Scene {
    house: House,
    ramq: Member,
    saaq: Member,
    limits: Limits,
}

impl Scene {
    fn new() -> Self {
        let house = House::new();
        let (ramq, saaq) = (house.member("ramq/agent-1"), house.member("saaq/agent-1"));
        Self { house, ramq, saaq, limits: Limits::default() }
    }

    fn open(&self) -> Outbox {
        let folder = self.house.data_dir("outbox");
        Outbox::open(&folder, self.limits.clone(), self.house.shared_clock(), watch::Sender::new(0)).unwrap()
    }

    fn seal(&self, text: &[u8]) -> Sealed {
        sealed(&self.ramq, &self.saaq, text, self.house.now())
    }

    async fn add(&self, outbox: &Outbox, text: &[u8]) -> ExchangeId {
        outbox.add(self.seal(text), None).await.unwrap().exchange_id
    }
}

fn receipt(leaf_index: u64) -> wire::ReceiptBody {
    wire::ReceiptBody { leaf_index, accepted_ms: START.as_millis(), ..wire::ReceiptBody::default() }
}

fn state(outbox: &Outbox, id: ExchangeId) -> Option<RecordState> {
    outbox.record(&id).map(|view| view.state)
}

#[tokio::test]
async fn what_was_taken_over_is_there_after_a_stop_with_the_same_bytes() {
    let scene = Scene::new();
    let outbox = scene.open();
    let record = scene.seal(b"une adresse");
    let (envelope, body) = (record.envelope.clone(), record.body.clone().unwrap());
    let id = outbox.add(record, None).await.unwrap().exchange_id;
    assert_eq!(outbox.take(Lane::Submit), Some(id));
    assert_eq!((state(&outbox, id), outbox.take(Lane::Submit)), (Some(RecordState::Sent), None));
    drop(outbox);

    let outbox = scene.open();
    assert_eq!(outbox.take(Lane::Submit), Some(id));
    let load = outbox.load(id).await.unwrap().unwrap();
    assert_eq!((load.envelope, load.body), (envelope, body));
}

#[tokio::test]
async fn a_torn_tail_loses_only_what_was_not_durable() {
    let scene = Scene::new();
    let outbox = scene.open();
    let first = scene.add(&outbox, b"un").await;
    let second = scene.add(&outbox, b"deux").await;
    let torn = outbox.table().slots[&second].home.offset + 40;
    drop(outbox);
    tear(&scene.house.data_dir("outbox"), torn);

    let outbox = scene.open();
    assert_eq!((state(&outbox, first), state(&outbox, second)), (Some(RecordState::Queued), None));
    let third = scene.add(&outbox, b"trois").await;
    drop(outbox);
    let outbox = scene.open();
    assert_eq!((outbox.counts().queued, state(&outbox, third)), (2, Some(RecordState::Queued)));
}

#[tokio::test]
async fn what_became_of_a_record_survives_and_does_not_change_back() {
    let scene = Scene::new();
    let outbox = scene.open();
    let (delivered, denied) = (scene.add(&outbox, b"un").await, scene.add(&outbox, b"deux").await);
    outbox.accepted(delivered, receipt(7)).await.unwrap();
    assert_eq!(outbox.on_the_way().len(), 1);
    outbox.acknowledged(delivered, "ramq", (None, 1)).await.unwrap();
    assert_eq!(state(&outbox, delivered), Some(RecordState::Accepted), "not one of its recipients");
    outbox.acknowledged(delivered, "saaq", (None, START.as_millis())).await.unwrap();
    outbox.denied(denied, (Reason::PurposeNotCovered, "purpose=QC-G".to_owned()), Some(9)).await.unwrap();
    outbox.expired(delivered, "saaq").await.unwrap();
    outbox.accepted(denied, receipt(8)).await.unwrap();
    let seen = (outbox.record(&delivered), outbox.record(&denied));
    assert_eq!(seen.0.as_ref().map(|view| view.state), Some(RecordState::Delivered));
    assert_eq!(seen.1.as_ref().and_then(|view| view.denial.clone()).unwrap().code, "PURPOSE_NOT_COVERED");
    assert_eq!(seen.1.as_ref().map(|view| view.state), Some(RecordState::Denied));
    drop(outbox);

    let outbox = scene.open();
    assert_eq!((outbox.record(&delivered), outbox.record(&denied)), seen);
    assert_eq!((outbox.take(Lane::Submit), outbox.counts()), (None, Counts::default()));
}

#[tokio::test]
async fn a_key_leads_to_its_record_for_ever_and_to_nothing_while_it_is_taken_over() {
    let scene = Scene::new();
    let outbox = scene.open();
    let Claim::Fresh(held) = outbox.claim([1; 32]) else { panic!("the key is new") };
    assert!(matches!(outbox.claim([1; 32]), Claim::UnderWay));
    drop(held);
    let Claim::Fresh(held) = outbox.claim([1; 32]) else { panic!("the key was given up") };
    let id = outbox.add(scene.seal(b"un"), Some((held, [5; 32]))).await.unwrap().exchange_id;
    drop(outbox);
    let outbox = scene.open();
    let Claim::Known(known, RecordState::Queued, request) = outbox.claim([1; 32]) else { panic!("known") };
    assert_eq!((known, &request[..]), (id, &[5; 32][..]));
}

#[tokio::test]
async fn a_full_outbox_takes_nothing_and_has_room_again_once_something_is_settled() {
    let mut scene = Scene::new();
    scene.limits.queued_records = 1;
    let outbox = scene.open();
    let id = scene.add(&outbox, b"un").await;
    assert!(matches!(outbox.room(0), Err(SendError::Full)));
    assert!(matches!(outbox.add(scene.seal(b"deux"), None).await, Err(SendError::Full)));
    outbox.accepted(id, receipt(1)).await.unwrap();
    scene.add(&outbox, b"deux").await;
}

#[tokio::test]
async fn history_goes_by_age_and_by_number_and_what_is_not_finished_stays() {
    let mut scene = Scene::new();
    scene.limits.history = 10 * DAY;
    scene.limits.history_records = 1;
    let outbox = scene.open();
    let mut finished = Vec::new();
    for text in [b"un".as_slice(), b"deux"] {
        let id = scene.add(&outbox, text).await;
        outbox.denied(id, (Reason::HeaderExpired, String::new()), None).await.unwrap();
        finished.push(id);
        scene.house.clock.advance(Duration::from_secs(1));
    }
    let waiting = scene.add(&outbox, b"trois").await;
    outbox.tidy().await.unwrap();
    assert_eq!((state(&outbox, finished[0]), state(&outbox, finished[1])), (None, Some(RecordState::Denied)));
    scene.house.clock.advance(11 * DAY);
    outbox.tidy().await.unwrap();
    assert_eq!((state(&outbox, finished[1]), state(&outbox, waiting)), (None, Some(RecordState::Queued)));
}

#[tokio::test]
async fn dropping_the_oldest_segment_keeps_what_is_needed_of_it() {
    let scene = Scene::new();
    let outbox = scene.open();
    let waiting = scene.add(&outbox, b"attend").await;
    let accepted = scene.add(&outbox, b"accepte").await;
    let bulk = vec![3; 900_000];
    for _ in 0..20 {
        let id = scene.add(&outbox, &bulk).await;
        outbox.accepted(id, receipt(1)).await.unwrap();
    }
    outbox.accepted(accepted, receipt(2)).await.unwrap();
    let before = outbox.0.log.closed().len();
    assert!(before > 0);
    outbox.drop_oldest().unwrap();
    assert_eq!(outbox.0.log.closed().len(), before - 1);
    let seen = outbox.records(&RecordFilter::default());
    drop(outbox);

    let outbox = scene.open();
    assert_eq!(outbox.records(&RecordFilter::default()), seen);
    assert_eq!(state(&outbox, accepted), Some(RecordState::Accepted));
    assert_eq!(outbox.take(Lane::Submit), Some(waiting));
    assert!(!outbox.load(waiting).await.unwrap().unwrap().body.is_empty());
}
