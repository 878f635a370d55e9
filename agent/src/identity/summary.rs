//! What can be told about an identity: names and dates, no secret.

use std::path::Path;

use passerelle_pki::certificate::TrustAnchor;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::{AgentId, TrustDomain};

use super::store::Store;
use super::{Certified, IdentityError};

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
        let certified = store.certified()?;
        Ok(Self::of(&store, &certified))
    }

    pub(super) fn of(store: &Store, certified: &Certified) -> Self {
        let published = store.manifest.kem.iter().rev().find(|entry| entry.published_ms.is_some());
        Self {
            agent: store.agent().clone(),
            trust_domain: store.anchor().domain().clone(),
            tls_until: certified.tls_certificate.not_after(),
            signing_until: certified.signing_certificate.not_after(),
            bundle_until: published.map(|entry| Timestamp::from_millis(entry.expires_ms)),
            kem_keys: store.manifest.kem.len(),
            log_vkey: certified.log_vkey.clone(),
        }
    }
}
