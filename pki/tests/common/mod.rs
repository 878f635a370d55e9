//! A small house for the tests: a root, an issuing authority, a clock that stands still, and a forger.
#![expect(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "test support: a failure here is a failed test, and no test uses all of it"
)]

pub mod raw;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use passerelle_pki::authority::Authority;
use passerelle_pki::certificate::{Chain, TrustAnchor, Usage};
use passerelle_pki::clock::{Clock, ManualClock, SharedClock, Timestamp};
use passerelle_pki::key::{Ed25519Key, Signer};
use passerelle_pki::keyfile::{self, Passphrase};
use passerelle_pki::name::{Identity, TrustDomain};
use passerelle_pki::profile::BACKDATE;
use passerelle_pki::request;
use passerelle_pki::revocation::{RevocationList, Revocations};
use passerelle_pki::tls::Credential;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, date_time_ymd,
};
use rustls_pki_types::PrivatePkcs8KeyDer;

pub const DAY: Duration = Duration::from_secs(86_400);
pub const HOST: &str = "passerelle.qc.example";

/// 2026-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp::from_seconds(1_767_225_600);

pub fn passphrase() -> Passphrase {
    Passphrase::new("phrase de passe des essais".to_owned())
}

pub fn domain() -> TrustDomain {
    "qc.example".parse().unwrap()
}

pub fn identity(short: &str) -> Identity {
    short.parse().unwrap()
}

/// A trust domain with its authorities in a temporary folder.
pub struct House {
    pub folder: tempfile::TempDir,
    pub root: Authority,
    pub issuing: Authority,
    pub clock: Arc<ManualClock>,
    keys: Mutex<Vec<Arc<Ed25519Key>>>,
}

impl House {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root =
            Authority::create_root(&folder.path().join("root"), &domain(), &passphrase(), START).unwrap();
        let issuing =
            Authority::create_issuing(&folder.path().join("issuing"), &root, &passphrase(), START).unwrap();
        Self { folder, root, issuing, clock: Arc::new(ManualClock::new(START)), keys: Mutex::default() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn shared_clock(&self) -> SharedClock {
        Arc::<ManualClock>::clone(&self.clock)
    }

    pub fn anchor(&self) -> TrustAnchor {
        self.issuing.trust_anchor().clone()
    }

    /// A certificate of 90 days for a fresh key.
    pub fn certify(&self, short: &str, usage: Usage) -> Credential {
        let key = Ed25519Key::generate().unwrap();
        self.certify_key(Arc::new(key), short, usage)
    }

    pub fn certify_key(&self, key: Arc<Ed25519Key>, short: &str, usage: Usage) -> Credential {
        let identity = identity(short);
        let request = request::create(key.as_ref(), &identity, &domain()).unwrap();
        let hosts = match (&identity, usage) {
            (Identity::Gateway(_), Usage::Tls) => vec![HOST.to_owned(), "127.0.0.1".to_owned()],
            _ => vec![],
        };
        let chain = self.issuing.issue(&request, &identity, usage, 90 * DAY, self.now(), &hosts).unwrap();
        self.keys.lock().unwrap().push(Arc::clone(&key));
        Credential { chain, key }
    }

    /// The private key of a credential that some house certified.
    pub fn pkcs8_of(&self, credential: &Credential) -> Vec<u8> {
        let keys = self.keys.lock().unwrap();
        let key = keys.iter().find(|key| key.key_id() == credential.key.key_id()).unwrap();
        key.to_pkcs8().to_vec()
    }

    /// The lists of this house as they are now.
    pub fn revocations(&self) -> Revocations {
        let revocations = Revocations::new();
        self.publish(&revocations);
        revocations
    }

    pub fn publish(&self, revocations: &Revocations) {
        let der = self.issuing.revocation_list(self.now()).unwrap();
        revocations.replace(RevocationList::verify(&der, self.issuing.issuer()).unwrap()).unwrap();
    }

    /// The issuing authority's private key in the hands of the encoder, to sign what the authority never would.
    pub fn stolen_key(&self, name: &str) -> KeyPair {
        let key = keyfile::load(&self.path(name).join("ca.key.pem"), Some(&passphrase())).unwrap();
        encoder_key(&key)
    }

    /// Signs a leaf that follows the profile except for what `change` does to it.
    pub fn forge(&self, change: impl FnOnce(&mut CertificateParams)) -> Chain {
        self.forge_for(&KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(), change)
    }

    pub fn forge_for(&self, key: &impl PublicKeyData, change: impl FnOnce(&mut CertificateParams)) -> Chain {
        let mut parameters = leaf_parameters(self.now());
        change(&mut parameters);
        let issuer =
            Issuer::from_ca_cert_der(self.issuing.certificate_der(), self.stolen_key("issuing")).unwrap();
        let leaf = parameters.signed_by(key, &issuer).unwrap();
        Chain::from_ders(&[leaf.der().as_ref(), self.issuing.certificate_der()]).unwrap()
    }
}

/// Our key as the encoder's.
pub fn encoder_key(key: &Ed25519Key) -> KeyPair {
    let pkcs8 = key.to_pkcs8();
    let der = PrivatePkcs8KeyDer::from(pkcs8.to_vec());
    KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_ED25519).unwrap()
}

/// The parameters of a TLS certificate for `ramq/agent-1`, as the profile wants them.
pub fn leaf_parameters(now: Timestamp) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.not_before = date_time_ymd(1970, 1, 1) + Duration::from_secs(now.minus(BACKDATE).as_seconds());
    parameters.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(now.plus(90 * DAY).as_seconds());
    parameters.serial_number = Some(SerialNumber::from_slice(&[0x41; 16]));
    parameters.use_authority_key_identifier_extension = true;
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "agent-1");
    parameters.subject_alt_names = vec![uri("spiffe://qc.example/agency/ramq/agent/agent-1")];
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    parameters
}

pub fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

pub fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().unwrap())
}

pub fn key_id(credential: &Credential) -> passerelle_pki::key::KeyId {
    Signer::key_id(credential.key.as_ref())
}
