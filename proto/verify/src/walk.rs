//! The walk over all entries: each is hashed again, each tile is compared with what the entries give.
//!
//! Holds one bundle and, for each level of tiles, the hashes of the tile that is not complete yet (256 at most).

use passerelle_proto::tlog::bundle::{self, BundleError};
use passerelle_proto::tlog::tile::{FULL_WIDTH, Level, TOP_LEVEL, level_tiles};
use passerelle_proto::tlog::tree::complete_root;
use passerelle_proto::tlog::{Frontier, Hash, TilePath, VerifiedCheckpoint, leaf_hash};

use crate::blame::{Dispute, Right, settle};
use crate::erasure::{Erased, Erasures};
use crate::fault::{EntryFault, Fault, TileFault};
use crate::source::{Fetched, LogSource};
use crate::verify::{Checks, VerifyError};

/// What was counted on the way.
pub(crate) struct Walked {
    pub(crate) files: u64,
    pub(crate) entry_bytes: u64,
    pub(crate) erased: Erased,
}

pub(crate) struct Walk<'a> {
    source: &'a dyn LogSource,
    size: u64,
    root: &'a Hash,
    old: Option<&'a VerifiedCheckpoint>,
    frontier: Frontier,
    /// For each level, the computed hashes of its tile that is not complete yet.
    edges: Vec<Vec<Hash>>,
    erasures: Erasures,
    counted: Walked,
}

/// The entries of one bundle, hashed.
struct Hashed {
    leaves: Vec<Hash>,
    /// What is wrong with the bundle's form, if anything. Told after a wrong entry before it.
    form: Option<BundleError>,
    /// First entry whose content is refused: its place in the bundle, and why.
    refused: Option<(usize, EntryFault)>,
    /// Places of entries without a byte, and the time of the last event before: markers of erasure, unless the tile
    /// says that they were logged so.
    empty: Vec<(usize, u64)>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(
        source: &'a dyn LogSource,
        checkpoint: &'a VerifiedCheckpoint,
        old: Option<&'a VerifiedCheckpoint>,
    ) -> Self {
        Self {
            source,
            size: checkpoint.size(),
            root: checkpoint.root(),
            old,
            frontier: Frontier::new(),
            edges: Vec::new(),
            erasures: Erasures::default(),
            counted: Walked { files: 0, entry_bytes: 0, erased: Erased::default() },
        }
    }

    pub(crate) fn run(mut self, checks: &mut Checks<'_>) -> Result<Walked, VerifyError> {
        (checks.progress)(0, self.size);
        for path in level_tiles(Level::Entries, self.size) {
            let bytes = self.read(path)?;
            let mut hashed = self.hash(&bytes, path, checks);
            self.compare_entries(path, &mut hashed)?;
            self.check_earlier(path, &bytes)?;
            for leaf in hashed.leaves {
                self.push(leaf)?;
            }
            (checks.progress)(self.frontier.size(), self.size);
        }
        for level in 1..=TOP_LEVEL {
            let Some(edge) = self.edges.get_mut(usize::from(level)) else { break };
            let edge = std::mem::take(edge);
            if !edge.is_empty() {
                self.compare_tile(level, &edge)?;
            }
        }
        if self.frontier.root() != *self.root {
            return Err(self.rewritten().into());
        }
        self.counted.erased = std::mem::take(&mut self.erasures).settle().map_err(|(index, reason)| {
            let bundle = TilePath::in_tree(Level::Entries, index / u64::from(FULL_WIDTH), self.size);
            bundle.map_or_else(|| self.rewritten(), |bundle| Fault::Entry { index, bundle, reason })
        })?;
        Ok(self.counted)
    }

    fn rewritten(&self) -> Fault {
        Fault::Root { signed: *self.root, computed: self.frontier.root() }
    }

