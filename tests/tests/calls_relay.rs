//! Calls at the gateway, by agents under the test's control: what is logged when, what is refused, what is told when nobody
//! answers, and that nothing of a body stays.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_proto::envelope::RecipientPublicKey;
use passerelle_proto::wire::{
    self, GiveBodyFrame, Reason, TakeBodyRequest, answer_logged, body_part, call_frame, call_reply,
    give_body_frame, serve_event, serve_frame,
};
use passerelle_tests::network::Network;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, codes, draft, today};
use passerelle_tests::network::process::Program;
use passerelle_tests::probe::{Probe, Terms, frame};

const DEADLINE: Duration = Duration::from_secs(20);

fn as_a_record(draft: &mut passerelle_proto::envelope::HeaderDraft) {
    draft.kind = wire::ExchangeKind::Record;
    draft.operation.clear();
}

/// A gateway, a provider (ramq), a consumer (saaq), and an agreement on calls in force.
struct Scene {
    folder: tempfile::TempDir,
    network: Network,
    ramq: Probe,
    saaq: Probe,
    terms: Terms,
    to_ramq: Vec<RecipientPublicKey>,
    to_saaq: Vec<RecipientPublicKey>,
}

impl Scene {
    async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
        let network = Network::create(folder.path(), program).unwrap();
        for body in [RAMQ, SAAQ] {
            network.register(body).unwrap();
        }
        let clock: SharedClock = SystemClock::shared();
        let ramq = network.probe("ramq", &clock).await.unwrap();
        let saaq = network.probe("saaq", &clock).await.unwrap();
        let mut form = draft("ENT-2026-001", RAMQ, &[SAAQ], today(ramq.now()));
        form.method.push("call".to_owned());
        let document = network.conclude(&form, &[&ramq, &saaq]).await.unwrap();
        let (to_ramq, to_saaq) =
            (saaq.recipients(&["ramq"]).await.unwrap(), ramq.recipients(&["saaq"]).await.unwrap());
        Self { folder, network, ramq, saaq, terms: Terms::of(&document), to_ramq, to_saaq }
    }

    fn request(&self, content: &[u8]) -> passerelle_tests::probe::calls::Half {
        self.request_within(content, DEADLINE)
    }

    fn request_within(&self, content: &[u8], deadline: Duration) -> passerelle_tests::probe::calls::Half {
        let draft = self.saaq.request(&self.terms, &self.to_ramq, deadline);
        let content = Probe::content("POST", "/dossiers/7", content).unwrap();
        self.saaq.seal_half(draft, &self.to_ramq, &content).unwrap()
    }

    fn response(&self, offered: &wire::OfferedCall, content: &[u8]) -> passerelle_tests::probe::calls::Half {
        let draft = self.ramq.response(&self.terms, offered, &self.to_saaq).unwrap();
        self.ramq.seal_half(draft, &self.to_saaq, content).unwrap()
    }

    /// Kind and reason of every event of an exchange, oldest first.
    fn events(&self, id: &passerelle_proto::exchange_id::ExchangeId) -> Vec<(String, String)> {
        let events = self.network.audit(&["--exchange", &id.to_string()]).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let mut found: Vec<_> = events
            .iter()
            .map(|event| (event["leaf_index"].as_u64(), text(&event["kind"]), text(&event["reason"])))
            .collect();
        found.sort();
        found.into_iter().map(|(_, kind, reason)| (kind, reason)).collect()
    }
}

/// Whether a file below `folder` has these bytes.
fn is_on_disk(folder: &Path, wanted: &[u8]) -> bool {
    walkdir(folder).into_iter().any(|path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(wanted.len()).any(|window| window == wanted)
    })
}

