//! Inclusion and consistency proofs, and their verification (RFC 9162 sections 2.1.3.2 and 2.1.4.2).
//!
//! Building them from a tree is in [`super::tree`].

use super::SIZE_LIMIT;
use super::hash::{Hash, node_hash};

/// Most hashes in an inclusion proof: the height of a tree of [`SIZE_LIMIT`] entries.
pub const INCLUSION_LIMIT: usize = 63;
/// Most hashes in a consistency proof: one more than the height.
pub const CONSISTENCY_LIMIT: usize = 64;

/// The hashes beside the way from a leaf to the root, leaf's sibling first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InclusionProof(Vec<Hash>);

/// The hashes that show one tree to be the beginning of another, in the order of RFC 6962 section 2.1.2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsistencyProof(Vec<Hash>);

/// Why a proof does not prove. Always the fault of whoever gave the proof, the leaf or the roots.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// More hashes than any tree needs.
    #[error("a proof has at most {limit} hashes, not {found}")]
    TooLong {
        /// Hashes found.
        found: usize,
        /// Hashes allowed.
        limit: usize,
    },
    /// The index is not in the tree, or the old size is 0 or over the new size, or a size is over the limit.
    #[error("{asked} is outside of a tree of {size} entries")]
    Range {
        /// Leaf index or old size.
        asked: u64,
        /// Size of the tree.
        size: u64,
    },
    /// Not the number of hashes that this index and these sizes need.
    #[error("the proof does not have the number of hashes that these sizes need")]
    Length,
    /// The hashes lead to another root (of the old tree, or of the new one).
    #[error("the hashes do not lead to the {0} root")]
    Root(&'static str),
}

impl InclusionProof {
    /// Takes hashes that came from elsewhere.
    ///
    /// # Errors
    /// [`ProofError::TooLong`] over [`INCLUSION_LIMIT`] hashes.
    pub fn new(hashes: Vec<Hash>) -> Result<Self, ProofError> {
        bounded(hashes, INCLUSION_LIMIT).map(Self)
    }

    /// For [`super::tree`], whose paths are never longer than the height of the tree.
    pub(super) fn from_path(hashes: Vec<Hash>) -> Self {
        Self(hashes)
    }

    /// The hashes, leaf's sibling first.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.0
    }

    /// Checks that `leaf` (a leaf hash) is at `index` in the tree of `size` leaves with root `root`.
    ///
    /// # Errors
    /// [`ProofError`] when it does not prove that.
    pub fn verify(&self, leaf: Hash, index: u64, size: u64, root: &Hash) -> Result<(), ProofError> {
        if self.root(leaf, index, size)? == *root { Ok(()) } else { Err(ProofError::Root("tree's")) }
    }

    /// The root of the tree of `size` leaves in which this proof puts `leaf` at `index`. It proves nothing until that
    /// root is known from elsewhere: from a signature over it, for example.
    ///
    /// # Errors
    /// [`ProofError`] when the proof does not have the form that index and size need.
    pub fn root(&self, leaf: Hash, index: u64, size: u64) -> Result<Hash, ProofError> {
        if index >= size || size > SIZE_LIMIT {
            return Err(ProofError::Range { asked: index, size });
        }
        let mut climb = Climb { own: index, last: size - 1 };
        let mut hash = leaf;
        for other in &self.0 {
            hash = if climb.step()? { node_hash(other, &hash) } else { node_hash(&hash, other) };
        }
        climb.finish()?;
        Ok(hash)
    }
}

impl ConsistencyProof {
    /// Takes hashes that came from elsewhere.
    ///
    /// # Errors
    /// [`ProofError::TooLong`] over [`CONSISTENCY_LIMIT`] hashes.
    pub fn new(hashes: Vec<Hash>) -> Result<Self, ProofError> {
        bounded(hashes, CONSISTENCY_LIMIT).map(Self)
    }

    /// For [`super::tree`], whose proofs are never longer than the limit.
    pub(super) fn from_hashes(hashes: Vec<Hash>) -> Self {
        Self(hashes)
    }

    /// The hashes.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.0
    }

    /// Checks that the tree of `old` (size, root) is the beginning of the tree of `new` (size, root).
    ///
    /// An old size of 0 is refused: every tree begins with the empty one, and no proof says so. Callers that allow it
    /// decide so themselves.
    ///
    /// # Errors
    /// [`ProofError`] when it does not prove that.
    pub fn verify(&self, old: (u64, &Hash), new: (u64, &Hash)) -> Result<(), ProofError> {
        let ((old_size, old_root), (size, root)) = (old, new);
        if old_size == 0 || old_size > size || size > SIZE_LIMIT {
            return Err(ProofError::Range { asked: old_size, size });
        }
        if old_size == size {
            if !self.0.is_empty() {
                return Err(ProofError::Length);
            }
            return if old_root == root { Ok(()) } else { Err(ProofError::Root("old")) };
        }
        let mut climb = Climb { own: old_size - 1, last: size - 1 };
        climb.up_while(|climb| climb.own & 1 == 1);
        let (first, rest) = if old_size.is_power_of_two() {
            (old_root, self.0.as_slice())
        } else {
            self.0.split_first().ok_or(ProofError::Length)?
        };
        let (mut old_hash, mut hash) = (*first, *first);
        for other in rest {
            if climb.step()? {
                old_hash = node_hash(other, &old_hash);
                hash = node_hash(other, &hash);
            } else {
                hash = node_hash(&hash, other);
            }
        }
        climb.finish()?;
        if old_hash != *old_root {
            return Err(ProofError::Root("old"));
        }
        if hash == *root { Ok(()) } else { Err(ProofError::Root("new")) }
    }
}

fn bounded(hashes: Vec<Hash>, limit: usize) -> Result<Vec<Hash>, ProofError> {
    if hashes.len() > limit { Err(ProofError::TooLong { found: hashes.len(), limit }) } else { Ok(hashes) }
}

/// The way from a node up to the root: the node's own index in its row, and the last index of that row (`fn` and `sn`
/// of RFC 9162).
struct Climb {
    own: u64,
    last: u64,
}

impl Climb {
    fn up_while(&mut self, condition: impl Fn(&Self) -> bool) {
        while condition(self) {
            self.own >>= 1;
            self.last >>= 1;
        }
    }

    /// One hash further up. True when that hash is on the left.
    fn step(&mut self) -> Result<bool, ProofError> {
        if self.last == 0 {
            return Err(ProofError::Length);
        }
        let left = self.own & 1 == 1 || self.own == self.last;
        if left {
            self.up_while(|climb| climb.own & 1 == 0 && climb.own != 0);
        }
        self.own >>= 1;
        self.last >>= 1;
        Ok(left)
    }

    fn finish(&self) -> Result<(), ProofError> {
        if self.last == 0 { Ok(()) } else { Err(ProofError::Length) }
    }
}
