//! The parties' signatures: who may sign, over what, with which certificate, and when.

use std::time::Duration;

use passerelle_pki::certificate::{CertificateError, Usage};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::Identity;
use passerelle_proto::agreement::{
    AgreementVersion, Document, PAYLOAD_TYPE, RecordError, SignatureError, VerifiedAgreement, sign_document,
    verify_signature,
};
use passerelle_proto::statement::{self, payload_type};
use passerelle_proto::wire;
use serde_json::json;

use crate::support::{
    Credential, DAY, HOUSE, OTHER_HOUSE, active, document, never, sign, signed_by, signing_day, verified,
};

const ALL: [&str; 3] = ["ramq", "saaq", "revenu-quebec"];

/// A signature that nobody checked before it was made.
fn forged(
    named: &str,
    chain: &Credential,
    key: &Credential,
    kind: &str,
    payload: &[u8],
) -> wire::PartySignature {
    wire::PartySignature {
        agency: named.to_owned(),
        signing_chain: chain.chain.to_ders().into_iter().map(Into::into).collect(),
        signature: Some(statement::signature(kind, payload, &key.key).unwrap()),
        received_ms: 0,
    }
}

fn verdict(
    document: &Document,
    signature: &wire::PartySignature,
    at: Timestamp,
) -> Result<(), SignatureError> {
    verify_signature(document, signature, &HOUSE.anchor, &never, at).map(drop)
}

#[test]
fn all_parties_sign() {
    let document = document(&[]);
    let version = signed_by(&document, &ALL);
    assert!(version.unsigned().is_empty());
    let verified = version.into_verified().unwrap();
    let signed: Vec<String> = verified.signed().map(|signed| signed.agent.to_string()).collect();
    assert_eq!(signed, ["ramq/agent-1", "revenu-quebec/agent-1", "saaq/agent-1"]);
    for signed in verified.signed() {
        let key = &HOUSE.signer(signed.agent.agency.as_str()).key;
        assert_eq!(signed.key_id, passerelle_pki::key::Signer::key_id(key));
        assert_eq!(signed.received, signing_day());
    }
    assert_eq!(verified.document().digest(), document.digest());
}

#[test]
fn a_missing_party_is_named() {
    for (signers, missing) in [
        (["saaq", "revenu-quebec"].as_slice(), ["ramq"].as_slice()),
        (&["saaq"], &["ramq", "revenu-quebec"]),
        (&[], &ALL),
    ] {
        let refused = signed_by(&document(&[]), signers).into_verified().unwrap_err();
        let RecordError::MissingSignatures(found) = refused else { unreachable!("{refused}") };
        let found: Vec<&str> = found.iter().map(|agency| agency.as_str()).collect();
        assert_eq!(found, missing);
    }
}

#[test]
fn only_the_partys_own_key_over_this_document() {
    let (document, other) = (document(&[]), document(&[("/retention_days", json!(731))]));
    let (ramq, saaq) = (HOUSE.signer("ramq"), HOUSE.signer("saaq"));
    let now = signing_day();
    let sound = forged("ramq", ramq, ramq, PAYLOAD_TYPE, document.bytes());
    verdict(&document, &sound, now).unwrap();

    let uncovered = |signature: &wire::PartySignature| {
        let refused = verdict(&document, signature, now).unwrap_err();
        assert!(
            matches!(&refused, SignatureError::Signature { agency, .. } if agency.as_str() == "ramq"),
            "{refused}"
        );
    };
    uncovered(&forged("ramq", ramq, saaq, PAYLOAD_TYPE, document.bytes()));
    uncovered(&forged("ramq", ramq, ramq, PAYLOAD_TYPE, other.bytes()));
    uncovered(&forged("ramq", ramq, ramq, payload_type::HEADER, document.bytes()));
    uncovered(&forged("ramq", ramq, ramq, PAYLOAD_TYPE, &document.digest()));
    uncovered(&wire::PartySignature { signature: None, ..sound.clone() });
    let mut flipped = sound.clone();
    let mut bytes = flipped.signature.clone().unwrap();
    let mut raw = bytes.signature.to_vec();
    raw[0] ^= 1;
    bytes.signature = raw.into();
    flipped.signature = Some(bytes);
    uncovered(&flipped);
    // The same terms in other bytes are another document.
    let reformatted = Document::parse([document.bytes(), b"\n".as_slice()].concat()).unwrap();
    assert_eq!(reformatted.agreement(), document.agreement());
    assert!(matches!(verdict(&reformatted, &sound, now), Err(SignatureError::Signature { .. })));
}

