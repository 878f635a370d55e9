//! The tail of the log: entries that are durable in the journal and not published yet.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use passerelle_journal::Position;

/// Entries that may wait to be published. When the publisher cannot keep up, or cannot write, the ledger stops
/// accepting at this point rather than fill the memory.
const ENTRIES_LIMIT: usize = 200_000;
/// Bytes that may wait.
const BYTES_LIMIT: usize = 256 << 20;

/// Where the journal stands after some entry of the log.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Leaf index after the entry.
    pub end: u64,
    /// Where the journal goes on.
    pub position: Position,
}

/// What the publisher is to do next.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Publish what waits.
    Publish,
    /// End the thread.
    End,
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum Stop {
    #[default]
    No,
    /// After all that waits is published.
    Gently,
    /// At once: the journal keeps what waits.
    AtOnce,
}

/// Entries at `first` and after.
#[derive(Debug, Default)]
struct Waiting {
    first: u64,
    entries: VecDeque<Bytes>,
    bytes: usize,
    marks: VecDeque<Mark>,
    published: Option<Mark>,
    hurry: bool,
    stop: Stop,
}

/// The entries that wait. Shared by the sequencer, which adds, and the publisher, which takes.
#[derive(Debug, Default)]
pub struct Tail {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Tail {
    /// An empty tail after `size` published entries.
    #[must_use]
    pub fn new(size: u64) -> Self {
        Self { waiting: Mutex::new(Waiting { first: size, ..Waiting::default() }), changed: Condvar::new() }
    }

    /// Adds entries that follow those already there; `position` is where the journal goes on after them.
    pub fn push(&self, entries: impl IntoIterator<Item = Bytes>, position: Position) {
        let mut waiting = self.lock();
        for entry in entries {
            waiting.bytes += entry.len();
            waiting.entries.push_back(entry);
        }
        let end = waiting.end();
        waiting.marks.push_back(Mark { end, position });
        drop(waiting);
        self.changed.notify_all();
    }

    /// Says where the journal stands after published entries, as found when the ledger was opened.
    pub(crate) fn set_published(&self, mark: Mark) {
        self.lock().published = Some(mark);
    }

    /// Where the journal stands after the last batch that is published whole; `None` while it is not known.
    #[must_use]
    pub fn published_mark(&self) -> Option<Mark> {
        self.lock().published
    }

    /// Leaf index after the last published entry.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.lock().first
    }

    /// Leaf index after the last entry.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.lock().end()
    }

    /// Whether no more entries may be added for now.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let waiting = self.lock();
        waiting.entries.len() >= ENTRIES_LIMIT || waiting.bytes >= BYTES_LIMIT
    }

    /// The entry at `leaf_index`; `None` when it is published already, or not there yet.
    #[must_use]
    pub fn entry(&self, leaf_index: u64) -> Option<Bytes> {
        let waiting = self.lock();
        let offset = usize::try_from(leaf_index.checked_sub(waiting.first)?).ok()?;
        waiting.entries.get(offset).cloned()
    }

    /// Asks the publisher not to wait for its interval.
    pub(crate) fn hurry(&self) {
        self.lock().hurry = true;
        self.changed.notify_all();
    }

    /// Says that nothing more will be added: the publisher ends when all is published.
    pub(crate) fn stop(&self) {
        self.lock().stop = Stop::Gently;
        self.changed.notify_all();
    }

    /// Ends the publisher at once.
    pub(crate) fn abandon(&self) {
        self.lock().stop = Stop::AtOnce;
        self.changed.notify_all();
    }

    /// The first entries, at most `most`, which stay.
    pub(super) fn peek(&self, most: usize) -> Vec<Bytes> {
        self.lock().entries.iter().take(most).cloned().collect()
    }

    /// Takes the first `count` entries away: they are published.
    pub(super) fn published(&self, count: usize) {
        let mut waiting = self.lock();
        let count = count.min(waiting.entries.len());
        let bytes: usize = waiting.entries.drain(..count).map(|entry| entry.len()).sum();
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        waiting.first += count as u64;
        while let Some(mark) = waiting.marks.front().copied().filter(|mark| mark.end <= waiting.first) {
            waiting.published = Some(mark);
            waiting.marks.pop_front();
        }
    }

    /// Waits until there is something to publish, then `interval` more, to gather.
    pub(super) fn wait(&self, interval: Duration) -> Next {
        let idle = |waiting: &mut Waiting| waiting.entries.is_empty() && waiting.stop == Stop::No;
        let waiting = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        let gathering = |waiting: &mut Waiting| waiting.stop == Stop::No && !waiting.hurry;
        let (mut waiting, _) = self
            .changed
            .wait_timeout_while(waiting, interval, gathering)
            .unwrap_or_else(PoisonError::into_inner);
        waiting.hurry = false;
        match waiting.stop {
            Stop::AtOnce => Next::End,
            Stop::Gently if waiting.entries.is_empty() => Next::End,
            Stop::No | Stop::Gently => Next::Publish,
        }
    }

    /// Waits a while between attempts of a publisher that cannot write. False when the tail was stopped: the attempt
    /// was then the last, and the journal keeps what waits.
    pub(super) fn pause(&self, limit: Duration) -> bool {
        let pausing = |waiting: &mut Waiting| waiting.stop == Stop::No && !waiting.hurry;
        let (waiting, _) = self
            .changed
            .wait_timeout_while(self.lock(), limit, pausing)
            .unwrap_or_else(PoisonError::into_inner);
        waiting.stop == Stop::No
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that holds the lock can panic half-way through a change.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    fn at(offset: u64) -> Position {
        Position { segment: 1, offset }
    }

    #[test]
    fn entries_keep_their_leaf_while_others_are_published() {
        let tail = Tail::new(10);
        tail.push([entry("a"), entry("b"), entry("c")], at(100));
        assert_eq!((tail.end(), tail.entry(11)), (13, Some(entry("b"))));
        tail.published(2);
        assert_eq!((tail.end(), tail.entry(11), tail.entry(12)), (13, None, Some(entry("c"))));
        assert_eq!(tail.entry(13), None);
    }

    #[test]
    fn a_mark_is_published_with_the_last_entry_before_it() {
        let tail = Tail::new(0);
        tail.push([entry("a"), entry("b")], at(100));
        tail.push([entry("c")], at(200));
        tail.published(1);
        assert_eq!(tail.published_mark(), None);
        tail.published(1);
        assert_eq!(tail.published_mark(), Some(Mark { end: 2, position: at(100) }));
        tail.published(1);
        assert_eq!(tail.published_mark(), Some(Mark { end: 3, position: at(200) }));
    }

    #[test]
    fn a_stopped_tail_still_gives_what_is_left_and_an_abandoned_one_does_not() {
        let tail = Tail::new(0);
        tail.push([entry("a")], at(100));
        tail.stop();
        assert_eq!(tail.wait(Duration::from_secs(3_600)), Next::Publish);
        tail.published(1);
        assert_eq!(tail.wait(Duration::from_secs(3_600)), Next::End);
        let tail = Tail::new(0);
        tail.push([entry("a")], at(100));
        tail.abandon();
        assert_eq!(tail.wait(Duration::from_secs(3_600)), Next::End);
    }
}
