//! HPKE encapsulations on the sender's side, and their reuse for a short while.
//!
//! `info` of every encapsulation names the sender and its signing key, so that nobody can strip the signature from an
//! envelope and sign the same ciphertext as one's own: another sender's `info` gives other keys.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use hpke::aead::{AeadCtxS, ExportOnlyAead};
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{OpModeS, Serializable, setup_sender_with_rng};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::KeyId;
use passerelle_pki::name::AgencyCode;
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use super::kem::KemPublicKey;
use super::limits::{ENCAPSULATION_LIFETIME_MS, ENCAPSULATION_USES};
use super::schedule::{CipherFault, KEY_SIZE, push_prefixed};
use crate::exchange_id::ExchangeId;

const ENCAPSULATION: &[u8] = b"passerelle/v1/encapsulation";
const WRAP: &[u8] = b"passerelle/v1/wrap";
/// Most encapsulations kept (about 1.5 KiB each).
const KEPT: usize = 4_096;

/// `"passerelle/v1/encapsulation" || lp(sender agency) || lp(sender signing key id) || lp(recipient key id)`.
pub(super) fn info(sender_agency: &str, sender_key: &[u8], recipient_key: &[u8]) -> Vec<u8> {
    let mut info = ENCAPSULATION.to_vec();
    push_prefixed(&mut info, sender_agency.as_bytes());
    push_prefixed(&mut info, sender_key);
    push_prefixed(&mut info, recipient_key);
    info
}

/// Exporter context of a wrap key: `"passerelle/v1/wrap" || exchange id`.
pub(super) fn wrap_context(exchange_id: &ExchangeId) -> Vec<u8> {
    let mut context = WRAP.to_vec();
    context.extend_from_slice(exchange_id.as_bytes());
    context
}

/// A wrap key, and the encapsulated key from which its recipient derives the same.
pub(super) struct Encapsulation {
    pub(super) encapsulated: Bytes,
    pub(super) wrap_key: Zeroizing<[u8; KEY_SIZE]>,
}

/// Who encapsulates to which key.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Pair {
    sender_agency: AgencyCode,
    sender_key: KeyId,
    recipient_key: KeyId,
}

struct Kept {
    context: AeadCtxS<ExportOnlyAead, HkdfSha256, XWing>,
    encapsulated: Bytes,
    made: Timestamp,
    uses: u32,
}

impl Kept {
    /// Whether it may serve once more. A clock that was set back makes it unusable, never everlasting.
    fn serves(&self, now: Timestamp) -> bool {
        self.uses < ENCAPSULATION_USES
            && now >= self.made
            && now.as_millis() - self.made.as_millis() < ENCAPSULATION_LIFETIME_MS
    }

    fn export(&self, exchange_id: &ExchangeId) -> Result<Encapsulation, CipherFault> {
        let mut wrap_key = Zeroizing::new([0; KEY_SIZE]);
        self.context.export(&wrap_context(exchange_id), &mut wrap_key[..]).map_err(|_| CipherFault)?;
        Ok(Encapsulation { encapsulated: self.encapsulated.clone(), wrap_key })
    }
}

/// A sender's encapsulations, each used for at most 10 minutes or 2^20 exchanges per sender and recipient key.
///
/// In memory only: a restarted sender encapsulates anew. At most 4,096 are kept; secrets are zeroized when dropped.
#[derive(Default)]
pub struct EncapsulationCache {
    kept: Mutex<HashMap<Pair, Kept>>,
}