    /// Reads a tile or bundle that the checkpoint calls for; of the full one, only its beginning, when the partial one
    /// was removed.
    fn read(&mut self, path: TilePath) -> Result<Vec<u8>, VerifyError> {
        let wrong = |reason| Fault::Tile { path, reason };
        let fetch = |path: TilePath| {
            self.source.fetch(&path.to_string(), path.byte_limit()).map_err(VerifyError::Unreadable)
        };
        let mut fetched = fetch(path)?;
        if fetched == Fetched::Missing && !path.is_full() {
            fetched = match fetch(path.full())? {
                Fetched::Bytes(mut bytes) => {
                    let length = match path.level() {
                        Level::Hashes(_) => path.byte_limit(),
                        Level::Entries => bundle::prefix_length(&bytes, path.width()).unwrap_or(bytes.len()),
                    };
                    bytes.truncate(length);
                    Fetched::Bytes(bytes)
                }
                other => other,
            };
        }
        match fetched {
            Fetched::Bytes(bytes) => {
                self.counted.files += 1;
                Ok(bytes)
            }
            Fetched::Missing => Err(wrong(TileFault::Missing).into()),
            Fetched::TooLong => Err(wrong(TileFault::Length).into()),
        }
    }

    fn hash(&mut self, bytes: &[u8], path: TilePath, checks: &Checks<'_>) -> Hashed {
        let mut hashed = Hashed { leaves: Vec::new(), form: None, refused: None, empty: Vec::new() };
        for entry in bundle::entries(bytes, path.width()) {
            match entry {
                Ok(entry) => {
                    self.counted.entry_bytes += u64::try_from(entry.len()).unwrap_or(0);
                    let place = hashed.leaves.len();
                    if entry.is_empty() {
                        hashed.empty.push((place, self.erasures.last_ms()));
                    } else {
                        let index = path.first() + u64::try_from(place).unwrap_or(0);
                        self.erasures.entry(index, entry);
                        if let (Some(check), None) = (checks.entry, &hashed.refused) {
                            hashed.refused = check(entry).err().map(|why| (place, why));
                        }
                    }
                    hashed.leaves.push(leaf_hash(entry));
                }
                Err(error) => hashed.form = Some(error),
            }
        }
        hashed
    }

    /// Compares the entries of a bundle with the tile of level 0 over them.
    fn compare_entries(&mut self, bundle: TilePath, hashed: &mut Hashed) -> Result<(), VerifyError> {
        let entry_fault = |position: usize, reason| {
            let index = bundle.first() + u64::try_from(position).unwrap_or(0);
            VerifyError::from(Fault::Entry { index, bundle, reason })
        };
        let (path, bytes, stored) = self.read_hashes(0, bundle.index())?;
        self.keep_erased(bundle, hashed, &stored);
        let differs = stored.iter().zip(&hashed.leaves).position(|(stored, computed)| stored != computed);
        if let Some(position) = differs {
            let mut computed = hashed.leaves.clone();
            computed.extend(stored.iter().skip(computed.len()));
            let dispute = Dispute { path, level: 0, position, stored: &stored, computed: &computed };
            return Err(match settle(self.source, &dispute, self.size, self.root) {
                Right::Computed => Fault::Tile { path, reason: TileFault::Changed { position } }.into(),
                Right::Stored => entry_fault(position, EntryFault::Changed),
                Right::Neither => entry_fault(position, EntryFault::Disagrees),
            });
        }
        match hashed.form {
            Some(BundleError::Stray { stray }) => {
                return Err(Fault::Tile { path: bundle, reason: TileFault::Stray(stray) }.into());
            }
            Some(_) => return Err(entry_fault(hashed.leaves.len(), EntryFault::Missing)),
            None => {}
        }
        if let Some((position, why)) = &hashed.refused {
            return Err(entry_fault(*position, why.clone()));
        }
        self.check_earlier(path, &bytes)
    }

    /// The leaf hash of an erased entry stands: it is the tile's, which the tiles above and the root vouch for.
    fn keep_erased(&mut self, bundle: TilePath, hashed: &mut Hashed, stored: &[Hash]) {
        for (place, last_ms) in std::mem::take(&mut hashed.empty) {
            if let (Some(leaf), Some(stored)) = (hashed.leaves.get_mut(place), stored.get(place))
                && leaf != stored
            {
                *leaf = *stored;
                self.erasures.marked(bundle.first() + u64::try_from(place).unwrap_or(0), last_ms);
            }
        }
    }

