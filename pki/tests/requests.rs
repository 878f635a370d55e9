//! Requests that ask for more, for less or for somebody else.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use common::{dns, domain, identity, uri};
use passerelle_pki::key::{Ed25519Key, Signer};
use passerelle_pki::request::{self, REQUEST_LIMIT, RequestError};
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

const URI: &str = "spiffe://qc.example/agency/ramq/agent/agent-1";

/// A request of the right form except for what `change` does to it.
fn forged(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    forged_with(&KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(), change)
}

fn forged_with(key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.subject_alt_names = vec![uri(URI)];
    change(&mut parameters);
    parameters.serialize_request(key).unwrap().der().to_vec()
}

#[test]
fn a_request_says_who_asks_and_for_which_key() {
    let key = Ed25519Key::generate().unwrap();
    let der = request::create(&key, &identity("ramq/agent-1"), &domain()).unwrap();
    let checked = request::check(&der).unwrap();
    assert_eq!(checked.identity(), &identity("ramq/agent-1"));
    assert_eq!(checked.domain(), &domain());
    assert_eq!(checked.public_key().key_id(), key.key_id());
    checked.expect(&identity("ramq/agent-1"), &domain()).unwrap();
}

#[test]
fn the_forger_can_make_a_good_request() {
    assert!(request::check(&forged(|_| ())).is_ok());
}

#[test]
fn a_request_in_anothers_name_is_refused() {
    let checked = request::check(&forged(|_| ())).unwrap();
    for other in ["ramq/agent-2", "saaq/agent-1", "gateway:agent-1"] {
        let refused = checked.expect(&identity(other), &domain());
        assert!(matches!(refused, Err(RequestError::OtherIdentity { .. })), "{other}");
    }
    let elsewhere = "on.example".parse().unwrap();
    assert!(checked.expect(&identity("ramq/agent-1"), &elsewhere).is_err());
}

#[test]
fn names_other_than_one_uri_are_refused() {
    let email = rcgen::SanType::Rfc822Name("a@qc.example".try_into().unwrap());
    let address = rcgen::SanType::IpAddress([127, 0, 0, 1].into());
    for names in [
        vec![uri(URI), dns("qc.example")],
        vec![uri(URI), uri("spiffe://qc.example/agency/saaq/agent/agent-1")],
        vec![uri(URI), uri(URI)],
        vec![uri(URI), email],
        vec![uri(URI), address],
        vec![dns("qc.example")],
    ] {
        let refused = request::check(&forged(|request| request.subject_alt_names = names));
        assert!(matches!(refused, Err(RequestError::Names)), "{refused:?}");
    }
}

#[test]
fn identities_of_another_spelling_are_refused() {
    for text in [
        "spiffe://qc.example/agency/RAMQ/agent/agent-1",
        "spiffe://qc.example/agency/ramq/agent/agent%2d1",
        "spiffe://QC.example/agency/ramq/agent/agent-1",
        "https://qc.example/agency/ramq/agent/agent-1",
    ] {
        let refused = request::check(&forged(|request| request.subject_alt_names = vec![uri(text)]));
        assert!(matches!(refused, Err(RequestError::Name(_))), "{text}: {refused:?}");
    }
}

#[test]
fn whoever_asks_for_more_than_an_identity_gets_nothing() {
    type Change = fn(&mut CertificateParams);
    let changes: [(&str, Change); 6] = [
        ("an authority", |request| request.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained)),
        ("explicitly no authority", |request| request.is_ca = IsCa::ExplicitNoCa),
        ("key usage", |request| request.key_usages = vec![KeyUsagePurpose::KeyCertSign]),
        ("server authentication", |request| {
            request.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        }),
        ("an unknown extension", |request| {
            request.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0])];
        }),
        ("no names at all", |request| request.subject_alt_names = vec![]),
    ];
    for (what, change) in changes {
        let refused = request::check(&forged(change));
        assert!(matches!(refused, Err(RequestError::Surplus(_))), "{what}: {refused:?}");
    }
}

#[test]
fn keys_other_than_ed25519_are_refused() {
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let refused = request::check(&forged_with(&key, |_| ()));
        assert!(matches!(refused, Err(RequestError::KeyType)), "{refused:?}");
    }
}

#[test]
fn an_rsa_request_is_refused() {
    // Made with OpenSSL 3: openssl req -new -newkey rsa:2048 -nodes -subj / -addext subjectAltName=URI:<the URI above>
    let refused = request::check(include_bytes!("vectors/rsa-request.der"));
    assert!(matches!(refused, Err(RequestError::KeyType)), "{refused:?}");
}

#[test]
fn a_request_without_possession_is_refused() {
    let der = forged(|_| ());
    let mut other_signature = der.clone();
    *other_signature.last_mut().unwrap() ^= 1;
    assert!(matches!(request::check(&other_signature), Err(RequestError::Signature)));
    // The name of another, under a signature over one's own.
    let at = der.windows(4).position(|window| window == b"ramq").unwrap();
    let mut other_name = der;
    other_name[at..at + 4].copy_from_slice(b"saaq");
    assert!(matches!(request::check(&other_name), Err(RequestError::Signature)));
}

#[test]
fn damaged_requests_are_refused_without_a_panic() {
    let der = forged(|_| ());
    for length in 0..der.len() {
        assert!(request::check(&der[..length]).is_err(), "cut at {length}");
    }
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] ^= 0x01;
        assert!(request::check(&changed).is_err(), "changed at {at}");
    }
    let mut longer = der.clone();
    longer.push(0);
    assert!(matches!(request::check(&longer), Err(RequestError::Malformed)));
    assert!(matches!(request::check(&vec![0x30; REQUEST_LIMIT + 1]), Err(RequestError::TooLarge(_))));
}
