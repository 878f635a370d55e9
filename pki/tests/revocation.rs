//! Revocation lists: who may sign them, which may replace which, and the watched file.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::fs;

use common::{DAY, House, START};
use passerelle_pki::authority::Reason;
use passerelle_pki::certificate::{Usage, VerifiedCertificate};
use passerelle_pki::revocation::{LIST_LIMIT, RevocationError, RevocationList, RevocationWatch, Revocations};

fn agent(house: &House) -> VerifiedCertificate {
    let chain = house.certify("ramq/agent-1", Usage::Tls).chain;
    house.anchor().verify(&chain, Usage::Tls, START).unwrap()
}

fn list(house: &House) -> RevocationList {
    let der = house.issuing.revocation_list(house.now()).unwrap();
    RevocationList::verify(&der, house.issuing.issuer()).unwrap()
}

#[test]
fn a_list_names_who_was_revoked() {
    let house = House::new();
    let (revoked, other) = (agent(&house), agent(&house));
    house.issuing.revoke(revoked.serial(), Reason::KeyCompromise, START).unwrap();
    let revocations = house.revocations();
    let root = house.root.key_id();
    assert!(matches!(revocations.check(&revoked, root, START), Err(RevocationError::Revoked(_))));
    assert!(revocations.check(&other, root, START).is_ok());
}

#[test]
fn without_a_fresh_list_of_the_issuer_nobody_is_believed() {
    let (house, other) = (House::new(), House::new());
    let certificate = agent(&house);
    let root = house.root.key_id();
    let none = Revocations::new();
    assert!(matches!(none.check(&certificate, root, START), Err(RevocationError::Unknown)));
    assert!(matches!(other.revocations().check(&certificate, root, START), Err(RevocationError::Unknown)));

    let revocations = house.revocations();
    assert!(revocations.check(&certificate, root, START.plus(7 * DAY)).is_ok());
    let late = START.plus(7 * DAY).plus(std::time::Duration::from_secs(1));
    assert!(matches!(revocations.check(&certificate, root, late), Err(RevocationError::Stale(_))));
}

#[test]
fn the_root_revokes_an_issuing_authority_with_all_that_it_issued() {
    let house = House::new();
    let certificate = agent(&house);
    let revocations = house.revocations();
    let root = house.root.key_id();
    let serial = house.issuing.issuer().serial();
    let empty = house.root.revocation_list(START).unwrap();
    revocations.replace(RevocationList::verify(&empty, house.anchor().issuer()).unwrap()).unwrap();
    assert!(revocations.check(&certificate, root, START).is_ok());
    let der = house.root.revoke(serial, Reason::KeyCompromise, START.plus(DAY)).unwrap();
    revocations.replace(RevocationList::verify(&der, house.anchor().issuer()).unwrap()).unwrap();
    assert!(matches!(revocations.check(&certificate, root, START), Err(RevocationError::Revoked(_))));
}

#[test]
fn a_list_of_another_signer_is_refused() {
    let (house, other) = (House::new(), House::new());
    let der = other.issuing.revocation_list(START).unwrap();
    assert!(matches!(
        RevocationList::verify(&der, house.issuing.issuer()),
        Err(RevocationError::OtherIssuer)
    ));
    let of_root = house.root.revocation_list(START).unwrap();
    assert!(matches!(
        RevocationList::verify(&of_root, house.issuing.issuer()),
        Err(RevocationError::OtherIssuer)
    ));

    // The right name under the wrong key.
    let forger = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_der(house.issuing.certificate_der(), forger).unwrap();
    let parameters = rcgen::CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2026, 1, 1),
        next_update: rcgen::date_time_ymd(2026, 1, 8),
        crl_number: rcgen::SerialNumber::from(u64::MAX / 2),
        issuing_distribution_point: None,
        revoked_certs: vec![],
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    let forged = parameters.signed_by(&issuer).unwrap();
    assert!(matches!(
        RevocationList::verify(forged.der(), house.issuing.issuer()),
        Err(RevocationError::Signature)
    ));
}

