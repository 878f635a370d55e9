//! The frontier (compact range): what must be kept of a tree to append to it and to know its root.
//!
//! One hash per complete subtree on the right edge, so at most 63 hashes whatever the size of the log.

use super::hash::{HASH_SIZE, Hash, empty_root, node_hash};
use super::{SIZE_LIMIT, tree};

/// First byte of a stored frontier: the version of its form.
const FORM: u8 = 1;
/// Bytes before the hashes of a stored frontier: version, then size.
const HEAD: usize = 9;

/// The right edge of a tree of RFC 6962, appended to leaf by leaf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the complete subtrees, largest (leftmost) first: one per bit set in `size`.
    peaks: Vec<Hash>,
}

/// Why a frontier could not be made or grown.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// The stored form is of another version.
    #[error("stored frontier of unknown version {0}")]
    Version(u8),
    /// The stored form is cut or too long.
    #[error("a stored frontier of size {size} does not have {length} bytes")]
    Length {
        /// Size of the tree it says it is of.
        size: u64,
        /// Bytes found.
        length: usize,
    },
    /// Larger than [`SIZE_LIMIT`].
    #[error("a tree has at most 2^63 - 1 entries")]
    TooLarge,
}

impl Frontier {
    /// The frontier of the empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The frontier of a tree of `size` leaves whose complete subtrees, largest first, have the roots `peaks`.
    ///
    /// # Errors
    /// [`FrontierError`] when there is not exactly one hash per bit set in `size`, or the size is over the limit.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Result<Self, FrontierError> {
        if size > SIZE_LIMIT {
            return Err(FrontierError::TooLarge);
        }
        if peaks.len() != size.count_ones() as usize {
            return Err(FrontierError::Length { size, length: HEAD + peaks.len() * HASH_SIZE });
        }
        Ok(Self { size, peaks })
    }

    /// Appends one leaf, given by its hash ([`super::leaf_hash`]). Constant time on average, 63 hashes at most.
    ///
    /// # Errors
    /// [`FrontierError::TooLarge`] at [`SIZE_LIMIT`] leaves.
    pub fn push(&mut self, leaf: Hash) -> Result<(), FrontierError> {
        if self.size >= SIZE_LIMIT {
            return Err(FrontierError::TooLarge);
        }
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            // One peak per bit set in `size`: there is one for each trailing one.
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
        Ok(())
    }

    /// Leaves in the tree.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the complete subtrees, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// The root hash of the tree (of the empty tree: SHA-256 of nothing).
    #[must_use]
    pub fn root(&self) -> Hash {
        tree::join_peaks(&self.peaks).unwrap_or_else(empty_root)
    }

    /// The form kept on disk: version 1, size as a big-endian u64, then the peaks.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.peaks.len() * HASH_SIZE);
        bytes.push(FORM);
        bytes.extend_from_slice(&self.size.to_be_bytes());
        for peak in &self.peaks {
            bytes.extend_from_slice(peak.as_bytes());
        }
        bytes
    }

    /// Reads what [`Frontier::to_bytes`] wrote. The hashes themselves cannot be checked here: compare the root with a
    /// signed checkpoint.
    ///
    /// # Errors
    /// [`FrontierError`] on another version or a wrong length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let short = FrontierError::Length { size: 0, length: bytes.len() };
        let (version, rest) = bytes.split_first().ok_or(short)?;
        if *version != FORM {
            return Err(FrontierError::Version(*version));
        }
        let (size, rest) = rest.split_first_chunk::<8>().ok_or(short)?;
        let size = u64::from_be_bytes(*size);
        let (hashes, stray) = rest.as_chunks::<HASH_SIZE>();
        if !stray.is_empty() {
            return Err(FrontierError::Length { size, length: bytes.len() });
        }
        Self::from_peaks(size, hashes.iter().copied().map(Hash::from_bytes).collect())
    }
}
