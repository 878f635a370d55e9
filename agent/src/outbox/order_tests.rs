//! Numbers of ordered records, across kills: tests.

use std::collections::BTreeSet;

use super::*;
use crate::identity::house::{House, Member, START};
use crate::records::fixtures::{ordered, sealed, tear};

struct Scene {
    house: House,
    ramq: Member,
    saaq: Member,
}

impl Scene {
    fn new() -> Self {
        let house = House::new();
        let (ramq, saaq) = (house.member("ramq/agent-1"), house.member("saaq/agent-1"));
        Self { house, ramq, saaq }
    }

    fn open(&self) -> Outbox {
        let folder = self.house.data_dir("outbox");
        Outbox::open(&folder, Limits::default(), self.house.shared_clock(), watch::Sender::new(0)).unwrap()
    }

    async fn number(&self, outbox: &Outbox) -> Numbered {
        let key = StreamKey { agreement: "ENT-2026-001".to_owned(), recipients: vec!["saaq".to_owned()] };
        Numbering { outbox: outbox.clone(), key }.take().await.unwrap()
    }

    async fn add(&self, outbox: &Outbox, numbered: Numbered) -> ExchangeId {
        let text = vec![7; 1_000 * usize::try_from(numbered.order.sequence).unwrap()];
        let order = Some(numbered.order.clone());
        let record = ordered(&self.ramq, &self.saaq, (&text, order), self.house.now());
        let record = Sealed { numbered: Some(numbered), ..record };
        outbox.add(record, None).await.unwrap().exchange_id
    }

    /// Adds the next; gives its id.
    async fn next(&self, outbox: &Outbox) -> ExchangeId {
        let numbered = self.number(outbox).await;
        self.add(outbox, numbered).await
    }
}

/// Everything that may be submitted now.
fn all(outbox: &Outbox) -> BTreeSet<ExchangeId> {
    std::iter::from_fn(|| outbox.take(Lane::Submit)).collect()
}

fn receipt() -> wire::ReceiptBody {
    wire::ReceiptBody { accepted_ms: START.as_millis(), ..wire::ReceiptBody::default() }
}

fn place(outbox: &Outbox, id: ExchangeId) -> (String, u64) {
    let order = outbox.record(&id).unwrap().order.unwrap();
    (order.stream, order.sequence)
}

#[tokio::test]
async fn no_number_is_given_twice_and_none_is_left_out_wherever_the_machine_stops() {
    let scene = Scene::new();
    let outbox = scene.open();
    let (one, two) = (scene.next(&outbox).await, scene.next(&outbox).await);
    let (stream, first) = place(&outbox, one);
    assert_eq!((first, place(&outbox, two)), (1, (stream.clone(), 2)));
    // Sealed, and never in the journal.
    drop(scene.number(&outbox).await);
    // Nobody gets a number while another may still come to nothing.
    let third = scene.number(&outbox).await;
    let mut waiting = Box::pin(scene.number(&outbox));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    let three = scene.add(&outbox, third).await;
    let fourth = waiting.await;
    assert_eq!((place(&outbox, three).1, fourth.order.sequence), (3, 4));
    // Torn out of the journal in the middle of its write: the number was never given.
    let four = scene.add(&outbox, fourth).await;
    let torn = outbox.table().slots[&four].home.offset + 40;
    drop(outbox);
    tear(&scene.house.data_dir("outbox"), torn);
    let outbox = scene.open();
    assert!(outbox.record(&four).is_none());
    let again = scene.next(&outbox).await;
    assert_eq!(place(&outbox, again), (stream.clone(), 4));
    drop(outbox);
    let outbox = scene.open();
    assert_eq!(scene.number(&outbox).await.order.sequence, 5);
    let key = StreamKey { agreement: "ENT-2026-001".to_owned(), recipients: vec!["revenu".to_owned()] };
    let other = Numbering { outbox: outbox.clone(), key }.take().await.unwrap();
    assert_eq!(other.order.sequence, 1);
    assert_ne!(hex::encode(&other.order.stream), stream);
}

#[tokio::test]
async fn one_of_a_stream_is_submitted_at_a_time_and_a_refusal_stops_nobody_for_ever() {
    let scene = Scene::new();
    let outbox = scene.open();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(scene.next(&outbox).await);
    }
    let plain = sealed(&scene.ramq, &scene.saaq, b"sans ordre", scene.house.now());
    let plain = outbox.add(plain, None).await.unwrap().exchange_id;
    let both = BTreeSet::from([ids[0], plain]);
    assert_eq!(all(&outbox), both);
    outbox.give_back([ids[0]]);
    assert_eq!(all(&outbox), BTreeSet::from([ids[0]]));
    drop(outbox);

    let outbox = scene.open();
    assert_eq!(all(&outbox), both);
    outbox.accepted(ids[0], receipt()).await.unwrap();
    assert_eq!(outbox.take(Lane::Submit), Some(ids[1]));
    outbox.denied(ids[1], (Reason::PurposeNotCovered, String::new()), None).await.unwrap();
    assert_eq!((outbox.take(Lane::Submit), outbox.take(Lane::Submit)), (Some(ids[2]), None));
    outbox.accepted(ids[2], receipt()).await.unwrap();
    assert_eq!(place(&outbox, scene.next(&outbox).await).1, 4);
}

#[tokio::test]
async fn an_outbox_older_than_the_gateways_log_begins_a_new_stream() {
    let scene = Scene::new();
    let outbox = scene.open();
    let one = scene.next(&outbox).await;
    outbox.denied(one, (Reason::SequencePassed, "sequence=1; last=9".to_owned()), None).await.unwrap();
    let two = scene.next(&outbox).await;
    assert_ne!(place(&outbox, one).0, place(&outbox, two).0);
    drop(outbox);
    let outbox = scene.open();
    let three = scene.next(&outbox).await;
    assert_eq!(place(&outbox, three), (place(&outbox, two).0, 2));
}

#[tokio::test]
async fn a_number_outlives_the_journal_segment_that_has_it() {
    let scene = Scene::new();
    let outbox = scene.open();
    let one = scene.next(&outbox).await;
    outbox.denied(one, (Reason::HeaderExpired, String::new()), None).await.unwrap();
    outbox.table().remove(one);
    for _ in 0..20 {
        let bulk = sealed(&scene.ramq, &scene.saaq, &[3; 900_000], scene.house.now());
        let id = outbox.add(bulk, None).await.unwrap().exchange_id;
        outbox.accepted(id, receipt()).await.unwrap();
    }
    assert!(!outbox.0.log.closed().is_empty());
    outbox.drop_oldest().unwrap();
    drop(outbox);
    let outbox = scene.open();
    assert!(outbox.record(&one).is_none());
    assert_eq!(scene.number(&outbox).await.order.sequence, 2);
}