fn walkdir(folder: &Path) -> Vec<std::path::PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_logged_before_it_is_relayed_and_before_its_answer_is_released() {
    let scene = Scene::set().await;
    let mut serving = scene.ramq.serve(4).await.unwrap();
    let request = scene.request(b"qui est admissible?");
    let mut calling = scene.saaq.call(&request).await.unwrap();
    calling.accepted().await.unwrap();
    let offered = serving.offered().await.unwrap();
    // The log has the request when the provider sees it.
    assert_eq!(scene.events(&request.id), [("EXCHANGE_ACCEPTED".to_owned(), String::new())]);
    let content = scene
        .ramq
        .open_half(offered.envelope.as_ref().unwrap(), &scene.saaq.verifying_key().unwrap(), &offered.body)
        .unwrap();
    assert_eq!(content, Probe::content("POST", "/dossiers/7", b"qui est admissible?").unwrap());

    let answer = scene.response(&offered, b"personne");
    let logged = serving.answer(&answer).await.unwrap();
    assert!(matches!(logged, answer_logged::Result::Receipt(_)), "{logged:?}");
    let call_reply::Reply::Answer(answered) = calling.next().await.unwrap() else { panic!("no answer") };
    assert_eq!(scene.events(&answer.id), [("EXCHANGE_ACCEPTED".to_owned(), String::new())]);
    let opened = scene.saaq.open_half(
        answered.envelope.as_ref().unwrap(),
        &scene.ramq.verifying_key().unwrap(),
        &answered.body,
    );
    assert_eq!(opened.unwrap(), b"personne");
    assert!(calling.next().await.is_err(), "the stream ends behind the answer");

    // Neither sealed body is anywhere in the gateway's folder.
    for half in [&request, &answer] {
        assert!(!is_on_disk(&scene.network.gateway_data(), &half.chunks[0]), "a body stayed");
    }

    // The same request again would be asked twice: it is refused, and nobody is offered it.
    let denial = scene.saaq.call(&request).await.unwrap().denied().await.unwrap();
    assert_eq!(denial.reason(), Reason::ExchangeIdReused);
    // The same answer again is nobody's.
    let again = serving.answer(&answer).await.unwrap();
    let answer_logged::Result::Denial(denial) = again else { panic!("answered twice") };
    assert_eq!(denial.reason(), Reason::CallCancelled);
    scene.network.verify_log().unwrap();
    drop(scene.folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_call_of_this_agreement_is_refused_and_offered_to_nobody() {
    let scene = Scene::set().await;
    let mut serving = scene.ramq.serve(4).await.unwrap();
    let refused = async |change: &dyn Fn(&mut passerelle_proto::envelope::HeaderDraft)| {
        let mut draft = scene.saaq.request(&scene.terms, &scene.to_ramq, DEADLINE);
        change(&mut draft);
        let half = scene.saaq.seal_half(draft, &scene.to_ramq, b"x").unwrap();
        let denial = scene.saaq.call(&half).await.unwrap().denied().await.unwrap();
        (denial.reason(), denial.detail)
    };
    let honest = scene.request(b"pour de bon");
    let other_purpose = refused(&|draft| draft.purpose = codes::OTHER_PURPOSE.to_owned()).await;
    assert_eq!(other_purpose.0, Reason::PurposeNotCovered);
    let other_service = refused(&|draft| draft.service = "autre".to_owned()).await;
    assert_eq!(other_service.0, Reason::ServiceNotCovered);
    let endless = refused(&|draft| draft.expires = draft.created.plus(Duration::from_secs(86_400))).await;
    assert_eq!(endless, (Reason::HeaderMalformed, "field=expires_ms; limit_s=300".to_owned()));
    let a_record = refused(&as_a_record).await;
    assert_eq!(a_record, (Reason::HeaderMalformed, "field=kind".to_owned()));
    let an_answer = refused(&|draft| {
        draft.kind = wire::ExchangeKind::CallResponse;
        draft.in_reply_to = Some(honest.id);
    })
    .await;
    assert_eq!(an_answer.0, Reason::HeaderMalformed);

    // The road of records is not one for calls.
    let draft = scene.saaq.request(&scene.terms, &scene.to_ramq, DEADLINE);
    let sealed = scene.saaq.seal(draft, &scene.to_ramq, b"{}").unwrap();
    let denial = scene.saaq.denied(frame(&sealed)).await.unwrap();
    assert_eq!((denial.reason(), denial.detail.as_str()), (Reason::HeaderMalformed, "field=kind"));

    // Another body than the one that was signed.
    let half = scene.request(b"le vrai");
    let mut frames = half.frames();
    if let Some(call_frame::Frame::Open(open)) = &mut frames[0].frame {
        open.body = Bytes::from(vec![0; open.body.len()]);
    }
    let denial = scene.saaq.call_with(frames).await.unwrap().0.denied().await.unwrap();
    assert_eq!(denial.reason(), Reason::BodyMismatch);

    // Whatever was refused, the first that the provider sees is the one that was not.
    let _calling = scene.saaq.call(&honest).await.unwrap();
    let offered = serving.offered().await.unwrap();
    assert_eq!(offered.envelope.unwrap(), honest.envelope);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_nobody_answers_says_why_and_leaves_an_event() {
    let scene = Scene::set().await;
    let failed = |reason: Reason| {
        let reason = reason.as_str_name().trim_start_matches("REASON_").to_owned();
        ("CALL_FAILED".to_owned(), reason)
    };
    let shown = |events: Vec<(String, String)>| {
        let last = events.last().cloned().unwrap_or_default();
        (events.len(), last.0, last.1.trim_start_matches("REASON_").to_owned())
    };
    let expect = |reason: Reason| {
        let (kind, reason) = failed(reason);
        (2, kind, reason)
    };

    // Nobody is there.
    let request = scene.request(b"?");
    let denial = scene.saaq.call(&request).await.unwrap().denied().await.unwrap();
    assert_eq!(denial.reason(), Reason::ProviderAway);
    assert!(denial.leaf_index.is_some());
    assert_eq!(shown(scene.events(&request.id)), expect(Reason::ProviderAway));

    // The provider says that it failed.
    let mut serving = scene.ramq.serve(2).await.unwrap();
    let request = scene.request(b"?");
    let mut calling = scene.saaq.call(&request).await.unwrap();
    serving.offered().await.unwrap();
    let failure = wire::CallFailure {
        exchange_id: request.id.to_wire(),
        reason: Reason::ServiceUnknown.into(),
        detail: "service=dossiers\n".to_owned(),
    };
    serving.send(serve_frame::Frame::Failure(failure)).await.unwrap();
    let denial = calling.denied().await.unwrap();
    assert_eq!((denial.reason(), denial.detail.as_str()), (Reason::ServiceUnknown, "service=dossiers"));
    assert_eq!(shown(scene.events(&request.id)), expect(Reason::ServiceUnknown));
    let serve_event::Event::Cancelled(id) = serving.next().await.unwrap() else { panic!("not told") };
    assert_eq!(id, request.id.to_wire());

    // The provider is silent: the deadline ends it, and it is told.
    let request = scene.request_within(b"?", Duration::from_millis(700));
    let mut calling = scene.saaq.call(&request).await.unwrap();
    serving.offered().await.unwrap();
    let denial = calling.denied().await.unwrap();
    assert_eq!(denial.reason(), Reason::CallTimedOut);
    assert_eq!(shown(scene.events(&request.id)), expect(Reason::CallTimedOut));
    let serve_event::Event::Cancelled(id) = serving.next().await.unwrap() else { panic!("not told") };
    assert_eq!(id, request.id.to_wire());

    // The caller goes: the provider is told.
    let request = scene.request(b"?");
    let calling = scene.saaq.call(&request).await.unwrap();
    serving.offered().await.unwrap();
    drop(calling);
    let serve_event::Event::Cancelled(id) = serving.next().await.unwrap() else { panic!("not told") };
    assert_eq!(id, request.id.to_wire());

    // The provider goes with the call: it is told, and the call is not asked of another session.
    let mut other = scene.ramq.serve(2).await.unwrap();
    let request = scene.request(b"une seule fois");
    let mut calling = scene.saaq.call(&request).await.unwrap();
    let (gone, mut left) = tokio::select! {
        offered = serving.offered() => { offered.unwrap(); (serving, other) }
        offered = other.offered() => { offered.unwrap(); (other, serving) }
    };
    drop(gone);
    let denial = calling.denied().await.unwrap();
    assert_eq!((denial.reason(), denial.detail.as_str()), (Reason::ProviderAway, "session=lost"));
    let next = scene.request(b"une autre");
    let _calling = scene.saaq.call(&next).await.unwrap();
    assert_eq!(left.offered().await.unwrap().envelope.unwrap(), next.envelope);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_this_calls_is_refused() {
    let scene = Scene::set().await;
    let mut serving = scene.ramq.serve(4).await.unwrap();
    let made = async |change: &dyn Fn(&mut passerelle_proto::envelope::HeaderDraft),
                      serving: &mut passerelle_tests::probe::calls::Serving| {
        let request = scene.request(b"?");
        let mut calling = scene.saaq.call(&request).await.unwrap();
        let offered = serving.offered().await.unwrap();
        let mut draft = scene.ramq.response(&scene.terms, &offered, &scene.to_saaq).unwrap();
        change(&mut draft);
        let answer = scene.ramq.seal_half(draft, &scene.to_saaq, b"!").unwrap();
        let answer_logged::Result::Denial(denial) = serving.answer(&answer).await.unwrap() else {
            panic!("a wrong answer was accepted")
        };
        let told = calling.denied().await.unwrap();
        let serve_event::Event::Cancelled(_) = serving.next().await.unwrap() else { panic!("not told") };
        (denial.reason(), told.reason())
    };
    let other_purpose = made(&|draft| draft.purpose = codes::OTHER_PURPOSE.to_owned(), &mut serving).await;
    assert_eq!(other_purpose, (Reason::HeaderMalformed, Reason::ProviderFailed));
    let a_record = made(&as_a_record, &mut serving).await;
    assert_eq!(a_record, (Reason::HeaderMalformed, Reason::ProviderFailed));

    // A call of the consumer cannot be answered by the consumer, nor by a session that it was not offered to.
    let request = scene.request(b"?");
    let mut calling = scene.saaq.call(&request).await.unwrap();
    calling.accepted().await.unwrap();
    let offered = serving.offered().await.unwrap();
    let answer = scene.response(&offered, b"!");
    let mut stranger = scene.saaq.serve(1).await.unwrap();
    let mut beside = scene.ramq.serve(1).await.unwrap();
    for serving in [&mut stranger, &mut beside] {
        let answer_logged::Result::Denial(denial) = serving.answer(&answer).await.unwrap() else {
            panic!("another session answered")
        };
        assert_eq!(denial.reason(), Reason::CallCancelled);
    }
    assert!(matches!(serving.answer(&answer).await.unwrap(), answer_logged::Result::Receipt(_)));
    assert!(matches!(calling.next().await.unwrap(), call_reply::Reply::Answer(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_flow_through_both_ways() {
    let scene = Scene::set().await;
    let mut serving = scene.ramq.serve(4).await.unwrap();
    let large: Vec<u8> =
        (0..3_000_000_u32).flat_map(|number| (number % 251).to_le_bytes()).take(3_000_000).collect();
    let request = scene.request(&large);
    assert!(request.inline().is_empty());
    let mut calling = scene.saaq.call(&request).await.unwrap();
    calling.accepted().await.unwrap();
    let offered = serving.offered().await.unwrap();
    assert!(offered.body.is_empty());
    // Only the agency that it is for takes it, and once.
    let wanted = TakeBodyRequest { exchange_id: request.id.to_wire() };
    assert!(scene.saaq.calls().take_body(wanted.clone()).await.is_err());
    let mut parts = scene.ramq.calls().take_body(wanted.clone()).await.unwrap().into_inner();
    assert!(scene.ramq.calls().take_body(wanted).await.is_err());
    let mut sealed = Vec::new();
    while let Some(part) = parts.message().await.unwrap() {
        match part.part.unwrap() {
            body_part::Part::ChunkHashes(hashes) => assert_eq!(hashes, request.hashes),
            body_part::Part::Chunk(chunk) => sealed.extend_from_slice(&chunk),
        }
    }
    let opened = scene.ramq.open_half(
        offered.envelope.as_ref().unwrap(),
        &scene.saaq.verifying_key().unwrap(),
        &sealed,
    );
    assert!(opened.unwrap().ends_with(&large));

    let answer = scene.response(&offered, &large);
    assert!(matches!(serving.answer(&answer).await.unwrap(), answer_logged::Result::Receipt(_)));
    let mut frames = vec![
        give_body_frame::Frame::ExchangeId(answer.id.to_wire()),
        give_body_frame::Frame::ChunkHashes(answer.hashes.clone()),
    ];
    frames.extend(answer.chunks.iter().cloned().map(give_body_frame::Frame::Chunk));
    let frames: Vec<_> = frames.into_iter().map(|frame| GiveBodyFrame { frame: Some(frame) }).collect();
    let mut giver = scene.ramq.calls();
    let giving = tokio::spawn(async move { giver.give_body(tokio_stream::iter(frames)).await });
    let call_reply::Reply::Answer(answered) = calling.next().await.unwrap() else { panic!("no answer") };
    let mut sealed = Vec::new();
    while let Ok(reply) = calling.next().await {
        match reply {
            call_reply::Reply::ChunkHashes(hashes) => assert_eq!(hashes, answer.hashes),
            call_reply::Reply::Chunk(chunk) => sealed.extend_from_slice(&chunk),
            other => panic!("{other:?}"),
        }
    }
    giving.await.unwrap().unwrap();
    let opened = scene.saaq.open_half(
        answered.envelope.as_ref().unwrap(),
        &scene.ramq.verifying_key().unwrap(),
        &sealed,
    );
    assert!(opened.unwrap() == large);
    assert!(!is_on_disk(&scene.network.gateway_data(), &answer.chunks[0][..4_096]), "a body stayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_lies_about_a_chunk_ends_the_call() {
    let scene = Scene::set().await;
    let mut serving = scene.ramq.serve(4).await.unwrap();
    let request = scene.request(&vec![3; 3_000_000]);
    let mut frames = request.frames();
    // The last one, which the gateway sees only once the provider has taken others.
    let Some(call_frame::Frame::Chunk(chunk)) = frames.last_mut().and_then(|last| last.frame.as_mut()) else {
        panic!("no chunk")
    };
    *chunk = Bytes::from(vec![7; chunk.len()]);
    let (mut calling, _open) = scene.saaq.call_with(frames).await.unwrap();
    calling.accepted().await.unwrap();
    serving.offered().await.unwrap();
    let taking = TakeBodyRequest { exchange_id: request.id.to_wire() };
    let mut parts = scene.ramq.calls().take_body(taking).await.unwrap().into_inner();
    let mut chunks = 0;
    while let Ok(Some(part)) = parts.message().await {
        chunks += usize::from(matches!(part.part, Some(body_part::Part::Chunk(_))));
    }
    assert!((1..request.chunks.len()).contains(&chunks), "a wrong chunk went through");
    assert_eq!(calling.denied().await.unwrap().reason(), Reason::BodyMismatch);
}
