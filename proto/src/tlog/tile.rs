//! Tiles (C2SP tlog-tiles): where the hashes of the tree and its entries are kept, and reading nodes from them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::hash::{HASH_SIZE, Hash};
use super::text::decimal;
use super::tree::{NodeSource, complete_root};
use super::{SIZE_LIMIT, bundle};

/// Hashes in a full tile, and entries in a full bundle.
pub const FULL_WIDTH: u16 = 256;
/// Tree levels in one tile: a tile is 8 high.
pub const TILE_HEIGHT: u32 = 8;
/// Bytes in a full hash tile.
pub const FULL_TILE_SIZE: usize = FULL_WIDTH as usize * HASH_SIZE;
/// Highest level that a tree of [`SIZE_LIMIT`] entries has.
pub const TOP_LEVEL: u8 = 7;
/// Tiles kept by [`TileNodes`] while it builds one proof (8 KiB each).
const CACHE_LIMIT: usize = 64;

/// What a tile holds.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Entries: a bundle ([`bundle`]).
    Entries,
    /// Hashes of the tree, each over `256^level` entries. At most [`TOP_LEVEL`].
    Hashes(u8),
}

/// The place of one tile: its level, its index in that level, and how many hashes or entries it holds. `Display` is
/// the path below the log's prefix, for instance `tile/0/x001/x234/067.p/5`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    level: Level,
    index: u64,
    width: u16,
}

/// Why a tile path or a tile is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// Not the path of a tile in its one canonical form.
    #[error("not the path of a tile")]
    Path,
    /// Level over [`TOP_LEVEL`], width outside of 1 to 256, or index beyond the largest tree.
    #[error("no tree has a tile at this place")]
    Range,
    /// A tile that does not have the bytes its place calls for.
    #[error("{path} has {length} bytes, not {expected}")]
    Length {
        /// The tile.
        path: TilePath,
        /// Bytes found.
        length: usize,
        /// Bytes expected.
        expected: usize,
    },
}

impl Level {
    /// Entries below one hash (or entry) at this level.
    #[must_use]
    pub const fn span(self) -> u64 {
        match self {
            Self::Entries => 1,
            Self::Hashes(level) => 1 << (TILE_HEIGHT * level as u32),
        }
    }
}

impl TilePath {
    /// The place of a tile.
    ///
    /// # Errors
    /// [`TileError::Range`] when no tree of at most [`SIZE_LIMIT`] entries has such a tile.
    pub fn new(level: Level, index: u64, width: u16) -> Result<Self, TileError> {
        let level_fits = !matches!(level, Level::Hashes(level) if level > TOP_LEVEL);
        if !level_fits || !(1..=FULL_WIDTH).contains(&width) {
            return Err(TileError::Range);
        }
        let end = index.checked_mul(u64::from(FULL_WIDTH)).and_then(|start| start.checked_add(width.into()));
        match end.and_then(|end| end.checked_mul(level.span())) {
            Some(end) if end <= SIZE_LIMIT => Ok(Self { level, index, width }),
            _ => Err(TileError::Range),
        }
    }

    /// The tile at `level` and `index` as it is in a tree of `size` entries: full, partial, or `None` when it does not
    /// exist in that tree.
    #[must_use]
    pub fn in_tree(level: Level, index: u64, size: u64) -> Option<Self> {
        let hashes = size / level.span();
        let before = index.checked_mul(FULL_WIDTH.into())?;
        let width = hashes.checked_sub(before)?.min(FULL_WIDTH.into());
        Self::new(level, index, u16::try_from(width).ok()?).ok()
    }

