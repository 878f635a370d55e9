//! KEM keys: X-Wing, X25519 and ML-KEM-768 together (draft-connolly-cfrg-xwing-kem), over the `hpke` crate.

use std::fmt;

use bytes::Bytes;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, Serializable};
use passerelle_pki::key::KeyId;
use passerelle_pki::name::AgencyCode;
use ring::rand::SecureRandom;
use zeroize::{Zeroize, Zeroizing};

/// HPKE KEM id of X-Wing.
pub const KEM_ID: u16 = XWing::KEM_ID;
/// Bytes of a public key.
pub const KEM_PUBLIC_KEY_SIZE: usize = 1_216;
/// Bytes of a private key: the seed from which both halves follow.
pub const KEM_PRIVATE_KEY_SIZE: usize = 32;
/// Bytes of an encapsulated key.
pub const ENCAPSULATED_SIZE: usize = 1_120;

pub(super) type Public = <XWing as Kem>::PublicKey;
pub(super) type Private = <XWing as Kem>::PrivateKey;
pub(super) type Encapsulated = <XWing as Kem>::EncappedKey;

/// What can go wrong with a KEM key.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KemError {
    /// The giver is at fault: not an X-Wing public key of 1,216 bytes.
    #[error("not an X-Wing public key")]
    PublicKey,
    /// Ours: not a private key of 32 bytes.
    #[error("not an X-Wing private key")]
    PrivateKey,
    /// Ours: the operating system gave no randomness.
    #[error("the system gave no randomness")]
    NoRandomness,
}

/// A public KEM key.
#[derive(Clone, PartialEq, Eq)]
pub struct KemPublicKey {
    key: Public,
    raw: Bytes,
    key_id: KeyId,
}

impl KemPublicKey {
    /// Reads the raw 1,216 bytes.
    ///
    /// # Errors
    /// [`KemError::PublicKey`] when they are not a key (FIPS 203 section 7.2 gives the check of the ML-KEM half).
    pub fn from_bytes(raw: &[u8]) -> Result<Self, KemError> {
        Ok(Self::of(Public::from_bytes(raw).map_err(|_| KemError::PublicKey)?))
    }

    fn of(key: Public) -> Self {
        let raw = key.to_bytes();
        let mut identified = KEM_ID.to_be_bytes().to_vec();
        identified.extend_from_slice(&raw);
        Self { key, raw: Bytes::copy_from_slice(&raw), key_id: KeyId::of(&identified) }
    }

    /// SHA-256 of the KEM id (2 bytes, big-endian) and the raw key.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The raw 1,216 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.raw
    }

    /// The raw 1,216 bytes for a field of the wire.
    #[must_use]
    pub fn to_wire(&self) -> Bytes {
        self.raw.clone()
    }

    pub(super) fn inner(&self) -> &Public {
        &self.key
    }
}

impl fmt::Debug for KemPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KemPublicKey({})", self.key_id)
    }
}

/// A private KEM key with its public half. Zeroized when dropped, never shown.
pub struct KemKey {
    private: Private,
    public: KemPublicKey,
}

impl KemKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`KemError::NoRandomness`] when the operating system has none.
    pub fn generate(random: &dyn SecureRandom) -> Result<Self, KemError> {
        let mut seed = Zeroizing::new([0; KEM_PRIVATE_KEY_SIZE]);
        random.fill(&mut seed[..]).map_err(|_| KemError::NoRandomness)?;
        Self::from_bytes(&seed[..])
    }

    /// Reads the 32-byte seed of [`KemKey::to_bytes`].
    ///
    /// # Errors
    /// [`KemError::PrivateKey`] for another length.
    pub fn from_bytes(seed: &[u8]) -> Result<Self, KemError> {
        let private = Private::from_bytes(seed).map_err(|_| KemError::PrivateKey)?;
        let public = KemPublicKey::of(XWing::sk_to_pk(&private));
        Ok(Self { private, public })
    }

    /// The 32-byte seed, for storing it at rest.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; KEM_PRIVATE_KEY_SIZE]> {
        let mut array = self.private.to_bytes();
        let mut seed = Zeroizing::new([0; KEM_PRIVATE_KEY_SIZE]);
        seed.copy_from_slice(&array);
        array.zeroize();
        seed
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &KemPublicKey {
        &self.public
    }

    /// The id of the public half.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.public.key_id()
    }

    pub(super) fn inner(&self) -> &Private {
        &self.private
    }
}

impl fmt::Debug for KemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KemKey").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

/// The KEM keys that an agent can open with: the present one, and earlier ones that records may still be sealed to.
#[derive(Debug, Default)]
pub struct KemKeys(Vec<KemKey>);

impl KemKeys {
    /// These keys.
    #[must_use]
    pub fn new(keys: Vec<KemKey>) -> Self {
        Self(keys)
    }

    /// The key with this id.
    #[must_use]
    pub fn find(&self, key_id: &[u8]) -> Option<&KemKey> {
        self.0.iter().find(|key| key.key_id().as_bytes()[..] == *key_id)
    }
}

impl From<KemKey> for KemKeys {
    fn from(key: KemKey) -> Self {
        Self(vec![key])
    }
}

/// A key to seal to, and whose it is. For other agencies it comes out of a
/// [`VerifiedBundle`](crate::bundle::VerifiedBundle).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientPublicKey {
    agency: AgencyCode,
    key: KemPublicKey,
}

impl RecipientPublicKey {
    /// The key of an agent of `agency`. The caller vouches for that.
    #[must_use]
    pub fn new(agency: AgencyCode, key: KemPublicKey) -> Self {
        Self { agency, key }
    }

    /// The agency whose agent can open with it.
    #[must_use]
    pub fn agency(&self) -> &AgencyCode {
        &self.agency
    }

    /// The id of the key.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key.key_id()
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &KemPublicKey {
        &self.key
    }
}
