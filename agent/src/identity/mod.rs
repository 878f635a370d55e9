//! Who this agent is: its keys, its certificates and its key bundles, in the `identity` folder of its data.
//!
//! Owns the two certified keys (TLS and signing), every KEM key that a record may still be sealed to, and the key under
//! which local data is sealed at rest. The rules, which hold whenever the machine stops:
//!
//! - a private key is on the disk before anyone hears of its public half (a certification request, a key bundle);
//! - what belongs together changes together: keys, chains and bundles stand in one manifest that is replaced in one step;
//! - an old TLS or signing key goes when its successor is certified; an old KEM key stays until its bundle has ended,
//!   every header that could still be sealed to it has ended too, and the inbox needs it no more;
//! - a certificate from the gateway is believed only for our own name, our own key and our own root.
//!
//! The signing key may be in a PKCS#11 token instead of a file ([`KeyStore`]): it is made there, and the manifest says so. Where
//! the next one is made, the configuration says: a renewal moves it in; out again takes an enrolment, since a token that the
//! configuration does not name cannot sign the renewal's bundle.
//!
//! One process at a time: the folder is locked. Every file is 0600.
//!
//! Trust: whoever reads this folder *is* the agent until it is revoked, and can open what was sealed to it.

mod bundles;
mod error;
mod folder;
mod keystore;
mod manifest;
mod storage;
mod store;
mod summary;

#[cfg(test)]
pub(crate) mod house;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod token_tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use passerelle_pki::certificate::{Chain, TrustAnchor, VerifiedCertificate};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::{KeyId, Signer};
use passerelle_pki::name::AgentId;
use passerelle_pki::tls::Credential;
use passerelle_proto::envelope::KemKeys;
use passerelle_proto::wire;
use tokio::sync::watch;

pub use bundles::{BUNDLE_LIFETIME, HEADER_LIFETIME};
pub use error::IdentityError;
pub use keystore::KeyStore;
pub use storage::{SEALING_OVERHEAD, StorageError, StorageKey};
pub use store::{Enrolling, Issued, Requests};
pub use summary::Summary;

use store::Store;

/// The two certified keys, as they serve now.
#[derive(Clone, Debug)]
pub(crate) struct Certified {
    tls_key: Arc<dyn Signer>,
    signing_key: Arc<dyn Signer>,
    certificates: Certificates,
}

/// What certifies them.
#[derive(Clone, Debug)]
pub(crate) struct Certificates {
    tls_chain: Chain,
    tls: VerifiedCertificate,
    signing_chain: Chain,
    signing: VerifiedCertificate,
    log_vkey: String,
}

/// What changes when a certificate or a bundle is renewed.
#[derive(Debug)]
struct Current {
    certified: Certified,
    kem_keys: Arc<KemKeys>,
}

/// An enrolled agent's identity. Clones share it; what one renews, all see at their next look.
#[derive(Clone, Debug)]
pub struct Identity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    agent: AgentId,
    anchor: TrustAnchor,
    storage: StorageKey,
    current: ArcSwap<Current>,
    store: Mutex<Store>,
    changed: watch::Sender<u64>,
}

/// The storage key of an enrolled agent, which may be running: nothing is locked.
///
/// # Errors
/// [`IdentityError::NotEnrolled`] when there is none; otherwise what is damaged.
pub fn storage_key_of(data_dir: &Path) -> Result<StorageKey, IdentityError> {
    folder::Folder::look(data_dir)?.storage_key()
}

impl Identity {
    /// Opens the identity of an enrolled agent, and locks it. Expired certificates are opened too: that they cannot
    /// be used shows when the link is made, where it can be told what to do.
    ///
    /// Blocking, as all that writes here.
    ///
    /// # Errors
    /// [`IdentityError::NotEnrolled`] when there is none, [`IdentityError::InUse`] when another process has it;
    /// otherwise what is damaged, and where.
    pub fn open(data_dir: &Path, anchor: &TrustAnchor) -> Result<Self, IdentityError> {
        Self::open_with(data_dir, anchor, None)
    }

    /// The same, with the token that keeps the signing key, or is to keep the next one.
    ///
    /// # Errors
    /// As [`Identity::open`], and what the token says.
    pub fn open_with(
        data_dir: &Path,
        anchor: &TrustAnchor,
        token: Option<Arc<dyn KeyStore>>,
    ) -> Result<Self, IdentityError> {
        Self::of(Store::open(data_dir, anchor, token)?)
    }

    fn of(mut store: Store) -> Result<Self, IdentityError> {
        store.sweep()?;
        let current = Current { certified: store.certified()?, kem_keys: Arc::new(store.kem_keys()?) };
        Ok(Self(Arc::new(Inner {
            agent: store.agent().clone(),
            anchor: store.anchor().clone(),
            storage: store.storage_key()?,
            current: ArcSwap::from_pointee(current),
            store: Mutex::new(store),
            changed: watch::Sender::new(0),
        })))
    }

    /// The agent that this is.
    #[must_use]
    pub fn agent(&self) -> &AgentId {
        &self.0.agent
    }

    /// Holds the folder against the agent that the configuration names.
    ///
    /// # Errors
    /// [`IdentityError::OtherAgent`].
    pub fn expect(&self, agent: &AgentId) -> Result<(), IdentityError> {
        if self.agent() == agent {
            return Ok(());
        }
        Err(IdentityError::OtherAgent { here: self.agent().clone(), wanted: agent.clone() })
    }

    /// The root that this agent trusts.
    #[must_use]
    pub fn anchor(&self) -> &TrustAnchor {
        &self.0.anchor
    }