    /// What the tile holds.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Its index in its level.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Hashes or entries in it: 1 to 256.
    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether it holds 256 hashes or entries, and so never changes again.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.width == FULL_WIDTH
    }

    /// The full tile at the same place. It begins with the bytes of every partial one.
    #[must_use]
    pub fn full(&self) -> Self {
        Self { width: FULL_WIDTH, ..*self }
    }

    /// The partial (or full) tile of another width at the same place.
    ///
    /// # Errors
    /// [`TileError::Range`] when the width is not 1 to 256.
    pub fn with_width(&self, width: u16) -> Result<Self, TileError> {
        Self::new(self.level, self.index, width)
    }

    /// Index of the first hash or entry of this tile, counted in its level.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.index * u64::from(FULL_WIDTH)
    }

    /// Most bytes that a tile at this level and width may have.
    #[must_use]
    pub fn byte_limit(&self) -> usize {
        match self.level {
            Level::Entries => bundle::byte_limit(self.width),
            Level::Hashes(_) => usize::from(self.width) * HASH_SIZE,
        }
    }

    /// Reads the hashes of a hash tile.
    ///
    /// # Errors
    /// [`TileError::Length`] unless there are exactly as many as the width says.
    pub fn hashes(&self, bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
        let expected = usize::from(self.width) * HASH_SIZE;
        if bytes.len() != expected || self.level == Level::Entries {
            return Err(TileError::Length { path: *self, length: bytes.len(), expected });
        }
        Ok(bytes.as_chunks::<HASH_SIZE>().0.iter().copied().map(Hash::from_bytes).collect())
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Level::Entries => f.write_str("tile/entries")?,
            Level::Hashes(level) => write!(f, "tile/{level}")?,
        }
        let mut divisor = 1000u64.pow(self.index.checked_ilog(1000).unwrap_or(0));
        while divisor > 1 {
            write!(f, "/x{:03}", self.index / divisor % 1000)?;
            divisor /= 1000;
        }
        write!(f, "/{:03}", self.index % 1000)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for TilePath {
    type Err = TileError;

    fn from_str(text: &str) -> Result<Self, TileError> {
        let rest = text.strip_prefix("tile/").ok_or(TileError::Path)?;
        let (level, rest) = rest.split_once('/').ok_or(TileError::Path)?;
        let level = match level {
            "entries" => Level::Entries,
            digits => {
                let level = decimal(digits).filter(|level| *level <= 63).ok_or(TileError::Path)?;
                Level::Hashes(u8::try_from(level).map_err(|_| TileError::Range)?)
            }
        };
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, FULL_WIDTH),
            Some((index, width)) => {
                let width = decimal(width).filter(|width| (1..256).contains(width)).ok_or(TileError::Path)?;
                (index, u16::try_from(width).map_err(|_| TileError::Range)?)
            }
        };
        let path = Self::new(level, parse_index(index).ok_or(TileError::Path)?, width)?;
        // Any other spelling of the same place (leading `x000`) is refused.
        if path.to_string() == text { Ok(path) } else { Err(TileError::Path) }
    }
}

fn parse_index(text: &str) -> Option<u64> {
    let (groups, last) = text.rsplit_once('/').map_or((None, text), |(groups, last)| (Some(groups), last));
    let mut index = 0u64;
    for group in groups.into_iter().flat_map(|groups| groups.split('/')) {
        index = index.checked_mul(1000)?.checked_add(three_digits(group.strip_prefix('x')?)?)?;
    }
    index.checked_mul(1000)?.checked_add(three_digits(last)?)
}

