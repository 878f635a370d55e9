//! Acknowledgements: who received or refused what.

use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::Ed25519Key;
use passerelle_pki::name::AgentId;
use passerelle_proto::acknowledgement::{self, Acknowledged, AcknowledgementError, EXCHANGES_LIMIT};
use passerelle_proto::event::{self, ENTRY_LIMIT};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::statement::payload_type;
use passerelle_proto::wire::{self, Reason};
use prost::Message;
use ring::rand::SystemRandom;
use serde::Deserialize;

use crate::support::{Signed, public_key};

#[derive(Deserialize)]
struct File {
    key: String,
    acknowledgements: Vec<Signed>,
}

#[test]
fn acknowledgements_are_believed_or_refused() {
    let file: File = serde_json::from_str(include_str!("../vectors/acknowledgement.json")).unwrap();
    let (key, expected) = (public_key(&file.key), "saaq/agent-1".parse().unwrap());
    for vector in file.acknowledgements {
        let statement = vector.statement(payload_type::ACKNOWLEDGEMENT);
        let found = match acknowledgement::verify(&statement, &key, &expected) {
            Ok(_) => "verifies",
            Err(AcknowledgementError::Statement(_)) => "statement",
            Err(AcknowledgementError::Encoding(_)) => "encoding",
            Err(AcknowledgementError::Agent { .. }) => "agent",
            Err(AcknowledgementError::Count(_)) => "count",
            Err(AcknowledgementError::Exchange(..)) => "exchange",
        };
        assert_eq!(found, vector.expect, "{}: {}", vector.name, vector.why);
    }
}

fn exchanges(count: usize) -> Vec<Acknowledged> {
    let draw = || ExchangeId::draw(Timestamp::from_seconds(1_772_452_800), &SystemRandom::new()).unwrap();
    let refused = |index: usize| (index % 2 == 1).then_some(Reason::SignatureInvalid);
    let one = |index| Acknowledged { exchange_id: draw(), header_digest: [1; 32], refused: refused(index) };
    (0..count).map(one).collect()
}

#[test]
fn what_is_signed_is_what_is_read() {
    let key = Ed25519Key::generate().unwrap();
    let agent: AgentId = "saaq/agent-1".parse().unwrap();
    let sent = exchanges(3);
    let signed = acknowledgement::sign(&agent, 1_772_452_800_000, &sent, &key).unwrap();
    let read = acknowledgement::verify(&signed, key.public_key(), &agent).unwrap();
    assert_eq!((read.agent(), read.received_ms(), read.exchanges()), (&agent, 1_772_452_800_000, &sent[..]));
}

#[test]
fn the_longest_acknowledgement_fits_a_log_entry() {
    let key = Ed25519Key::generate().unwrap();
    let agent: AgentId = format!("{0}/{0}", "a".repeat(40)).parse().unwrap();
    let signed = acknowledgement::sign(&agent, u64::MAX, &exchanges(EXCHANGES_LIMIT), &key).unwrap();
    acknowledgement::verify(&signed, key.public_key(), &agent).unwrap();
    assert!(signed.encoded_len() < ENTRY_LIMIT / 2);
    let detail = wire::AcknowledgementDetail { statement: Some(signed) };
    let event = wire::Event {
        nonce: vec![1; 16].into(),
        kind: wire::EventKind::ExchangeAcknowledged.into(),
        actor: Some(wire::Actor {
            actor: Some(wire::actor::Actor::Agent(agent.to_string())),
            ..wire::Actor::default()
        }),
        detail: Some(wire::event::Detail::Acknowledgement(detail)),
        ..wire::Event::default()
    };
    event::encode(&event).unwrap();
    let too_many = acknowledgement::sign(&agent, 0, &exchanges(EXCHANGES_LIMIT + 1), &key).unwrap_err();
    assert_eq!(too_many, AcknowledgementError::Count(EXCHANGES_LIMIT + 1));
}
