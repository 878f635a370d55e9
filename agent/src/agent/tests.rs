//! Two agents and a gateway that only carries, over real TLS.

mod settling;

use std::time::Duration;

use futures_util::StreamExt;
use passerelle_pki::certificate::Usage;
use passerelle_pki::tls::ClientAuth;
use passerelle_proto::agreement::sign_document;
use passerelle_proto::reason;
use passerelle_proto::wire::Reason;

use super::*;
use crate::identity::house::{House, document, draft, record};
use crate::link::exchange_stub::Answering;
use crate::link::stub::Stub;
use crate::records::{RecordState, SendError, SendRequest};

const NUMBER: &str = "ENT-2026-001";

struct Scene {
    house: House,
    gateway: Stub,
    ramq: Running,
    saaq: Running,
}

fn settings(house: &House, gateway: &Stub, name: &str) -> Settings {
    Settings {
        data_dir: house.data_dir(name),
        anchor: house.anchor(),
        agents: gateway.address.clone(),
        public: gateway.address.clone(),
        expected: None,
        signing: None,
        check_before_sending: true,
        pseudonym_key: None,
        checks: CheckSettings::default(),
        limits: Limits::default(),
        calls: CallSettings::default(),
        folders: Vec::new(),
    }
}

fn entry(identity: &Identity, house: &House) -> wire::AgentEntry {
    let (chain, _) = identity.signing();
    wire::AgentEntry {
        agency: identity.agent().agency.to_string(),
        agent: identity.agent().agent.to_string(),
        signing_chain: chain.to_ders().into_iter().map(Into::into).collect(),
        key_bundle: Some(identity.next_bundle(house.now()).unwrap()),
        ..wire::AgentEntry::default()
    }
}

impl Scene {
    async fn new() -> Self {
        let house = House::new();
        let gateway = Stub::start(&house, ClientAuth::Required).await;
        let terms = document(&draft(NUMBER, 1, "ramq", "saaq"));
        let (mut entries, mut signatures) = (Vec::new(), Vec::new());
        for name in ["ramq", "saaq"] {
            let identity = house.enrolled_in(&house.data_dir(name), &format!("{name}/agent-1"));
            let (chain, key) = identity.signing();
            let signed = sign_document(&terms, key.as_ref(), &chain, &identity.agent().agency).unwrap();
            signatures.push(wire::PartySignature { received_ms: house.now().as_millis(), ..signed });
            entries.push(entry(&identity, &house));
        }
        let signing = house.certify("gateway:principale", Usage::Signing);
        let mut answer = house.answer(entries);
        answer.gateway_signing_chain = signing.chain.to_ders().into_iter().map(Into::into).collect();
        *gateway.exchange.key.lock().unwrap() = Some(signing.key);
        let agreements = vec![record(&terms, wire::AgreementState::Active, signatures)];
        gateway.set(|script| {
            script.lookup = Some(answer);
            script.agreements = Some(wire::ListAgreementsReply { agreements });
        });
        let start = |name| Agent::start(settings(&house, &gateway, name), house.shared_clock());
        let (ramq, saaq) = (start("ramq").await.unwrap(), start("saaq").await.unwrap());
        Self { house, gateway, ramq, saaq }
    }

    async fn send(
        &self,
        body: &'static [u8],
        request: SendRequest,
    ) -> Result<crate::records::Accepted, SendError> {
        // Agreements and keys come with the first connection.
        until(&self.ramq.agent, |agent| {
            !agent.agreements().is_empty() && agent.status().directory_at.is_some()
        })
        .await;
        self.ramq.agent.send(request, body).await
    }

    async fn state(&self, id: ExchangeId, wanted: RecordState) {
        until(&self.ramq.agent, |agent| agent.record(&id).is_some_and(|view| view.state == wanted)).await;
    }

    async fn received(&self, id: ExchangeId) {
        until(&self.saaq.agent, |agent| agent.status().inbox > 0).await;
        self.saaq.agent.inbox_entry(&id).await.unwrap();
    }
}

