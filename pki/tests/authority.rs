//! The authority: what it makes, what it refuses, and what is on the disk at each step.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use common::{DAY, HOST, House, START, domain, identity, passphrase};
use passerelle_pki::authority::{Authority, AuthorityError, Kind, Reason};
use passerelle_pki::certificate::{CertificateError, TrustAnchor, Usage};
use passerelle_pki::key::{Ed25519Key, Signer};
use passerelle_pki::keyfile::{KeyFileError, Passphrase};
use passerelle_pki::profile::{IssuerRules, ProfileError, Rules, Subject, lint};
use passerelle_pki::request::{self, RequestError};
use passerelle_pki::revocation::RevocationList;
use x509_parser::prelude::{FromDer, X509Certificate};

fn names(directory: &std::path::Path) -> BTreeSet<String> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn an_authority_is_a_whole_folder_that_can_be_opened_again() {
    let house = House::new();
    let expected = [
        "ca.cert.pem",
        "ca.key.pem",
        "crl.der",
        "crl.pem",
        "issued.jsonl",
        "lock",
        "revoked.jsonl",
        "root.cert.pem",
    ];
    for (name, kind) in [("root", Kind::Root), ("issuing", Kind::Issuing)] {
        let directory = house.path(name);
        assert_eq!(names(&directory), expected.map(String::from).into());
        assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(directory.join("ca.key.pem")).unwrap().permissions().mode() & 0o777, 0o600);
        let opened = Authority::open(&directory, &passphrase()).unwrap();
        assert_eq!(opened.kind(), kind);
        assert_eq!(opened.domain(), &domain());
    }
    assert_eq!(names(house.folder.path()), ["issuing", "root"].map(String::from).into());
    let trusted = TrustAnchor::from_pem_file(&house.path("issuing").join("root.cert.pem")).unwrap();
    assert_eq!(trusted.der(), house.root.certificate_der());
}

#[test]
fn an_authority_is_never_made_over_anything() {
    let house = House::new();
    fs::create_dir(house.path("other")).unwrap();
    fs::write(house.path("other").join("file"), "kept").unwrap();
    fs::write(house.path("plain"), "kept").unwrap();
    for name in ["root", "issuing", "other", "plain"] {
        let before: Vec<_> = fs::read_dir(house.path(name)).into_iter().flatten().count().to_string().into();
        let root = Authority::create_root(&house.path(name), &domain(), &passphrase(), START);
        assert!(matches!(root, Err(AuthorityError::Exists(_))), "{name}");
        let issuing = Authority::create_issuing(&house.path(name), &house.root, &passphrase(), START);
        assert!(matches!(issuing, Err(AuthorityError::Exists(_))), "{name}");
        let after: Vec<_> = fs::read_dir(house.path(name)).into_iter().flatten().count().to_string().into();
        assert_eq!(before, after);
    }
    assert_eq!(Authority::open(&house.path("root"), &passphrase()).unwrap().key_id(), house.root.key_id());
    // Nothing was issued for an authority that was not made.
    assert_eq!(house.root.issued().unwrap().len(), 1);
    assert_eq!(names(house.folder.path()).len(), 4);
}

#[test]
fn an_empty_folder_may_be_used() {
    let folder = tempfile::tempdir().unwrap();
    Authority::create_root(folder.path(), &domain(), &passphrase(), START).unwrap();
    Authority::open(folder.path(), &passphrase()).unwrap();
}

#[test]
fn a_failed_creation_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let short = Passphrase::new("court".to_owned());
    let made = Authority::create_root(&folder.path().join("root"), &domain(), &short, START);
    assert!(matches!(made, Err(AuthorityError::KeyFile(KeyFileError::PassphraseTooShort))));
    let made = Authority::create_root(&folder.path().join("none/root"), &domain(), &passphrase(), START);
    assert!(matches!(made, Err(AuthorityError::File { .. })));
    assert_eq!(names(folder.path()).len(), 0);
}

