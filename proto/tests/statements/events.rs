//! Log entries: one encoding, the right detail, never over 65,535 bytes.

use bytes::Bytes;
use passerelle_pki::key::KeyId;
use passerelle_proto::event::{self, ENTRY_LIMIT, EventError};
use passerelle_proto::strict::StrictError;
use passerelle_proto::tlog::leaf_hash;
use passerelle_proto::wire::{self, EventKind, Reason};
use proptest::prelude::*;
use serde::Deserialize;

use crate::support::hex;

#[derive(Deserialize)]
struct File {
    events: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    why: String,
    entry: String,
    leaf_hash: String,
    expect: String,
}

#[test]
fn entries_are_read_or_refused() {
    let file: File = serde_json::from_str(include_str!("../vectors/event.json")).unwrap();
    for vector in file.events {
        let entry = hex(&vector.entry);
        assert_eq!(hex::encode(leaf_hash(&entry)), vector.leaf_hash);
        let found = match event::decode(&entry) {
            Ok(event) => {
                assert_eq!(event::encode(&event).unwrap(), entry, "{}", vector.name);
                "decodes"
            }
            Err(EventError::Encoding(_)) => "encoding",
            Err(EventError::Nonce(_)) => "nonce",
            Err(EventError::Kind(_)) => "kind",
            Err(EventError::NoActor) => "no-actor",
            Err(EventError::Thumbprint(_)) => "thumbprint",
            Err(EventError::Detail(_)) => "detail",
            Err(EventError::Erasure(_)) => "erasure",
        };
        assert_eq!(found, vector.expect, "{}: {}", vector.name, vector.why);
    }
}

fn denial(detail: wire::ExchangeDetail) -> wire::Event {
    wire::Event {
        nonce: vec![1; 16].into(),
        time_ms: u64::MAX,
        kind: EventKind::ExchangeDenied.into(),
        actor: Some(wire::Actor {
            actor: Some(wire::actor::Actor::Agent("ramq/agent-1".into())),
            tls_certificate: vec![1; 32].into(),
            roles: Vec::new(),
        }),
        detail: Some(wire::event::Detail::Exchange(detail)),
    }
}

/// A header whose every list and text is as long as it can be in 64 KiB, and longer.
fn monstrous() -> wire::Header {
    let text = "é\n".repeat(40_000);
    wire::Header {
        exchange_id: vec![1; 15].into(),
        kind: 77,
        sender_agency: text.clone(),
        sender_agent: text.clone(),
        recipients: vec![text.clone(); 40],
        agreement: Some(wire::AgreementRef {
            number: text.clone(),
            version: u32::MAX,
            digest: vec![1; 60_000].into(),
        }),
        service: text.clone(),
        operation: text.clone(),
        purpose: text.clone(),
        legal_basis: text.clone(),
        data_categories: vec![text.clone(); 70],
        case_commitment: vec![1; 40_000].into(),
        acting_user: vec![1; 40_000].into(),
        subjects: vec![vec![1; 32].into(); 3_000],
        created_ms: u64::MAX,
        expires_ms: u64::MAX,
        in_reply_to: vec![1; 17].into(),
        plaintext_length: u64::MAX,
        body_root: vec![1; 33].into(),
        ..wire::Header::default()
    }
}

#[test]
fn a_denial_always_fits_an_entry() {
    let header = monstrous();
    let key = KeyId::from_bytes([1; 32]);
    let reason = "x".repeat(100_000);
    let detail = event::denied_detail(Some(&header), &[1; 32], Some(&key), Reason::HeaderMalformed, &reason);
    assert_eq!(detail.exchange_id, Bytes::new());
    assert_eq!(detail.sender_agency, "é".repeat(20), "40 bytes, no line feeds");
    assert_eq!(detail.subjects.len(), 256);
    let entry = event::encode(&denial(detail)).unwrap();
    event::decode(&entry).unwrap();
    assert!(entry.len() < ENTRY_LIMIT / 2, "{} bytes", entry.len());
}

#[test]
fn a_denial_of_something_unreadable_is_an_entry_too() {
    let detail = event::denied_detail(None, &[1; 32], None, Reason::HeaderMalformed, "");
    assert_eq!(detail.header_digest[..], [1; 32]);
    event::encode(&denial(detail)).unwrap();
}

#[test]
fn an_entry_at_the_limit_and_one_more() {
    let with = |length: usize| {
        let detail = wire::ExchangeDetail { reason_detail: "a".repeat(length), ..Default::default() };
        event::encode(&denial(detail))
    };
    let overhead = with(60_000).unwrap().len() - 60_000;
    let entry = with(ENTRY_LIMIT - overhead).unwrap();
    assert_eq!(entry.len(), ENTRY_LIMIT);
    event::decode(&entry).unwrap();
    let refused = with(ENTRY_LIMIT - overhead + 1).unwrap_err();
    let limit = StrictError::TooLarge { found: ENTRY_LIMIT + 1, limit: ENTRY_LIMIT };
    assert_eq!(refused, EventError::Encoding(limit));
    assert!(matches!(
        event::decode(&[0; ENTRY_LIMIT + 1]),
        Err(EventError::Encoding(StrictError::TooLarge { .. }))
    ));
}

#[test]
fn the_log_keeps_of_a_verified_header_what_the_gateway_may_see() {
    let header = wire::Header {
        exchange_id: vec![1; 16].into(),
        sender_agency: "ramq".into(),
        subjects: vec![vec![3; 32].into()],
        body_root: vec![4; 32].into(),
        plaintext_length: 5,
        ..wire::Header::default()
    };
    let detail = event::exchange_detail(&header, &[6; 32], &KeyId::from_bytes([7; 32]));
    assert_eq!(detail.subjects, header.subjects);
    assert_eq!((&detail.body_root, detail.plaintext_length), (&header.body_root, 5));
    assert_eq!((&detail.header_digest[..], &detail.signing_key_id[..]), (&[6; 32][..], &[7; 32][..]));
}

proptest! {
    #[test]
    fn any_bytes_are_an_entry_of_one_encoding_or_none(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(event) = event::decode(&bytes) {
            prop_assert_eq!(event::encode(&event).unwrap(), bytes);
        }
    }
}
