//! Key bundles: a KEM key, announced once, kept as long as anything can be sealed to it.

use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::KeyId;
use passerelle_proto::envelope::KemKeys;
use passerelle_proto::{bundle, wire};
use prost::Message;

use super::IdentityError;
use super::manifest::{KemEntry, Manifest};
use super::store::Store;

/// How long a bundle is valid at most; never longer than the signing certificate that vouches for it.
pub const BUNDLE_LIFETIME: Duration = Duration::from_secs(90 * 86_400);

/// How long after the end of a bundle its key can still be needed to open a record on its way: a header lives 31 days,
/// and a day for clocks that disagree.
pub const HEADER_LIFETIME: Duration = Duration::from_secs(32 * 86_400);

/// From when something valid in `[from, to)` should be renewed: between 55 and 65 % of the time, at a place that
/// follows from the key. Always before two thirds.
pub(super) fn due((from, to): (Timestamp, Timestamp), key: KeyId) -> Timestamp {
    let length = to.since(from).as_secs();
    let thousandths = 550 + u64::from(key.as_bytes()[0]) * 100 / 255;
    from.plus(Duration::from_secs(length / 1_000 * thousandths))
}

impl Store {
    /// Every KEM key of the manifest, from its file.
    pub(super) fn kem_keys(&self) -> Result<KemKeys, IdentityError> {
        let keys: Result<Vec<_>, _> =
            self.manifest.kem.iter().map(|entry| self.folder.load_kem(entry.key)).collect();
        keys.map(KemKeys::new)
    }

    /// The bundle that peers are to use now, once it is published.
    pub(super) fn newest_bundle(&self) -> Option<&KemEntry> {
        self.manifest.kem.last()
    }

    pub(super) fn bundle_due(&self, now: Timestamp) -> bool {
        match self.newest_bundle() {
            Some(entry) => entry.published_ms.is_none() || self.is_worn(entry, now),
            None => true,
        }
    }

    /// Past its share of time, or vouched for by a key that was replaced.
    fn is_worn(&self, entry: &KemEntry, now: Timestamp) -> bool {
        let period = (Timestamp::from_millis(entry.created_ms), Timestamp::from_millis(entry.expires_ms));
        let signing = self.manifest.certified.as_ref().map(|certified| certified.signing.key);
        now >= due(period, entry.key) || signing != Some(entry.signed_by)
    }

    pub(super) fn next_bundle(&mut self, now: Timestamp) -> Result<wire::Statement, IdentityError> {
        if let Some(entry) = self.newest_bundle().filter(|entry| !self.is_worn(entry, now)) {
            let statement = hex::decode(&entry.bundle)
                .ok()
                .and_then(|bytes| wire::Statement::decode(&bytes[..]).ok())
                .ok_or_else(|| self.damaged("bundle"));
            return statement;
        }
        let certified = self.certified()?;
        let expires = now.plus(BUNDLE_LIFETIME).min(certified.certificates.signing.not_after());
        let key = self.folder.create_kem()?;
        let signer = &certified.signing_key;
        let statement = bundle::sign(&self.manifest.agent, key.public_key(), (now, expires), signer.as_ref())
            .map_err(IdentityError::Bundle)?;
        let mut next = self.manifest.clone();
        next.kem.push(KemEntry {
            key: key.key_id(),
            bundle: hex::encode(statement.encode_to_vec()),
            signed_by: signer.key_id(),
            created_ms: now.as_millis(),
            expires_ms: expires.as_millis(),
            published_ms: None,
        });
        self.commit(next)?;
        Ok(statement)
    }

    pub(super) fn bundle_published(
        &mut self,
        statement: &wire::Statement,
        now: Timestamp,
    ) -> Result<(), IdentityError> {
        let published = hex::encode(statement.encode_to_vec());
        let mut next = self.manifest.clone();
        let entry = next.kem.iter_mut().find(|entry| entry.bundle == published);
        entry.ok_or(IdentityError::NothingPending)?.published_ms = Some(now.as_millis());
        self.commit(next)
    }

    pub(super) fn forget_kem_keys(
        &mut self,
        now: Timestamp,
        needed: &dyn Fn(&KeyId) -> bool,
    ) -> Result<usize, IdentityError> {
        let newest = self.newest_bundle().map(|entry| entry.key);
        let kept = |entry: &KemEntry| {
            let ended = Timestamp::from_millis(entry.expires_ms).plus(HEADER_LIFETIME);
            Some(entry.key) == newest || now <= ended || needed(&entry.key)
        };
        let kem: Vec<_> = self.manifest.kem.iter().filter(|entry| kept(entry)).cloned().collect();
        let forgotten = self.manifest.kem.len() - kem.len();
        if forgotten > 0 {
            self.commit(Manifest { kem, ..self.manifest.clone() })?;
            self.sweep()?;
        }
        Ok(forgotten)
    }

    fn damaged(&self, what: &str) -> IdentityError {
        IdentityError::Damaged { path: self.folder.path().to_owned(), what: what.to_owned() }
    }
}