#[test]
fn opening_wants_the_passphrase_the_folder_and_the_matching_key() {
    let house = House::new();
    let wrong = Passphrase::new("pas la bonne phrase".to_owned());
    assert!(matches!(
        Authority::open(&house.path("root"), &wrong),
        Err(AuthorityError::KeyFile(KeyFileError::PassphraseWrong(_)))
    ));
    assert!(matches!(
        Authority::open(house.folder.path(), &passphrase()),
        Err(AuthorityError::NotAnAuthority(_))
    ));
    fs::copy(house.path("root").join("ca.key.pem"), house.path("issuing").join("ca.key.pem")).unwrap();
    assert!(matches!(
        Authority::open(&house.path("issuing"), &passphrase()),
        Err(AuthorityError::OtherKey(_))
    ));
}

#[test]
fn each_kind_signs_its_own() {
    let house = House::new();
    let key = Ed25519Key::generate().unwrap();
    let agent = identity("ramq/agent-1");
    let request = request::create(&key, &agent, &domain()).unwrap();
    assert!(matches!(
        house.root.issue(&request, &agent, Usage::Tls, DAY, START, &[]),
        Err(AuthorityError::WrongKind(Kind::Root))
    ));
    assert!(matches!(
        Authority::create_issuing(&house.path("third"), &house.issuing, &passphrase(), START),
        Err(AuthorityError::WrongKind(Kind::Issuing))
    ));
}

#[test]
fn a_certificate_is_in_the_index_before_it_leaves() {
    let house = House::new();
    let chain = house.certify("ramq/agent-1", Usage::Tls).chain;
    let verified = house.anchor().verify(&chain, Usage::Tls, START).unwrap();
    let [record] = <[_; 1]>::try_from(house.issuing.issued().unwrap()).unwrap();
    assert_eq!(record.serial, hex::encode(verified.serial()));
    assert_eq!(record.identity.as_ref(), Some(verified.identity()));
    assert_eq!(record.certificate, hex::encode(verified.der()));

    // An index that cannot be written: nothing leaves.
    let index = house.path("issuing").join("issued.jsonl");
    fs::remove_file(&index).unwrap();
    fs::create_dir(&index).unwrap();
    let key = Ed25519Key::generate().unwrap();
    let agent = identity("ramq/agent-1");
    let request = request::create(&key, &agent, &domain()).unwrap();
    assert!(matches!(
        house.issuing.issue(&request, &agent, Usage::Tls, DAY, START, &[]),
        Err(AuthorityError::File { .. })
    ));
}

#[test]
fn a_request_for_somebody_else_is_refused() {
    let house = House::new();
    let key = Ed25519Key::generate().unwrap();
    let request = request::create(&key, &identity("ramq/agent-1"), &domain()).unwrap();
    for other in ["saaq/agent-1", "ramq/agent-2", "gateway:agent-1", "operator:agent-1"] {
        let refused = house.issuing.issue(&request, &identity(other), Usage::Tls, DAY, START, &[]);
        assert!(
            matches!(refused, Err(AuthorityError::Request(RequestError::OtherIdentity { .. }))),
            "{other}: {refused:?}"
        );
    }
    let elsewhere = request::create(&key, &identity("ramq/agent-1"), &"on.example".parse().unwrap()).unwrap();
    assert!(house.issuing.issue(&elsewhere, &identity("ramq/agent-1"), Usage::Tls, DAY, START, &[]).is_err());
    assert_eq!(house.issuing.issued().unwrap(), []);
}