/// Looks again at each change, and from time to time at what has none, until it holds.
async fn until(agent: &Agent, holds: impl Fn(&Agent) -> bool) {
    let waiting = async {
        let mut changed = agent.changed();
        while !holds(agent) {
            drop(tokio::time::timeout(Duration::from_millis(50), changed.changed()).await);
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it never came to hold");
}

fn request() -> SendRequest {
    SendRequest { agreement: NUMBER.to_owned(), ..SendRequest::default() }
}

async fn text(agent: &Agent, id: ExchangeId) -> Vec<u8> {
    let body = agent.inbox_open(&id).await.unwrap();
    let chunks: Vec<_> = body.map(Result::unwrap).collect().await;
    chunks.concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_goes_from_one_agency_to_the_other_and_its_sender_learns_it() {
    let scene = Scene::new().await;
    let key = Some("cle-1".to_owned());
    let asked = SendRequest { idempotency_key: key, case_reference: Some("D-77".to_owned()), ..request() };
    let id = scene.send(b"12, rue des Erables", asked.clone()).await.unwrap().exchange_id;
    scene.received(id).await;
    assert_eq!(text(&scene.saaq.agent, id).await, b"12, rue des Erables");
    let view = scene.saaq.agent.inbox_entry(&id).await.unwrap();
    assert_eq!((view.from.as_str(), view.case_reference.as_deref()), ("ramq", Some("D-77")));

    let again = scene.send(b"12, rue des Erables", asked.clone()).await.unwrap();
    assert_eq!((again.exchange_id, again.repeated), (id, true));
    let other = scene.send(b"13, rue des Erables", asked).await;
    assert!(matches!(other, Err(SendError::KeyReused(known)) if known == id), "{other:?}");
    scene.state(id, RecordState::Accepted).await;

    scene.saaq.agent.inbox_confirm(&id).await.unwrap();
    scene.saaq.agent.inbox_confirm(&id).await.unwrap();
    assert!(scene.saaq.agent.inbox(&InboxFilter::default()).await.unwrap().is_empty());
    // A new connection asks what became of it.
    scene.gateway.exchange.acknowledged.subscribe().wait_for(|count| *count > 0).await.unwrap();
    scene.gateway.cut_all();
    scene.state(id, RecordState::Delivered).await;
    scene.ramq.shutdown().await;
    scene.saaq.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_is_uploaded_and_downloaded_in_chunks() {
    let scene = Scene::new().await;
    let body: &'static [u8] = Vec::leak((0..3_000_000_u32).map(|at| at.to_le_bytes()[0]).collect());
    let id = scene.send(body, request()).await.unwrap().exchange_id;
    scene.received(id).await;
    assert!(text(&scene.saaq.agent, id).await == body);
    scene.state(id, RecordState::Accepted).await;
    let spooled = |name: &str, store: &str| {
        std::fs::read_dir(scene.house.data_dir(name).join(store).join("bodies")).unwrap().count()
    };
    assert_eq!(spooled("saaq", "inbox"), 2, "the sealed body and its hashes");
    scene.saaq.agent.inbox_confirm(&id).await.unwrap();
    assert_eq!(spooled("saaq", "inbox"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_was_lost_is_given_again_and_nothing_is_sent_twice() {
    let scene = Scene::new().await;
    scene.gateway.exchange.cut(2);
    let id = scene.send(b"un", request()).await.unwrap().exchange_id;
    scene.state(id, RecordState::Accepted).await;
    assert_eq!(scene.gateway.exchange.count(), 1);
    scene.received(id).await;
    assert_eq!(scene.saaq.agent.inbox(&InboxFilter::default()).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn denials_that_pass_are_waited_out_and_others_are_final() {
    let scene = Scene::new().await;
    let denial = |reason, detail: &str| reason::denial(reason, detail, bytes::Bytes::new());
    scene
        .gateway
        .exchange
        .deny(vec![denial(Reason::Busy, ""), denial(Reason::QuotaExceeded, "per_second=1")]);
    let id = scene.send(b"un", request()).await.unwrap().exchange_id;
    scene.state(id, RecordState::Accepted).await;
    scene.gateway.exchange.deny(vec![denial(Reason::MemberNotActive, "agency=saaq")]);
    let id = scene.send(b"deux", request()).await.unwrap().exchange_id;
    scene.state(id, RecordState::Denied).await;
    let view = scene.ramq.agent.record(&id).unwrap();
    assert_eq!(view.denial.unwrap().code, "MEMBER_NOT_ACTIVE");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_agreement_does_not_permit_is_refused_before_it_is_sealed() {
    let scene = Scene::new().await;
    let refusal = |asked| {
        let sent = scene.send(b"un", asked);
        async {
            match sent.await {
                Err(SendError::Refused(denial)) => denial.reason(),
                other => panic!("{other:?}"),
            }
        }
    };
    let purpose = SendRequest { purpose: Some("QC-G".to_owned()), ..request() };
    assert_eq!(refusal(purpose).await, Reason::PurposeNotCovered);
    let unknown = SendRequest {
        agreement: "ENT-2026-999".to_owned(),
        recipients: ["saaq".parse().unwrap()].into(),
        ..request()
    };
    let unknown = SendRequest { service: Some("x".into()), purpose: Some("x".into()), ..unknown };
    assert_eq!(refusal(unknown).await, Reason::AgreementNotFound);
    assert!(scene.ramq.agent.records(&RecordFilter::default()).is_empty());
    assert_eq!(scene.gateway.exchange.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_stopped_goes_on_where_it_was() {
    let scene = Scene::new().await;
    let denial = |detail: &str| reason::denial(Reason::Busy, detail, bytes::Bytes::new());
    scene.gateway.exchange.deny((0..1_000).map(|_| denial("")).collect());
    let id = scene.send(b"un", request()).await.unwrap().exchange_id;
    let Scene { house, gateway, ramq, saaq } = scene;
    ramq.shutdown().await;
    gateway.exchange.deny(Vec::new());
    let ramq = Agent::start(settings(&house, &gateway, "ramq"), house.shared_clock()).await.unwrap();
    let scene = Scene { house, gateway, ramq, saaq };
    scene.received(id).await;
    assert_eq!(text(&scene.saaq.agent, id).await, b"un");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_was_altered_on_the_way_is_refused_and_its_sender_learns_it() {
    let scene = Scene::new().await;
    scene.gateway.exchange.alter();
    let id = scene.send(b"un", request()).await.unwrap().exchange_id;
    scene.gateway.exchange.acknowledged.subscribe().wait_for(|count| *count > 0).await.unwrap();
    until(&scene.ramq.agent, |agent| agent.record(&id).is_some_and(|view| view.receipt.is_some())).await;
    scene.gateway.cut_all();
    scene.state(id, RecordState::Refused).await;
    assert_eq!(scene.ramq.agent.record(&id).unwrap().recipients[0].reason, Some("UNREADABLE"));
    assert!(matches!(scene.saaq.agent.inbox_entry(&id).await, Err(InboxError::NotFound(_))));
}

/// An agent that was stopped between storing a record and learning whether it may give it to its systems.
async fn stopped_unanswered(request: SendRequest) -> (Scene, ExchangeId) {
    let scene = Scene::new().await;
    scene.gateway.exchange.answer(Answering::Nothing);
    let id = scene.send(b"un", request).await.unwrap().exchange_id;
    scene.gateway.exchange.acknowledged.subscribe().wait_for(|count| *count > 0).await.unwrap();
    let status = scene.saaq.agent.status();
    assert_eq!((status.inbox, status.inbox_pending), (0, 1));
    assert!(matches!(scene.saaq.agent.inbox_entry(&id).await, Err(InboxError::NotFound(_))));
    assert!(matches!(scene.saaq.agent.inbox_confirm(&id).await, Err(InboxError::NotFound(_))));
    let Scene { house, gateway, ramq, saaq } = scene;
    saaq.shutdown().await;
    // Not told by anybody, it stays hidden.
    let away =
        Settings { agents: "https://127.0.0.1:9".parse().unwrap(), ..settings(&house, &gateway, "saaq") };
    let saaq = Agent::start(away, house.shared_clock()).await.unwrap();
    assert_eq!((saaq.agent.status().inbox, saaq.agent.status().inbox_pending), (0, 1));
    (Scene { house, gateway, ramq, saaq }, id)
}

async fn restarted(scene: Scene) -> Scene {
    let Scene { house, gateway, ramq, saaq } = scene;
    saaq.shutdown().await;
    let saaq = Agent::start(settings(&house, &gateway, "saaq"), house.shared_clock()).await.unwrap();
    Scene { house, gateway, ramq, saaq }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_first_before_a_stop_is_shown_after_it() {
    let (scene, id) = stopped_unanswered(request()).await;
    scene.gateway.exchange.answer(Answering::First);
    let scene = restarted(scene).await;
    scene.received(id).await;
    assert_eq!(text(&scene.saaq.agent, id).await, b"un");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_full_of_pending_records_is_settled_and_takes_the_rest() {
    let (scene, first) = stopped_unanswered(request()).await;
    let mut sent = BTreeSet::from([first]);
    for body in [b"deux", b"tres", b"quat"] {
        let id = scene.send(body, request()).await.unwrap().exchange_id;
        scene.state(id, RecordState::Accepted).await;
        sent.insert(id);
    }
    scene.gateway.exchange.answer(Answering::First);
    let Scene { house, gateway, ramq, saaq } = scene;
    saaq.shutdown().await;
    let narrow = Limits { inbox_records: 1, ..Limits::default() };
    let narrow = Settings { limits: narrow, ..settings(&house, &gateway, "saaq") };
    let saaq = Agent::start(narrow, house.shared_clock()).await.unwrap();
    let mut taken = BTreeSet::new();
    while taken.len() < sent.len() {
        until(&saaq.agent, |agent| agent.status().inbox > 0).await;
        for view in saaq.agent.inbox(&InboxFilter::default()).await.unwrap() {
            saaq.agent.inbox_confirm(&view.exchange_id).await.unwrap();
            assert!(taken.insert(view.exchange_id));
        }
    }
    assert_eq!(taken, sent);
    drop(ramq);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_does_not_start_in_the_folder_of_another() {
    let scene = Scene::new().await;
    let Scene { house, gateway, ramq, saaq } = scene;
    ramq.shutdown().await;
    let expected = Some(saaq.agent.id());
    let settings = Settings { expected, ..settings(&house, &gateway, "ramq") };
    let started = Agent::start(settings, house.shared_clock()).await;
    assert!(matches!(started, Err(crate::records::StartError::OtherAgent { .. })), "{started:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_taken_over_while_the_gateway_is_away() {
    let scene = Scene::new().await;
    let first = scene.send(b"un", request()).await.unwrap().exchange_id;
    scene.state(first, RecordState::Accepted).await;
    let Scene { house, gateway, ramq, saaq: _saaq } = scene;
    ramq.shutdown().await;
    let away =
        Settings { agents: "https://127.0.0.1:9".parse().unwrap(), ..settings(&house, &gateway, "ramq") };
    let ramq = Agent::start(away, house.shared_clock()).await.unwrap();
    let id = ramq.agent.send(request(), &b"deux"[..]).await.unwrap().exchange_id;
    assert_eq!(ramq.agent.record(&id).unwrap().state, RecordState::Queued);
    assert!(!ramq.agent.status().connected);
    ramq.shutdown().await;
    let ramq = Agent::start(settings(&house, &gateway, "ramq"), house.shared_clock()).await.unwrap();
    until(&ramq.agent, |agent| agent.record(&id).unwrap().receipt.is_some()).await;
}
