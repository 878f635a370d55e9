//! What can be told about an identity: names and dates, no secret.

use std::path::Path;

use passerelle_pki::certificate::{TrustAnchor, VerifiedCertificate};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::KeyId;
use passerelle_pki::name::{AgentId, TrustDomain};

use super::store::Store;
use super::{Certificates, IdentityError};

/// Names and dates of an identity, for status pages and the doctor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The agent.
    pub agent: AgentId,
    /// The trust domain of its root.
    pub trust_domain: TrustDomain,
    /// End of the TLS certificate's validity.
    pub tls_until: Timestamp,
    /// End of the signing certificate's validity.
    pub signing_until: Timestamp,
    /// End of the newest key bundle that the directory has confirmed.
    pub bundle_until: Option<Timestamp>,
    /// KEM keys kept, earlier ones included.
    pub kem_keys: usize,
    /// The signing key.
    pub signing_key: KeyId,
    /// Whether it is in a token.
    pub in_token: bool,
    /// The TLS certificate and the signing certificate.
    pub certificates: [VerifiedCertificate; 2],
    /// KEM keys of the bundles that the directory has confirmed.
    pub published: Vec<KeyId>,
    /// Verifier key of the log.
    pub log_vkey: String,
}

impl Summary {
    /// Reads an identity without taking its lock: beside a running agent.
    ///
    /// # Errors
    /// As [`super::Identity::open`], except for the lock.
    pub fn read(data_dir: &Path, anchor: &TrustAnchor) -> Result<Self, IdentityError> {
        let store = Store::look(data_dir, anchor)?;
        store.look_at_files()?;
        Ok(Self::of(&store, &store.certificates()?))
    }

    pub(super) fn of(store: &Store, certificates: &Certificates) -> Self {
        let published = store.manifest.kem.iter().rev().find(|entry| entry.published_ms.is_some());
        Self {
            agent: store.agent().clone(),
            trust_domain: store.anchor().domain().clone(),
            tls_until: certificates.tls.not_after(),
            signing_until: certificates.signing.not_after(),
            bundle_until: published.map(|entry| Timestamp::from_millis(entry.expires_ms)),
            certificates: [certificates.tls.clone(), certificates.signing.clone()],
            published: store
                .manifest
                .kem
                .iter()
                .filter(|entry| entry.published_ms.is_some())
                .map(|entry| entry.key)
                .collect(),
            signing_key: certificates.signing.key_id(),
            in_token: store.manifest.is_in_token(certificates.signing.key_id()),
            kem_keys: store.manifest.kem.len(),
            log_vkey: certificates.log_vkey.clone(),
        }
    }
}
