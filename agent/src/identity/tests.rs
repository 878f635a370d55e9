//! The life of an identity, stopped at every step, and certificates that are not ours.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use passerelle_pki::certificate::Usage;
use passerelle_pki::key::Ed25519Key;
use passerelle_proto::statement::key_hint;

use super::house::{DAY, House, START};
use super::*;

fn reopen(identity: Identity, data_dir: &Path) -> Identity {
    let anchor = identity.anchor().clone();
    drop(identity);
    Identity::open(data_dir, &anchor).unwrap()
}

fn key_files(data_dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(data_dir.join("identity/keys")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn enrolled(house: &House) -> (Identity, PathBuf) {
    let data_dir = house.data_dir("ramq");
    (house.enrolled_in(&data_dir, "ramq/agent-1"), data_dir)
}

#[test]
fn an_enrolment_that_was_cut_off_goes_on_with_the_same_keys() {
    let house = House::new();
    let data_dir = house.data_dir("ramq");
    let agent = "ramq/agent-1".parse().unwrap();
    let begin = || Enrolling::begin(&data_dir, &house.anchor(), &agent, false).unwrap();
    let first = begin().requests().unwrap();
    assert!(matches!(Identity::open(&data_dir, &house.anchor()), Err(IdentityError::NotEnrolled(_))));
    let mut enrolling = begin();
    let second = enrolling.requests().unwrap();
    let key_of = |request: &[u8]| passerelle_pki::request::check(request).unwrap().public_key().key_id();
    assert_eq!(key_of(&first.tls), key_of(&second.tls));
    assert_eq!(key_of(&first.signing), key_of(&second.signing));
    // The certificates of the first attempt, whose answer was lost, serve.
    let issued = house.certify_requests("ramq/agent-1", &first);
    let identity = enrolling.finish(&issued, &house.log_key(), START).unwrap();
    assert_eq!(identity.signer().key_id(), key_of(&first.signing));
    assert_eq!(identity.log_vkey(), house.log_key().to_string());
    assert!(matches!(
        Enrolling::begin(&data_dir, &house.anchor(), &agent, true),
        Err(IdentityError::InUse(_))
    ));
    drop(identity);
    assert!(matches!(
        Enrolling::begin(&data_dir, &house.anchor(), &agent, false),
        Err(IdentityError::Exists { .. })
    ));
    let other = "ramq/agent-2".parse().unwrap();
    assert!(matches!(
        Enrolling::begin(&data_dir, &house.anchor(), &other, true),
        Err(IdentityError::OtherAgent { .. })
    ));
}

#[test]
fn certificates_of_another_key_name_usage_or_root_are_refused() {
    let house = House::new();
    let (identity, data_dir) = enrolled(&house);
    let before = (identity.tls_certificate().serial().to_vec(), identity.signer().key_id());
    let requests = identity.prepare_renewal().unwrap();
    let good = house.certify_requests("ramq/agent-1", &requests);

    let stranger = House::new();
    let other_root = stranger.certify_requests("ramq/agent-1", &requests);
    assert!(matches!(identity.install(&other_root, START), Err(IdentityError::Certificate { .. })));
    let other_key = house.certify("ramq/agent-1", Usage::Signing).chain;
    let other_key = Issued { signing: other_key, ..good.clone() };
    assert!(matches!(identity.install(&other_key, START), Err(IdentityError::OtherKey(Usage::Signing))));
    let other_name = Issued { tls: house.certify("ramq/agent-2", Usage::Tls).chain, ..good.clone() };
    assert!(matches!(identity.install(&other_name, START), Err(IdentityError::OtherName { .. })));
    let swapped = Issued { tls: good.signing.clone(), signing: good.tls.clone() };
    assert!(matches!(identity.install(&swapped, START), Err(IdentityError::Certificate { .. })));
    let late = START.plus(200 * DAY);
    assert!(matches!(identity.install(&good, late), Err(IdentityError::Certificate { .. })));

    let identity = reopen(identity, &data_dir);
    assert_eq!((identity.tls_certificate().serial().to_vec(), identity.signer().key_id()), before);
    identity.install(&good, START).unwrap();
    assert_ne!(identity.signer().key_id(), before.1);
    assert!(matches!(identity.install(&good, START), Err(IdentityError::NothingPending)));
}

#[test]
fn a_renewal_stopped_at_any_step_leaves_an_agent_that_works() {
    let house = House::new();
    let (identity, data_dir) = enrolled(&house);
    let old = identity.signer().key_id();

    let first = identity.prepare_renewal().unwrap();
    assert_eq!(key_files(&data_dir).len(), 4);
    let identity = reopen(identity, &data_dir);
    assert_eq!(identity.signer().key_id(), old);
    // The keys whose answer was lost are asked for again.
    let issued = house.certify_requests("ramq/agent-1", &first);
    identity.prepare_renewal().unwrap();
    identity.install(&issued, START).unwrap();
    let new = identity.signer().key_id();
    assert_ne!(new, old);
    // The former private keys have no further use.
    assert_eq!(key_files(&data_dir).len(), 2);
    let identity = reopen(identity, &data_dir);
    assert_eq!(identity.signer().key_id(), new);
    assert_eq!(identity.tls().key.key_id(), identity.tls_certificate().key_id());
}

#[test]
fn what_a_crash_left_half_made_is_swept() {
    let house = House::new();
    let (identity, data_dir) = enrolled(&house);
    drop(identity);
    // A key file whose manifest was never written, and a temporary file.
    let keys = data_dir.join("identity/keys");
    let stray = Ed25519Key::generate().unwrap();
    let path = keys.join(format!("tls-{}.pem", stray.key_id()));
    passerelle_pki::keyfile::create_plain(&path, &stray).unwrap();
    fs::write(keys.join(".kem.0123.tmp"), b"half").unwrap();
    let identity = Identity::open(&data_dir, &house.anchor()).unwrap();
    assert_eq!(key_files(&data_dir).len(), 2);
    assert_eq!(identity.agent().to_string(), "ramq/agent-1");
}

#[test]
fn every_file_is_for_the_owner_alone() {
    let house = House::new();
    let (identity, data_dir) = enrolled(&house);
    identity.next_bundle(START).unwrap();
    let folder = data_dir.join("identity");
    let mut seen = 0;
    for directory in [folder.clone(), folder.join("keys")] {
        assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            if entry.metadata().unwrap().is_file() {
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 6, "lock, manifest, storage key, two certified keys, one KEM key");
}

#[test]
fn a_folder_that_is_damaged_newer_or_of_another_root_is_not_opened() {
    let house = House::new();
    let (identity, data_dir) = enrolled(&house);
    let tls = format!("tls-{}.pem", identity.tls().key.key_id());
    drop(identity);
    let anchor = house.anchor();
    let manifest = data_dir.join("identity/identity.json");
    let text = fs::read_to_string(&manifest).unwrap();

    fs::write(&manifest, text.replace("\"format\": 1", "\"format\": 2")).unwrap();
    assert!(matches!(Identity::open(&data_dir, &anchor), Err(IdentityError::Newer { found: 2, .. })));
    fs::write(&manifest, &text[..text.len() / 2]).unwrap();
    assert!(matches!(Identity::open(&data_dir, &anchor), Err(IdentityError::Damaged { .. })));
    fs::write(&manifest, text.replace("qc.example", "on.example")).unwrap();
    assert!(matches!(Identity::open(&data_dir, &anchor), Err(IdentityError::OtherDomain { .. })));
    fs::write(&manifest, &text).unwrap();
    assert!(matches!(
        Identity::open(&data_dir, &House::new().anchor()),
        Err(IdentityError::Certificate { .. })
    ));

    let key = data_dir.join("identity/keys").join(tls);
    fs::remove_file(&key).unwrap();
    passerelle_pki::keyfile::create_plain(&key, &Ed25519Key::generate().unwrap()).unwrap();
    assert!(matches!(Identity::open(&data_dir, &anchor), Err(IdentityError::Damaged { .. })));
}

#[test]
fn renewal_is_due_before_two_thirds_and_after_half() {
    let house = House::new();
    let (identity, _) = enrolled(&house);
    let certificate = identity.tls_certificate();
    let length = certificate.not_after().since(certificate.not_before());
    let due = identity.renewal_due();
    assert!(due > certificate.not_before().plus(length / 2));
    assert!(due < certificate.not_before().plus(length * 2 / 3));
    for first in [0, 127, 255] {
        let mut bytes = [0; 32];
        bytes[0] = first;
        let period = (START, START.plus(90 * DAY));
        let due = bundles::due(period, KeyId::from_bytes(bytes));
        assert!(START.plus(49 * DAY) < due && due < START.plus(60 * DAY), "{first}");
    }
}

#[test]
fn an_expired_identity_opens_to_say_so() {
    let house = House::new();
    let (identity, data_dir) = enrolled(&house);
    house.clock.advance(365 * DAY);
    let identity = reopen(identity, &data_dir);
    assert!(identity.summary().tls_until < house.now());
    assert_eq!(Summary::read(&data_dir, &house.anchor()).unwrap(), identity.summary());
}

#[test]
fn a_bundle_is_durable_before_it_is_published_and_published_again_as_it_was() {
    let house = House::new();
    let (identity, data_dir) = enrolled(&house);
    assert!(identity.bundle_due(START));
    let bundle = identity.next_bundle(START).unwrap();
    // The gateway may have it, or not: nobody heard.
    let identity = reopen(identity, &data_dir);
    assert!(identity.bundle_due(START));
    assert_eq!(identity.next_bundle(START.plus(DAY)).unwrap(), bundle);
    identity.bundle_published(&bundle, START).unwrap();
    let identity = reopen(identity, &data_dir);
    assert!(!identity.bundle_due(START.plus(40 * DAY)));
    assert!(identity.bundle_due(START.plus(60 * DAY)));
    let verified = passerelle_proto::bundle::verify(
        &bundle,
        identity.signing_certificate().public_key(),
        identity.agent(),
        START,
    );
    assert!(identity.kem_keys().find(verified.unwrap().key_id().as_ref()).is_some());
}

#[test]
fn a_replaced_signing_key_vouches_anew_and_the_earlier_kem_key_still_opens() {
    let house = House::new();
    let (identity, data_dir) = enrolled(&house);
    let first = identity.next_bundle(START).unwrap();
    identity.bundle_published(&first, START).unwrap();
    let requests = identity.prepare_renewal().unwrap();
    identity.install(&house.certify_requests("ramq/agent-1", &requests), START).unwrap();
    assert!(identity.bundle_due(START));
    let second = identity.next_bundle(START).unwrap();
    assert_eq!(key_hint(&second), Some(identity.signer().key_id()));
    assert_ne!(key_hint(&first), key_hint(&second));
    let identity = reopen(identity, &data_dir);
    assert_eq!(identity.summary().kem_keys, 2);
}

#[test]
fn a_kem_key_is_kept_until_nothing_can_need_it() {
    let house = House::new();
    let (identity, data_dir) = enrolled(&house);
    let first = identity.next_bundle(START).unwrap();
    identity.bundle_published(&first, START).unwrap();
    let signing = identity.signing_certificate();
    let first_key = passerelle_proto::bundle::verify(&first, signing.public_key(), identity.agent(), START);
    let first_key = first_key.unwrap().key_id();
    let second = identity.next_bundle(START.plus(60 * DAY)).unwrap();
    assert_ne!(first, second);
    let has = |identity: &Identity| identity.kem_keys().find(first_key.as_ref()).is_some();

    let ended = signing.not_after().plus(HEADER_LIFETIME);
    assert_eq!(identity.forget_kem_keys(ended, &|_| false).unwrap(), 0);
    assert_eq!(identity.forget_kem_keys(ended.plus(DAY), &|key| *key == first_key).unwrap(), 0);
    assert!(has(&identity));
    assert_eq!(identity.forget_kem_keys(ended.plus(DAY), &|_| false).unwrap(), 1);
    assert!(!has(&identity));
    // The newest stays, however old.
    assert_eq!(identity.forget_kem_keys(ended.plus(999 * DAY), &|_| false).unwrap(), 0);
    let identity = reopen(identity, &data_dir);
    assert_eq!(identity.summary().kem_keys, 1);
    assert!(!has(&identity));
}

#[test]
fn enrolling_again_keeps_what_opens_the_past() {
    let house = House::new();
    let (identity, data_dir) = enrolled(&house);
    let bundle = identity.next_bundle(START).unwrap();
    identity.bundle_published(&bundle, START).unwrap();
    let sealed = identity.storage_key().seal(b"inbox", b"record").unwrap();
    let agent = identity.agent().clone();
    drop(identity);
    let mut enrolling = Enrolling::begin(&data_dir, &house.anchor(), &agent, true).unwrap();
    let issued = house.certify_requests("ramq/agent-1", &enrolling.requests().unwrap());
    let identity = enrolling.finish(&issued, &house.log_key(), START).unwrap();
    assert_eq!(identity.storage_key().open(b"inbox", &sealed).unwrap()[..], *b"record");
    assert_eq!(identity.summary().kem_keys, 1);
    assert!(identity.bundle_due(START), "the new signing key vouches anew");
}
