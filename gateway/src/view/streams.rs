//! Streams of ordered records: the last sequence that was accepted, what waits of each for each recipient, and which of
//! a recipient's agents has the earlier ones.
//!
//! Only the first that waits of a stream lies in the recipient's mailbox; when it has ended, the next is put there. So
//! what nobody wants in order costs nothing more.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use prost::Message;

use super::exchanges::ExchangeRow;
use super::keys;
use super::store::{View, ViewError};

/// The place of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// `agency/agent`.
    sender: String,
    /// 16 bytes.
    stream: Bytes,
    sequence: u64,
}

/// One stream.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct StreamRow {
    /// The last sequence that was accepted.
    #[prost(uint64, tag = "1")]
    pub(crate) last: u64,
    /// By recipient.
    #[prost(message, repeated, tag = "2")]
    keepers: Vec<Keeper>,
}

/// Who has the earlier records of a stream.
#[derive(Clone, PartialEq, Message)]
struct Keeper {
    #[prost(string, tag = "1")]
    agency: String,
    /// The agent whose acknowledgement was the last.
    #[prost(string, tag = "2")]
    agent: String,
}

impl StreamRow {
    /// The recipient's agent that has the earlier records; none before the first acknowledgement.
    pub(crate) fn keeper(&self, agency: &str) -> Option<&str> {
        self.keepers.iter().find(|keeper| keeper.agency == agency).map(|keeper| keeper.agent.as_str())
    }

    fn keep(&mut self, agency: &str, agent: &str) {
        self.keepers.retain(|keeper| keeper.agency != agency);
        self.keepers.push(Keeper { agency: agency.to_owned(), agent: agent.to_owned() });
    }
}

impl Place {
    /// Of a record that says one.
    pub(crate) fn new(sender: String, stream: &Bytes, sequence: u64) -> Option<Self> {
        let placed = !stream.is_empty() && sequence > 0;
        placed.then(|| Self { sender, stream: stream.clone(), sequence })
    }

    /// Its number.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// `S | sender | 0 | stream`.
    fn key(&self) -> Vec<u8> {
        let mut key = keys::named_prefix(keys::STREAM, &self.sender);
        key.extend_from_slice(&self.stream);
        key
    }

    /// `W | agency | 0 | sender | 0 | stream | sequence`.
    fn queued(&self, agency: &str, sequence: u64) -> Vec<u8> {
        let mut key = keys::named_prefix(keys::QUEUED, agency);
        key.extend_from_slice(self.sender.as_bytes());
        key.push(0);
        key.extend_from_slice(&self.stream);
        key.extend_from_slice(&sequence.to_be_bytes());
        key
    }
}

impl ExchangeRow {
    /// Its place in a stream, if it has one.
    pub(crate) fn place(&self) -> Option<Place> {
        Place::new(format!("{}/{}", self.sender_agency, self.sender_agent), &self.stream, self.sequence)
    }
}

impl View {
    /// The stream of a record.
    pub(crate) fn stream(&self, place: &Place) -> Result<StreamRow, ViewError> {
        Ok(self.row(&place.key())?.unwrap_or_default())
    }
}

/// A record that waits: leaf and exchange id.
pub(super) type Queued = (u64, Bytes);

/// What a batch changes of streams. Reads its own writes.
#[derive(Debug, Default)]
pub(super) struct StreamsBatch {
    rows: HashMap<Vec<u8>, StreamRow>,
    /// `None`: it has ended.
    queued: BTreeMap<Vec<u8>, Option<Queued>>,
}

impl StreamsBatch {
    /// The stream of a record, as of this batch.
    pub(super) fn row(&self, view: &View, place: &Place) -> Result<StreamRow, ViewError> {
        match self.rows.get(&place.key()) {
            Some(row) => Ok(row.clone()),
            None => view.stream(place),
        }
    }

    /// A record was accepted.
    pub(super) fn accepted(&mut self, view: &View, place: &Place) -> Result<(), ViewError> {
        let row = self.row(view, place)?;
        let last = row.last.max(place.sequence);
        self.rows.insert(place.key(), StreamRow { last, ..row });
        Ok(())
    }

    /// It waits for `agency`; true when nothing of its stream did.
    pub(super) fn queue(
        &mut self,
        view: &View,
        place: &Place,
        (agency, queued): (&str, Queued),
    ) -> Result<bool, ViewError> {
        let first = self.first(view, place, agency)?.is_none();
        self.queued.insert(place.queued(agency, place.sequence), Some(queued));
        Ok(first)
    }

