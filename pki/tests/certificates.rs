//! What the verifier must not believe, one departure from the profile at a time.

mod common;

use common::{DAY, HOST, House, START, dns, identity, uri};
use passerelle_pki::certificate::{CertificateError, Chain, TrustAnchor, Usage};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::profile::ProfileError;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};

fn profile_error(house: &House, chain: &Chain, usage: Usage) -> ProfileError {
    match house.anchor().verify(chain, usage, house.now()) {
        Err(CertificateError::Profile(error)) => error,
        other => unreachable!("expected a departure from the profile: {other:?}"),
    }
}

#[test]
fn a_certificate_says_who_what_and_until_when() {
    let house = House::new();
    for (short, usage) in [
        ("ramq/agent-1", Usage::Tls),
        ("ramq/agent-1", Usage::Signing),
        ("gateway:principale", Usage::Tls),
        ("gateway:principale", Usage::Signing),
        ("operator:lise", Usage::Tls),
    ] {
        let credential = house.certify(short, usage);
        let verified = house.anchor().verify(&credential.chain, usage, house.now()).unwrap();
        assert_eq!(verified.identity(), &identity(short));
        assert_eq!(verified.usage(), usage);
        assert_eq!(verified.key_id(), common::key_id(&credential));
        assert_eq!(verified.not_after(), START.plus(90 * DAY));
        assert_eq!(verified.serial().len(), 16);
        assert_eq!(verified.issuer(), house.issuing.issuer());
        let hosts = if short == "gateway:principale" && usage == Usage::Tls { 2 } else { 0 };
        assert_eq!(verified.hosts().len(), hosts);
    }
}

#[test]
fn one_usage_is_not_the_other() {
    let house = House::new();
    for (made, asked) in [(Usage::Tls, Usage::Signing), (Usage::Signing, Usage::Tls)] {
        for short in ["ramq/agent-1", "gateway:principale"] {
            let chain = house.certify(short, made).chain;
            assert!(house.anchor().verify(&chain, asked, house.now()).is_err(), "{short}: {made} as {asked}");
        }
    }
}

#[test]
fn the_forger_can_make_a_good_certificate() {
    let house = House::new();
    let chain = house.forge(|_| ());
    let verified = house.anchor().verify(&chain, Usage::Tls, house.now()).unwrap();
    assert_eq!(verified.identity(), &identity("ramq/agent-1"));
}

#[test]
fn names_off_the_profile_are_not_believed() {
    let house = House::new();
    let good = "spiffe://qc.example/agency/ramq/agent/agent-1";
    let other = "spiffe://qc.example/agency/saaq/agent/agent-1";
    for names in [
        vec![uri(good), uri(other)],
        vec![uri(good), uri(good)],
        vec![uri(good), dns(HOST)],
        vec![uri(good), SanType::IpAddress([127, 0, 0, 1].into())],
        vec![uri(good), SanType::Rfc822Name("a@qc.example".try_into().unwrap())],
        vec![dns(HOST)],
    ] {
        let chain = house.forge(|leaf| leaf.subject_alt_names = names.clone());
        assert_eq!(profile_error(&house, &chain, Usage::Tls), ProfileError::Names, "{names:?}");
    }
    for text in [
        "spiffe://qc.example/agency/RAMQ/agent/agent-1",
        "spiffe://qc.example/agency/ramq/agent/agent%2D1",
        "spiffe://QC.EXAMPLE/agency/ramq/agent/agent-1",
        "spiffe://qc.example/agency/ramq/agent/agent-1/",
        "https://qc.example/agency/ramq/agent/agent-1",
    ] {
        let chain = house.forge(|leaf| leaf.subject_alt_names = vec![uri(text)]);
        assert!(matches!(profile_error(&house, &chain, Usage::Tls), ProfileError::Identity(_)), "{text}");
    }
    let chain = house.forge(|leaf| {
        leaf.subject_alt_names = vec![uri("spiffe://on.example/agency/ramq/agent/agent-1")];
    });
    assert!(matches!(profile_error(&house, &chain, Usage::Tls), ProfileError::OtherDomain { .. }));
}

