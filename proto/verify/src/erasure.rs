//! Erased contents: which entries have the marker in place of their contents, and whether the log says why.

use passerelle_proto::event;
use passerelle_proto::wire::event::Detail;

use crate::fault::EntryFault;

/// What was erased in a good log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Entries whose contents are erased, each named by an event before.
    pub entries: u64,
    /// Entries that an event names and whose contents are still there: the erasure is not done yet.
    pub pending: u64,
    /// Events of erasure.
    pub events: u64,
}

/// Neighbouring entries that are erased.
#[derive(Debug)]
struct Run {
    first: u64,
    end: u64,
    /// Time of the last event before them that is still there: they are not older, since the log's time never goes back.
    not_before_ms: u64,
}

/// Entries that an event of erasure names.
#[derive(Debug)]
struct Named {
    first: u64,
    end: u64,
    before_ms: u64,
}

/// Gathers both on a walk in the order of the log. Grows with the number of ranges, not of entries.
#[derive(Debug, Default)]
pub(crate) struct Erasures {
    runs: Vec<Run>,
    named: Vec<Named>,
    events: u64,
    last_ms: u64,
}

impl Erasures {
    /// Time of the last event that is there.
    pub(crate) fn last_ms(&self) -> u64 {
        self.last_ms
    }

    /// The entry at `index` has the marker in place of its contents; the last event before it that is there is of
    /// `not_before_ms`.
    pub(crate) fn marked(&mut self, index: u64, not_before_ms: u64) {
        match self.runs.last_mut() {
            Some(run) if run.end == index => run.end = index + 1,
            _ => self.runs.push(Run { first: index, end: index + 1, not_before_ms }),
        }
    }

    /// The entry at `index` is there. One that is no event of this version says nothing here.
    pub(crate) fn entry(&mut self, index: u64, entry: &[u8]) {
        let Ok(event) = event::decode(entry) else { return };
        self.last_ms = self.last_ms.max(event.time_ms);
        let Some(Detail::Erasure(detail)) = event.detail else { return };
        self.events += 1;
        // It can only name what was there before it.
        let ranges = detail.ranges.iter().filter(|range| range.end <= index);
        let before_ms = detail.before_ms;
        self.named.extend(ranges.map(|range| Named { first: range.first, end: range.end, before_ms }));
    }

    /// Whether every marker is named by an event; else the first entry that is not, and what is wrong.
    pub(crate) fn settle(mut self) -> Result<Erased, (u64, EntryFault)> {
        self.named.sort_by_key(|named| named.first);
        let mut entries = 0;
        for run in &self.runs {
            let mut index = run.first;
            while index < run.end {
                let after = self.named.partition_point(|named| named.first <= index);
                let named = after.checked_sub(1).and_then(|at| self.named.get(at));
                let Some(named) = named.filter(|named| index < named.end) else {
                    return Err((index, EntryFault::ErasedUnlogged));
                };
                if run.not_before_ms >= named.before_ms {
                    return Err((index, EntryFault::ErasedEarly));
                }
                let end = named.end.min(run.end);
                entries += end - index;
                index = end;
            }
        }
        Ok(Erased { entries, pending: self.covered().saturating_sub(entries), events: self.events })
    }

    /// Entries that some event names.
    fn covered(&self) -> u64 {
        let mut from = 0;
        self.named.iter().fold(0, |sum, named| {
            let first = named.first.max(from);
            from = named.end.max(from);
            sum + named.end.saturating_sub(first)
        })
    }
}