#[test]
fn a_damaged_list_is_refused_without_a_panic() {
    let house = House::new();
    house.issuing.revoke(agent(&house).serial(), Reason::KeyCompromise, START).unwrap();
    let der = house.issuing.revocation_list(START).unwrap();
    for at in 0..der.len() {
        assert!(RevocationList::verify(&der[..at], house.issuing.issuer()).is_err(), "cut at {at}");
        let mut changed = der.clone();
        changed[at] ^= 0x01;
        assert!(RevocationList::verify(&changed, house.issuing.issuer()).is_err(), "changed at {at}");
    }
    let mut longer = der;
    longer.push(0);
    assert!(RevocationList::verify(&longer, house.issuing.issuer()).is_err());
    let huge = vec![0x30; LIST_LIMIT + 1];
    assert!(matches!(
        RevocationList::verify(&huge, house.issuing.issuer()),
        Err(RevocationError::TooLarge(_))
    ));
}

#[test]
fn an_older_list_never_replaces_a_newer_one() {
    let house = House::new();
    let old = house.issuing.revocation_list(START).unwrap();
    let revoked = agent(&house);
    let new = house.issuing.revoke(revoked.serial(), Reason::KeyCompromise, START).unwrap();
    let read = |der: &[u8]| RevocationList::verify(der, house.issuing.issuer()).unwrap();
    let revocations = Revocations::new();
    let mut changes = revocations.subscribe();
    assert!(revocations.replace(read(&old)).unwrap());
    assert!(revocations.replace(read(&new)).unwrap());
    assert_eq!(*changes.borrow_and_update(), 2);
    assert!(matches!(revocations.replace(read(&old)), Err(RevocationError::RolledBack { .. })));
    assert!(!revocations.replace(read(&new)).unwrap());
    assert_eq!(*changes.borrow_and_update(), 2);
    let checked = revocations.check(&revoked, house.root.key_id(), START);
    assert!(matches!(checked, Err(RevocationError::Revoked(_))));
}

#[tokio::test]
async fn the_watch_takes_what_is_newer_and_right() {
    let (house, other) = (House::new(), House::new());
    let path = house.path("watched.der");
    let revocations = Revocations::new();
    let mut watch = RevocationWatch::new(&path, house.issuing.issuer().clone(), revocations.clone());
    let number = || revocations.list(house.issuing.key_id()).map(|list| list.number());

    assert!(matches!(watch.poll().await, Err(RevocationError::File { .. })));
    let old = list(&house);
    fs::write(&path, old.der()).unwrap();
    assert!(watch.poll().await.unwrap());
    assert!(!watch.poll().await.unwrap(), "an unchanged file is not news");
    assert_eq!(number(), Some(old.number()));

    let new = list(&house);
    passerelle_pki::files::replace(&path, new.der(), 0o644).unwrap();
    assert!(watch.poll().await.unwrap());
    assert_eq!(number(), Some(new.number()));

    for (what, bytes) in [
        ("rolled back", old.der().to_vec()),
        ("another's", list(&other).der().to_vec()),
        ("torn", new.der()[..40].to_vec()),
        ("empty", vec![]),
    ] {
        passerelle_pki::files::replace(&path, &bytes, 0o644).unwrap();
        assert!(watch.poll().await.is_err(), "{what}");
        assert_eq!(number(), Some(new.number()), "{what}");
    }
    fs::remove_file(&path).unwrap();
    assert!(watch.poll().await.is_err());
    assert_eq!(number(), Some(new.number()));

    let newest = list(&house);
    passerelle_pki::files::replace(&path, newest.der(), 0o644).unwrap();
    assert!(watch.poll().await.unwrap());
    assert_eq!(number(), Some(newest.number()));
}

#[tokio::test]
async fn the_running_watch_tells_its_subscribers() {
    let house = House::new();
    let path = house.path("watched.der");
    let revocations = Revocations::new();
    let mut changes = revocations.subscribe();
    let watch = RevocationWatch::new(&path, house.issuing.issuer().clone(), revocations.clone());
    let running = tokio::spawn(watch.run(std::time::Duration::from_millis(10)));
    passerelle_pki::files::replace(&path, list(&house).der(), 0o644).unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(10), changes.changed()).await.unwrap().unwrap();
    running.abort();
    assert!(revocations.list(house.issuing.key_id()).is_some());
}
