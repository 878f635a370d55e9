//! The storage key: what lies on the agent's own disk is sealed under keys derived from it.
//!
//! HKDF-SHA256 (RFC 5869) and AES-256-GCM, both *ring*'s. Each sealing draws 32 random bytes and derives a key of its
//! own from them, so that no nonce is ever used twice with a key, however much is written.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

const PREFIX: &str = "passerelle-storage-key/1 ";
const DERIVING: &[u8] = b"passerelle/storage/derive/1";
const SEALING: &[u8] = b"passerelle/storage/seal/1";
const SALT_SIZE: usize = 32;

/// Bytes that sealing adds: the salt and the tag.
pub const SEALING_OVERHEAD: usize = SALT_SIZE + 16;

/// What can go wrong with local sealing.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// The operating system gave no randomness.
    #[error("le système n'a pas donné d'aléa / the system gave no randomness")]
    NoRandomness,
    /// Not a storage key's file.
    #[error("pas une clé de stockage / not a storage key")]
    NotAKey,
    /// The bytes were not sealed under this key and context, or were changed since.
    #[error("données locales altérées ou d'une autre clé / local data altered, or of another key")]
    Altered,
}

/// 32 random bytes that never leave the identity folder. Zeroized when dropped, never shown.
#[derive(Clone)]
pub struct StorageKey(Zeroizing<[u8; 32]>);

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

impl StorageKey {
    pub(super) fn generate() -> Result<Self, StorageError> {
        let mut bytes = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(&mut bytes[..]).map_err(|_| StorageError::NoRandomness)?;
        Ok(Self(bytes))
    }

    pub(super) fn from_text(text: &[u8]) -> Result<Self, StorageError> {
        let digits = text.strip_prefix(PREFIX.as_bytes()).and_then(|rest| rest.strip_suffix(b"\n"));
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(digits.unwrap_or_default(), &mut bytes[..])
            .map_err(|_| StorageError::NotAKey)?;
        Ok(Self(bytes))
    }

    pub(super) fn to_text(&self) -> Zeroizing<String> {
        let digits = Zeroizing::new(hex::encode(&self.0[..]));
        Zeroizing::new(format!("{PREFIX}{}\n", *digits))
    }

    /// A key for one purpose, always the same for the same label: for pseudonyms, for example.
    ///
    /// # Errors
    /// None in practice: the length is one that HKDF gives.
    pub fn derive(&self, label: &str) -> Result<Zeroizing<[u8; 32]>, StorageError> {
        self.expand(DERIVING, label.as_bytes())
    }

    /// Seals bytes, bound to a context (what they are and whose): [`SEALING_OVERHEAD`] longer.
    ///
    /// # Errors
    /// [`StorageError::NoRandomness`].
    pub fn seal(&self, context: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, StorageError> {
        let mut salt = [0; SALT_SIZE];
        SystemRandom::new().fill(&mut salt).map_err(|_| StorageError::NoRandomness)?;
        let key = self.sealing_key(&salt)?;
        let mut body = plaintext.to_vec();
        key.seal_in_place_append_tag(nonce(), Aad::from(context), &mut body)
            .map_err(|_| StorageError::Altered)?;
        Ok([&salt[..], &body].concat())
    }

    /// Opens what [`StorageKey::seal`] sealed under the same context.
    ///
    /// # Errors
    /// [`StorageError::Altered`] for anything else.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StorageError> {
        let (salt, body) = sealed.split_at_checked(SALT_SIZE).ok_or(StorageError::Altered)?;
        let key = self.sealing_key(salt)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = key
            .open_in_place(nonce(), Aad::from(context), &mut body)
            .map_err(|_| StorageError::Altered)?
            .len();
        body.truncate(length);
        Ok(body)
    }

    fn sealing_key(&self, salt: &[u8]) -> Result<LessSafeKey, StorageError> {
        let key = self.expand(salt, SEALING)?;
        UnboundKey::new(&AES_256_GCM, &key[..]).map(LessSafeKey::new).map_err(|_| StorageError::NotAKey)
    }

    fn expand(&self, salt: &[u8], info: &[u8]) -> Result<Zeroizing<[u8; 32]>, StorageError> {
        let mut key = Zeroizing::new([0; 32]);
        Salt::new(HKDF_SHA256, salt)
            .extract(&self.0[..])
            .expand(&[info], Length)
            .and_then(|okm| okm.fill(&mut key[..]))
            .map_err(|_| StorageError::NotAKey)?;
        Ok(key)
    }
}

/// The key serves once, so the nonce may be any constant.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

impl fmt::Debug for StorageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StorageKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_under_the_same_key_and_context_only() {
        let (key, other) = (StorageKey::generate().unwrap(), StorageKey::generate().unwrap());
        let sealed = key.seal(b"inbox/1", b"body").unwrap();
        assert_eq!(sealed.len(), 4 + SEALING_OVERHEAD);
        assert_eq!(key.open(b"inbox/1", &sealed).unwrap()[..], *b"body");
        assert_eq!(key.open(b"inbox/2", &sealed), Err(StorageError::Altered));
        assert_eq!(other.open(b"inbox/1", &sealed), Err(StorageError::Altered));
        for index in [0, SALT_SIZE, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(key.open(b"inbox/1", &changed), Err(StorageError::Altered));
        }
        assert_eq!(key.open(b"inbox/1", &sealed[..SALT_SIZE - 1]), Err(StorageError::Altered));
    }

    #[test]
    fn the_same_bytes_never_seal_to_the_same_bytes() {
        let key = StorageKey::generate().unwrap();
        assert_ne!(key.seal(b"c", b"body").unwrap(), key.seal(b"c", b"body").unwrap());
    }

    #[test]
    fn labels_give_keys_of_their_own_and_the_file_gives_the_same_ones() {
        let key = StorageKey::generate().unwrap();
        let again = StorageKey::from_text(key.to_text().as_bytes()).unwrap();
        assert_eq!(key.derive("a").unwrap(), again.derive("a").unwrap());
        assert_ne!(key.derive("a").unwrap(), key.derive("b").unwrap());
        assert!(StorageKey::from_text(b"passerelle-storage-key/1 00\n").is_err());
        assert!(StorageKey::from_text(b"").is_err());
    }

    #[test]
    fn the_key_does_not_show() {
        let key = StorageKey::generate().unwrap();
        assert!(!format!("{key:?}").contains(&hex::encode(&key.0[..])));
    }
}