#[test]
fn one_key_has_one_holder_and_one_job() {
    let house = House::new();
    let key = Arc::new(Ed25519Key::generate().unwrap());
    house.certify_key(Arc::clone(&key), "ramq/agent-1", Usage::Tls);
    // The same again is a renewal.
    house.certify_key(Arc::clone(&key), "ramq/agent-1", Usage::Tls);
    for (short, usage) in [("ramq/agent-1", Usage::Signing), ("ramq/agent-2", Usage::Tls)] {
        let request = request::create(key.as_ref(), &identity(short), &domain()).unwrap();
        let refused = house.issuing.issue(&request, &identity(short), usage, DAY, START, &[]);
        assert!(matches!(refused, Err(AuthorityError::KeyInUse(_))), "{short}: {refused:?}");
    }
}

#[test]
fn host_names_are_for_gateways_tls_and_well_formed() {
    let house = House::new();
    let issue = |short: &str, usage, hosts: &[&str]| {
        let key = Ed25519Key::generate().unwrap();
        let request = request::create(&key, &identity(short), &domain()).unwrap();
        let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
        house.issuing.issue(&request, &identity(short), usage, DAY, START, &hosts)
    };
    assert!(issue("gateway:principale", Usage::Tls, &[HOST, "localhost", "127.0.0.1", "::1"]).is_ok());
    for (short, usage) in [("ramq/agent-1", Usage::Tls), ("gateway:principale", Usage::Signing)] {
        let refused = issue(short, usage, &[HOST]);
        assert!(matches!(refused, Err(AuthorityError::Lint(ProfileError::Names))), "{refused:?}");
    }
    for host in
        ["", "*.qc.example", "Passerelle.qc.example", "a b", "qc.example/", "québec.example", "-a.example"]
    {
        let refused = issue("gateway:principale", Usage::Tls, &[host]);
        assert!(matches!(refused, Err(AuthorityError::HostNames(_))), "{host:?}: {refused:?}");
    }
}

#[test]
fn validity_has_a_ceiling_and_stays_within_the_authoritys() {
    let house = House::new();
    let agent = identity("ramq/agent-1");
    let issue = |length, now| {
        let key = Ed25519Key::generate().unwrap();
        let request = request::create(&key, &agent, &domain()).unwrap();
        house.issuing.issue(&request, &agent, Usage::Tls, length, now, &[])
    };
    assert!(matches!(issue(399 * DAY, START), Err(AuthorityError::Lint(ProfileError::TooLong { .. }))));
    let late = house.issuing.issuer().not_after().minus(DAY);
    let chain = issue(90 * DAY, late).unwrap();
    let verified = house.anchor().verify(&chain, Usage::Tls, late).unwrap();
    assert_eq!(verified.not_after(), house.issuing.issuer().not_after());
    assert!(issue(90 * DAY, house.issuing.issuer().not_after().plus(DAY)).is_err());
}

#[test]
fn renewal_keeps_the_identity_and_ends_with_revocation_or_expiry() {
    let house = House::new();
    let credential = house.certify("gateway:principale", Usage::Tls);
    let current = house.anchor().verify(&credential.chain, Usage::Tls, START).unwrap();
    let next_key = Ed25519Key::generate().unwrap();
    let request = request::create(&next_key, current.identity(), &domain()).unwrap();
    let later = START.plus(60 * DAY);
    let chain = house.issuing.renew(&request, &current, 90 * DAY, later).unwrap();
    let next = house.anchor().verify(&chain, Usage::Tls, later).unwrap();
    assert_eq!(
        (next.identity(), next.usage(), next.hosts()),
        (current.identity(), current.usage(), current.hosts())
    );
    assert_eq!(next.not_after(), later.plus(90 * DAY));
    assert_eq!(next.key_id(), next_key.key_id());

    let other = request::create(&next_key, &identity("gateway:secondaire"), &domain()).unwrap();
    assert!(matches!(
        house.issuing.renew(&other, &current, DAY, later),
        Err(AuthorityError::Request(RequestError::OtherIdentity { .. }))
    ));
    assert!(matches!(
        house.issuing.renew(&request, &current, DAY, START.plus(91 * DAY)),
        Err(AuthorityError::Certificate(CertificateError::Expired(_)))
    ));
    house.issuing.revoke(current.serial(), Reason::KeyCompromise, later).unwrap();
    assert!(matches!(house.issuing.renew(&request, &current, DAY, later), Err(AuthorityError::Revoked)));

    let elsewhere = House::new();
    assert!(matches!(
        elsewhere.issuing.renew(&request, &current, DAY, later),
        Err(AuthorityError::OtherIssuer)
    ));
}

