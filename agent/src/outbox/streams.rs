//! Streams of ordered records: which number comes next, and whose turn it is.
//!
//! A number counts once its record is durable in the journal, and nobody else takes one of the stream before that: what is
//! stopped in between has taken none, so none is given twice and none is left out. Of each stream one record at a time is
//! submitted: the next when the former was accepted or refused for good.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use passerelle_journal::Position;
use passerelle_proto::envelope::limits::STREAM_ID_SIZE;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{self, Reason};
use prost::Message;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::Outbox;
use super::entry::Record;
use crate::records::StoreError;

/// Whose stream it is, beside this agent: number of the agreement, recipients in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct StreamKey {
    pub(crate) agreement: String,
    pub(crate) recipients: Vec<String>,
}

/// What the journal says of a stream whose last record it does not hold any more.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StreamMark {
    #[prost(string, tag = "1")]
    agreement: String,
    #[prost(string, repeated, tag = "2")]
    recipients: Vec<String>,
    #[prost(bytes = "bytes", tag = "3")]
    stream: Bytes,
    /// The last number taken.
    #[prost(uint64, tag = "4")]
    last: u64,
    #[prost(uint64, tag = "5")]
    generation: u64,
    #[prost(bool, tag = "6")]
    ended: bool,
}

/// A number, until its record is durable.
#[derive(Debug)]
pub(crate) struct Numbered {
    pub(crate) order: wire::Order,
    /// Counts the streams that one key has had.
    pub(super) generation: u64,
    _alone: OwnedMutexGuard<()>,
}

/// Takes a number when its record is sealed but for the signature.
#[derive(Clone, Debug)]
pub(crate) struct Numbering {
    pub(crate) outbox: Outbox,
    pub(crate) key: StreamKey,
}

impl Numbering {
    /// The next number. It is the holder's alone: it counts when its record is durable, and is free again otherwise.
    pub(crate) async fn take(&self) -> Result<Numbered, StoreError> {
        let alone = self.outbox.table().streams.turn(&self.key);
        let alone = alone.lock_owned().await;
        let (order, generation) = self.outbox.table().streams.next(&self.key)?;
        Ok(Numbered { order, generation, _alone: alone })
    }
}

#[derive(Debug, Default)]
struct Stream {
    id: Bytes,
    last: u64,
    generation: u64,
    /// The gateway has seen later numbers than the outbox has: the next record begins a new stream.
    ended: bool,
    /// Where the journal says so.
    home: Option<Position>,
    alone: Arc<Mutex<()>>,
}

/// Every stream.
#[derive(Debug, Default)]
pub(super) struct Streams {
    streams: HashMap<StreamKey, Stream>,
    /// Records that wait, by stream and number.
    waiting: HashMap<Bytes, BTreeMap<u64, ExchangeId>>,
}

fn key_of(record: &Record) -> StreamKey {
    let recipients = record.recipients.iter().map(|recipient| recipient.agency.clone()).collect();
    StreamKey { agreement: record.number.clone(), recipients }
}

impl Streams {
    fn turn(&mut self, key: &StreamKey) -> Arc<Mutex<()>> {
        Arc::clone(&self.streams.entry(key.clone()).or_default().alone)
    }

    fn next(&self, key: &StreamKey) -> Result<(wire::Order, u64), StoreError> {
        let known = self.streams.get(key).filter(|stream| !stream.ended && !stream.id.is_empty());
        if let Some(known) = known {
            let order = wire::Order { stream: known.id.clone(), sequence: known.last + 1 };
            return Ok((order, known.generation));
        }
        let mut id = [0; STREAM_ID_SIZE];
        SystemRandom::new()
            .fill(&mut id)
            .map_err(|_| StoreError::file("outbox")(std::io::Error::other("no randomness")))?;
        let generation = self.streams.get(key).map_or(0, |stream| stream.generation) + 1;
        Ok((wire::Order { stream: Bytes::copy_from_slice(&id), sequence: 1 }, generation))
    }

    /// A record is in the journal at `home`: its number is taken, and it waits for its turn. Gives who had the turn before.
    pub(super) fn put(&mut self, id: ExchangeId, record: &Record, home: Position) -> Option<ExchangeId> {
        let (stream, sequence) = record.place()?;
        let known = self.streams.entry(key_of(record)).or_default();
        if (record.generation, sequence) >= (known.generation, known.last) {
            let ended = known.ended && known.generation == record.generation;
            (known.id, known.last, known.generation) = (stream.clone(), sequence, record.generation);
            (known.ended, known.home) = (ended, Some(home));
        }
        self.refused(record);
        if !record.is_waiting() {
            return None;
        }
        let waiting = self.waiting.entry(stream.clone()).or_default();
        let before = waiting.first_key_value().map(|(_, first)| *first);
        waiting.insert(sequence, id);
        before
    }

    /// Notes when a record was refused because its number had passed: its stream serves no more.
    pub(super) fn refused(&mut self, record: &Record) {
        if record.denied_for(Reason::SequencePassed)
            && let Some(known) = self.streams.get_mut(&key_of(record))
            && known.generation == record.generation
        {
            known.ended = true;
        }
    }

    /// Whether a record may be submitted: it is in no stream, or the first that waits of its own.
    pub(super) fn has_turn(&self, id: ExchangeId, record: &Record) -> bool {
        let Some((stream, _)) = record.place() else { return true };
        let first = self.waiting.get(stream).and_then(BTreeMap::first_key_value);
        first.is_none_or(|(_, first)| *first == id)
    }

    /// A record waits no more; gives whose turn it is then.
    pub(super) fn leave(&mut self, record: &Record) -> Option<ExchangeId> {
        let (stream, sequence) = record.place()?;
        let waiting = self.waiting.get_mut(stream)?;
        waiting.remove(&sequence);
        let next = waiting.first_key_value().map(|(_, first)| *first);
        if waiting.is_empty() {
            self.waiting.remove(stream);
        }
        next
    }

    /// What a journal segment says of streams that no later one does.
    pub(super) fn marks_in(&self, segment: u64) -> Vec<(StreamKey, StreamMark)> {
        let there =
            self.streams.iter().filter(|(_, stream)| stream.home.is_some_and(|home| home.segment == segment));
        let mark = |(key, stream): (&StreamKey, &Stream)| {
            let (agreement, recipients) = (key.agreement.clone(), key.recipients.clone());
            let (id, Stream { last, generation, ended, .. }) = (stream.id.clone(), stream);
            let (last, generation, ended) = (*last, *generation, *ended);
            (key.clone(), StreamMark { agreement, recipients, stream: id, last, generation, ended })
        };
        there.map(mark).collect()
    }

    /// The journal says it there now.
    pub(super) fn moved(&mut self, key: &StreamKey, home: Position) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.home = Some(home);
        }
    }

    /// Takes over what the journal says of a stream.
    pub(super) fn marked(&mut self, mark: StreamMark, home: Position) {
        let StreamMark { agreement, recipients, stream, last, generation, ended } = mark;
        let known = self.streams.entry(StreamKey { agreement, recipients }).or_default();
        if (generation, last) >= (known.generation, known.last) {
            (known.id, known.last, known.generation) = (stream, last, generation);
            (known.ended, known.home) = (ended, Some(home));
        }
    }
}
