//! Ordered records of the inbox: tests.

use super::Wanted::{Later, No, Now};
use super::*;
use crate::identity::house::{House, Member};
use crate::records::InboxFilter;
use crate::records::fixtures::{kem_keys, ordered, verified};

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

    fn open(&self) -> Inbox {
        let folder = self.house.data_dir("inbox");
        Inbox::open(&folder, Limits::default(), self.house.shared_clock(), watch::Sender::new(0)).unwrap()
    }

    /// One of this stream and number arrives; `None` when it comes too late.
    async fn arrive(&self, inbox: &Inbox, (stream, sequence): (u8, u64)) -> Option<ExchangeId> {
        let order =
            (sequence > 0).then(|| wire::Order { stream: Bytes::copy_from_slice(&[stream; 16]), sequence });
        let record = ordered(&self.ramq, &self.saaq, (b"x", order), self.house.now());
        let (key, envelope) = verified(&self.ramq, &record);
        let arrived = Arrived { envelope, key, body: record.body, leaf_index: 3 };
        let entered = inbox.receive(arrived, &self.saaq.id.agency).await.unwrap();
        entered.then_some(record.exchange_id)
    }

    async fn listed(&self, inbox: &Inbox) -> Vec<ExchangeId> {
        let views =
            inbox.list(&InboxFilter::default(), &Caller::local(), kem_keys(&self.saaq)).await.unwrap();
        views.into_iter().map(|view| view.exchange_id).collect()
    }
}

#[tokio::test]
async fn none_enters_after_a_later_one_of_its_stream() {
    let scene = Scene::new();
    let inbox = scene.open();
    let two = scene.arrive(&inbox, (1, 2)).await.unwrap();
    assert!(scene.arrive(&inbox, (1, 1)).await.is_none());
    assert!(scene.arrive(&inbox, (1, 2)).await.is_none(), "another record under the same number");
    assert!(scene.arrive(&inbox, (2, 1)).await.is_some() && scene.arrive(&inbox, (0, 0)).await.is_some());
    let five = scene.arrive(&inbox, (1, 5)).await.unwrap();
    inbox.acknowledged(&[two, five], &[]).await.unwrap();
    inbox.confirm(five).await.unwrap();
    drop(inbox);
    let inbox = scene.open();
    assert!(scene.arrive(&inbox, (1, 4)).await.is_none());
    // The journal forgets the record and keeps the number.
    inbox.table().slots.remove(&five);
    for _ in 0..20 {
        let bulk = vec![3; 900_000];
        let record = ordered(&scene.ramq, &scene.saaq, (&bulk, None), scene.house.now());
        let (key, envelope) = verified(&scene.ramq, &record);
        let arrived = Arrived { envelope, key, body: record.body, leaf_index: 3 };
        inbox.receive(arrived, &scene.saaq.id.agency).await.unwrap();
    }
    inbox.drop_oldest().unwrap();
    drop(inbox);
    let inbox = scene.open();
    assert!(!inbox.table().slots.contains_key(&five));
    assert!(scene.arrive(&inbox, (1, 5)).await.is_none() && scene.arrive(&inbox, (1, 6)).await.is_some());
}

#[tokio::test]
async fn systems_see_what_is_held_in_its_order_whatever_the_gateway_answers_first() {
    let scene = Scene::new();
    let inbox = scene.open();
    let mut ids = Vec::new();
    for place in [(1, 1), (1, 2), (1, 3), (0, 0)] {
        ids.push(scene.arrive(&inbox, place).await.unwrap());
    }
    inbox.acknowledged(&[ids[2], ids[3], ids[1]], &[]).await.unwrap();
    assert_eq!(scene.listed(&inbox).await, [ids[3]], "the first of the stream is not settled");
    inbox.acknowledged(&[ids[0]], &[]).await.unwrap();
    assert_eq!(scene.listed(&inbox).await, [ids[3], ids[0], ids[1], ids[2]]);
    let mut more = Vec::new();
    for place in [(1, 4), (1, 5)] {
        more.push(scene.arrive(&inbox, place).await.unwrap());
    }
    inbox.acknowledged(&[more[1]], &[]).await.unwrap();
    inbox.acknowledged(&[], &[more[0]]).await.unwrap();
    assert_eq!(
        scene.listed(&inbox).await.last(),
        Some(&more[1]),
        "it went to another agent: nobody waits for it"
    );
}

#[tokio::test]
async fn who_picks_gets_one_of_a_stream_and_none_before_what_comes_first() {
    let scene = Scene::new();
    let inbox = scene.open();
    let mut ids = Vec::new();
    for place in [(1, 1), (1, 2), (0, 0), (2, 1)] {
        ids.push(scene.arrive(&inbox, place).await.unwrap());
    }
    inbox.acknowledged(&ids, &[]).await.unwrap();
    let pick = |wanted: &[Wanted; 4], most| {
        let wants = |id: &ExchangeId, _: &str| wanted[ids.iter().position(|other| other == id).unwrap()];
        inbox.pick_in_order(most, &wants)
    };
    assert_eq!(pick(&[Now, Now, Now, Now], 9), [ids[0], ids[2], ids[3]]);
    assert_eq!(pick(&[Now, Now, Now, Now], 2), [ids[0], ids[2]]);
    assert_eq!(pick(&[Later, Now, Now, Now], 9), [ids[2], ids[3]]);
    assert_eq!(pick(&[No, Now, Later, Later], 9), [ids[1]]);
}
