//! From one content key to everything that is sealed with it, and the wrapping of that key.
//!
//! ```text
//! prk = HKDF-Extract(salt = exchange id, content key)            RFC 5869, SHA-256
//!   body key       = Expand(prk, "passerelle/v1/body", 32)
//!   commitment     = Expand(prk, "passerelle/v1/commitment", 32)   in the signed header
//!   attributes key = Expand(prk, "passerelle/v1/attributes", 32)
//! wrapped = AES-256-GCM(wrap key, nonce 0, aad = lp(recipient key id) || exchange id, content key)
//! ```

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use ring::rand::SecureRandom;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::exchange_id::ExchangeId;

const BODY: &[u8] = b"passerelle/v1/body";
const COMMITMENT: &[u8] = b"passerelle/v1/commitment";
const ATTRIBUTES: &[u8] = b"passerelle/v1/attributes";

/// Bytes of a content key and of every key derived from it.
pub(super) const KEY_SIZE: usize = 32;
/// Bytes of a wrapped content key.
pub(super) const WRAPPED_SIZE: usize = KEY_SIZE + super::limits::TAG_SIZE;

/// Ours: the cipher refused a key or length of our own making, or there was no randomness. Cannot follow from what a
/// peer sent.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic library failed")]
pub struct CipherFault;

impl From<ring::error::Unspecified> for CipherFault {
    fn from(_: ring::error::Unspecified) -> Self {
        Self
    }
}

/// The key of one exchange: 32 random bytes. Zeroized when dropped, never shown.
#[derive(Clone)]
pub struct ContentKey(Zeroizing<[u8; KEY_SIZE]>);

impl ContentKey {
    pub(super) fn draw(random: &dyn SecureRandom) -> Result<Self, CipherFault> {
        let mut key = Zeroizing::new([0; KEY_SIZE]);
        random.fill(&mut key[..])?;
        Ok(Self(key))
    }

    pub(super) fn from_bytes(bytes: &[u8; KEY_SIZE]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8; KEY_SIZE] {
        &self.0
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(…)")
    }
}

/// What follows from a content key.
pub(super) struct Schedule(Prk);

impl Schedule {
    pub(super) fn new(content_key: &ContentKey, exchange_id: &ExchangeId) -> Self {
        Self(Salt::new(HKDF_SHA256, exchange_id.as_bytes()).extract(content_key.as_bytes()))
    }

    pub(super) fn body_key(&self) -> Result<LessSafeKey, CipherFault> {
        let key = self.expand(BODY)?;
        cipher(&key)
    }

    pub(super) fn attributes_key(&self) -> Result<LessSafeKey, CipherFault> {
        let key = self.expand(ATTRIBUTES)?;
        cipher(&key)
    }

    pub(super) fn commitment(&self) -> Result<[u8; KEY_SIZE], CipherFault> {
        Ok(*self.expand(COMMITMENT)?)
    }

    /// Whether a header's commitment is to this content key, in constant time.
    pub(super) fn is_committed(&self, commitment: &[u8]) -> Result<bool, CipherFault> {
        Ok(self.commitment()?[..].ct_eq(commitment).into())
    }

    fn expand(&self, label: &[u8]) -> Result<Zeroizing<[u8; KEY_SIZE]>, CipherFault> {
        let mut out = Zeroizing::new([0; KEY_SIZE]);
        self.0.expand(&[label], HKDF_SHA256)?.fill(&mut out[..])?;
        Ok(out)
    }
}

/// An AES-256-GCM key.
pub(super) fn cipher(key: &[u8; KEY_SIZE]) -> Result<LessSafeKey, CipherFault> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key)?))
}

/// The nonce of keys that seal one message in their life.
pub(super) fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

/// `lp(recipient key id) || exchange id`.
fn wrap_aad(recipient_key_id: &[u8], exchange_id: &ExchangeId) -> Vec<u8> {
    let mut aad = Vec::with_capacity(2 + recipient_key_id.len() + 16);
    push_prefixed(&mut aad, recipient_key_id);
    aad.extend_from_slice(exchange_id.as_bytes());
    aad
}

/// `lp(x)`: the length of `x` in 2 bytes, big-endian, then `x`. Only for values of our own form, all under 64 KiB.
pub(super) fn push_prefixed(out: &mut Vec<u8>, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
}

/// Wraps the content key for one recipient key.
pub(super) fn wrap(
    wrap_key: &[u8; KEY_SIZE],
    recipient_key_id: &[u8],
    exchange_id: &ExchangeId,
    content_key: &ContentKey,
) -> Result<Vec<u8>, CipherFault> {
    let aad = Aad::from(wrap_aad(recipient_key_id, exchange_id));
    let mut wrapped = Vec::with_capacity(WRAPPED_SIZE);
    wrapped.extend_from_slice(content_key.as_bytes());
    cipher(wrap_key)?.seal_in_place_append_tag(zero_nonce(), aad, &mut wrapped)?;
    Ok(wrapped)
}

/// Unwraps the content key; `None` when it was not wrapped under this key for this recipient key and exchange.
pub(super) fn unwrap(
    wrap_key: &[u8; KEY_SIZE],
    recipient_key_id: &[u8],
    exchange_id: &ExchangeId,
    wrapped: &[u8],
) -> Result<Option<ContentKey>, CipherFault> {
    let aad = Aad::from(wrap_aad(recipient_key_id, exchange_id));
    let mut buffer = Zeroizing::new(wrapped.to_vec());
    let opened = cipher(wrap_key)?.open_in_place(zero_nonce(), aad, &mut buffer).ok();
    Ok(opened.and_then(|key| <&[u8; KEY_SIZE]>::try_from(&*key).ok()).map(ContentKey::from_bytes))
}