#[test]
fn the_certificate_says_who_signed() {
    let (document, now) = (document(&[]), signing_day());
    let (ramq, saaq, stranger) = (HOUSE.signer("ramq"), HOUSE.signer("saaq"), HOUSE.signer("cnesst"));
    let signature = forged("ramq", saaq, saaq, PAYLOAD_TYPE, document.bytes());
    let refused = verdict(&document, &signature, now).unwrap_err();
    assert!(
        matches!(&refused, SignatureError::OtherAgency { named, found } if named == "ramq" && found.as_str() == "saaq")
    );
    let signature = forged("cnesst", stranger, stranger, PAYLOAD_TYPE, document.bytes());
    assert!(matches!(verdict(&document, &signature, now), Err(SignatureError::NotAParty(_))));
    let agency = "cnesst".parse().unwrap();
    let refused = sign_document(&document, &stranger.key, &stranger.chain, &agency).unwrap_err();
    assert!(matches!(refused, SignatureError::NotAParty(_)));
    let gateway = HOUSE.credential(Identity::Gateway("passerelle".parse().unwrap()), Usage::Signing);
    let signature = forged("ramq", gateway, gateway, PAYLOAD_TYPE, document.bytes());
    assert!(matches!(verdict(&document, &signature, now), Err(SignatureError::NotAnAgent { .. })));

    let disbelieved = |signature: &wire::PartySignature| {
        let refused = verdict(&document, signature, now).unwrap_err();
        assert!(matches!(refused, SignatureError::Certificate { .. }), "{refused}");
    };
    let tls = HOUSE.credential(Identity::Agent("ramq/agent-1".parse().unwrap()), Usage::Tls);
    disbelieved(&forged("ramq", tls, tls, PAYLOAD_TYPE, document.bytes()));
    let foreign = OTHER_HOUSE.signer("ramq");
    disbelieved(&forged("ramq", foreign, foreign, PAYLOAD_TYPE, document.bytes()));
    let sound = forged("ramq", ramq, ramq, PAYLOAD_TYPE, document.bytes());
    disbelieved(&wire::PartySignature { signing_chain: vec![], ..sound.clone() });
    let leaf_alone = sound.signing_chain[..1].to_vec();
    disbelieved(&wire::PartySignature { signing_chain: leaf_alone, ..sound });
}

#[test]
fn the_certificate_is_judged_when_the_signature_is_taken() {
    let document = document(&[]);
    let signature = sign(&document, "ramq");
    let (begins, ends) = (signing_day().minus(Duration::from_secs(300)), signing_day().plus(90 * DAY));
    verdict(&document, &signature, begins).unwrap();
    let early = verdict(&document, &signature, begins.minus(Duration::from_secs(1))).unwrap_err();
    assert!(
        matches!(early, SignatureError::Certificate { source: CertificateError::NotYetValid(_), .. }),
        "{early:?}"
    );
    verdict(&document, &signature, ends.minus(Duration::from_secs(1))).unwrap();
    let late = verdict(&document, &signature, ends.plus(Duration::from_secs(1))).unwrap_err();
    assert!(
        matches!(late, SignatureError::Certificate { source: CertificateError::Expired(_), .. }),
        "{late:?}"
    );
}

