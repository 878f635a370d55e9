//! Ordered records: none enters after a later one of its stream, and systems see those that are held in their order.
//!
//! The gateway lets one of a stream go at a time, so that an honest one never gives reason to refuse any. What is checked
//! here is the gateway. The last number of a stream is remembered until no earlier record of it could come any more.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use passerelle_journal::Position;
use passerelle_pki::clock::Timestamp;
use passerelle_proto::envelope::limits::LIFETIME_LIMIT_MS;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire;
use prost::Message;

use super::Inbox;
use super::entry::Known;
use super::table::{REMEMBERED, Table};

/// Streams whose records may enter side by side.
pub(super) const TURNS: usize = 64;

/// Whose stream it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct StreamKey {
    /// `agency/agent`.
    sender: String,
    agreement: String,
    id: Bytes,
}

/// What the journal says of a stream whose last record it does not hold any more.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StreamMark {
    #[prost(string, tag = "1")]
    sender: String,
    #[prost(string, tag = "2")]
    agreement: String,
    #[prost(bytes = "bytes", tag = "3")]
    stream: Bytes,
    /// The last number that entered.
    #[prost(uint64, tag = "4")]
    last: u64,
    /// Until when an earlier one could come.
    #[prost(uint64, tag = "5")]
    until_ms: u64,
}

#[derive(Copy, Clone, Debug)]
struct Seen {
    last: u64,
    until_ms: u64,
    /// Where the journal says so.
    home: Position,
}

/// What is known of streams.
#[derive(Debug, Default)]
pub(super) struct Streams {
    seen: HashMap<StreamKey, Seen>,
    /// Records of this agent that wait for an earlier one of their stream to be settled; pending until then.
    early: HashSet<ExchangeId>,
}

/// Whether a record is wanted by who picks what comes next.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Now.
    Now,
    /// Not yet, and nothing of its stream before it.
    Later,
    /// Not at all.
    No,
}

impl Known {
    /// Notes its place.
    pub(super) fn placed(&mut self, header: &wire::Header) {
        if let Some(order) = &header.order {
            self.sender = format!("{}/{}", header.sender_agency, header.sender_agent);
            (self.stream, self.number) = (order.stream.clone(), order.sequence);
            self.stream_until_ms = header.created_ms.saturating_add(LIFETIME_LIMIT_MS);
        }
    }

    /// Its stream and its number there.
    pub(super) fn place(&self) -> Option<(StreamKey, u64)> {
        let (sender, agreement) = (self.sender.clone(), self.agreement.clone());
        let placed = !self.stream.is_empty();
        placed.then(|| (StreamKey { sender, agreement, id: self.stream.clone() }, self.number))
    }
}

impl Streams {
    /// A record has entered, or its entry has moved.
    pub(super) fn entered(&mut self, known: &Known, home: Position) {
        if known.refused == 0
            && let Some((key, last)) = known.place()
        {
            self.note(key, Seen { last, until_ms: known.stream_until_ms, home });
        }
    }

    fn note(&mut self, key: StreamKey, seen: Seen) {
        let known = self.seen.entry(key).or_insert(seen);
        if seen.last >= known.last {
            *known = seen;
        }
    }

    /// Takes over what the journal says of a stream.
    pub(super) fn marked(&mut self, mark: StreamMark, home: Position) {
        let StreamMark { sender, agreement, stream, last, until_ms } = mark;
        self.note(StreamKey { sender, agreement, id: stream }, Seen { last, until_ms, home });
    }

    /// What a journal segment says of streams that no later one does.
    pub(super) fn marks_in(&self, segment: u64) -> Vec<(StreamKey, StreamMark)> {
        let there = self.seen.iter().filter(|(_, seen)| seen.home.segment == segment);
        let mark = |(key, seen): (&StreamKey, &Seen)| StreamMark {
            sender: key.sender.clone(),
            agreement: key.agreement.clone(),
            stream: key.id.clone(),
            last: seen.last,
            until_ms: seen.until_ms,
        };
        there.map(|(key, seen)| (key.clone(), mark((key, seen)))).collect()
    }