    /// It waits for `agency` no more, since `agent` has it or, without one, since it expired; gives who comes next when it
    /// was the first.
    pub(super) fn ended(
        &mut self,
        view: &View,
        place: &Place,
        (agency, agent): (&str, &str),
    ) -> Result<Option<Queued>, ViewError> {
        if !agent.is_empty() {
            let mut row = self.row(view, place)?;
            row.keep(agency, agent);
            self.rows.insert(place.key(), row);
        }
        let key = place.queued(agency, place.sequence);
        let was_first = self.first(view, place, agency)?.is_some_and(|(first, _)| first == key);
        self.queued.insert(key, None);
        if was_first { Ok(self.first(view, place, agency)?.map(|(_, next)| next)) } else { Ok(None) }
    }

    /// The first that waits of a stream.
    fn first(
        &self,
        view: &View,
        place: &Place,
        agency: &str,
    ) -> Result<Option<(Vec<u8>, Queued)>, ViewError> {
        let (from, to) = (place.queued(agency, 0), place.queued(agency, u64::MAX));
        let fresh = self.queued.range(from.clone()..=to.clone());
        let fresh = fresh.filter_map(|(key, queued)| Some((key.clone(), queued.clone()?))).next();
        for row in view.db().range(from..=to) {
            let (key, value) = row?;
            if self.queued.contains_key(key.as_ref()) {
                continue;
            }
            if fresh.as_ref().is_some_and(|(fresh, _)| fresh.as_slice() < key.as_ref()) {
                break;
            }
            return Ok(Some((key.to_vec(), read(&value)?)));
        }
        Ok(fresh)
    }

    /// Adds the rows to what is written.
    pub(super) fn write(&self, batch: &mut sled::Batch) {
        for (key, row) in &self.rows {
            batch.insert(key.as_slice(), row.encode_to_vec());
        }
        for (key, queued) in &self.queued {
            match queued {
                Some((leaf, id)) => batch.insert(key.as_slice(), [&leaf.to_be_bytes()[..], id].concat()),
                None => batch.remove(key.as_slice()),
            }
        }
    }
}

fn read(value: &[u8]) -> Result<Queued, ViewError> {
    let (leaf, id) = value.split_first_chunk::<8>().ok_or(ViewError::Malformed("queue of a stream"))?;
    Ok((u64::from_be_bytes(*leaf), Bytes::copy_from_slice(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(stream: u8, sequence: u64) -> Place {
        Place::new("ramq/agent-1".to_owned(), &Bytes::copy_from_slice(&[stream; 16]), sequence).unwrap()
    }

    fn queued(leaf: u64) -> Queued {
        (leaf, Bytes::copy_from_slice(&[7; 16]))
    }

    /// The same whether each step is written at once, or all are one batch.
    fn steps(view: &View, write: &dyn Fn(StreamsBatch) -> StreamsBatch) {
        let mut batch = StreamsBatch::default();
        for (sequence, first) in [(1, true), (2, false), (4, false), (9, false)] {
            batch.accepted(view, &place(1, sequence)).unwrap();
            let told = batch.queue(view, &place(1, sequence), ("saaq", queued(10 + sequence))).unwrap();
            assert_eq!(told, first, "{sequence}");
            batch = write(batch);
        }
        assert!(batch.queue(view, &place(2, 1), ("saaq", queued(30))).unwrap(), "another stream");
        assert!(batch.queue(view, &place(1, 1), ("revenu", queued(31))).unwrap(), "another recipient");
        batch = write(batch);
        // Out of the middle nobody is let on; from the front, whoever is next.
        assert_eq!(batch.ended(view, &place(1, 2), ("saaq", "")).unwrap(), None);
        batch = write(batch);
        assert_eq!(batch.ended(view, &place(1, 1), ("saaq", "agent-2")).unwrap(), Some(queued(14)));
        batch = write(batch);
        assert_eq!(batch.ended(view, &place(1, 1), ("saaq", "")).unwrap(), None, "it has ended before");
        assert_eq!(batch.ended(view, &place(1, 4), ("saaq", "")).unwrap(), Some(queued(19)));
        assert_eq!(batch.ended(view, &place(1, 9), ("saaq", "")).unwrap(), None);
        batch = write(batch);
        let row = batch.row(view, &place(1, 9)).unwrap();
        assert_eq!((row.last, row.keeper("saaq"), row.keeper("revenu")), (9, Some("agent-2"), None));
        assert!(batch.queue(view, &place(1, 10), ("saaq", queued(40))).unwrap());
    }

    #[test]
    fn only_the_first_of_a_stream_is_let_on_and_the_next_when_it_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let view = View::open(&folder.path().join("one"), "log").unwrap();
        steps(&view, &|batch| batch);
        let view = View::open(&folder.path().join("each"), "log").unwrap();
        let writing = view.clone();
        steps(&view, &move |batch| {
            let mut written = sled::Batch::default();
            batch.write(&mut written);
            writing.db().apply_batch(written).unwrap();
            StreamsBatch::default()
        });
    }
}