#[test]
fn a_revoked_certificate_signs_no_more() {
    let document = document(&[]);
    let (ramq, saaq) = (sign(&document, "ramq"), sign(&document, "saaq"));
    let serial = {
        let version = signed_by(&document, &["ramq"]);
        version.signed().next().unwrap().serial.clone()
    };
    let since = signing_day().plus(Duration::from_millis(5));
    let revoked = |given: &[u8]| (given == serial).then_some(since);
    let judge = |signature: &wire::PartySignature, at| {
        verify_signature(&document, signature, &HOUSE.anchor, &revoked, at)
    };
    assert!(judge(&ramq, since.minus(Duration::from_millis(1))).is_ok());
    let refused = judge(&ramq, since).unwrap_err();
    assert!(matches!(&refused, SignatureError::Revoked { since: found, .. } if *found == since));
    assert!(judge(&saaq, since).is_ok());
}

#[test]
fn a_party_signs_once() {
    let document = document(&[]);
    let mut version = signed_by(&document, &["ramq"]);
    let later = signing_day().plus(DAY);
    let again = version.take_signature(&sign(&document, "ramq"), &HOUSE.anchor, &never, later);
    assert!(matches!(again, Err(SignatureError::Repeated(agency)) if agency.as_str() == "ramq"));
    assert_eq!(version.signed().next().unwrap().received, signing_day());
    let mut record = signed_by(&document, &ALL).to_record();
    record.signatures.push(record.signatures[0].clone());
    let refused = VerifiedAgreement::from_record(&record, &HOUSE.anchor, &never, signing_day()).unwrap_err();
    assert!(matches!(refused, RecordError::Signature(SignatureError::Repeated(_))));
}

#[test]
fn a_record_outlives_the_certificates() {
    let agreement = verified(&[], active());
    let record = agreement.to_record();
    let read = |record: &wire::AgreementRecord, at| {
        VerifiedAgreement::from_record(record, &HOUSE.anchor, &never, at)
    };
    let in_a_year = signing_day().plus(365 * DAY);
    let again = read(&record, in_a_year).unwrap();
    assert_eq!(again.to_record(), record);
    assert_eq!((again.standing(), again.reference()), (&active(), agreement.reference()));

    // A signature that states no instant, or one to come, is judged now.
    for received_ms in [0, in_a_year.plus(DAY).as_millis()] {
        let mut undated = record.clone();
        undated.signatures[1].received_ms = received_ms;
        let refused = read(&undated, in_a_year).unwrap_err();
        assert!(matches!(refused, RecordError::Signature(SignatureError::Certificate { .. })), "{refused:?}");
        assert_eq!(read(&undated, signing_day()).unwrap().signed().nth(1).unwrap().received, signing_day());
    }
}

#[test]
fn a_record_is_believed_whole_or_not_at_all() {
    let record = verified(&[], active()).to_record();
    let read = |record: &wire::AgreementRecord| {
        VerifiedAgreement::from_record(record, &HOUSE.anchor, &never, signing_day()).map(drop)
    };
    read(&record).unwrap();
    let altered = String::from_utf8(record.document.to_vec()).unwrap().replace("QC-A", "QC-G");
    let altered = wire::AgreementRecord { document: altered.into(), ..record.clone() };
    assert!(matches!(read(&altered), Err(RecordError::Signature(SignatureError::Signature { .. }))));
    let broken = wire::AgreementRecord { document: "{}".into(), ..record.clone() };
    assert!(matches!(read(&broken), Err(RecordError::Document(faults)) if faults.len() > 10));
    let nowhere = wire::AgreementRecord { standing: None, ..record.clone() };
    assert!(matches!(read(&nowhere), Err(RecordError::Standing(_))));
    let mut unsigned = record.clone();
    unsigned.signatures.remove(0);
    assert!(
        matches!(read(&unsigned), Err(RecordError::MissingSignatures(missing)) if missing[0].as_str() == "ramq")
    );
    let partial = AgreementVersion::from_record(&unsigned, &HOUSE.anchor, &never, signing_day()).unwrap();
    assert_eq!(partial.unsigned().len(), 1);
    let elsewhere = VerifiedAgreement::from_record(&record, &OTHER_HOUSE.anchor, &never, signing_day());
    assert!(matches!(elsewhere, Err(RecordError::Signature(SignatureError::Certificate { .. }))));
}