    /// The journal says it there now.
    pub(super) fn moved(&mut self, key: &StreamKey, home: Position) {
        if let Some(seen) = self.seen.get_mut(key) {
            seen.home = home;
        }
    }

    /// Forgets streams of which nothing earlier can come any more.
    pub(super) fn forget(&mut self, now: Timestamp) {
        let over = |ms: u64| {
            now >= Timestamp::from_millis(ms).plus(Duration::from_secs(2 * 86_400)).plus(REMEMBERED)
        };
        self.seen.retain(|_, seen| !over(seen.until_ms));
    }
}

impl Table {
    /// Whether a later record of its stream has entered before.
    pub(super) fn comes_late(&self, id: &ExchangeId, known: &Known) -> bool {
        let Some((key, number)) = known.place() else { return false };
        !self.slots.contains_key(id) && self.streams.seen.get(&key).is_some_and(|seen| number <= seen.last)
    }

    fn place(&self, id: &ExchangeId) -> Option<(StreamKey, u64)> {
        self.slots.get(id).and_then(|slot| slot.known.place())
    }

    /// Those of `ours` that may be shown now, the records of a stream in their order; one waits as long as an earlier one
    /// of its stream is pending. `elsewhere` are settled too.
    pub(super) fn in_order(&mut self, ours: Vec<ExchangeId>, elsewhere: &[ExchangeId]) -> Vec<ExchangeId> {
        if self.streams.early.is_empty() && ours.iter().all(|id| self.place(id).is_none()) {
            return ours;
        }
        let early: Vec<ExchangeId> = self.streams.early.drain().filter(|id| !ours.contains(id)).collect();
        let mut shown: Vec<ExchangeId> = early.into_iter().chain(ours).collect();
        shown.retain(|id| {
            !elsewhere.contains(id) && self.slots.get(id).is_some_and(|slot| slot.known.pending)
        });
        let mut unsettled: HashMap<StreamKey, u64> = HashMap::new();
        for id in self.pending.values().filter(|id| !shown.contains(id) && !elsewhere.contains(id)) {
            if let Some((key, number)) = self.place(id) {
                let first = unsettled.entry(key).or_insert(number);
                *first = number.min(*first);
            }
        }
        let mut streams: HashMap<StreamKey, BTreeMap<u64, ExchangeId>> = HashMap::new();
        for id in &shown {
            if let Some((key, number)) = self.place(id) {
                streams.entry(key).or_default().insert(number, *id);
            }
        }
        for id in &mut shown {
            let next = self.place(id).and_then(|(key, _)| streams.get_mut(&key)?.pop_first());
            *id = next.map_or(*id, |(_, next)| next);
        }
        let waits = |id: &ExchangeId| {
            let place = self.place(id);
            place.is_some_and(|(key, number)| unsettled.get(&key).is_some_and(|first| *first < number))
        };
        let (early, shown): (Vec<_>, Vec<_>) = shown.into_iter().partition(waits);
        self.streams.early.extend(early);
        shown
    }
}

impl Inbox {
    /// The first `most` that wait and are wanted by id and number of the agreement: of each stream one, and none before
    /// the earlier ones that are wanted.
    pub(crate) fn pick_in_order(
        &self,
        most: usize,
        wants: &dyn Fn(&ExchangeId, &str) -> Wanted,
    ) -> Vec<ExchangeId> {
        let (table, mut picked, mut streams) = (self.table(), Vec::new(), HashSet::new());
        for id in table.waiting.values() {
            if picked.len() >= most {
                break;
            }
            let Some(known) = table.slots.get(id).map(|slot| &slot.known) else { continue };
            let wanted = wants(id, &known.agreement);
            if wanted == Wanted::No {
                continue;
            }
            let has_turn = known.place().is_none_or(|(key, _)| streams.insert(key));
            if has_turn && wanted == Wanted::Now {
                picked.push(*id);
            }
        }
        picked
    }
}
