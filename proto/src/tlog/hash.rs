//! The hashes of the tree (RFC 6962 section 2.1): SHA-256, with a first byte that separates leaves from nodes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

/// Bytes in a [`struct@Hash`].
pub const HASH_SIZE: usize = 32;

/// A SHA-256 hash of the tree: of a leaf, of a node or of the whole tree. `Display` is canonical base64 (as in a
/// checkpoint), `Debug` is hexadecimal.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; HASH_SIZE]);

/// Bytes or text that are not a hash of exactly 32 bytes.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Not 32 bytes.
    #[error("a hash has 32 bytes, not {0}")]
    Length(usize),
    /// Not canonical base64 (RFC 4648 section 4, padded, no stray bits).
    #[error("not canonical base64")]
    Base64,
}

impl Hash {
    /// Wraps 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; HASH_SIZE]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HASH_SIZE] {
        &self.0
    }

    /// Parses the base64 form: 44 characters, canonical.
    ///
    /// # Errors
    /// [`HashError`] when the text is not canonical base64 of exactly 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, HashError> {
        // Longer than any hash: refused before it is decoded.
        if text.len() > 128 {
            return Err(HashError::Length(text.len() / 4 * 3));
        }
        let bytes = STANDARD.decode(text).map_err(|_| HashError::Base64)?;
        Self::try_from(bytes.as_slice())
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = HashError;

    fn try_from(bytes: &[u8]) -> Result<Self, HashError> {
        bytes.try_into().map(Self).map_err(|_| HashError::Length(bytes.len()))
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut bytes = [0; HASH_SIZE];
    bytes.copy_from_slice(context.finish().as_ref());
    Hash(bytes)
}

/// The hash of a leaf: `SHA-256(0x00 || entry)`.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    sha256(&[&[0], entry])
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], &left.0, &right.0])
}

/// The root of the tree without entries: `SHA-256("")`.
#[must_use]
pub fn empty_root() -> Hash {
    sha256(&[])
}
