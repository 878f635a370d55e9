//! Ed25519 keys over *ring* (RFC 8032, RFC 8410).
//!
//! Owns the private key that is held in memory ([`Ed25519Key`]) and the public key that verifies ([`PublicKey`]).
//! Private bytes are zeroized when dropped and never appear in `Debug`.

use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::{KeyError, KeyId, Signer};

/// The DER of an Ed25519 SubjectPublicKeyInfo up to the 32 key bytes (RFC 8410 section 4). DER leaves no other
/// encoding, so comparing it is parsing it.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A private Ed25519 key in memory.
pub struct Ed25519Key {
    pair: Ed25519KeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicKey,
}

impl Ed25519Key {
    /// A fresh key from the operating system's randomness.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] when there is none.
    pub fn generate() -> Result<Self, KeyError> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| KeyError::Unavailable("the system gave no randomness"))?;
        Self::from_pkcs8_der(document.as_ref())
    }

    /// Reads PKCS#8 version 2 (RFC 5958), which holds both halves; they must belong together.
    ///
    /// # Errors
    /// [`KeyError::PrivateKey`] for anything else.
    pub fn from_pkcs8_der(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| KeyError::PrivateKey)?;
        let public = PublicKey::from_raw_slice(pair.public_key().as_ref())?;
        Ok(Self { pair, pkcs8: Zeroizing::new(pkcs8.to_vec()), public })
    }

    /// The key as PKCS#8 version 2, DER, for storing it at rest. Zeroized when dropped.
    #[must_use]
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        self.pkcs8.clone()
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The public half, 32 bytes raw.
    #[must_use]
    pub fn public_raw(&self) -> [u8; 32] {
        *self.public.raw()
    }
}

impl Signer for Ed25519Key {
    fn key_id(&self) -> KeyId {
        self.public.key_id()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(self.pair.sign(message).as_ref().to_vec())
    }

    fn spki_der(&self) -> &[u8] {
        self.public.spki_der()
    }
}

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ed25519Key").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

/// A public Ed25519 key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    raw: [u8; 32],
    spki: [u8; 44],
    key_id: KeyId,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo, DER. Only Ed25519 without parameters is one.
    ///
    /// # Errors
    /// [`KeyError::PublicKey`] for any other algorithm or encoding.
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, KeyError> {
        let raw = spki.strip_prefix(&SPKI_PREFIX).ok_or(KeyError::PublicKey)?;
        Self::from_raw_slice(raw)
    }

    /// The key with these 32 bytes. Whether they are a point of the curve shows at the first verification.
    #[must_use]
    pub fn from_raw32(raw: [u8; 32]) -> Self {
        let mut spki = [0; 44];
        spki[..12].copy_from_slice(&SPKI_PREFIX);
        spki[12..].copy_from_slice(&raw);
        Self { raw, spki, key_id: KeyId::of(&spki) }
    }

    fn from_raw_slice(raw: &[u8]) -> Result<Self, KeyError> {
        Ok(Self::from_raw32(raw.try_into().map_err(|_| KeyError::PublicKey)?))
    }

    /// SHA-256 of [`PublicKey::spki_der`].
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The 32 bytes.
    #[must_use]
    pub fn raw(&self) -> &[u8; 32] {
        &self.raw
    }

    /// The key as SubjectPublicKeyInfo, DER (RFC 8410).
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// Verifies a signature over the exact bytes of `message`.
    ///
    /// # Errors
    /// [`KeyError::Signature`] when it is wrong, whatever the reason.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        UnparsedPublicKey::new(&ED25519, &self.raw)
            .verify(message, signature)
            .map_err(|_| KeyError::Signature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.key_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 section 7.1, TEST 2.
    const PUBLIC: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    const SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

    fn public() -> PublicKey {
        let mut raw = [0; 32];
        hex::decode_to_slice(PUBLIC, &mut raw).unwrap();
        PublicKey::from_raw32(raw)
    }

    #[test]
    fn the_vector_of_rfc_8032_verifies_and_its_neighbours_do_not() {
        let signature = hex::decode(SIGNATURE).unwrap();
        assert_eq!(public().verify(&[0x72], &signature), Ok(()));
        assert_eq!(public().verify(&[0x73], &signature), Err(KeyError::Signature));
        assert_eq!(public().verify(&[0x72], &signature[..63]), Err(KeyError::Signature));
        assert_eq!(public().verify(&[0x72], &[]), Err(KeyError::Signature));
    }

    #[test]
    fn the_public_key_of_rfc_8410_is_read() {
        // RFC 8410 section 10.1.
        let spki = hex::decode(
            "302a300506032b657003210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1",
        )
        .unwrap();
        let key = PublicKey::from_spki_der(&spki).unwrap();
        assert_eq!(key.spki_der(), spki);
        assert_eq!(key.key_id(), KeyId::of(&spki));
    }

    #[test]
    fn other_public_keys_are_refused() {
        let good = public().spki_der().to_vec();
        let mut x25519 = good.clone();
        x25519[8] = 0x6e;
        let mut longer = good.clone();
        longer.push(0);
        for spki in [&good[..43], &x25519, &longer, &[]] {
            assert_eq!(PublicKey::from_spki_der(spki), Err(KeyError::PublicKey));
        }
    }

    #[test]
    fn a_private_key_survives_pkcs8_and_never_shows() {
        let key = Ed25519Key::generate().unwrap();
        let pkcs8 = key.to_pkcs8();
        let again = Ed25519Key::from_pkcs8_der(&pkcs8).unwrap();
        let signature = again.sign(b"message").unwrap();
        assert_eq!(key.public_key().verify(b"message", &signature), Ok(()));
        // The seed is bytes 16 to 48 of PKCS#8 (RFC 8410 section 7).
        assert!(!format!("{key:?}").contains(&hex::encode(&pkcs8[16..48])));
    }

    #[test]
    fn private_keys_whose_halves_disagree_are_refused() {
        let mut pkcs8 = Ed25519Key::generate().unwrap().to_pkcs8();
        let last = pkcs8.len() - 1;
        pkcs8[last] ^= 1;
        assert_eq!(Ed25519Key::from_pkcs8_der(&pkcs8).map(|key| key.key_id()), Err(KeyError::PrivateKey));
        assert!(Ed25519Key::from_pkcs8_der(b"").is_err());
    }
}
