//! Catching up: events of the published log and of the journal are checked against each other, and applied to the view
//! and the state as far as these lack them.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use passerelle_journal::Position;
use passerelle_proto::event;
use passerelle_proto::tlog::tile::{FULL_WIDTH, TileNodes};
use passerelle_proto::tlog::{Frontier, Hash, leaf_hash};
use passerelle_proto::wire::{self, event::Detail};

use super::erased::ErasedEntries;
use super::recovery::Recovered;
use super::{Commit, OpenError, Settings};
use crate::log::{Entries, LogFolder, Mark, Publisher, Tail};
use crate::state::State;
use crate::view::{EntrySource, View, ViewBatch, ViewError, changes_state};

/// Events in one write of the view.
const WRITE_EVERY: u64 = 1_024;
/// How far back senders are told again of acknowledgements when the view is made again.
const NOTICES_FOR: Duration = Duration::from_secs(31 * 24 * 3_600);

/// Why catching up ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The view is of no use: to be made again.
    #[error(transparent)]
    View(#[from] ViewError),
    /// Journal and log do not go together, with this view or any other.
    #[error(transparent)]
    Open(OpenError),
}

impl Fault {
    pub(super) fn into_open_error(self) -> OpenError {
        match self {
            Self::View(error) => OpenError::View(error),
            Self::Open(error) => error,
        }
    }
}

/// A view and a state on their way.
pub(super) struct CatchUp<'a> {
    entries: &'a Entries,
    view: View,
    origin: &'a str,
    state: State,
    batch: ViewBatch,
    unwritten: u64,
    notices_from_ms: u64,
    /// What the view had applied at first, and the hash of the last of it while it is still to be compared.
    had: u64,
    had_hash: Option<Hash>,
    /// The state lacks events at this leaf and after.
    state_from: u64,
    /// The published tree: size, root, leaf hashes.
    published: u64,
    root: Hash,
    hashes: TileNodes<LogFolder>,
    /// Grows with a view that is made from nothing, to be compared with the published root.
    frontier: Option<Frontier>,
    erased: ErasedEntries,
    waiting: Vec<Bytes>,
    marks: Vec<(usize, Mark)>,
}

