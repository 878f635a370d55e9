//! `tests/vectors/envelope/`: made by another implementation of the format (`tests/vectors/independent.py`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use passerelle_pki::key::PublicKey;
use passerelle_proto::envelope::{
    DecapsulationCache, EnvelopeError, KemKey, KemKeys, OpenError, Opener, VerifiedEnvelope, danger,
    disclosure, verify, verify_body,
};
use passerelle_proto::wire;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedFile {
    #[serde(rename = "comment")]
    _comment: String,
    signer: String,
    sealed: Vec<Sealed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    name: String,
    exchange_id: String,
    content_key: String,
    header_digest: String,
    plaintext: String,
    case_reference: String,
    header: String,
    signature: String,
    body: String,
    recipients: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpeningsFile {
    #[serde(rename = "comment")]
    _comment: String,
    signers: std::collections::HashMap<String, String>,
    openings: Vec<Opening>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    name: String,
    why: String,
    expect: String,
    signer: String,
    header: String,
    signature: String,
    body: String,
    recipients: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadersFile {
    #[serde(rename = "comment")]
    _comment: String,
    signer: String,
    header: String,
    signature: String,
    refused: Vec<RefusedHeader>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefusedHeader {
    name: String,
    why: String,
    expect: String,
    at: usize,
    cut: usize,
    put: String,
    signature: String,
}

fn base64(text: &str) -> Bytes {
    STANDARD.decode(text).unwrap().into()
}

fn public_key(text: &str) -> PublicKey {
    PublicKey::from_raw32(hex::decode(text).unwrap().try_into().unwrap())
}

fn envelope(header: Bytes, signature: &str, key: &PublicKey) -> wire::Envelope {
    let key_id = Bytes::copy_from_slice(key.key_id().as_bytes());
    wire::Envelope { header, signatures: vec![wire::Signature { key_id, signature: base64(signature) }] }
}

fn kem_keys(seed: &str) -> KemKeys {
    KemKey::from_bytes(&hex::decode(seed).unwrap()).unwrap().into()
}

fn open(envelope: &VerifiedEnvelope, seed: &str, body: &[u8]) -> Result<Vec<u8>, OpenError> {
    Opener::new(envelope, &kem_keys(seed), &DecapsulationCache::default())?.open_small(body)
}

#[test]
fn envelopes_of_the_other_implementation_open() {
    let file: SealedFile = serde_json::from_str(include_str!("../vectors/envelope/sealed.json")).unwrap();
    let key = public_key(&file.signer);
    assert_eq!(file.sealed.len(), 7);
    for vector in file.sealed {
        let name = &vector.name;
        let verified = verify(&envelope(base64(&vector.header), &vector.signature, &key), &key).unwrap();
        assert_eq!(hex::encode(verified.exchange_id().as_bytes()), vector.exchange_id, "{name}");
        assert_eq!(hex::encode(verified.header_digest()), vector.header_digest, "{name}");
        let (body, plaintext) = (base64(&vector.body), base64(&vector.plaintext));
        verify_body(&verified, &body).unwrap();
        for seed in &vector.recipients {
            assert_eq!(open(&verified, seed, &body).unwrap(), plaintext, "{name}");
            let opener = Opener::new(&verified, &kem_keys(seed), &DecapsulationCache::default()).unwrap();
            assert_eq!(opener.attributes().case_reference, vector.case_reference, "{name}");
            assert_eq!(hex::encode(&danger::content_key(&opener)[..]), vector.content_key, "{name}");
        }
        let content_key = hex::decode(&vector.content_key).unwrap().try_into().unwrap();
        let disclosed = disclosure::open(&verified, &content_key).unwrap();
        assert_eq!(disclosed.open_small(&body).unwrap(), plaintext, "{name}");
    }
}

#[test]
fn envelopes_that_were_not_sealed_as_they_say_are_refused() {
    let file: OpeningsFile = serde_json::from_str(include_str!("../vectors/envelope/openings.json")).unwrap();
    let mut refused = 0;
    for vector in file.openings {
        let key = public_key(&file.signers[&vector.signer]);
        let verified = verify(&envelope(base64(&vector.header), &vector.signature, &key), &key).unwrap();
        let found = match open(&verified, &vector.recipients[0], &base64(&vector.body)) {
            Ok(_) => "opens",
            Err(OpenError::NotForUs) => "not-for-us",
            Err(OpenError::Unwrap) => "unwrap",
            Err(OpenError::Commitment) => "commitment",
            Err(OpenError::AttributesSealed) => "attributes-sealed",
            Err(OpenError::Attributes(_)) => "attributes",
            Err(OpenError::Chunk(_)) => "chunk",
            Err(OpenError::Body(_)) => "body",
            Err(other) => panic!("{}: {other:?}", vector.name),
        };
        assert_eq!(found, vector.expect, "{}: {}", vector.name, vector.why);
        refused += usize::from(found != "opens");
    }
    assert!(refused >= 25, "only {refused} were refused");
}

#[test]
fn headers_that_break_one_rule_are_refused_for_it() {
    let file: HeadersFile = serde_json::from_str(include_str!("../vectors/envelope/headers.json")).unwrap();
    let (key, header) = (public_key(&file.signer), base64(&file.header));
    verify(&envelope(header.clone(), &file.signature, &key), &key).unwrap();
    assert!(file.refused.len() >= 100, "only {} headers", file.refused.len());
    for vector in file.refused {
        let tail = &header[vector.at + vector.cut..];
        let changed = [&header[..vector.at], &hex::decode(&vector.put).unwrap(), tail].concat();
        let found = match verify(&envelope(changed.into(), &vector.signature, &key), &key) {
            Ok(_) => "accepted",
            Err(EnvelopeError::Encoding(_)) => "encoding",
            Err(EnvelopeError::Suite(_)) => "suite",
            Err(EnvelopeError::Form(error)) => error.field,
            Err(other) => panic!("{}: {other:?}", vector.name),
        };
        assert_eq!(found, vector.expect, "{}: {}", vector.name, vector.why);
    }
}
