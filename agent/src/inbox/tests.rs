//! Shared parts of the tests: tests.

use futures_util::StreamExt;
use passerelle_proto::envelope::INLINE_BODY_LIMIT;

use super::*;
use crate::identity::house::{DAY, House, Member};
use crate::records::InboxFilter;
use crate::records::fixtures::{kem_keys, sealed, tear, verified};

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

    fn open(&self) -> Inbox {
        let folder = self.house.data_dir("inbox");
        Inbox::open(&folder, self.limits.clone(), self.house.shared_clock(), watch::Sender::new(0)).unwrap()
    }

    fn arrived(&self, text: &[u8]) -> (ExchangeId, Arrived) {
        let record = sealed(&self.ramq, &self.saaq, text, self.house.now());
        let (key, envelope) = verified(&self.ramq, &record);
        (record.exchange_id, Arrived { envelope, key, body: record.body, leaf_index: 3 })
    }

    async fn receive(&self, inbox: &Inbox, text: &[u8]) -> ExchangeId {
        let (id, arrived) = self.arrived(text);
        inbox.receive(arrived, &self.saaq.id.agency).await.unwrap();
        inbox.acknowledged(&[id], &[]).await.unwrap();
        id
    }

    async fn receive_pending(&self, inbox: &Inbox, text: &[u8]) -> ExchangeId {
        let (id, arrived) = self.arrived(text);
        inbox.receive(arrived, &self.saaq.id.agency).await.unwrap();
        id
    }

    async fn listed(&self, inbox: &Inbox) -> Vec<ExchangeId> {
        let views =
            inbox.list(&InboxFilter::default(), &Caller::local(), kem_keys(&self.saaq)).await.unwrap();
        views.into_iter().map(|view| view.exchange_id).collect()
    }

    async fn text(&self, inbox: &Inbox, id: ExchangeId) -> Vec<u8> {
        let body = inbox.open_body(id, kem_keys(&self.saaq)).await.unwrap();
        let chunks: Vec<_> = body.map(Result::unwrap).collect().await;
        chunks.concat()
    }
}

