//! DSSE: the encoding, the list of signatures.

use std::path::PathBuf;

use bytes::Bytes;
use passerelle_pki::key::{Ed25519Key, KeyError, KeyId, Signer};
use passerelle_proto::statement::{self, StatementError};
use passerelle_proto::wire;
use proptest::prelude::*;
use serde::Deserialize;

use crate::support::{hex, public_key};

#[derive(Deserialize)]
struct File {
    pae: Vec<Pae>,
    key: String,
    #[serde(rename = "type")]
    payload_type: String,
    payload: String,
    statements: Vec<Vector>,
}

#[derive(Deserialize)]
struct Pae {
    #[serde(rename = "type")]
    payload_type: String,
    payload: String,
    pae: String,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    why: String,
    signatures: Vec<Signature>,
    expect: String,
}

#[derive(Deserialize)]
struct Signature {
    key_id: String,
    signature: String,
}

fn file() -> File {
    serde_json::from_str(include_str!("../vectors/statement.json")).unwrap()
}

#[test]
fn the_encoding_is_that_of_dsse() {
    let vectors = file().pae;
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        assert_eq!(hex::encode(statement::pae(&vector.payload_type, &hex(&vector.payload))), vector.pae);
    }
}

#[test]
fn the_published_vector_of_dsse_is_met() {
    #[derive(Deserialize)]
    struct Published {
        payload_type: String,
        body: String,
        pae: String,
    }
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let folder = std::env::var_os("PASSERELLE_VECTORS").map_or(beside, PathBuf::from);
    let Ok(text) = std::fs::read_to_string(folder.join("dsse.json")) else {
        eprintln!("ABSENT: {}: the published DSSE vector was not run", folder.join("dsse.json").display());
        return;
    };
    let published: Published = serde_json::from_str(&text).unwrap();
    let pae = statement::pae(&published.payload_type, published.body.as_bytes());
    assert_eq!(pae, published.pae.as_bytes());
}

#[test]
fn lists_of_signatures_are_believed_or_refused() {
    let file = file();
    let key = public_key(&file.key);
    for vector in file.statements {
        let signature = |signature: &Signature| wire::Signature {
            key_id: hex(&signature.key_id),
            signature: hex(&signature.signature),
        };
        let signed = wire::Statement {
            payload_type: file.payload_type.clone(),
            payload: hex(&file.payload),
            signatures: vector.signatures.iter().map(signature).collect(),
        };
        let found = match statement::verify(&signed, &file.payload_type, &key) {
            Ok(payload) => {
                assert_eq!(payload, &hex(&file.payload));
                "verifies"
            }
            Err(StatementError::NoSignature) => "no-signature",
            Err(StatementError::OtherKey(_)) => "other-key",
            Err(StatementError::Signature(_)) => "signature",
            Err(StatementError::RepeatedKey(_)) => "repeated-key",
            Err(StatementError::SignatureForm(_)) => "signature-form",
            Err(StatementError::TooManySignatures(9)) => "too-many",
            Err(other) => panic!("{}: {other:?}", vector.name),
        };
        assert_eq!(found, vector.expect, "{}: {}", vector.name, vector.why);
    }
}

#[test]
fn a_statement_of_another_type_is_refused_before_its_signature_is_looked_at() {
    let key = Ed25519Key::generate().unwrap();
    let signed = statement::sign("application/a", Bytes::from_static(b"x"), &key).unwrap();
    let refused = statement::verify(&signed, "application/b", key.public_key()).unwrap_err();
    assert!(matches!(refused, StatementError::PayloadType { .. }));
    let relabelled = wire::Statement { payload_type: "application/b".into(), ..signed };
    let refused = statement::verify(&relabelled, "application/b", key.public_key()).unwrap_err();
    assert_eq!(refused, StatementError::Signature(key.key_id()));
}

#[test]
fn the_digest_is_of_what_is_said_not_of_who_signed() {
    let (one, two) = (Ed25519Key::generate().unwrap(), Ed25519Key::generate().unwrap());
    let say = |text: &'static str, key: &Ed25519Key| {
        statement::sign("t", Bytes::from_static(text.as_bytes()), key).unwrap()
    };
    assert_eq!(statement::digest(&say("x", &one)), statement::digest(&say("x", &two)));
    assert_ne!(statement::digest(&say("x", &one)), statement::digest(&say("y", &one)));
    assert_eq!(statement::key_hint(&say("x", &one)), Some(one.key_id()));
}

/// A token that was pulled out.
#[derive(Debug)]
struct Absent;

impl Signer for Absent {
    fn key_id(&self) -> KeyId {
        KeyId::from_bytes([0; 32])
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, KeyError> {
        Err(KeyError::Unavailable("the token was pulled out"))
    }

    fn spki_der(&self) -> &[u8] {
        &[]
    }
}

#[test]
fn a_key_that_cannot_sign_is_an_error_not_an_empty_list() {
    let refused = statement::sign("t", Bytes::new(), &Absent).unwrap_err();
    assert!(matches!(refused, StatementError::Signer(_)));
}

proptest! {
    #[test]
    fn two_statements_never_have_the_same_encoding(
        one in ("[a-z0-9 ]{0,12}", prop::collection::vec(any::<u8>(), 0..12)),
        two in ("[a-z0-9 ]{0,12}", prop::collection::vec(any::<u8>(), 0..12)),
    ) {
        let same = statement::pae(&one.0, &one.1) == statement::pae(&two.0, &two.1);
        prop_assert_eq!(same, one == two);
    }
}