    /// The key that signs headers, acknowledgements, bundles and agreements. Take it anew for each: it is renewed.
    #[must_use]
    pub fn signer(&self) -> Arc<dyn Signer> {
        Arc::clone(&self.0.current.load().certified.signing_key)
    }

    /// The chain of the signing certificate, with the key that belongs to it.
    #[must_use]
    pub fn signing(&self) -> (Chain, Arc<dyn Signer>) {
        let current = self.0.current.load();
        let Certified { signing_key, certificates, .. } = &current.certified;
        (certificates.signing_chain.clone(), Arc::clone(signing_key))
    }

    /// The signing certificate.
    #[must_use]
    pub fn signing_certificate(&self) -> VerifiedCertificate {
        self.0.current.load().certified.certificates.signing.clone()
    }

    /// The TLS certificate.
    #[must_use]
    pub fn tls_certificate(&self) -> VerifiedCertificate {
        self.0.current.load().certified.certificates.tls.clone()
    }

    /// The TLS certificate with its key, as a connection presents it.
    #[must_use]
    pub fn tls(&self) -> Credential {
        let current = self.0.current.load();
        let Certified { tls_key, certificates, .. } = &current.certified;
        Credential { chain: certificates.tls_chain.clone(), key: Arc::clone(tls_key) }
    }

    /// Every KEM key that a record may still be sealed to.
    #[must_use]
    pub fn kem_keys(&self) -> Arc<KemKeys> {
        Arc::clone(&self.0.current.load().kem_keys)
    }

    /// The key that seals local data at rest. It never changes.
    #[must_use]
    pub fn storage_key(&self) -> &StorageKey {
        &self.0.storage
    }

    /// The verifier key of the log (C2SP vkey), as the gateway gave it at enrolment.
    #[must_use]
    pub fn log_vkey(&self) -> String {
        self.0.current.load().certified.certificates.log_vkey.clone()
    }

    /// Told whenever certificates or KEM keys have changed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// From when the certificates should be renewed: between 55 and 65 % of the shorter validity, at a place that
    /// follows from the key, so that agents enrolled together do not come back together.
    #[must_use]
    pub fn renewal_due(&self) -> Timestamp {
        let current = self.0.current.load();
        let Certificates { tls, signing, .. } = &current.certified.certificates;
        [tls, signing]
            .map(|certificate| {
                bundles::due((certificate.not_before(), certificate.not_after()), certificate.key_id())
            })
            .into_iter()
            .min()
            .unwrap_or_default()
    }

    /// Makes the next pair of keys, durably, and asks for their certification. Asked again before the answer was
    /// installed, the same keys ask again.
    ///
    /// # Errors
    /// [`IdentityError`] when the keys cannot be made or written: nothing has changed then.
    pub fn prepare_renewal(&self) -> Result<Requests, IdentityError> {
        self.store().prepare()
    }

    /// Puts new certificates in force, for the keys of [`Identity::prepare_renewal`].
    ///
    /// # Errors
    /// [`IdentityError::Certificate`], [`IdentityError::OtherKey`] or [`IdentityError::OtherName`] when the gateway
    /// gave something else than what was asked for: the certificates in force stay.
    pub fn install(&self, issued: &Issued, now: Timestamp) -> Result<(), IdentityError> {
        let mut store = self.store();
        store.install(issued, now)?;
        self.reload(&store)
    }

    /// Whether a key bundle should be made and published: there is none, it is past its share of time, or it is
    /// signed by a key that has been replaced.
    #[must_use]
    pub fn bundle_due(&self, now: Timestamp) -> bool {
        self.store().bundle_due(now)
    }

    /// The bundle to publish: a fresh KEM key, durable here before this returns; or the one that was made before and
    /// never confirmed as published.
    ///
    /// # Errors
    /// [`IdentityError`] when the key cannot be made or written.
    pub fn next_bundle(&self, now: Timestamp) -> Result<wire::Statement, IdentityError> {
        let mut store = self.store();
        let statement = store.next_bundle(now)?;
        self.reload(&store)?;
        Ok(statement)
    }

    /// Notes that the directory has the bundle.
    ///
    /// # Errors
    /// [`IdentityError`] when it cannot be written: the bundle will be published again.
    pub fn bundle_published(&self, statement: &wire::Statement, now: Timestamp) -> Result<(), IdentityError> {
        self.store().bundle_published(statement, now)
    }

    /// Forgets KEM keys that nothing can need any more: the bundle ended more than [`HEADER_LIFETIME`] ago, and
    /// `needed` (the inbox, which keeps records sealed) does not hold on to them. Gives how many went.
    ///
    /// # Errors
    /// [`IdentityError`] when the change cannot be written: the keys are still there then.
    pub fn forget_kem_keys(
        &self,
        now: Timestamp,
        needed: &dyn Fn(&KeyId) -> bool,
    ) -> Result<usize, IdentityError> {
        let mut store = self.store();
        let forgotten = store.forget_kem_keys(now, needed)?;
        if forgotten > 0 {
            self.reload(&store)?;
        }
        Ok(forgotten)
    }

    /// What can be said about this identity without a secret.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let current = self.0.current.load();
        Summary::of(&self.store(), &current.certified.certificates)
    }

    fn reload(&self, store: &Store) -> Result<(), IdentityError> {
        let current = Current { certified: store.certified()?, kem_keys: Arc::new(store.kem_keys()?) };
        self.0.current.store(Arc::new(current));
        self.0.changed.send_modify(|generation| *generation += 1);
        Ok(())
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