impl EncapsulationCache {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The wrap key of `exchange_id` for one recipient key.
    pub(super) fn encapsulate(
        &self,
        (sender_agency, sender_key): (&AgencyCode, KeyId),
        recipient: &KemPublicKey,
        exchange_id: &ExchangeId,
        (now, random): (Timestamp, &dyn SecureRandom),
    ) -> Result<Encapsulation, CipherFault> {
        let pair =
            Pair { sender_agency: sender_agency.clone(), sender_key, recipient_key: recipient.key_id() };
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(kept) = kept.get_mut(&pair).filter(|kept| kept.serves(now)) {
                kept.uses += 1;
                return kept.export(exchange_id);
            }
        }
        // Outside of the lock: it takes 100 us. Two threads may each make one; the later one stays.
        let fresh = fresh(&pair, recipient, now, random)?;
        let encapsulation = fresh.export(exchange_id)?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.retain(|_, kept| kept.serves(now));
        }
        if kept.len() < KEPT {
            kept.insert(pair, fresh);
        }
        Ok(encapsulation)
    }

    /// How many encapsulations are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets everything: for an agent whose signing key changes or whose peer was revoked.
    pub fn clear(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl fmt::Debug for EncapsulationCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncapsulationCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

fn fresh(
    pair: &Pair,
    recipient: &KemPublicKey,
    made: Timestamp,
    random: &dyn SecureRandom,
) -> Result<Kept, CipherFault> {
    let info = info(pair.sender_agency.as_str(), pair.sender_key.as_bytes(), pair.recipient_key.as_bytes());
    let mut draws = Draws { random, failed: false };
    let (encapsulated, context) = setup_sender_with_rng::<ExportOnlyAead, HkdfSha256, XWing>(
        &OpModeS::Base,
        recipient.inner(),
        &info,
        &mut draws,
    )
    .map_err(|_| CipherFault)?;
    if draws.failed {
        return Err(CipherFault);
    }
    Ok(Kept { context, encapsulated: Bytes::copy_from_slice(&encapsulated.to_bytes()), made, uses: 1 })
}

/// *ring*'s randomness for `hpke`, which wants a source that cannot fail: a failure is remembered, and whatever was
/// made from it is thrown away by the caller.
struct Draws<'a> {
    random: &'a dyn SecureRandom,
    failed: bool,
}

impl TryRng for Draws<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.failed |= self.random.fill(out).is_err();
        Ok(())
    }
}

impl TryCryptoRng for Draws<'_> {}

#[cfg(test)]
mod tests {
    use passerelle_pki::clock::Timestamp;
    use ring::rand::SystemRandom;

    use super::*;
    use crate::envelope::KemKey;

    #[test]
    fn an_encapsulation_serves_a_million_exchanges_and_no_more() {
        let (random, now) = (SystemRandom::new(), Timestamp::from_seconds(1_772_452_800));
        let key = KemKey::generate(&random).unwrap();
        let cache = EncapsulationCache::new();
        let (agency, sender_key) = ("ramq".parse().unwrap(), KeyId::from_bytes([1; 32]));
        let encapsulated = || {
            let id = ExchangeId::draw(now, &random).unwrap();
            let sender = (&agency, sender_key);
            cache.encapsulate(sender, key.public_key(), &id, (now, &random)).unwrap().encapsulated
        };
        let first = encapsulated();
        for kept in cache.kept.lock().unwrap().values_mut() {
            assert_eq!(kept.uses, 1);
            kept.uses = ENCAPSULATION_USES - 1;
        }
        assert_eq!(encapsulated(), first, "the 2^20th");
        assert_ne!(encapsulated(), first, "one more");
    }

    #[test]
    fn a_full_cache_makes_room_only_among_what_no_longer_serves() {
        let (random, now) = (SystemRandom::new(), Timestamp::from_seconds(1_772_452_800));
        let key = KemKey::generate(&random).unwrap();
        let cache = EncapsulationCache::new();
        let agency: AgencyCode = "ramq".parse().unwrap();
        let encapsulate = |sender: usize, at: Timestamp| {
            let mut sender_key = [0; 32];
            sender_key[..8].copy_from_slice(&sender.to_be_bytes());
            let id = ExchangeId::draw(at, &random).unwrap();
            let sender = (&agency, KeyId::from_bytes(sender_key));
            cache.encapsulate(sender, key.public_key(), &id, (at, &random)).unwrap();
        };
        (0..KEPT).for_each(|sender| encapsulate(sender, now));
        assert_eq!(cache.len(), KEPT);
        encapsulate(KEPT, now);
        assert_eq!(cache.len(), KEPT, "no more than that");
        encapsulate(KEPT, Timestamp::from_millis(now.as_millis() + ENCAPSULATION_LIFETIME_MS));
        assert_eq!(cache.len(), 1, "the old ones made room");
    }
}
