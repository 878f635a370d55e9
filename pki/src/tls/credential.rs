//! A certificate and its key, as one side presents them, replaceable while running.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, Signer as TlsSigner, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::SubjectPublicKeyInfoDer;

use super::TlsError;
use crate::certificate::{Chain, TrustAnchor, Usage, VerifiedCertificate};
use crate::clock::Timestamp;
use crate::key::Signer;

/// A TLS certificate with its private key.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The chain to present.
    pub chain: Chain,
    /// The key of its leaf.
    pub key: Arc<dyn Signer>,
}

/// The credential that a side presents now, if any.
#[derive(Debug, Default)]
pub(super) struct Presented(ArcSwapOption<CertifiedKey>);

impl Presented {
    /// Presents another credential from the next handshake on, once it was checked.
    pub(super) fn present(
        &self,
        credential: &Credential,
        anchor: &TrustAnchor,
        now: Timestamp,
    ) -> Result<VerifiedCertificate, TlsError> {
        let verified = check(credential, anchor, now)?;
        self.install(credential);
        Ok(verified)
    }

    pub(super) fn install(&self, credential: &Credential) {
        let key = Arc::new(TlsKey(Arc::clone(&credential.key)));
        let certified = CertifiedKey::new(credential.chain.certificates().to_vec(), key);
        self.0.store(Some(Arc::new(certified)));
    }
}

/// Our own certificate must pass what a peer will ask of it, and the key must be its key.
pub(super) fn check(
    credential: &Credential,
    anchor: &TrustAnchor,
    now: Timestamp,
) -> Result<VerifiedCertificate, TlsError> {
    let verified = anchor.verify(&credential.chain, Usage::Tls, now).map_err(TlsError::OwnCertificate)?;
    if verified.key_id() != credential.key.key_id() {
        return Err(TlsError::OtherKey);
    }
    Ok(verified)
}

impl ResolvesServerCert for Presented {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}

impl ResolvesClientCert for Presented {
    fn resolve(&self, _hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        schemes.contains(&SignatureScheme::ED25519).then(|| self.0.load_full()).flatten()
    }

    fn has_certs(&self) -> bool {
        self.0.load().is_some()
    }
}

/// Any [`Signer`] as rustls wants it, so that a key in a token serves TLS too.
#[derive(Clone, Debug)]
struct TlsKey(Arc<dyn Signer>);

impl SigningKey for TlsKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn TlsSigner>> {
        offered.contains(&SignatureScheme::ED25519).then(|| Box::new(self.clone()) as Box<dyn TlsSigner>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.0.spki_der()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl TlsSigner for TlsKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.sign(message).map_err(|error| Error::General(error.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
