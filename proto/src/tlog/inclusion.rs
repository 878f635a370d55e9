//! Many entries held against one checkpoint, from hash tiles: a tile is fetched and proved once, however many of the
//! entries are in it, so that whoever has many receipts asks the log for nothing that tells which entries are theirs.

use super::checkpoint::VerifiedCheckpoint;
use super::frontier::Frontier;
use super::hash::Hash;
use super::tile::{FULL_WIDTH, Level, NodeError, TILE_HEIGHT, TileNodes, TilePath, TileSource};
use super::tree::{self, TreeError, complete_root};

/// What stands at an index of the log.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The entry looked for.
    Included,
    /// Another entry: this is its leaf hash.
    Other(Hash),
    /// Nothing yet: the tree ends before.
    Beyond,
}

/// Why nothing is known of a place, or of an earlier tree. The fault of whoever serves the log, but for `Source`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InclusionError<E> {
    /// A tile could not be had.
    #[error("a tile of the log could not be had")]
    Source(#[source] NodeError<E>),
    /// The tile and those beside it do not lead to the signed root.
    #[error("{0} does not lead to the signed root")]
    Root(TilePath),
    /// The tree is not the continuation of the earlier one.
    #[error("the tree of {size} entries does not begin with that of {old_size}")]
    Rewritten {
        /// Entries of the earlier tree.
        old_size: u64,
        /// Entries of this one.
        size: u64,
    },
}

/// Looks entries up under one checkpoint.
#[derive(Debug)]
pub struct Inclusion<S> {
    nodes: TileNodes<S>,
    size: u64,
    root: Hash,
    /// The tile that was proved last.
    proved: Option<(u64, Vec<Hash>)>,
}

impl<S: TileSource> Inclusion<S> {
    /// Under this checkpoint, with the tiles of `source`.
    pub fn new(source: S, checkpoint: &VerifiedCheckpoint) -> Self {
        let (size, root) = (checkpoint.size(), *checkpoint.root());
        Self { nodes: TileNodes::new(source, size), size, root, proved: None }
    }

    /// What stands at `index`, where `leaf` (a leaf hash) should. Quickest in the order of the indexes.
    ///
    /// # Errors
    /// [`InclusionError::Source`] or [`InclusionError::Root`].
    pub fn look(&mut self, index: u64, leaf: &Hash) -> Result<Place, InclusionError<S::Error>> {
        if index >= self.size {
            return Ok(Place::Beyond);
        }
        let (tile, offset) = (index / u64::from(FULL_WIDTH), index % u64::from(FULL_WIDTH));
        let hashes = match self.proved.take() {
            Some((proved, hashes)) if proved == tile => hashes,
            _ => self.prove(tile)?,
        };
        let found = usize::try_from(offset).ok().and_then(|offset| hashes.get(offset)).copied();
        self.proved = Some((tile, hashes));
        match found {
            Some(found) if found == *leaf => Ok(Place::Included),
            Some(found) => Ok(Place::Other(found)),
            None => Ok(Place::Beyond),
        }
    }

    /// The hashes of a tile of level 0, once they lead to the signed root.
    fn prove(&mut self, tile: u64) -> Result<Vec<Hash>, InclusionError<S::Error>> {
        let hashes = self.nodes.hashes(0, tile).map_err(InclusionError::Source)?.to_vec();
        // These very hashes are proved: a source may give others the next time it is asked.
        let root = match complete_root(&hashes).filter(|_| hashes.len() == usize::from(FULL_WIDTH)) {
            Some(own) => tree::root_through(&mut self.nodes, (TILE_HEIGHT, tile), own, self.size).map(Some),
            None => self.root_at_the_edge(tile, &hashes),
        };
        match root.map_err(of_tree)? {
            Some(root) if root == self.root => Ok(hashes),
            _ => match TilePath::in_tree(Level::Hashes(0), tile, self.size) {
                Some(path) => Err(InclusionError::Root(path)),
                None => Ok(Vec::new()),
            },
        }
    }

    /// The root that follows when the last tile, which is partial, has these hashes.
    fn root_at_the_edge(
        &mut self,
        tile: u64,
        hashes: &[Hash],
    ) -> Result<Option<Hash>, TreeError<NodeError<S::Error>>> {
        let first = tile * u64::from(FULL_WIDTH);
        let peaks = tree::peaks(&mut self.nodes, first)?;
        let Ok(mut frontier) = Frontier::from_peaks(first, peaks) else { return Ok(None) };
        let whole = hashes.iter().try_for_each(|hash| frontier.push(*hash));
        Ok((whole.is_ok() && frontier.size() == self.size).then(|| frontier.root()))
    }

    /// Whether the tree is the continuation of an earlier one, of which size and root are known.
    ///
    /// # Errors
    /// [`InclusionError::Rewritten`] when it is not; [`InclusionError::Source`] when that is not known.
    pub fn extends(&mut self, (old_size, old_root): (u64, &Hash)) -> Result<(), InclusionError<S::Error>> {
        let rewritten = InclusionError::Rewritten { old_size, size: self.size };
        if old_size == 0 {
            return Ok(());
        }
        if old_size > self.size {
            return Err(rewritten);
        }
        // The beginning of this tree, proved by its own tiles, before it is held against what was known.
        let beginning = tree::root(&mut self.nodes, old_size).map_err(of_tree)?;
        let proof = tree::consistency_proof(&mut self.nodes, old_size, self.size).map_err(of_tree)?;
        if proof.verify((old_size, &beginning), (self.size, &self.root)).is_err() {
            let edge = TilePath::in_tree(Level::Hashes(0), (old_size - 1) / u64::from(FULL_WIDTH), self.size);
            return Err(edge.map_or(rewritten, InclusionError::Root));
        }
        if beginning == *old_root { Ok(()) } else { Err(rewritten) }
    }
}

fn of_tree<E>(error: TreeError<NodeError<E>>) -> InclusionError<E> {
    match error {
        TreeError::Source(error) => InclusionError::Source(error),
        TreeError::Range { .. } => InclusionError::Source(NodeError::Tile(super::tile::TileError::Range)),
    }
}