impl<'a> CatchUp<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        publisher: &Publisher,
        entries: &'a Entries,
        view: View,
    ) -> Result<Self, Fault> {
        let origin = settings.origin.origin.as_str();
        let notices_from_ms = settings.clock.now().minus(NOTICES_FOR).as_millis();
        let batch = ViewBatch::new(&view, origin)?.with_notices_from(notices_from_ms);
        let (had, published) = (batch.applied(), publisher.size());
        if view.meta()?.unsettled {
            return Err(ViewError::Malformed("erasure: its recovery was not finished").into());
        }
        let had_hash = match had {
            0 => None,
            _ => Some(
                Hash::try_from(view.meta()?.last_leaf_hash.as_ref())
                    .map_err(|_| ViewError::Malformed("row"))?,
            ),
        };
        let mut new = Self {
            entries,
            view,
            origin,
            state: settings.state.clone(),
            batch,
            unwritten: 0,
            notices_from_ms,
            had,
            had_hash,
            state_from: had.min(published),
            published,
            root: publisher.root(),
            hashes: TileNodes::new(publisher.folder().clone(), published),
            frontier: (had == 0).then(Frontier::new),
            erased: ErasedEntries::default(),
            waiting: Vec::new(),
            marks: Vec::new(),
        };
        if had > 0 && had <= published {
            let hash = new.published_hash(had - 1)?;
            new.compare_last(hash)?;
        }
        new.fold_governance()?;
        Ok(new)
    }

    pub(super) fn view(&self) -> &View {
        &self.view
    }

    /// First event that the state lacks after the view's own copies.
    pub(super) fn state_from(&self) -> u64 {
        self.state_from
    }

    /// Events that the view has applied.
    fn applied(&self) -> u64 {
        self.batch.applied()
    }

    /// The state from the view's own copies, each compared with the published tree.
    fn fold_governance(&mut self) -> Result<(), Fault> {
        let view = self.view.clone();
        let mut count = 0;
        for row in view.governance() {
            let (leaf, entry) = row?;
            count += 1;
            if leaf >= self.state_from {
                continue;
            }
            if self.published_hash(leaf)? != leaf_hash(&entry) {
                return Err(ViewError::Malformed("governance entry").into());
            }
            let event = decode(leaf, &entry)?;
            self.state.apply(leaf, &event).map_err(|error| Fault::Open(OpenError::State(error)))?;
        }
        if count == view.meta()?.governance {
            Ok(())
        } else {
            Err(ViewError::Malformed("governance count").into())
        }
    }

    /// Takes the events from leaf `from` to `to` (excluded) from the published log, where they are lacking.
    pub(super) fn take_from_log(&mut self, from: u64, to: u64) -> Result<(), Fault> {
        if from < to && to > self.published {
            return Err(Fault::Open(OpenError::Gap { from: from.max(self.published), to }));
        }
        for leaf in from.max(self.state_from)..to {
            let unreadable = |source| Fault::Open(OpenError::Unreadable { leaf, source });
            let entry = self.entries.entry(leaf).map_err(unreadable)?;
            let entry = entry.ok_or_else(|| unreadable(io::ErrorKind::NotFound.into()))?;
            if entry.is_empty() {
                self.erased(leaf)?;
            } else {
                self.event(leaf, &entry, None)?;
            }
            self.write_some()?;
        }
        Ok(())
    }

    /// Takes a commit of the journal, where it is lacking.
    pub(super) fn commit(&mut self, commit: &Commit, at: Position, next: Position) -> Result<(), Fault> {
        let mut record = commit.record.as_ref().map(|_record| at);
        for (leaf, entry) in (commit.first_leaf..).zip(&commit.entries) {
            self.event(leaf, entry, record.take())?;
        }
        self.marks.push((self.waiting.len(), Mark { end: commit.end(), position: next }));
        // Those of published commits are superseded by the next.
        if let [.., (_, before), (_, last)] = self.marks.as_slice()
            && last.end <= self.published
            && before.end <= self.published
        {
            self.marks.remove(self.marks.len() - 2);
        }
        if commit.end() >= self.applied() {
            self.batch.applied_to(next);
        }
        self.write_some()
    }

    fn event(&mut self, leaf: u64, entry: &Bytes, record: Option<Position>) -> Result<(), Fault> {
        let hash = leaf_hash(entry);
        if leaf < self.published {
            if self.published_hash(leaf)? != hash {
                return Err(Fault::Open(OpenError::Altered(leaf)));
            }
        } else {
            self.waiting.push(entry.clone());
        }
        if leaf + 1 == self.had {
            self.compare_last(hash)?;
        }
        if leaf < self.state_from.min(self.applied()) {
            return Ok(());
        }
        let event = decode(leaf, entry)?;
        if let Some(Detail::Erasure(detail)) = &event.detail {
            self.erased.name(leaf, detail);
        }
        if leaf >= self.state_from && changes_state(event.kind()) {
            self.state.apply(leaf, &event).map_err(|error| Fault::Open(OpenError::State(error)))?;
        }
        if !self.is_next(leaf)? {
            return Ok(());
        }
        self.batch.apply(&self.view, &event, entry, *hash.as_bytes(), record)?;
        self.unwritten += 1;
        self.grow(hash)
    }

    /// Takes an entry whose contents are erased: its leaf hash stands, and nothing in force depends on it.
    fn erased(&mut self, leaf: u64) -> Result<(), Fault> {
        let hash = self.published_hash(leaf)?;
        self.erased.mark(leaf);
        if leaf + 1 == self.had {
            self.compare_last(hash)?;
        }
        if !self.is_next(leaf)? {
            return Ok(());
        }
        self.batch.pass_erased(*hash.as_bytes());
        self.unwritten += 1;
        self.grow(hash)
    }

    /// Whether the view lacks the event at `leaf`; never one further on.
    fn is_next(&self, leaf: u64) -> Result<bool, Fault> {
        if leaf > self.applied() {
            return Err(Fault::Open(OpenError::Gap { from: self.applied(), to: leaf }));
        }
        Ok(leaf == self.applied())
    }

    /// A tree made from nothing must be the published one when it is as large.
    fn grow(&mut self, hash: Hash) -> Result<(), Fault> {
        if let Some(frontier) = &mut self.frontier
            && frontier.size() < self.published
        {
            frontier.push(hash).map_err(|_full| Fault::Open(OpenError::OtherTree))?;
            if frontier.size() == self.published && frontier.root() != self.root {
                return Err(Fault::Open(OpenError::OtherTree));
            }
        }
        Ok(())
    }

    fn compare_last(&mut self, hash: Hash) -> Result<(), Fault> {
        match self.had_hash.take() {
            Some(had) if had != hash => Err(ViewError::Foreign("log").into()),
            _ => Ok(()),
        }
    }

    fn published_hash(&mut self, leaf: u64) -> Result<Hash, Fault> {
        let (index, offset) = (leaf / u64::from(FULL_WIDTH), leaf % u64::from(FULL_WIDTH));
        let unreadable = |source| Fault::Open(OpenError::Unreadable { leaf, source });
        let hashes = self.hashes.hashes(0, index).map_err(|error| unreadable(io::Error::other(error)))?;
        let hash = usize::try_from(offset).ok().and_then(|offset| hashes.get(offset));
        hash.copied().ok_or_else(|| unreadable(io::ErrorKind::NotFound.into()))
    }

    fn write_some(&mut self) -> Result<(), Fault> {
        if self.unwritten >= WRITE_EVERY { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), Fault> {
        if self.unwritten == 0 {
            return Ok(());
        }
        let empty = ViewBatch::new(&self.view, self.origin)?;
        let full = std::mem::replace(&mut self.batch, empty);
        self.view.write(full)?;
        self.batch = ViewBatch::new(&self.view, self.origin)?.with_notices_from(self.notices_from_ms);
        self.unwritten = 0;
        Ok(())
    }

    /// Writes what is left, and gives what waits to `tail`.
    pub(super) fn finish(mut self, tail: &Tail) -> Result<Recovered, Fault> {
        if self.had_hash.is_some() {
            // It had events that neither log nor journal has.
            return Err(ViewError::Foreign("log").into());
        }
        if let Some(leaf) = std::mem::take(&mut self.erased).unnamed() {
            return Err(Fault::Open(OpenError::Emptied(leaf)));
        }
        // Written even when there is nothing else to write.
        self.unwritten += u64::from(self.batch.settled());
        self.write()?;
        let last_ms = self.view.meta()?.last_ms;
        if self.waiting.is_empty()
            && self.marks.is_empty()
            && let Some(mark) = self.view.published()?.filter(|mark| mark.end <= self.published)
        {
            tail.set_published(mark);
        }
        let mut waiting = self.waiting.into_iter();
        let mut pushed = 0;
        for (count, mark) in self.marks {
            if mark.end <= self.published {
                tail.set_published(mark);
            } else {
                tail.push(waiting.by_ref().take(count - pushed), mark.position);
                pushed = count;
            }
        }
        Ok(Recovered { view: self.view, state: self.state, last_ms })
    }
}

fn decode(leaf: u64, entry: &[u8]) -> Result<wire::Event, Fault> {
    event::decode(entry).map_err(|source| Fault::Open(OpenError::Entry { leaf, source }))
}