#[test]
fn a_revocation_is_on_the_disk_and_in_the_list() {
    let house = House::new();
    let chain = house.certify("ramq/agent-1", Usage::Tls).chain;
    let serial = house.anchor().verify(&chain, Usage::Tls, START).unwrap().serial().to_vec();
    let read = |der: &[u8]| RevocationList::verify(der, house.issuing.issuer()).unwrap();
    let before = read(&house.issuing.revocation_list(START).unwrap());
    assert!(!before.contains(&serial));

    let der = house.issuing.revoke(&serial, Reason::KeyCompromise, START.plus(DAY)).unwrap();
    let after = read(&der);
    assert!(after.contains(&serial));
    assert!(after.number() > before.number());
    assert_eq!(after.next_update(), START.plus(8 * DAY));
    assert_eq!(fs::read(house.path("issuing").join("crl.der")).unwrap(), der);

    // Repeated, by a process that opened the folder anew: still one revocation, and the number grows.
    let again = Authority::open(&house.path("issuing"), &passphrase()).unwrap();
    let repeated = read(&again.revoke(&serial, Reason::Unspecified, START.plus(DAY)).unwrap());
    assert_eq!(repeated.len(), 1);
    assert!(repeated.number() > after.number());
    assert_eq!(again.revoked().unwrap()[0].reason, Reason::KeyCompromise);

    assert!(matches!(
        house.issuing.revoke(&[0x41; 16], Reason::Unspecified, START),
        Err(AuthorityError::UnknownSerial(_))
    ));
}

#[test]
fn list_numbers_grow_though_the_list_is_lost_or_the_clock_set_back() {
    let house = House::new();
    let number = |der: Vec<u8>| RevocationList::verify(&der, house.issuing.issuer()).unwrap().number();
    let first = number(house.issuing.revocation_list(START.plus(DAY)).unwrap());
    let second = number(house.issuing.revocation_list(START).unwrap());
    assert!(second > first);
    fs::remove_file(house.path("issuing").join("crl.der")).unwrap();
    let third = number(house.issuing.revocation_list(START.plus(2 * DAY)).unwrap());
    assert!(third > second);
    fs::write(house.path("issuing").join("crl.der"), b"garbage").unwrap();
    let fourth = number(house.issuing.revocation_list(START.plus(3 * DAY)).unwrap());
    assert!(fourth > third);
}

#[test]
fn an_interrupted_revocation_is_in_the_next_list() {
    let house = House::new();
    let chain = house.certify("ramq/agent-1", Usage::Tls).chain;
    let serial = house.anchor().verify(&chain, Usage::Tls, START).unwrap().serial().to_vec();
    // The crash came after the line was synced and before the list was replaced.
    let line =
        format!("{{\"serial\":\"{}\",\"reason\":\"superseded\",\"revoked_ms\":0}}\n", hex::encode(&serial));
    fs::write(house.path("issuing").join("revoked.jsonl"), line).unwrap();
    let der = house.issuing.revocation_list(START).unwrap();
    assert!(RevocationList::verify(&der, house.issuing.issuer()).unwrap().contains(&serial));
}

#[test]
fn a_damaged_index_stops_the_authority() {
    let house = House::new();
    house.certify("ramq/agent-1", Usage::Tls);
    fs::write(house.path("issuing").join("revoked.jsonl"), "{}\n").unwrap();
    assert!(matches!(house.issuing.revocation_list(START), Err(AuthorityError::Index { line: 1, .. })));
}

