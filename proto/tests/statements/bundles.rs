//! Key bundles: whose key, and until when.

use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::{Ed25519Key, Signer};
use passerelle_proto::bundle::{self, BundleError};
use passerelle_proto::envelope::KemKey;
use passerelle_proto::statement::payload_type;
use ring::rand::SystemRandom;
use serde::Deserialize;

use crate::support::{Signed, hex, public_key};

#[derive(Deserialize)]
struct File {
    key: String,
    kem_seed: String,
    kem_public_key: String,
    kem_key_id: String,
    bundles: Vec<Signed>,
}

fn file() -> File {
    serde_json::from_str(include_str!("../vectors/bundle.json")).unwrap()
}

#[test]
fn a_kem_key_follows_from_its_seed() {
    let file = file();
    let key = KemKey::from_bytes(&hex(&file.kem_seed)).unwrap();
    assert_eq!(hex::encode(key.public_key().as_bytes()), file.kem_public_key);
    assert_eq!(key.key_id().to_string(), file.kem_key_id);
}

#[test]
fn bundles_are_believed_or_refused() {
    let file = file();
    let (key, expected) = (public_key(&file.key), "saaq/agent-1".parse().unwrap());
    for vector in file.bundles {
        let statement = vector.statement(payload_type::KEY_BUNDLE);
        let found = match bundle::verify(&statement, &key, &expected, Timestamp::from_millis(vector.at_ms)) {
            Ok(bundle) => {
                assert_eq!(bundle.key_id().to_string(), file.kem_key_id);
                assert_eq!(bundle.recipient_key().agency(), &expected.agency);
                "verifies"
            }
            Err(BundleError::Statement(_)) => "statement",
            Err(BundleError::Encoding(_)) => "encoding",
            Err(BundleError::Agent { .. }) => "agent",
            Err(BundleError::Kem(_)) => "kem",
            Err(BundleError::Key(_)) => "key",
            Err(BundleError::Period) => "period",
            Err(BundleError::NotYetValid(_)) => "not-yet-valid",
            Err(BundleError::Expired(_)) => "expired",
        };
        assert_eq!(found, vector.expect, "{}: {}", vector.name, vector.why);
    }
}

#[test]
fn a_bundle_is_signed_for_what_readers_take() {
    let (signer, kem) = (Ed25519Key::generate().unwrap(), KemKey::generate(&SystemRandom::new()).unwrap());
    let (agent, now) = ("saaq/agent-1".parse().unwrap(), Timestamp::from_seconds(1_772_452_800));
    let ends = now.plus(bundle::LIFETIME_LIMIT);
    let signed = bundle::sign(&agent, kem.public_key(), (now, ends), &signer).unwrap();
    let verified = bundle::verify(&signed, signer.public_key(), &agent, now).unwrap();
    assert_eq!((verified.agent(), verified.created(), verified.expires()), (&agent, now, ends));
    assert_eq!((verified.key_id(), verified.signing_key_id()), (kem.key_id(), signer.key_id()));
    for (created, expires) in [(now, now), (ends, now), (now, ends.plus(Duration::from_millis(1)))] {
        let refused = bundle::sign(&agent, kem.public_key(), (created, expires), &signer).unwrap_err();
        assert_eq!(refused, BundleError::Period);
    }
}

#[test]
fn a_bundle_by_the_gateway_itself_is_refused() {
    let (agent_key, gateway) = (Ed25519Key::generate().unwrap(), Ed25519Key::generate().unwrap());
    let kem = KemKey::generate(&SystemRandom::new()).unwrap();
    let (agent, now) = ("saaq/agent-1".parse().unwrap(), Timestamp::from_seconds(1_772_452_800));
    let period = (now, now.plus(Duration::from_secs(60)));
    let slipped_in = bundle::sign(&agent, kem.public_key(), period, &gateway).unwrap();
    let refused = bundle::verify(&slipped_in, agent_key.public_key(), &agent, now).unwrap_err();
    assert!(matches!(refused, BundleError::Statement(_)));
}