fn three_digits(text: &str) -> Option<u64> {
    if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The places of all tiles of one level in a tree of `size` entries, in order, the partial one (if any) last.
pub fn level_tiles(level: Level, size: u64) -> impl Iterator<Item = TilePath> {
    let count = (size / level.span()).div_ceil(FULL_WIDTH.into());
    (0..count).filter_map(move |index| TilePath::in_tree(level, index, size))
}

/// The places of all hash tiles of a tree of `size` entries, level by level.
pub fn hash_tiles(size: u64) -> impl Iterator<Item = TilePath> {
    (0..=TOP_LEVEL).flat_map(move |level| level_tiles(Level::Hashes(level), size))
}

/// The partial tiles of a tree of `size` entries: at most one per level, entries first.
#[must_use]
pub fn partial_tiles(size: u64) -> Vec<TilePath> {
    let levels = std::iter::once(Level::Entries).chain((0..=TOP_LEVEL).map(Level::Hashes));
    levels
        .filter_map(|level| TilePath::in_tree(level, size / level.span() / u64::from(FULL_WIDTH), size))
        .collect()
}

/// Where tiles come from: a folder, a server, a cache.
pub trait TileSource {
    /// Why a tile could not be read.
    type Error;

    /// The bytes of one tile. Where a partial tile was removed because the full one exists, the source may answer with
    /// the full one.
    ///
    /// # Errors
    /// The source's own error.
    fn tile(&self, path: TilePath) -> Result<Vec<u8>, Self::Error>;
}

impl<S: TileSource + ?Sized> TileSource for &S {
    type Error = S::Error;

    fn tile(&self, path: TilePath) -> Result<Vec<u8>, S::Error> {
        (**self).tile(path)
    }
}

/// Why a node could not be had from tiles.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError<E> {
    /// The tile could not be read.
    #[error("{path} could not be read")]
    Source {
        /// The tile.
        path: TilePath,
        /// The source's own error.
        #[source]
        error: E,
    },
    /// The tile is not what its place calls for, or no such node exists in the tree.
    #[error("a tile of the log is wrong")]
    Tile(#[source] TileError),
}

/// Nodes of the tree of `size` entries, read from tiles. Keeps the last few tiles in memory.
#[derive(Debug)]
pub struct TileNodes<S> {
    source: S,
    size: u64,
    cache: BTreeMap<TilePath, Vec<Hash>>,
}

impl<S: TileSource> TileNodes<S> {
    /// Reads from `source`, asking only for tiles that a tree of `size` entries has.
    pub fn new(source: S, size: u64) -> Self {
        Self { source, size, cache: BTreeMap::new() }
    }

    /// Puts hashes in the place of a tile, instead of what the source has there.
    pub fn replace(&mut self, path: TilePath, hashes: Vec<Hash>) {
        self.cache.insert(path, hashes);
    }

    /// The hashes of the tile at `level` and `index`.
    ///
    /// # Errors
    /// [`NodeError`] when the tree has no such tile, or it cannot be read or is malformed.
    pub fn hashes(&mut self, level: u8, index: u64) -> Result<&[Hash], NodeError<S::Error>> {
        let path = TilePath::in_tree(Level::Hashes(level), index, self.size)
            .ok_or(NodeError::Tile(TileError::Range))?;
        if !self.cache.contains_key(&path) {
            let mut bytes = self.source.tile(path).map_err(|error| NodeError::Source { path, error })?;
            if bytes.len() == FULL_TILE_SIZE {
                bytes.truncate(path.byte_limit());
            }
            let hashes = path.hashes(&bytes).map_err(NodeError::Tile)?;
            if self.cache.len() >= CACHE_LIMIT {
                self.cache.pop_first();
            }
            self.cache.insert(path, hashes);
        }
        Ok(self.cache.get(&path).map_or(&[], Vec::as_slice))
    }
}

impl<S: TileSource> NodeSource for TileNodes<S> {
    type Error = NodeError<S::Error>;

    fn node(&mut self, height: u32, index: u64) -> Result<Hash, Self::Error> {
        let missing = || NodeError::Tile(TileError::Range);
        let level = u8::try_from(height / TILE_HEIGHT).map_err(|_| missing())?;
        let within = height % TILE_HEIGHT;
        let first = index.checked_mul(1 << within).ok_or_else(missing)?;
        let offset = usize::try_from(first % u64::from(FULL_WIDTH)).map_err(|_| missing())?;
        let hashes = self.hashes(level, first / u64::from(FULL_WIDTH))?;
        hashes.get(offset..offset + (1 << within)).and_then(complete_root).ok_or_else(missing)
    }
}