#[tokio::test]
async fn what_was_received_is_read_after_a_stop_and_nothing_of_it_is_plain_on_the_disk() {
    let scene = Scene::new();
    let inbox = scene.open();
    let id = scene.receive(&inbox, b"12, rue des Erables").await;
    drop(inbox);
    let inbox = scene.open();
    assert_eq!(scene.text(&inbox, id).await, b"12, rue des Erables");
    let view = inbox.view(id, kem_keys(&scene.saaq)).await.unwrap();
    assert_eq!(
        (view.file_name.as_deref(), &view.subjects[..]),
        (Some("avis.txt"), &["TREM 1234".to_owned()][..])
    );
    for file in std::fs::read_dir(scene.house.data_dir("inbox").join("journal")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for secret in [&b"rue des Erables"[..], b"TREM 1234", b"avis.txt"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
}

#[tokio::test]
async fn an_exchange_enters_once_however_often_it_comes() {
    let scene = Scene::new();
    let inbox = scene.open();
    let (id, arrived) = scene.arrived(b"un");
    let digest = arrived.envelope.header_digest();
    let again = || Arrived {
        envelope: arrived.envelope.clone(),
        key: arrived.key.clone(),
        body: arrived.body.clone(),
        leaf_index: 3,
    };
    assert_eq!(inbox.known(id, digest), None);
    inbox.receive(again(), &scene.saaq.id.agency).await.unwrap();
    inbox.receive(again(), &scene.saaq.id.agency).await.unwrap();
    inbox.acknowledged(&[id, id], &[]).await.unwrap();
    assert_eq!(scene.listed(&inbox).await, [id]);
    inbox.confirm(id).await.unwrap();
    inbox.confirm(id).await.unwrap();
    inbox.receive(again(), &scene.saaq.id.agency).await.unwrap();
    drop(inbox);

    let inbox = scene.open();
    assert_eq!(scene.listed(&inbox).await, []);
    assert_eq!(inbox.known(id, digest).map(|known| known.refused), Some(None));
    assert_eq!(inbox.known(id, [0; 32]).map(|known| known.refused), Some(Some(Reason::ExchangeIdReused)));
    assert!(matches!(inbox.view(id, kem_keys(&scene.saaq)).await, Err(InboxError::NotFound(_))));
}

#[tokio::test]
async fn nobody_sees_a_record_before_its_acknowledgement_is_the_agencys_first() {
    let scene = Scene::new();
    let inbox = scene.open();
    let (first, second, third) = (
        scene.receive_pending(&inbox, b"un").await,
        scene.receive_pending(&inbox, b"deux").await,
        scene.receive_pending(&inbox, b"trois").await,
    );
    assert_eq!(scene.listed(&inbox).await, []);
    assert!(matches!(inbox.view(first, kem_keys(&scene.saaq)).await, Err(InboxError::NotFound(_))));
    assert!(matches!(inbox.open_body(first, kem_keys(&scene.saaq)).await, Err(InboxError::NotFound(_))));
    assert!(matches!(inbox.confirm(first).await, Err(InboxError::NotFound(_))));
    assert_eq!((inbox.counts().records, inbox.counts().pending), (0, 3));
    drop(inbox);

    // What the gateway has not answered is acknowledged again after a stop, in the order of arrival.
    let inbox = scene.open();
    let named = |inbox: &Inbox| inbox.pending().iter().map(|one| one.exchange_id).collect::<Vec<_>>();
    assert_eq!(named(&inbox), [first, second, third]);
    inbox.acknowledged(&[third], &[second]).await.unwrap();
    // Said again, or said of what is not pending any more, it changes nothing.
    inbox.acknowledged(&[third, second], &[third]).await.unwrap();
    for _ in 0..2 {
        assert_eq!((named(&inbox), scene.listed(&inbox).await), (vec![first], vec![third]));
        assert!(matches!(inbox.confirm(second).await, Err(InboxError::NotFound(_))));
        inbox.tidy().await.unwrap();
    }
    let inbox = {
        drop(inbox);
        scene.open()
    };
    assert_eq!((named(&inbox), scene.listed(&inbox).await), (vec![first], vec![third]));
    inbox.acknowledged(&[first], &[]).await.unwrap();
    // In the order in which they were shown, so that who reads page by page misses none.
    assert_eq!(scene.listed(&inbox).await, [third, first]);
    inbox.confirm(third).await.unwrap();
    inbox.confirm(first).await.unwrap();
    assert_eq!((inbox.counts(), inbox.keys_needed().len()), (Counts::default(), 0));
}

#[tokio::test]
async fn a_torn_tail_forgets_only_what_was_never_acknowledged() {
    let scene = Scene::new();
    let inbox = scene.open();
    let (first, second) = (scene.receive(&inbox, b"un").await, scene.receive(&inbox, b"deux").await);
    let torn = inbox.table().slots[&second].home.offset + 40;
    drop(inbox);
    tear(&scene.house.data_dir("inbox"), torn);
    let inbox = scene.open();
    assert_eq!(scene.listed(&inbox).await, [first]);
    let third = scene.receive(&inbox, b"trois").await;
    assert_eq!(scene.listed(&inbox).await, [first, third]);
}

#[tokio::test]
async fn what_was_refused_is_refused_again_for_the_same_reason() {
    let scene = Scene::new();
    let inbox = scene.open();
    let (id, arrived) = scene.arrived(b"un");
    let header_digest = arrived.envelope.header_digest();
    let refused = Acknowledged { exchange_id: id, header_digest, refused: Some(Reason::PurposeNotCovered) };
    inbox.refuse(refused, u64::MAX).await.unwrap();
    drop(inbox);
    let inbox = scene.open();
    assert_eq!(inbox.known(id, header_digest), Some(refused));
    assert!(matches!(inbox.confirm(id).await, Err(InboxError::NotFound(_))));
    // Whatever its header said, it is forgotten in the end.
    scene.house.clock.advance(33 * DAY);
    inbox.tidy().await.unwrap();
    assert_eq!(inbox.known(id, header_digest), None);
}

#[tokio::test]
async fn an_id_is_remembered_until_it_would_be_refused_as_expired() {
    let scene = Scene::new();
    let inbox = scene.open();
    let (id, arrived) = scene.arrived(b"un");
    let (digest, expires) = (arrived.envelope.header_digest(), arrived.envelope.expires().as_millis());
    inbox.receive(arrived, &scene.saaq.id.agency).await.unwrap();
    inbox.acknowledged(&[id], &[]).await.unwrap();
    inbox.confirm(id).await.unwrap();
    for _ in 0..9 {
        inbox.tidy().await.unwrap();
        let now = scene.house.now();
        assert_eq!(inbox.known(id, digest).is_none(), is_forgettable(expires, now), "{now}");
        scene.house.clock.advance(DAY);
    }
    inbox.tidy().await.unwrap();
    assert_eq!(inbox.known(id, digest), None);
}

#[tokio::test]
async fn a_full_inbox_says_so_until_something_is_confirmed() {
    let mut scene = Scene::new();
    scene.limits.inbox_records = 1;
    let inbox = scene.open();
    assert!(inbox.has_room());
    let id = scene.receive(&inbox, b"un").await;
    assert!(!inbox.has_room());
    assert_eq!(inbox.keys_needed().len(), 1);
    inbox.confirm(id).await.unwrap();
    assert!(inbox.has_room());
    assert_eq!((inbox.counts(), inbox.keys_needed().len()), (Counts::default(), 0));
}

#[tokio::test]
async fn dropping_the_oldest_segment_keeps_what_is_needed_of_it() {
    let scene = Scene::new();
    let inbox = scene.open();
    let waiting = scene.receive(&inbox, b"attend").await;
    let pending = scene.receive_pending(&inbox, b"sans accuse").await;
    let bulk = vec![3; usize::try_from(INLINE_BODY_LIMIT).unwrap() - 1_000];
    let mut confirmed = Vec::new();
    for _ in 0..20 {
        let id = scene.receive(&inbox, &bulk).await;
        inbox.confirm(id).await.unwrap();
        confirmed.push(id);
    }
    let before = inbox.0.log.closed().len();
    assert!(before > 0);
    inbox.drop_oldest().unwrap();
    assert_eq!(inbox.0.log.closed().len(), before - 1);
    drop(inbox);
    let inbox = scene.open();
    assert_eq!(scene.listed(&inbox).await, [waiting]);
    assert_eq!(scene.text(&inbox, waiting).await, b"attend");
    assert_eq!(inbox.pending().iter().map(|one| one.exchange_id).collect::<Vec<_>>(), [pending]);
    assert!(confirmed.iter().all(|id| inbox.table().slots.contains_key(id)));
}

#[tokio::test]
async fn what_a_system_is_not_bound_to_is_not_there_for_it_even_after_a_stop() {
    use crate::systems::{Rights, Scope};
    let scene = Scene::new();
    let inbox = scene.open();
    let id = scene.receive(&inbox, b"un").await;
    let view = inbox.view(id, kem_keys(&scene.saaq)).await.unwrap();
    let bound = |agreement: &str, purpose: &str| {
        let only = |name: &str| Scope::Only([name.to_owned()].into());
        let rights = Rights { agreements: only(agreement), purposes: only(purpose), actions: [].into() };
        Caller::system("guichet", rights)
    };
    let (number, purpose) = (&*view.agreement.number, &*view.purpose);
    let others = [bound("ENT-AUTRE", purpose), bound(number, "QC-AUTRE"), bound("", "")];
    drop(inbox);
    let inbox = scene.open();
    for confirmed in [false, true] {
        let ours = bound(number, purpose);
        assert!(inbox.shown_to(&id, &ours).is_ok());
        let listed = inbox.list(&InboxFilter::default(), &ours, kem_keys(&scene.saaq)).await.unwrap();
        assert_eq!(listed.len(), usize::from(!confirmed));
        for caller in &others {
            assert!(matches!(inbox.shown_to(&id, caller), Err(InboxError::NotFound(_))));
            let listed = inbox.list(&InboxFilter::default(), caller, kem_keys(&scene.saaq)).await.unwrap();
            assert!(listed.is_empty());
        }
        inbox.confirm(id).await.unwrap();
    }
}

#[tokio::test]
async fn a_refusal_that_comes_late_takes_nothing_from_a_record_that_is_in() {
    let scene = Scene::new();
    let inbox = scene.open();
    let (id, arrived) = scene.arrived(b"un");
    let digest = arrived.envelope.header_digest();
    let mut writer = inbox.spool().create(id).unwrap();
    writer.push(b"sealed", passerelle_proto::tlog::leaf_hash(b"sealed")).unwrap();
    writer.commit().unwrap();
    inbox.receive(Arrived { body: None, ..arrived }, &scene.saaq.id.agency).await.unwrap();
    inbox.acknowledged(&[id], &[]).await.unwrap();

    let refused =
        Acknowledged { exchange_id: id, header_digest: digest, refused: Some(Reason::SignatureInvalid) };
    inbox.refuse(refused, u64::MAX).await.unwrap();
    assert!(inbox.spool().has(id));

    // Both were judged before either was in.
    let home = inbox.table().slots.get(&id).unwrap().home;
    for header_digest in [digest, [7; 32]] {
        let known = Known {
            exchange_id: id.to_wire(),
            header_digest: header_digest.to_vec().into(),
            refused: Reason::SignatureInvalid.into(),
            ..Known::default()
        };
        let entry = Entry::of_known(known.clone(), None, Bytes::new()).encode_to_vec();
        let this = inbox.clone();
        assert!(!inbox.0.log.append(entry, move |home| this.table().put(id, known, home)).await.unwrap());
    }
    assert_eq!((inbox.counts().records, inbox.table().slots.get(&id).unwrap().home), (1, home));
    drop(inbox);
    let inbox = scene.open();
    assert_eq!((scene.listed(&inbox).await, inbox.spool().has(id)), (vec![id], true));
    assert_eq!(inbox.known(id, digest).map(|known| known.refused), Some(None));
}

#[tokio::test]
async fn one_delivery_of_an_exchange_is_taken_at_a_time() {
    let scene = Scene::new();
    let inbox = scene.open();
    let (id, _) = scene.arrived(b"un");
    let (other, _) = scene.arrived(b"deux");
    let first = inbox.begin(id).unwrap();
    let writes = first.clone();
    assert!(inbox.begin(id).is_none() && inbox.begin(other).is_some());
    drop(first);
    assert!(inbox.begin(id).is_none(), "its file is still written to");
    drop(writes);
    assert!(inbox.begin(id).is_some());
}

#[tokio::test]
async fn a_page_of_records_that_do_not_open_hides_nothing_behind_it() {
    let scene = Scene::new();
    let inbox = scene.open();
    let sibling = scene.house.member("saaq/agent-2");
    for text in [&b"un"[..], b"deux"] {
        // Sealed for a key that is not ours: it cannot be opened here.
        let record = sealed(&scene.ramq, &sibling, text, scene.house.now());
        let (key, envelope) = verified(&scene.ramq, &record);
        let arrived = Arrived { envelope, key, body: record.body, leaf_index: 3 };
        inbox.receive(arrived, &scene.saaq.id.agency).await.unwrap();
        inbox.acknowledged(&[record.exchange_id], &[]).await.unwrap();
    }
    let readable = scene.receive(&inbox, b"trois").await;
    let filter = InboxFilter { limit: 1, ..InboxFilter::default() };
    let views = inbox.list(&filter, &Caller::local(), kem_keys(&scene.saaq)).await.unwrap();
    assert_eq!(views.iter().map(|view| view.exchange_id).collect::<Vec<_>>(), [readable]);
}