#[test]
fn every_other_departure_from_the_profile_is_named() {
    type Change = fn(&mut CertificateParams);
    let house = House::new();
    let departures: [(Change, ProfileError); 12] = [
        (|leaf| leaf.is_ca = IsCa::NoCa, ProfileError::Missing("basicConstraints")),
        (
            |leaf| leaf.use_authority_key_identifier_extension = false,
            ProfileError::Missing("authorityKeyIdentifier"),
        ),
        (|leaf| leaf.key_usages = vec![], ProfileError::Missing("keyUsage")),
        (|leaf| leaf.key_usages.push(KeyUsagePurpose::KeyCertSign), ProfileError::Value("keyUsage")),
        (|leaf| leaf.key_usages.push(KeyUsagePurpose::ContentCommitment), ProfileError::Value("keyUsage")),
        (|leaf| leaf.extended_key_usages = vec![], ProfileError::Missing("extKeyUsage")),
        (
            |leaf| leaf.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth),
            ProfileError::Value("extKeyUsage"),
        ),
        (
            |leaf| {
                leaf.extended_key_usages
                    .push(ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 5, 5, 7, 3, 36]));
            },
            ProfileError::Value("extKeyUsage"),
        ),
        (
            |leaf| {
                leaf.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0])];
            },
            ProfileError::UnknownExtension("1.2.3.4".to_owned()),
        ),
        (|leaf| leaf.serial_number = Some(SerialNumber::from_slice(&[0x41; 15])), ProfileError::Serial),
        (|leaf| leaf.serial_number = Some(SerialNumber::from_slice(&[0x81; 16])), ProfileError::Serial),
        (
            |leaf| leaf.not_after = leaf.not_before + 399 * DAY,
            ProfileError::TooLong { days: 399, ceiling: 398 },
        ),
    ];
    for (change, expected) in departures {
        assert_eq!(profile_error(&house, &house.forge(change), Usage::Tls), expected);
    }
}