#[test]
fn several_hands_at_once_lose_nothing() {
    let house = House::new();
    std::thread::scope(|scope| {
        for hand in 0..4 {
            let directory = house.path("issuing");
            scope.spawn(move || {
                let authority = Authority::open(&directory, &passphrase()).unwrap();
                for turn in 0..10 {
                    let agent = identity(&format!("ramq/agent-{hand}-{turn}"));
                    let key = Ed25519Key::generate().unwrap();
                    let request = request::create(&key, &agent, &domain()).unwrap();
                    authority.issue(&request, &agent, Usage::Tls, DAY, START, &[]).unwrap();
                }
            });
        }
    });
    let issued = house.issuing.issued().unwrap();
    let serials: BTreeSet<_> = issued.iter().map(|record| record.serial.clone()).collect();
    assert_eq!((issued.len(), serials.len()), (40, 40));
}

#[test]
fn the_linter_passes_only_what_was_asked_for() {
    let house = House::new();
    let credential = house.certify("ramq/agent-1", Usage::Tls);
    let (_, leaf) = X509Certificate::from_der(credential.chain.leaf()).unwrap();
    let (_, issuing) = X509Certificate::from_der(credential.chain.issuing()).unwrap();
    let verified = house.anchor().verify(&credential.chain, Usage::Tls, START).unwrap();
    let identifier = leaf
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            x509_parser::extensions::ParsedExtension::AuthorityKeyIdentifier(value) => {
                value.key_identifier.clone()
            }
            _ => None,
        })
        .unwrap();
    let issuer = IssuerRules {
        subject_der: issuing.subject().as_raw().to_vec(),
        key_identifier: identifier.0.to_vec(),
        not_before: START,
        not_after: START.plus(100 * DAY),
    };
    let issuer = IssuerRules { not_before: verified.not_before(), ..issuer };
    let good = Rules {
        domain: domain(),
        subject: Subject::Leaf { identity: identity("ramq/agent-1"), usage: Usage::Tls, hosts: vec![] },
        public_key: verified.public_key().clone(),
        serial: verified.serial().to_vec(),
        issuer: Some(issuer.clone()),
    };
    let tbs = leaf.tbs_certificate.as_ref();
    assert_eq!(lint(tbs, &good).unwrap().to_be_signed(), tbs);

    let subject = |short: &str, usage, hosts: &[&str]| Subject::Leaf {
        identity: identity(short),
        usage,
        hosts: hosts.iter().map(ToString::to_string).collect(),
    };
    let with_issuer = |issuer| Rules { issuer: Some(issuer), ..good.clone() };
    for rules in [
        Rules { domain: "on.example".parse().unwrap(), ..good.clone() },
        Rules { subject: Subject::Root, ..good.clone() },
        Rules { subject: Subject::Issuing, ..good.clone() },
        Rules { subject: subject("ramq/agent-2", Usage::Tls, &[]), ..good.clone() },
        Rules { subject: subject("ramq/agent-1", Usage::Signing, &[]), ..good.clone() },
        Rules { subject: subject("ramq/agent-1", Usage::Tls, &[HOST]), ..good.clone() },
        Rules { public_key: Ed25519Key::generate().unwrap().public_key().clone(), ..good.clone() },
        Rules { serial: vec![0x41; 16], ..good.clone() },
        Rules { issuer: None, ..good.clone() },
        with_issuer(IssuerRules { subject_der: vec![0x30, 0x00], ..issuer.clone() }),
        with_issuer(IssuerRules { key_identifier: vec![0; 20], ..issuer.clone() }),
        with_issuer(IssuerRules { not_before: START, ..issuer.clone() }),
        with_issuer(IssuerRules { not_after: START, ..issuer.clone() }),
    ] {
        assert!(lint(tbs, &rules).is_err(), "{rules:?}");
    }
    for at in 0..tbs.len() {
        assert!(lint(&tbs[..at], &good).is_err(), "cut at {at}");
    }
}
