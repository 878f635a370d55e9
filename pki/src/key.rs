//! Signature keys.
//!
//! Owns the key id, the [`Signer`] trait that hides where a private key lives (a file today, a PKCS#11 token
//! later), and the Ed25519 keys themselves, in *ring*'s implementation (RFC 8032).

mod ed25519;

use std::fmt;
use std::str::FromStr;

use ring::digest;

pub use ed25519::{Ed25519Key, PublicKey};

/// What can go wrong with a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The bytes are not an Ed25519 private key in PKCS#8 version 2 (RFC 5958), or its two halves disagree.
    #[error("not an Ed25519 private key in PKCS#8")]
    PrivateKey,
    /// The bytes are not an Ed25519 public key.
    #[error("not an Ed25519 public key")]
    PublicKey,
    /// The signature does not fit the message and the key.
    #[error("the signature is wrong")]
    Signature,
    /// A key id is 32 bytes.
    #[error("a key id is 32 bytes, these are {0}")]
    KeyId(usize),
    /// The operating system gave no randomness, or a token refused to sign: ours.
    #[error("the key could not be used: {0}")]
    Unavailable(&'static str),
}

/// SHA-256 of a key: of the SubjectPublicKeyInfo for signature keys, of KEM id and raw key for KEM keys.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 32]);

impl KeyId {
    /// The key id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The SHA-256 digest of what identifies the key.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha256(bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl AsRef<[u8]> for KeyId {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for KeyId {
    type Error = KeyError;

    fn try_from(bytes: &[u8]) -> Result<Self, KeyError> {
        bytes.try_into().map(Self).map_err(|_| KeyError::KeyId(bytes.len()))
    }
}

impl FromStr for KeyId {
    type Err = KeyError;

    /// Reads 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| KeyError::KeyId(text.len() / 2))?;
        Ok(Self(bytes))
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A private Ed25519 key, wherever it lives.
pub trait Signer: Send + Sync + fmt::Debug {
    /// SHA-256 of [`Signer::spki_der`].
    fn key_id(&self) -> KeyId;

    /// Signs the exact bytes of `message`: 64 bytes (RFC 8032, pure Ed25519).
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] when the key cannot be reached (a token that was pulled).
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// The public half as SubjectPublicKeyInfo, DER (RFC 8410).
    fn spki_der(&self) -> &[u8];
}

/// SHA-256 (FIPS 180-4).
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_is_the_sha_256_of_the_bytes() {
        // FIPS 180-4, the published example for "abc".
        let id = KeyId::of(b"abc");
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(id.to_string(), expected);
        assert_eq!(expected.parse(), Ok(id));
        assert_eq!(KeyId::try_from(id.as_ref()), Ok(id));
    }

    #[test]
    fn a_key_id_of_another_length_is_refused() {
        for length in [0, 31, 33] {
            assert_eq!(KeyId::try_from(vec![0; length].as_slice()), Err(KeyError::KeyId(length)));
        }
        assert!("ba78".parse::<KeyId>().is_err());
    }
}
