//! A gateway that says of a record that it is another agent's, or that there is none: believed with proof only.

use passerelle_proto::acknowledgement::{self, Acknowledged};

use super::*;
use crate::identity::house::Member;

/// How long the record may be delivered.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// Another agent of the agency, and one of another agency, both in the directory.
struct Others {
    sibling: Member,
    stranger: Member,
}

fn signed(by: &Member, exchanges: &[Acknowledged]) -> Option<wire::Statement> {
    let key = by.signing.key.as_ref();
    Some(acknowledgement::sign(&by.id, 1_768_478_400_000, exchanges, key).unwrap())
}

async fn contested() -> (Scene, Acknowledged, Others) {
    let short = SendRequest { expires_in: Some(LIFETIME), ..request() };
    let (scene, id) = stopped_unanswered(short).await;
    let others =
        Others { sibling: scene.house.member("saaq/agent-2"), stranger: scene.house.member("ramq/agent-2") };
    scene.gateway.set(|script| {
        let entries = [&others.sibling, &others.stranger].map(|member| member.entry(scene.house.now()));
        script.lookup.as_mut().unwrap().agents.extend(entries);
    });
    let header_digest = scene.ramq.agent.0.outbox.header_digest(&id).unwrap();
    (scene, Acknowledged { exchange_id: id, header_digest, refused: None }, others)
}

/// The record is held, no system sees it, and people are told this.
async fn held(scene: &Scene, id: ExchangeId, told: &str) {
    until(&scene.saaq.agent, |agent| agent.status().inbox_alarm.is_some_and(|alarm| alarm.contains(told)))
        .await;
    let status = scene.saaq.agent.status();
    assert_eq!((status.inbox, status.inbox_pending, status.inbox_contested), (0, 1, 1));
    assert!(status.inbox_alarm.unwrap().contains(&id.to_string()));
    assert!(matches!(scene.saaq.agent.inbox_entry(&id).await, Err(InboxError::NotFound(_))));
}

async fn gone(scene: &Scene, id: ExchangeId) {
    until(&scene.saaq.agent, |agent| agent.status().inbox_pending == 0).await;
    let status = scene.saaq.agent.status();
    assert_eq!(
        (status.inbox, status.inbox_bytes, status.inbox_contested, status.inbox_alarm),
        (0, 0, 0, None)
    );
    assert!(matches!(scene.saaq.agent.inbox_entry(&id).await, Err(InboxError::NotFound(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_goes_only_when_another_agent_of_the_agency_has_signed_for_it() {
    let (scene, one, Others { sibling, stranger }) = contested().await;
    let mut records = vec![one];
    for _ in 1..10 {
        let id = scene.send(b"un", request()).await.unwrap().exchange_id;
        let header_digest = scene.ramq.agent.0.outbox.header_digest(&id).unwrap();
        records.push(Acknowledged { exchange_id: id, header_digest, refused: None });
        scene.state(id, RecordState::Accepted).await;
    }
    let namesake = scene.house.member("saaq/agent-2");
    let tampered = |this: Acknowledged| {
        let mut altered = signed(&sibling, &[this]);
        altered.as_mut().unwrap().signatures[0].signature = vec![0; 64].into();
        altered
    };
    let [none, foreign, other, digest, refused, false_key, altered, early, unknown, good] = records[..]
    else {
        panic!("ten")
    };
    let unreadable = Acknowledged { refused: Some(Reason::Unreadable), ..refused };
    let otherwise = Acknowledged { header_digest: [7; 32], ..digest };
    let cases = [
        (none, Answering::Elsewhere(None), "without proof"),
        (foreign, Answering::Elsewhere(signed(&stranger, &[foreign])), "of the agency, but of ramq/agent-2"),
        (other, Answering::Elsewhere(signed(&sibling, &[good])), "is of another exchange"),
        (digest, Answering::Elsewhere(signed(&sibling, &[otherwise])), "is of another exchange"),
        (refused, Answering::Elsewhere(signed(&sibling, &[unreadable])), "has received it: UNREADABLE"),
        (
            false_key,
            Answering::Elsewhere(signed(&namesake, &[false_key])),
            "a key of saaq/agent-2 that is not known",
        ),
        (altered, Answering::Elsewhere(tampered(altered)), "the acknowledgement does not hold"),
        (early, Answering::Expired, "it has not"),
        (unknown, Answering::Unknown, "does not know it: RECIPIENT_UNKNOWN"),
    ];
    let mut answers: std::collections::BTreeMap<_, _> =
        cases.iter().map(|(this, answer, _)| (this.exchange_id.to_wire(), answer.clone())).collect();
    answers.insert(good.exchange_id.to_wire(), Answering::Elsewhere(signed(&sibling, &[none, good])));
    scene.gateway.exchange.answer(Answering::Each(answers));
    let scene = restarted(scene).await;
    until(&scene.saaq.agent, |agent| {
        let status = agent.status();
        (status.inbox, status.inbox_pending, status.inbox_contested) == (0, 9, 9)
    })
    .await;
    let told = scene.saaq.agent.0.inbox.contested();
    for (this, _, words) in &cases {
        assert!(told[&this.exchange_id].contains(words), "{words}: {}", told[&this.exchange_id]);
        let shown = scene.saaq.agent.inbox_entry(&this.exchange_id).await;
        assert!(matches!(shown, Err(InboxError::NotFound(_))));
    }
    assert!(!told.contains_key(&good.exchange_id));
    // Held over a stop, and gone as soon as there is proof.
    let ids: Vec<_> = cases.iter().map(|(this, _, _)| *this).collect();
    scene.gateway.exchange.answer(Answering::Elsewhere(signed(&sibling, &ids)));
    let scene = restarted(scene).await;
    gone(&scene, none.exchange_id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_agents_acknowledgement_is_no_proof_and_the_gateways_first_answer_is_taken_when_it_comes() {
    let (scene, this, Others { sibling, .. }) = contested().await;
    scene.house.revoke(&sibling.signing, Usage::Signing);
    scene
        .gateway
        .set(|script| script.lookup.as_mut().unwrap().revocation_list = scene.house.revocation_list().into());
    scene.gateway.exchange.answer(Answering::Elsewhere(signed(&sibling, &[this])));
    let scene = restarted(scene).await;
    held(&scene, this.exchange_id, "a key of saaq/agent-2 that is not known").await;
    scene.gateway.exchange.answer(Answering::First);
    scene.gateway.cut_all();
    scene.received(this.exchange_id).await;
    assert_eq!(text(&scene.saaq.agent, this.exchange_id).await, b"un");
    assert_eq!((scene.saaq.agent.status().inbox_contested, scene.saaq.agent.status().inbox_alarm), (0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_by_our_own_clock_goes_whatever_is_said_of_it() {
    let (scene, this, _others) = contested().await;
    scene.gateway.exchange.answer(Answering::Unknown);
    let scene = restarted(scene).await;
    held(&scene, this.exchange_id, "does not know it").await;
    scene.house.clock.advance(LIFETIME);
    scene.gateway.cut_all();
    gone(&scene, this.exchange_id).await;
}
