//! A batch that is being decided: each decision sees what the ones before it will have changed. Nothing of it is
//! durable or visible to anybody else; dropping it undoes it.

use bytes::Bytes;
use passerelle_pki::clock::Timestamp;
use passerelle_proto::event::{self, NONCE_SIZE};
use passerelle_proto::tlog::leaf_hash;
use passerelle_proto::wire;
use ring::rand::{SecureRandom, SystemRandom};

use super::{Commit, LedgerError, Logged, NewEvent, StoredRecord};
use crate::state::State;
use crate::view::{ExchangeRow, Place, View, ViewBatch, ViewError, Volume, changes_state};

/// The batch.
pub(super) struct Stage<'a> {
    view: &'a View,
    random: &'a SystemRandom,
    now: Timestamp,
    state: State,
    state_changed: bool,
    batch: ViewBatch,
    commits: Vec<Commit>,
    /// Exchange ids of the records in the commits, by index of the commit.
    records: Vec<(usize, Bytes)>,
    receipts: Vec<wire::ReceiptBody>,
    /// The view gave no answer: the batch must not be written.
    broken: Option<ViewError>,
}

/// A batch that was decided.
pub(super) struct Staged {
    pub(super) now: Timestamp,
    pub(super) state: Option<State>,
    pub(super) batch: ViewBatch,
    pub(super) commits: Vec<Commit>,
    pub(super) records: Vec<(usize, Bytes)>,
    pub(super) receipts: Vec<wire::ReceiptBody>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(
        view: &'a View,
        random: &'a SystemRandom,
        state: State,
        batch: ViewBatch,
        now: Timestamp,
    ) -> Self {
        Self {
            view,
            random,
            now,
            state,
            state_changed: false,
            batch,
            commits: Vec::new(),
            records: Vec::new(),
            receipts: Vec::new(),
            broken: None,
        }
    }

    /// The time of the batch's events.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// The state as of every earlier event.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// The exchange with this id.
    pub(super) fn exchange(&mut self, id: &[u8]) -> Result<Option<ExchangeRow>, LedgerError> {
        let read = self.batch.exchange(self.view, id);
        self.held(read)
    }

    /// What was sent under an agreement on a day.
    pub(super) fn volume(&mut self, number: &str, sender: &str, day: i32) -> Result<Volume, LedgerError> {
        let read = self.batch.volume(self.view, number, sender, day);
        self.held(read)
    }

    /// The last sequence that was accepted of a record's stream.
    pub(super) fn last_of_stream(&mut self, place: &Place) -> Result<u64, LedgerError> {
        let read = self.batch.last_of_stream(self.view, place);
        self.held(read)
    }

    /// Undelivered exchanges that are due to expire, as of before this batch.
    pub(super) fn expired(&mut self, limit: usize) -> Result<Vec<Bytes>, LedgerError> {
        let read = self.view.expired(self.now.as_millis(), limit);
        self.held(read)
    }

    /// Adds an event, with the record that it accepts. On an error the batch is as it was, or broken.
    pub(super) fn log(&mut self, new: NewEvent, record: Option<StoredRecord>) -> Result<Logged, LedgerError> {
        let mut nonce = [0; NONCE_SIZE];
        self.random.fill(&mut nonce).map_err(|_| LedgerError::Internal("no randomness".to_owned()))?;
        let kind = new.kind;
        let event = wire::Event {
            nonce: Bytes::copy_from_slice(&nonce),
            time_ms: self.now.as_millis(),
            kind: kind.into(),
            actor: Some(new.actor),
            detail: Some(new.detail),
        };
        let entry = event::encode(&event).map_err(|error| {
            LedgerError::Internal(format!("event of kind {}: {error}", kind.as_str_name()))
        })?;
        let entry = Bytes::from(entry);
        let leaf_index = self.batch.applied();
        if changes_state(kind) {
            let mut next = self.state.clone();
            next.apply(leaf_index, &event).map_err(|error| LedgerError::Internal(error.to_string()))?;
            self.state = next;
            self.state_changed = true;
        }
        let hash = *leaf_hash(&entry).as_bytes();
        let applied = self.batch.apply(self.view, &event, &entry, hash, None);
        self.held(applied)?;
        if let (Some(_record), Some(wire::event::Detail::Exchange(detail))) = (&record, &event.detail) {
            self.records.push((self.commits.len(), detail.exchange_id.clone()));
        }
        self.commits.push(Commit { first_leaf: leaf_index, entries: vec![entry], record });
        Ok(Logged { leaf_index, time: self.now })
    }

    /// Adds a receipt to be signed; gives its index among the batch's.
    pub(super) fn receipt(&mut self, body: wire::ReceiptBody) -> usize {
        self.receipts.push(body);
        self.receipts.len() - 1
    }

    /// The batch, unless the view gave no answer somewhere.
    pub(super) fn finish(self) -> Result<Staged, ViewError> {
        match self.broken {
            Some(error) => Err(error),
            None => Ok(Staged {
                now: self.now,
                state: self.state_changed.then_some(self.state),
                batch: self.batch,
                commits: self.commits,
                records: self.records,
                receipts: self.receipts,
            }),
        }
    }

    fn held<T>(&mut self, read: Result<T, ViewError>) -> Result<T, LedgerError> {
        read.map_err(|error| {
            let told = LedgerError::LogUnavailable(error.to_string());
            self.broken.get_or_insert(error);
            told
        })
    }
}
