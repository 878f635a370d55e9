//! A log behind the gateway's own TLS: the certificates of the house are accepted under its root, and under no other.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use passerelle_pki::authority::Authority;
use passerelle_pki::certificate::Usage;
use passerelle_pki::clock::{Clock as _, SystemClock};
use passerelle_pki::key::Ed25519Key;
use passerelle_pki::keyfile::Passphrase;
use passerelle_pki::name::{Identity, TrustDomain};
use passerelle_pki::request;
use passerelle_pki::tls::{ClientAuth, Credential, ServerSettings, ServerTls};
use passerelle_verify::{Remote, RemoteOptions, SourceError, VerifyError};
use support::server::serve_tls;
use support::{Log, verify};
use tempfile::TempDir;

/// A root, and a gateway's TLS under it.
struct House {
    root_pem: Vec<u8>,
    tls: ServerTls,
    _folder: TempDir,
}

fn house() -> House {
    let (folder, now) = (TempDir::new().unwrap(), SystemClock.now());
    let domain: TrustDomain = "qc.example".parse().unwrap();
    let passphrase = Passphrase::new("phrase de passe des essais".to_owned());
    let root = Authority::create_root(&folder.path().join("root"), &domain, &passphrase, now).unwrap();
    let issuing = Authority::create_issuing(&folder.path().join("issuing"), &root, &passphrase, now).unwrap();
    let key = Ed25519Key::generate().unwrap();
    let identity = Identity::Gateway("passerelle".parse().unwrap());
    let request = request::create(&key, &identity, &domain).unwrap();
    let hosts = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let length = Duration::from_secs(86_400);
    let chain = issuing.issue(&request, &identity, Usage::Tls, length, now, &hosts).unwrap();
    let tls = ServerTls::new(ServerSettings {
        credential: Credential { chain, key: Arc::new(key) },
        anchor: issuing.trust_anchor().clone(),
        client_auth: ClientAuth::None,
        revocations: None,
        alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        clock: Arc::new(SystemClock),
    })
    .unwrap();
    let root_pem = root.trust_anchor().to_pem().into_bytes();
    House { root_pem, tls, _folder: folder }
}

fn remote(host: &str, port: u16, root: &House) -> Remote {
    let options = RemoteOptions {
        token: Some("jeton".to_owned()),
        roots_pem: Some(root.root_pem.clone()),
        first_wait: Some(Duration::from_millis(1)),
    };
    Remote::new(&format!("https://{host}:{port}"), options).unwrap()
}

#[test]
fn a_log_behind_the_gateway_s_tls() {
    let (house, log) = (house(), Log::of(300, 300));
    let port = serve_tls(&log, house.tls.config());
    for host in ["127.0.0.1", "localhost"] {
        assert_eq!(verify(&remote(host, port, &house), log.verifier(), None).unwrap().size, 300);
    }
}

#[test]
fn a_server_under_another_root_is_not_asked_for_anything() {
    let (house, other, log) = (house(), house(), Log::of(3, 3));
    let port = serve_tls(&log, house.tls.config());
    match verify(&remote("127.0.0.1", port, &other), log.verifier(), None) {
        Err(VerifyError::Unreadable(SourceError::Unreachable { detail, .. })) => {
            assert!(detail.contains("certificate"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
}
