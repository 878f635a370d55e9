//! The desk before agents that do not read, leave, or come too late.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::Ed25519Key;
use passerelle_pki::name::AgentId;
use passerelle_proto::envelope::{
    self, EncapsulationCache, HeaderDraft, KemKey, RecipientPublicKey, Sealing, VerifiedEnvelope,
};
use passerelle_proto::wire::{self, OfferedCall, serve_event::Event};
use ring::rand::SystemRandom;
use tokio::sync::{mpsc, oneshot};
use tonic::Status;

use super::desk::{Desk, Giving, Offering, Outcome, Place, Session, Told};

fn agent() -> AgentId {
    "ramq/agent-1".parse().unwrap()
}

/// A request of saaq to ramq.
fn request() -> VerifiedEnvelope {
    let (key, random) = (Ed25519Key::generate().unwrap(), SystemRandom::new());
    let kem = KemKey::generate(&random).unwrap();
    let to = RecipientPublicKey::new(agent().agency, kem.public_key().clone());
    let created = Timestamp::from_millis(1_772_452_800_000);
    let draft = HeaderDraft {
        kind: wire::ExchangeKind::CallRequest,
        sender: "saaq/agent-1".parse().unwrap(),
        recipients: BTreeSet::from([agent().agency]),
        agreement: wire::AgreementRef {
            number: "ENT-2026-001".into(),
            version: 1,
            digest: Bytes::from_static(&[7; 32]),
        },
        service: "dossiers".into(),
        operation: "lireDossier".into(),
        purpose: "QC-A".into(),
        legal_basis: "A-2.1 s.68".into(),
        data_categories: BTreeSet::from(["identite".to_owned()]),
        acting_user: None,
        subjects: Vec::new(),
        created,
        expires: Timestamp::from_millis(created.as_millis() + 60_000),
        in_reply_to: None,
        order: None,
        content_type: passerelle_proto::call::MEDIA_TYPE.to_owned(),
        attributes: wire::SealedAttributes::default(),
    };
    let sealing = Sealing { signer: &key, encapsulations: &EncapsulationCache::new(), random: &random };
    let sealed = envelope::seal_small(draft, &[to], sealing, b"?").unwrap();
    envelope::verify(&sealed.envelope, key.public_key()).unwrap()
}

/// A desk with one session of one place, and what that session is told.
struct Scene {
    desk: Desk,
    session: Arc<Session>,
    told: mpsc::Receiver<Result<Told, Status>>,
}

impl Scene {
    fn new() -> Self {
        let (desk, (events, told)) = (Desk::default(), mpsc::channel(8));
        let session = desk.enter(agent(), events, 1).unwrap();
        Self { desk, session, told }
    }

    fn place(&self) -> Option<Place> {
        self.desk.pick("ramq", |_| true).0.map(|(_, place)| place)
    }

    /// Offers a call with this body; its id, and where its outcome comes.
    fn offer(&self, body: &Bytes) -> (Bytes, oneshot::Receiver<Outcome>) {
        let offering = offering(body);
        let id = offering.request.header().exchange_id.clone();
        let outcome = self.desk.begin(&self.session, offering, self.place().unwrap());
        (id, outcome.ok().unwrap())
    }

    fn read(&mut self) -> Option<Event> {
        self.told.try_recv().unwrap().unwrap().into_event().and_then(|event| event.event)
    }
}

fn offering(body: &Bytes) -> Box<Offering> {
    let offer = OfferedCall { body: body.clone(), ..OfferedCall::default() };
    Box::new(Offering { request: request(), offer, body: None })
}

fn giving() -> Giving {
    Giving { agent: agent(), answer: request(), to: mpsc::channel(1).0 }
}

#[test]
fn an_offer_that_nobody_reads_keeps_its_place_and_no_body() {
    let mut scene = Scene::new();
    let body = Bytes::from(vec![0; 1 << 20]);
    let (id, _outcome) = scene.offer(&body);
    assert!(!body.is_unique());
    scene.session.tell(Event::Cancelled(id.clone()));
    scene.desk.end(&id);
    assert!(body.is_unique(), "the body of a call that has ended waits to be read");
    assert!(scene.place().is_none(), "more than the credit is unread");
    let places = scene.desk.places();
    assert_eq!(scene.read(), None, "a call that has ended is offered to nobody");
    assert!(places.has_changed().unwrap());
    assert!(scene.place().is_some());
    assert_eq!(scene.read(), Some(Event::Cancelled(id)));
}

#[test]
fn an_offer_that_is_read_has_its_body_once() {
    let mut scene = Scene::new();
    let body = Bytes::from(vec![0; 1 << 20]);
    let (id, _outcome) = scene.offer(&body);
    let Some(Event::Call(offered)) = scene.read() else { panic!("no offer") };
    assert_eq!(offered.body, body);
    drop(offered);
    assert!(body.is_unique(), "the body that was read is kept");
    assert!(scene.place().is_none(), "the call is under way");
    scene.desk.end(&id);
    assert!(scene.place().is_some());
}

#[test]
fn whoever_waits_for_a_place_is_woken_when_it_is_free_and_not_before() {
    let mut scene = Scene::new();
    let (id, _outcome) = scene.offer(&Bytes::new());
    scene.read();
    // An answer that is being verified and logged when its call ends.
    let call = scene.desk.call(&scene.session, &id).unwrap();
    scene.desk.end(&id);
    let places = scene.desk.places();
    drop(call);
    assert!(places.has_changed().unwrap(), "the place was freed and nobody told");
    assert!(scene.place().is_some());
}

#[test]
fn a_session_that_left_is_offered_nothing() {
    let mut scene = Scene::new();
    let place = scene.place().unwrap();
    scene.desk.leave(&scene.session);
    let back = scene.desk.begin(&scene.session, offering(&Bytes::from_static(b"?")), place);
    assert_eq!(back.err().unwrap().offer.body, b"?"[..], "the call is for another session");
    assert!(scene.told.try_recv().is_err());
    // One that leaves behind it lets go.
    let scene = Scene::new();
    let (_, mut outcome) = scene.offer(&Bytes::new());
    scene.desk.leave(&scene.session);
    assert_eq!(outcome.try_recv().unwrap_err(), oneshot::error::TryRecvError::Closed);
}

#[test]
fn the_body_of_an_answer_goes_with_its_call() {
    let scene = Scene::new();
    let answer = Bytes::from_static(b"reponse");
    let (id, _outcome) = scene.offer(&Bytes::new());
    scene.desk.expect_body(&id, answer.clone(), giving());
    assert!(scene.desk.give_body(&agent(), &answer).is_some());
    scene.desk.expect_body(&id, answer.clone(), giving());
    assert!(scene.desk.give_body(&agent(), &answer).is_none(), "a call has one answer");

    let scene = Scene::new();
    let (id, _outcome) = scene.offer(&Bytes::new());
    scene.desk.expect_body(&id, answer.clone(), giving());
    scene.desk.end(&id);
    assert!(scene.desk.give_body(&agent(), &answer).is_none(), "it outlives its call");
    // An answer that was logged while the call ended.
    scene.desk.expect_body(&id, answer.clone(), giving());
    assert!(scene.desk.give_body(&agent(), &answer).is_none(), "nobody would ever take it away");
}
