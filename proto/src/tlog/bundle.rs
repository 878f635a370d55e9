//! Entry bundles (C2SP tlog-tiles): the entries of the log, 256 to a full bundle, each after its length.

use super::hash::{Hash, leaf_hash};

/// Most bytes in one entry: its length is a big-endian u16.
pub const ENTRY_LIMIT: usize = u16::MAX as usize;
/// Bytes of the length before each entry.
const PREFIX: usize = 2;

/// Why a bundle cannot be written or read. `entry` counts from 0 inside the bundle.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// An entry to write is over [`ENTRY_LIMIT`].
    #[error("an entry has at most 65535 bytes, not {0}")]
    EntryTooLong(usize),
    /// The bundle ends inside of this entry, or before it.
    #[error("the bundle ends before the end of its entry {entry}")]
    Cut {
        /// The entry.
        entry: u16,
    },
    /// There are bytes after the last entry.
    #[error("the bundle has {stray} bytes too many")]
    Stray {
        /// Bytes after the last entry.
        stray: usize,
    },
}

/// Most bytes that a bundle of `width` entries may have.
#[must_use]
pub fn byte_limit(width: u16) -> usize {
    usize::from(width) * (PREFIX + ENTRY_LIMIT)
}

/// Adds one entry to the end of a bundle.
///
/// # Errors
/// [`BundleError::EntryTooLong`]; the bundle is then unchanged.
pub fn push(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleError> {
    let length = u16::try_from(entry.len()).map_err(|_| BundleError::EntryTooLong(entry.len()))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries of a bundle of `width` entries, in order, without copying them.
///
/// The iterator ends at the first error. It gives [`BundleError::Stray`] after the last entry when bytes are left.
pub fn entries(bytes: &[u8], width: u16) -> Entries<'_> {
    Entries { rest: bytes, next: 0, width, failed: false }
}

/// Reads a whole bundle of exactly `width` entries.
///
/// # Errors
/// [`BundleError::Cut`] or [`BundleError::Stray`] when it does not hold exactly that.
pub fn parse(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    entries(bytes, width).collect()
}

/// Bytes that the first `width` entries of a bundle take.
///
/// # Errors
/// [`BundleError::Cut`] when there are fewer.
pub fn prefix_length(bytes: &[u8], width: u16) -> Result<usize, BundleError> {
    let mut all = entries(bytes, width);
    for _ in 0..width {
        if let Some(entry) = all.next() {
            entry?;
        }
    }
    Ok(bytes.len() - all.rest.len())
}

/// The leaf hashes of a bundle of exactly `width` entries.
///
/// # Errors
/// As [`parse`].
pub fn leaf_hashes(bytes: &[u8], width: u16) -> Result<Vec<Hash>, BundleError> {
    entries(bytes, width).map(|entry| entry.map(leaf_hash)).collect()
}

/// See [`entries`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
    next: u16,
    width: u16,
    failed: bool,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<&'a [u8], BundleError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if self.next == self.width {
            self.failed = true;
            let stray = self.rest.len();
            return (stray > 0).then_some(Err(BundleError::Stray { stray }));
        }
        let split = self
            .rest
            .split_first_chunk::<PREFIX>()
            .and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_be_bytes(*length))));
        let Some((entry, rest)) = split else {
            self.failed = true;
            return Some(Err(BundleError::Cut { entry: self.next }));
        };
        self.rest = rest;
        self.next += 1;
        Some(Ok(entry))
    }
}
