//! Receipts: one signature for a batch, a path for each.

use bytes::Bytes;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::Ed25519Key;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::receipt::{self, BATCH_LIMIT, ReceiptError};
use passerelle_proto::wire;
use ring::rand::SystemRandom;
use serde::Deserialize;

use crate::support::{hex, public_key};

#[derive(Deserialize)]
struct File {
    key: String,
    receipts: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    why: String,
    expect: String,
    body: String,
    index: u64,
    size: u64,
    path: Vec<String>,
    key_id: String,
    signature: String,
}

#[test]
fn receipts_are_believed_or_refused() {
    let file: File = serde_json::from_str(include_str!("../vectors/receipt.json")).unwrap();
    let key = public_key(&file.key);
    for vector in file.receipts {
        let signature = wire::Signature { key_id: hex(&vector.key_id), signature: hex(&vector.signature) };
        let receipt = wire::Receipt {
            body: hex(&vector.body),
            batch_index: vector.index,
            batch_size: vector.size,
            path: vector.path.iter().map(|node| hex(node)).collect(),
            signature: Some(signature),
        };
        let found = match receipt::verify(&receipt, &key) {
            Ok(_) => "verifies",
            Err(ReceiptError::NoSignature) => "no-signature",
            Err(ReceiptError::Statement(_)) => "statement",
            Err(ReceiptError::Path) => "path",
            Err(ReceiptError::Batch { .. }) => "batch",
            Err(ReceiptError::Proof(_)) => "proof",
            Err(ReceiptError::Encoding(_)) => "encoding",
            Err(ReceiptError::Field(field)) => field,
        };
        assert_eq!(found, vector.expect, "{}: {}", vector.name, vector.why);
        let unsigned = wire::Receipt { signature: None, ..receipt };
        assert_eq!(receipt::verify(&unsigned, &key), Err(ReceiptError::NoSignature));
    }
}

fn bodies(count: usize) -> Vec<wire::ReceiptBody> {
    let now = Timestamp::from_seconds(1_772_452_800);
    let body = |index: usize| wire::ReceiptBody {
        exchange_id: ExchangeId::draw(now, &SystemRandom::new()).unwrap().to_wire(),
        header_digest: Bytes::from_static(&[1; 32]),
        log_origin: "passerelle.example/log".into(),
        leaf_index: index as u64,
        leaf_hash: Bytes::from_static(&[2; 32]),
        accepted_ms: now.as_millis(),
    };
    (0..count).map(body).collect()
}

#[test]
fn every_receipt_of_every_batch_verifies() {
    let key = Ed25519Key::generate().unwrap();
    for size in (0..=17).chain([100]) {
        let bodies = bodies(size);
        let receipts = receipt::sign_batch(&bodies, &key).unwrap();
        assert_eq!(receipts.len(), size);
        for (receipt, body) in receipts.iter().zip(&bodies) {
            assert_eq!(&receipt::verify(receipt, key.public_key()).unwrap(), body, "batch of {size}");
        }
    }
}

#[test]
fn one_signature_serves_the_batch_and_no_other() {
    let key = Ed25519Key::generate().unwrap();
    let (one, two) = (bodies(3), bodies(3));
    let (one, two) = (receipt::sign_batch(&one, &key).unwrap(), receipt::sign_batch(&two, &key).unwrap());
    assert!(one.iter().all(|receipt| receipt.signature == one[0].signature));
    let mixed = wire::Receipt { signature: two[0].signature.clone(), ..one[0].clone() };
    assert!(matches!(receipt::verify(&mixed, key.public_key()), Err(ReceiptError::Statement(_))));
    let other = Ed25519Key::generate().unwrap();
    assert!(matches!(receipt::verify(&one[0], other.public_key()), Err(ReceiptError::Statement(_))));
}

#[test]
fn a_body_that_no_reader_takes_is_not_signed() {
    let key = Ed25519Key::generate().unwrap();
    let mut broken = bodies(2);
    broken[1].header_digest = Bytes::new();
    assert_eq!(receipt::sign_batch(&broken, &key), Err(ReceiptError::Field("header_digest")));
    let body = bodies(1).remove(0);
    let too_many = receipt::sign_batch(&vec![body; BATCH_LIMIT + 1], &key).unwrap_err();
    assert!(matches!(too_many, ReceiptError::Batch { .. }));
}