    fn read_hashes(&mut self, level: u8, index: u64) -> Result<(TilePath, Vec<u8>, Vec<Hash>), VerifyError> {
        let path = TilePath::in_tree(Level::Hashes(level), index, self.size);
        // Only asked for where the walk has computed hashes: the tree has such a tile.
        let path = path.ok_or_else(|| self.rewritten())?;
        let bytes = self.read(path)?;
        let hashes = path.hashes(&bytes).map_err(|_| Fault::Tile { path, reason: TileFault::Length })?;
        Ok((path, bytes, hashes))
    }

    /// Adds one leaf; compares every tile of the upper levels that it completes.
    fn push(&mut self, leaf: Hash) -> Result<(), VerifyError> {
        if self.frontier.push(leaf).is_err() {
            return Err(self.rewritten().into());
        }
        let size = self.frontier.size();
        if let Some(old) = self.old
            && old.size() == size
        {
            let computed = self.frontier.root();
            if computed != *old.root() {
                return Err(Fault::Forked { old_size: size, signed: *old.root(), computed }.into());
            }
        }
        let mut hash = leaf;
        for level in 0..=TOP_LEVEL {
            if self.edges.len() == usize::from(level) {
                self.edges.push(Vec::new());
            }
            let Some(edge) = self.edges.get_mut(usize::from(level)) else { break };
            edge.push(hash);
            if edge.len() < usize::from(FULL_WIDTH) {
                break;
            }
            let complete = std::mem::take(edge);
            if level > 0 {
                self.compare_tile(level, &complete)?;
            }
            let Some(root) = complete_root(&complete) else { break };
            hash = root;
        }
        Ok(())
    }

    /// Compares the last tile of an upper level, as far as the walk has come, with its file.
    fn compare_tile(&mut self, level: u8, computed: &[Hash]) -> Result<(), VerifyError> {
        let hashes = self.frontier.size() / Level::Hashes(level).span();
        let index = hashes.saturating_sub(1) / u64::from(FULL_WIDTH);
        let (path, bytes, stored) = self.read_hashes(level, index)?;
        let Some(position) = stored.iter().zip(computed).position(|(stored, computed)| stored != computed)
        else {
            return self.check_earlier(path, &bytes);
        };
        let dispute = Dispute { path, level, position, stored: &stored, computed };
        let fault = match settle(self.source, &dispute, self.size, self.root) {
            Right::Computed => Fault::Tile { path, reason: TileFault::Changed { position } },
            Right::Neither => Fault::Tile { path, reason: TileFault::Disagrees { position } },
            Right::Stored => {
                let below = path.first() + u64::try_from(position).unwrap_or(0);
                let below = TilePath::in_tree(Level::Hashes(level - 1), below, self.size).unwrap_or(path);
                Fault::Tile { path: below, reason: TileFault::ChangedWithEntries }
            }
        };
        Err(fault.into())
    }

    /// Compares the partial tiles of earlier sizes, where the source can list them, with the beginning of this one.
    fn check_earlier(&mut self, path: TilePath, bytes: &[u8]) -> Result<(), VerifyError> {
        let folder = format!("{}.p", path.full());
        let Some(names) = self.source.names(&folder).map_err(VerifyError::Unreadable)? else { return Ok(()) };
        for name in names {
            let Ok(earlier) = format!("{folder}/{name}").parse::<TilePath>() else { continue };
            if earlier.width() >= path.width() {
                continue;
            }
            let length = match path.level() {
                Level::Hashes(_) => earlier.byte_limit(),
                Level::Entries => bundle::prefix_length(bytes, earlier.width()).unwrap_or(0),
            };
            let found = self
                .source
                .fetch(&earlier.to_string(), earlier.byte_limit())
                .map_err(VerifyError::Unreadable)?;
            // Gone since it was listed: an earlier partial tile may be removed at any time.
            if found == Fetched::Missing {
                continue;
            }
            if !matches!(&found, Fetched::Bytes(found) if Some(found.as_slice()) == bytes.get(..length)) {
                return Err(Fault::Tile { path: earlier, reason: TileFault::Earlier }.into());
            }
            self.counted.files += 1;
        }
        Ok(())
    }
}
