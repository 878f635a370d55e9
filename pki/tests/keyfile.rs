//! Key files: what is written, what is refused, and that no passphrase or key shows.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use passerelle_pki::key::{Ed25519Key, Signer};
use passerelle_pki::keyfile::{self, KeyFileError, Passphrase};

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned())
}

#[test]
fn an_encrypted_key_comes_back_under_its_passphrase_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.key.pem");
    let key = Ed25519Key::generate().unwrap();
    keyfile::create_encrypted(&path, &key, &passphrase("une longue phrase")).unwrap();

    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&path).unwrap().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    let loaded = keyfile::load(&path, Some(&passphrase("une longue phrase"))).unwrap();
    assert_eq!(loaded.key_id(), key.key_id());
    assert!(matches!(
        keyfile::load(&path, Some(&passphrase("une autre phrase"))),
        Err(KeyFileError::PassphraseWrong(_))
    ));
    assert!(matches!(keyfile::load(&path, None), Err(KeyFileError::PassphraseMissing(_))));
}

#[test]
fn a_plain_key_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.key.pem");
    let key = Ed25519Key::generate().unwrap();
    keyfile::create_plain(&path, &key).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(keyfile::load(&path, None).unwrap().key_id(), key.key_id());
}

#[test]
fn a_key_is_never_written_over_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let first = Ed25519Key::generate().unwrap();
    let second = Ed25519Key::generate().unwrap();
    keyfile::create_plain(&path, &first).unwrap();
    assert!(matches!(keyfile::create_plain(&path, &second), Err(KeyFileError::Exists(_))));
    assert!(matches!(
        keyfile::create_encrypted(&path, &second, &passphrase("une longue phrase")),
        Err(KeyFileError::Exists(_))
    ));
    assert_eq!(keyfile::load(&path, None).unwrap().key_id(), first.key_id());
}

#[test]
fn a_short_passphrase_makes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let key = Ed25519Key::generate().unwrap();
    assert!(matches!(
        keyfile::create_encrypted(&path, &key, &passphrase("onze lettre")),
        Err(KeyFileError::PassphraseTooShort)
    ));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_is_no_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    for text in [
        "",
        "garbage",
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    ] {
        fs::write(&path, text).unwrap();
        assert!(keyfile::load(&path, Some(&passphrase("une longue phrase"))).is_err(), "{text:?}");
    }
}

#[test]
fn a_key_of_openssl_without_its_public_half_is_refused() {
    // RFC 8410 section 10.3, the first example: version 1, private half alone.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let text = "-----BEGIN PRIVATE KEY-----\n\
                MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                -----END PRIVATE KEY-----\n";
    fs::write(&path, text).unwrap();
    assert!(matches!(keyfile::load(&path, None), Err(KeyFileError::Key { .. })));
}

#[test]
fn a_passphrase_is_the_first_line_of_its_file_and_never_shows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passphrase");
    for text in [
        "une longue phrase",
        "une longue phrase\n",
        "une longue phrase\r\n",
        "une longue phrase\nune autre\n",
    ] {
        fs::write(&path, text).unwrap();
        assert_eq!(Passphrase::from_file(&path).unwrap(), passphrase("une longue phrase"), "{text:?}");
    }
    for text in [&b""[..], b"\n", b"\xff\xfe\n"] {
        fs::write(&path, text).unwrap();
        assert!(Passphrase::from_file(&path).is_err(), "{text:?}");
    }
    assert!(!format!("{:?}", passphrase("une longue phrase")).contains("longue"));
}
