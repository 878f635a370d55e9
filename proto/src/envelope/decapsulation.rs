//! HPKE encapsulations on the recipient's side, and the memory of those opened before.
//!
//! Decapsulation costs as much as five signature verifications, and a sender uses one encapsulation for many
//! exchanges. What is remembered stands under SHA-256 of `info` *and* the encapsulated key: under the encapsulated key
//! alone, whoever copied it from another sender's envelope would be handed that sender's context.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hpke::aead::{AeadCtxR, ExportOnlyAead};
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, OpModeR, setup_receiver};
use zeroize::Zeroizing;

use super::encapsulation::wrap_context;
use super::kem::{Encapsulated, KemKey};
use super::schedule::{CipherFault, KEY_SIZE, push_prefixed};
use crate::exchange_id::ExchangeId;
use crate::statement::sha256;

type Context = AeadCtxR<ExportOnlyAead, HkdfSha256, XWing>;

/// How many contexts a cache keeps unless told otherwise.
pub const DEFAULT_CAPACITY: usize = 1_024;

#[derive(Default)]
struct Kept {
    contexts: HashMap<[u8; 32], Arc<Context>>,
    /// Oldest first, to make room.
    order: VecDeque<[u8; 32]>,
}

/// A recipient's memory of decapsulated contexts: bounded, first in first out, zeroized when dropped.
pub struct DecapsulationCache {
    capacity: usize,
    kept: Mutex<Kept>,
}

/// A context that was found or made, not yet worth remembering: only an unwrapped content key shows that it is right.
pub(super) struct Decapsulated {
    place: [u8; 32],
    context: Arc<Context>,
}

impl Decapsulated {
    pub(super) fn wrap_key(
        &self,
        exchange_id: &ExchangeId,
    ) -> Result<Zeroizing<[u8; KEY_SIZE]>, CipherFault> {
        let mut wrap_key = Zeroizing::new([0; KEY_SIZE]);
        self.context.export(&wrap_context(exchange_id), &mut wrap_key[..]).map_err(|_| CipherFault)?;
        Ok(wrap_key)
    }
}

impl DecapsulationCache {
    /// A cache of at most `capacity` contexts, about 300 bytes each. With 0 nothing is remembered.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, kept: Mutex::default() }
    }

    /// The context of an encapsulated key under `info`; `None` when it is not one of this KEM.
    pub(super) fn decapsulate(&self, key: &KemKey, encapsulated: &[u8], info: &[u8]) -> Option<Decapsulated> {
        let place = place(info, encapsulated);
        let found = self.kept.lock().unwrap_or_else(PoisonError::into_inner).contexts.get(&place).cloned();
        if let Some(context) = found {
            return Some(Decapsulated { place, context });
        }
        // Outside of the lock: it takes 170 us.
        let encapsulated = Encapsulated::from_bytes(encapsulated).ok()?;
        let context = setup_receiver(&OpModeR::Base, key.inner(), &encapsulated, info).ok()?;
        Some(Decapsulated { place, context: Arc::new(context) })
    }

    /// Remembers a context that has shown itself right.
    pub(super) fn remember(&self, decapsulated: &Decapsulated) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if self.capacity == 0 || kept.contexts.contains_key(&decapsulated.place) {
            return;
        }
        if kept.contexts.len() >= self.capacity
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.contexts.remove(&oldest);
        }
        kept.contexts.insert(decapsulated.place, Arc::clone(&decapsulated.context));
        kept.order.push_back(decapsulated.place);
    }

    /// How many contexts are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).contexts.len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Kept::default();
    }
}

impl Default for DecapsulationCache {
    fn default() -> Self {
        Self::new(DEFAULT_CAPACITY)
    }
}

impl fmt::Debug for DecapsulationCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecapsulationCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

fn place(info: &[u8], encapsulated: &[u8]) -> [u8; 32] {
    let mut named = Vec::with_capacity(2 + info.len() + encapsulated.len());
    push_prefixed(&mut named, info);
    named.extend_from_slice(encapsulated);
    sha256(&named)
}
