//! The revocation lists in force, one for each issuer, shared with every verifier.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::{RevocationError, RevocationList};
use crate::certificate::VerifiedCertificate;
use crate::clock::Timestamp;
use crate::key::KeyId;

type Lists = BTreeMap<KeyId, Arc<RevocationList>>;

/// A handle on the lists in force. Clones share them: a list that one replaces, all see at their next check.
#[derive(Clone, Debug)]
pub struct Revocations(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    lists: ArcSwap<Lists>,
    /// Generation: grows with every list taken.
    changed: watch::Sender<u64>,
    /// Held while replacing, so that two writers do not lose one another's list.
    writer: std::sync::Mutex<()>,
}

impl Default for Revocations {
    fn default() -> Self {
        Self::new()
    }
}

impl Revocations {
    /// No list yet: every certificate is refused until its issuer's list comes.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            lists: ArcSwap::default(),
            changed: watch::Sender::new(0),
            writer: std::sync::Mutex::new(()),
        }))
    }

    /// The list of an issuer, when there is one.
    #[must_use]
    pub fn list(&self, issuer: KeyId) -> Option<Arc<RevocationList>> {
        self.0.lists.load().get(&issuer).cloned()
    }

    /// Puts a list in force in the place of the same issuer's older one. `false` when it is there already.
    ///
    /// # Errors
    /// [`RevocationError::RolledBack`] when the list in force has a higher number, or the same number but other bytes.
    pub fn replace(&self, list: RevocationList) -> Result<bool, RevocationError> {
        let _writing = self.0.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let lists = self.0.lists.load();
        if let Some(current) = lists.get(&list.issuer_key_id()) {
            if current.der() == list.der() {
                return Ok(false);
            }
            if list.number() <= current.number() {
                return Err(RevocationError::RolledBack {
                    current: current.number(),
                    offered: list.number(),
                });
            }
        }
        let mut next = Lists::clone(&lists);
        next.insert(list.issuer_key_id(), Arc::new(list));
        self.0.lists.store(Arc::new(next));
        self.0.changed.send_modify(|generation| *generation += 1);
        Ok(true)
    }

    /// Told whenever a list is replaced; the value is a generation that only grows. Whoever keeps connections open
    /// goes through them then.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Whether a certificate is still believed at a moment. Its issuer's list must be at hand and fresh; if the
    /// root's list is at hand too, the issuer itself must not be on it.
    ///
    /// # Errors
    /// [`RevocationError::Revoked`], [`RevocationError::Unknown`] or [`RevocationError::Stale`].
    pub fn check(
        &self,
        certificate: &VerifiedCertificate,
        root: KeyId,
        at: Timestamp,
    ) -> Result<(), RevocationError> {
        let lists = self.0.lists.load();
        let issuer = certificate.issuer();
        lists.get(&issuer.key_id()).ok_or(RevocationError::Unknown)?.check(certificate.serial(), at)?;
        lists.get(&root).map_or(Ok(()), |list| list.check(issuer.serial(), at))
    }
}