#[test]
fn a_leaf_that_claims_to_be_an_authority_is_not_believed() {
    let house = House::new();
    let chain = house.forge(|leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert!(house.anchor().verify(&chain, Usage::Tls, house.now()).is_err());
}

#[test]
fn a_leaf_with_another_kind_of_key_is_not_believed() {
    let house = House::new();
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let chain = house.forge_for(&key, |_| ());
    assert_eq!(profile_error(&house, &chain, Usage::Tls), ProfileError::KeyType);
}

#[test]
fn an_agent_cannot_certify() {
    let house = House::new();
    let agent = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let agents_chain = house.forge_for(&agent, |_| ());
    let issuer = Issuer::from_ca_cert_der(agents_chain.leaf(), agent).unwrap();
    let victim = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let leaf = common::leaf_parameters(START).signed_by(&victim, &issuer).unwrap();
    let chain = Chain::from_ders(&[leaf.der(), agents_chain.leaf()]).unwrap();
    assert!(house.anchor().verify(&chain, Usage::Tls, START).is_err());
}

#[test]
fn the_root_does_not_certify_leaves() {
    let house = House::new();
    let issuer = Issuer::from_ca_cert_der(house.root.certificate_der(), house.stolen_key("root")).unwrap();
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let leaf = common::leaf_parameters(START).signed_by(&key, &issuer).unwrap();
    for second in [house.issuing.certificate_der(), house.root.certificate_der()] {
        let chain = Chain::from_ders(&[leaf.der(), second]).unwrap();
        assert!(house.anchor().verify(&chain, Usage::Tls, START).is_err());
    }
}

#[test]
fn an_issuing_authority_does_not_certify_another() {
    let house = House::new();
    let issuer =
        Issuer::from_ca_cert_der(house.issuing.certificate_der(), house.stolen_key("issuing")).unwrap();
    let below = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let mut parameters = common::leaf_parameters(START);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.extended_key_usages = vec![];
    parameters.subject_alt_names = vec![uri("spiffe://qc.example")];
    let authority = parameters.signed_by(&below, &issuer).unwrap();
    assert!(house.anchor().verify_issuer(authority.der(), START).is_err());

    let issuer = Issuer::from_ca_cert_der(authority.der(), below).unwrap();
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let leaf = common::leaf_parameters(START).signed_by(&key, &issuer).unwrap();
    let chain = Chain::from_ders(&[leaf.der(), authority.der()]).unwrap();
    assert!(house.anchor().verify(&chain, Usage::Tls, START).is_err());
}

#[test]
fn a_certificate_of_another_house_is_not_believed() {
    let (here, there) = (House::new(), House::new());
    let chain = there.certify("ramq/agent-1", Usage::Tls).chain;
    assert!(here.anchor().verify(&chain, Usage::Tls, START).is_err());
    let mixed = Chain::from_ders(&[chain.leaf(), here.issuing.certificate_der()]).unwrap();
    assert!(here.anchor().verify(&mixed, Usage::Tls, START).is_err());
    assert!(here.anchor().verify_issuer(there.issuing.certificate_der(), START).is_err());
}

#[test]
fn validity_is_judged_at_the_moment_given() {
    let house = House::new();
    let chain = house.certify("ramq/agent-1", Usage::Tls).chain;
    let verify = |at: Timestamp| house.anchor().verify(&chain, Usage::Tls, at);
    let (first, last) = (START.minus(passerelle_pki::profile::BACKDATE), START.plus(90 * DAY));
    let second = std::time::Duration::from_secs(1);
    assert!(verify(first).is_ok());
    assert!(verify(last).is_ok());
    assert!(matches!(verify(first.minus(second)), Err(CertificateError::NotYetValid(_))));
    assert!(matches!(verify(last.plus(second)), Err(CertificateError::Expired(at)) if at == last));
    assert!(house.anchor().verify_issuer(chain.issuing(), START.plus(6 * 365 * DAY)).is_err());
}

#[test]
fn chains_of_another_length_or_order_are_refused() {
    let house = House::new();
    let chain = house.certify("ramq/agent-1", Usage::Tls).chain;
    let [leaf, issuing] = <[Vec<u8>; 2]>::try_from(chain.to_ders()).unwrap();
    let root = house.root.certificate_der().to_vec();
    assert!(matches!(Chain::from_ders::<Vec<u8>>(&[]), Err(CertificateError::ChainLength(0))));
    assert!(matches!(Chain::from_ders(&[&leaf]), Err(CertificateError::ChainLength(1))));
    assert!(matches!(Chain::from_ders(&[&leaf, &issuing, &root]), Err(CertificateError::ChainLength(3))));
    assert!(matches!(
        Chain::from_ders(&[leaf.clone(), vec![0; 9_000]]),
        Err(CertificateError::TooLarge(9_000))
    ));
    for (first, second) in [(&issuing, &leaf), (&leaf, &root), (&leaf, &leaf), (&issuing, &root)] {
        let chain = Chain::from_ders(&[first, second]).unwrap();
        assert!(house.anchor().verify(&chain, Usage::Tls, START).is_err());
    }
}

#[test]
fn a_changed_certificate_is_refused_without_a_panic() {
    let house = House::new();
    let chain = house.certify("ramq/agent-1", Usage::Tls).chain;
    let [leaf, issuing] = <[Vec<u8>; 2]>::try_from(chain.to_ders()).unwrap();
    for at in 0..leaf.len() {
        let mut changed = leaf.clone();
        changed[at] ^= 0x01;
        let chain = Chain::from_ders(&[changed, issuing.clone()]).unwrap();
        assert!(house.anchor().verify(&chain, Usage::Tls, START).is_err(), "changed at {at}");
        let chain = Chain::from_ders(&[&leaf[..at], &issuing[..]]).unwrap();
        assert!(house.anchor().verify(&chain, Usage::Tls, START).is_err(), "cut at {at}");
    }
    for at in 0..issuing.len() {
        let mut changed = issuing.clone();
        changed[at] ^= 0x01;
        let chain = Chain::from_ders(&[leaf.clone(), changed]).unwrap();
        assert!(house.anchor().verify(&chain, Usage::Tls, START).is_err(), "issuer changed at {at}");
    }
}

#[test]
fn only_a_root_of_this_profile_is_trusted() {
    let house = House::new();
    let root = house.root.certificate_der();
    assert_eq!(TrustAnchor::from_der(root).unwrap().domain(), &common::domain());
    let leaf = house.certify("ramq/agent-1", Usage::Tls).chain;
    for der in [leaf.leaf(), leaf.issuing()] {
        assert!(TrustAnchor::from_der(der).is_err());
    }
    for at in 0..root.len() {
        let mut changed = root.to_vec();
        changed[at] ^= 0x01;
        assert!(TrustAnchor::from_der(&changed).is_err(), "changed at {at}");
    }
    assert!(TrustAnchor::from_pem(b"").is_err());
    let two = format!("{0}{0}", house.anchor().to_pem());
    assert!(TrustAnchor::from_pem(two.as_bytes()).is_err());
}

#[test]
fn a_chain_file_holds_certificates_alone() {
    let house = House::new();
    let chain = house.certify("ramq/agent-1", Usage::Tls).chain;
    let path = house.path("agent.pem");
    chain.write_pem_file(&path).unwrap();
    assert_eq!(Chain::from_pem_file(&path).unwrap(), chain);
    assert!(matches!(Chain::from_pem_file(&house.path("none")), Err(CertificateError::File { .. })));
    assert!(Chain::from_pem(b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n").is_err());
}
