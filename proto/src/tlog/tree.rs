//! The tree of RFC 6962 section 2.1: roots and proofs from the hashes of complete subtrees.
//!
//! Works over any [`NodeSource`]: leaf hashes in memory ([`Leaves`]), or tiles ([`super::tile::TileNodes`]).

use super::SIZE_LIMIT;
use super::hash::{Hash, empty_root, node_hash};
use super::proof::{ConsistencyProof, InclusionProof};

/// Gives the hashes of complete, aligned subtrees.
pub trait NodeSource {
    /// Why a hash could not be given.
    type Error;

    /// The root of the subtree over leaves `index * 2^height .. (index + 1) * 2^height`, all of which exist.
    ///
    /// # Errors
    /// The source's own error when the hash cannot be read.
    fn node(&mut self, height: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Why a root or proof could not be built.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TreeError<E> {
    /// The caller asked for a leaf or a size that the tree does not have.
    #[error("{asked} is outside of a tree of {size} entries")]
    Range {
        /// Leaf index, or earlier size, that was asked for.
        asked: u64,
        /// Size of the tree.
        size: u64,
    },
    /// The hashes could not be read.
    #[error("a hash of the tree could not be read")]
    Source(#[source] E),
}

/// A half-open range of leaves `start..end`, `start` aligned as RFC 6962 splits make it.
#[derive(Copy, Clone)]
struct Range {
    start: u64,
    end: u64,
}

impl Range {
    /// Splits at the largest power of two smaller than the length (which is at least 2).
    fn split(self) -> (Self, Self) {
        let length = self.end - self.start;
        let middle = self.start + (1 << (u64::BITS - 1 - (length - 1).leading_zeros()));
        (Self { start: self.start, end: middle }, Self { start: middle, end: self.end })
    }
}

/// Joins the roots of complete subtrees, largest first, into the root over all of them. `None` when there are none.
#[must_use]
pub(super) fn join_peaks(peaks: &[Hash]) -> Option<Hash> {
    let (last, rest) = peaks.split_last()?;
    Some(rest.iter().rev().fold(*last, |right, left| node_hash(left, &right)))
}

/// The hash over a range: one node per bit set in its length.
fn range_hash<S: NodeSource + ?Sized>(source: &mut S, range: Range) -> Result<Hash, S::Error> {
    let peaks = peaks_in(source, range)?;
    Ok(join_peaks(&peaks).unwrap_or_else(empty_root))
}

fn peaks_in<S: NodeSource + ?Sized>(source: &mut S, range: Range) -> Result<Vec<Hash>, S::Error> {
    let mut peaks = Vec::new();
    let (mut start, mut left) = (range.start, range.end - range.start);
    while left > 0 {
        let height = u64::BITS - 1 - left.leading_zeros();
        peaks.push(source.node(height, start >> height)?);
        start += 1 << height;
        left -= 1 << height;
    }
    Ok(peaks)
}

fn check<E>(asked: u64, within: bool, size: u64) -> Result<(), TreeError<E>> {
    if within && size <= SIZE_LIMIT { Ok(()) } else { Err(TreeError::Range { asked, size }) }
}

/// The roots of the complete subtrees of the tree of `size` leaves, largest first (see [`super::Frontier`]).
///
/// # Errors
/// [`TreeError`] when a hash cannot be read or the size is over the limit.
pub fn peaks<S: NodeSource + ?Sized>(source: &mut S, size: u64) -> Result<Vec<Hash>, TreeError<S::Error>> {
    check(size, true, size)?;
    peaks_in(source, Range { start: 0, end: size }).map_err(TreeError::Source)
}

/// The root of the tree of `size` leaves.
///
/// # Errors
/// [`TreeError`] when a hash cannot be read or the size is over the limit.
pub fn root<S: NodeSource + ?Sized>(source: &mut S, size: u64) -> Result<Hash, TreeError<S::Error>> {
    Ok(join_peaks(&peaks(source, size)?).unwrap_or_else(empty_root))
}

/// The hashes beside the way from the node over `2^height` leaves at `index` up to the root of the tree of `size`
/// leaves, nearest first. With height 0 this is the path of RFC 6962 section 2.1.1.
fn path<S: NodeSource + ?Sized>(
    source: &mut S,
    height: u32,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, S::Error> {
    let start = index << height;
    let mut range = Range { start: 0, end: size };
    let mut hashes = Vec::new();
    while range.end - range.start > 1 << height {
        let (left, right) = range.split();
        let beside;
        (range, beside) = if start < left.end { (left, right) } else { (right, left) };
        hashes.push(range_hash(source, beside)?);
    }
    hashes.reverse();
    Ok(hashes)
}

/// The proof that leaf `index` is in the tree of `size` leaves (RFC 6962 section 2.1.1).
///
/// # Errors
/// [`TreeError`] when `index` is not below `size`, or a hash cannot be read.
pub fn inclusion_proof<S: NodeSource + ?Sized>(
    source: &mut S,
    index: u64,
    size: u64,
) -> Result<InclusionProof, TreeError<S::Error>> {
    check(index, index < size, size)?;
    path(source, 0, index, size).map(InclusionProof::from_path).map_err(TreeError::Source)
}

/// The root that follows when the complete node over `2^height` leaves at `index` has the hash `node` and everything
/// beside it is as `source` says. Tells which of two disagreeing values is the one the checkpoint was signed over.
///
/// # Errors
/// [`TreeError`] when that node is not complete in a tree of `size` leaves, or a hash cannot be read.
pub fn root_through<S: NodeSource + ?Sized>(
    source: &mut S,
    (height, index): (u32, u64),
    node: Hash,
    size: u64,
) -> Result<Hash, TreeError<S::Error>> {
    let complete = height < 63 && index < size >> height;
    check(index, complete, size)?;
    let beside = path(source, height, index, size).map_err(TreeError::Source)?;
    let (mut own, mut last) = (index, (size - 1) >> height);
    let mut hash = node;
    for other in &beside {
        // A last node without a right neighbour goes up until it has a left one (RFC 9162 section 2.1.3.2).
        while own == last && own & 1 == 0 && last > 0 {
            (own, last) = (own >> 1, last >> 1);
        }
        hash = if own & 1 == 1 { node_hash(other, &hash) } else { node_hash(&hash, other) };
        (own, last) = (own >> 1, last >> 1);
    }
    Ok(hash)
}

/// The proof that the tree of `old_size` leaves is the beginning of the tree of `size` leaves (RFC 6962 section
/// 2.1.2). Empty when the sizes are equal. `old_size` 0 has no proof: every tree begins with the empty one.
///
/// # Errors
/// [`TreeError`] when `old_size` is 0 or over `size`, or a hash cannot be read.
pub fn consistency_proof<S: NodeSource + ?Sized>(
    source: &mut S,
    old_size: u64,
    size: u64,
) -> Result<ConsistencyProof, TreeError<S::Error>> {
    check(old_size, old_size > 0 && old_size <= size, size)?;
    let mut hashes = Vec::new();
    let mut range = Range { start: 0, end: size };
    // `whole`: the range is a subtree of the old tree that the verifier can compute from the old root.
    let mut whole = true;
    while old_size != range.end {
        let (left, right) = range.split();
        let beside;
        (range, beside) = if old_size <= left.end {
            (left, right)
        } else {
            whole = false;
            (right, left)
        };
        hashes.push(range_hash(source, beside).map_err(TreeError::Source)?);
    }
    if !whole {
        hashes.push(range_hash(source, range).map_err(TreeError::Source)?);
    }
    hashes.reverse();
    Ok(ConsistencyProof::from_hashes(hashes))
}

/// Leaf hashes in memory as a [`NodeSource`]: for tests and small trees; every node is computed again when asked.
#[derive(Copy, Clone, Debug)]
pub struct Leaves<'a>(pub &'a [Hash]);

/// A node outside of the leaves that are in memory.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the subtree of height {height} at {index} is not among the leaves in memory")]
pub struct NotInMemory {
    height: u32,
    index: u64,
}

impl NodeSource for Leaves<'_> {
    type Error = NotInMemory;

    fn node(&mut self, height: u32, index: u64) -> Result<Hash, NotInMemory> {
        let missing = NotInMemory { height, index };
        let width = 1usize.checked_shl(height).ok_or(missing)?;
        let start = usize::try_from(index).ok().and_then(|index| index.checked_mul(width)).ok_or(missing)?;
        let end = start.checked_add(width).ok_or(missing)?;
        complete_root(self.0.get(start..end).ok_or(missing)?).ok_or(missing)
    }
}

/// The root over a power of two of hashes. `None` when their number is not a power of two.
#[must_use]
pub fn complete_root(hashes: &[Hash]) -> Option<Hash> {
    if !hashes.len().is_power_of_two() {
        return None;
    }
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied()
}
