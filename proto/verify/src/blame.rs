//! Finds out which of two files is wrong when they disagree: the one that does not lead to the signed root.

use passerelle_proto::tlog::tile::{TILE_HEIGHT, TileNodes};
use passerelle_proto::tlog::{Hash, TilePath, TileSource, tree};

use crate::source::{Fetched, LogSource, SourceError};

/// Which of two disagreeing contents of a tile is the one that was signed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// What was computed from below: the tile file is wrong.
    Computed,
    /// The tile file: what is below it is wrong.
    Stored,
    /// Neither: something else is wrong too.
    Neither,
}

/// The hashes of one tile, twice.
pub(crate) struct Dispute<'a> {
    pub(crate) path: TilePath,
    pub(crate) level: u8,
    /// First hash that differs, from 0 in the tile.
    pub(crate) position: usize,
    pub(crate) stored: &'a [Hash],
    pub(crate) computed: &'a [Hash],
}

/// Climbs from the first differing hash to the root, once with each content, using the other tiles as they are stored.
pub(crate) fn settle(source: &dyn LogSource, dispute: &Dispute<'_>, size: u64, root: &Hash) -> Right {
    let leads_to_root = |hashes: &[Hash]| {
        let Some(hash) = hashes.get(dispute.position) else { return false };
        let mut nodes = TileNodes::new(Stored(source), size);
        nodes.replace(dispute.path, hashes.to_vec());
        let position = u64::try_from(dispute.position).unwrap_or(u64::MAX);
        let node = (TILE_HEIGHT * u32::from(dispute.level), dispute.path.first() + position);
        // A tile further up that cannot be read decides nothing.
        tree::root_through(&mut nodes, node, *hash, size).is_ok_and(|found| found == *root)
    };
    if leads_to_root(dispute.computed) {
        Right::Computed
    } else if leads_to_root(dispute.stored) {
        Right::Stored
    } else {
        Right::Neither
    }
}

/// The tiles of the log as they are stored.
struct Stored<'a>(&'a dyn LogSource);

impl TileSource for Stored<'_> {
    type Error = Option<SourceError>;

    fn tile(&self, path: TilePath) -> Result<Vec<u8>, Self::Error> {
        let mut found = self.0.fetch(&path.to_string(), path.byte_limit());
        if matches!(found, Ok(Fetched::Missing)) {
            // A partial tile may have been removed when the full one was written.
            found = self.0.fetch(&path.full().to_string(), path.full().byte_limit());
        }
        match found {
            Ok(Fetched::Bytes(bytes)) => Ok(bytes),
            Ok(Fetched::Missing | Fetched::TooLong) => Err(None),
            Err(error) => Err(Some(error)),
        }
    }
}
