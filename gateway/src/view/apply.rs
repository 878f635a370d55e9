//! Applying events to the view: what each kind of exchange event changes, collected into one atomic batch.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use passerelle_journal::Position;
use passerelle_proto::envelope::INLINE_BODY_LIMIT;
use passerelle_proto::wire::{self, EventKind, event::Detail};
use prost::Message;

use super::store::{View, ViewError};
use super::streams::{Place, StreamsBatch};
use super::volumes::{self, Volume};
use super::{ExchangeRow, Meta, RecipientRow, RecipientStatus, governance, index, keys, meta};

/// An exchange whose body lies in the spool, and that nobody waits for any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Exchange id, 16 bytes.
    pub exchange_id: Bytes,
    /// Who sent it.
    pub sender_agency: String,
    /// SHA-256 of the header bytes, 32 bytes.
    pub header_digest: Bytes,
}

/// What a batch changed that others have to know of.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Agencies with new mail.
    pub mail: BTreeSet<String>,
    /// Agencies with mail that is older than other mail of theirs: the next of a stream.
    pub released: BTreeSet<String>,
    /// Sending agencies with new notices.
    pub notices: BTreeSet<String>,
    /// Exchanges in the spool that are done with.
    pub finished: Vec<Finished>,
}

/// How a recipient's wait for an exchange ended.
struct End<'a> {
    status: RecipientStatus,
    /// The agent that acknowledged; empty otherwise.
    agent: &'a str,
    leaf: u64,
}

/// Rows to be written together. Reads its own writes.
#[derive(Debug)]
pub struct ViewBatch {
    batch: sled::Batch,
    rows: HashMap<Bytes, ExchangeRow>,
    volumes: HashMap<Vec<u8>, Volume>,
    streams: StreamsBatch,
    meta: Meta,
    changes: Changes,
    notices_from_ms: u64,
}

impl ViewBatch {
    /// An empty batch over `view`, for the log called `origin`.
    pub fn new(view: &View, origin: &str) -> Result<Self, ViewError> {
        let mut meta = view.meta()?;
        meta.format = meta::FORMAT;
        origin.clone_into(&mut meta.origin);
        Ok(Self {
            batch: sled::Batch::default(),
            rows: HashMap::new(),
            volumes: HashMap::new(),
            streams: StreamsBatch::default(),
            meta,
            changes: Changes::default(),
            notices_from_ms: 0,
        })
    }

    /// The same batch, and senders are not told of acknowledgements before `ms` (UNIX epoch): for a view that is made
    /// again, since what was told before is not in the log.
    #[must_use]
    pub fn with_notices_from(mut self, ms: u64) -> Self {
        self.notices_from_ms = ms;
        self
    }

    /// Events applied when this batch is written.
    pub fn applied(&self) -> u64 {
        self.meta.applied
    }

    /// What the batch changes that others have to know of.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Applies the next event. `leaf_index` is [`ViewBatch::applied`]; `record` is where the journal has the record
    /// that it accepts.
    pub fn apply(
        &mut self,
        view: &View,
        event: &wire::Event,
        entry: &Bytes,
        leaf_hash: [u8; 32],
        record: Option<Position>,
    ) -> Result<(), ViewError> {
        let leaf = self.meta.applied;
        match (event.kind(), &event.detail) {
            (EventKind::ExchangeAccepted, Some(Detail::Exchange(detail))) => {
                self.accepted(view, leaf, event.time_ms, detail, leaf_hash, record)?;
            }
            (EventKind::ExchangeAcknowledged, Some(Detail::Acknowledgement(detail))) => {
                self.acknowledged(view, leaf, event.time_ms, detail)?;
            }
            (EventKind::ExchangeExpired, Some(Detail::Exchange(detail))) => {
                let ended = End { status: RecipientStatus::Expired, agent: "", leaf };
                self.settle(view, &detail.exchange_id, &detail.recipients, &ended)?;
            }
            (kind, _) if governance::changes_state(kind) => {
                self.batch.insert(keys::numbered(keys::GOVERNANCE, leaf).as_slice(), entry.as_ref());
                self.meta.governance += 1;
            }
            _ => {}
        }
        index::insert(&mut self.batch, leaf, event);
        self.meta.applied = leaf + 1;
        self.meta.last_leaf_hash = Bytes::copy_from_slice(&leaf_hash);
        self.meta.last_ms = event.time_ms;
        Ok(())
    }

    /// Passes over the next event, whose contents are erased: it changes nothing, and its leaf hash is what is left.
    pub fn pass_erased(&mut self, leaf_hash: [u8; 32]) {
        self.meta.applied += 1;
        self.meta.last_leaf_hash = Bytes::copy_from_slice(&leaf_hash);
        self.meta.unsettled = true;
    }

    /// Says that events name all erased entries; gives whether that is new.
    pub fn settled(&mut self) -> bool {
        std::mem::take(&mut self.meta.unsettled)
    }

    /// Says that everything before `position` of the journal is applied.
    pub fn applied_to(&mut self, position: Position) {
        self.meta.position = Bytes::copy_from_slice(&position.to_bytes());
    }

    /// Says where the journal has the record of an accepted exchange: known once the batch is durable.
    pub fn attach(&mut self, view: &View, exchange_id: &[u8], position: Position) -> Result<(), ViewError> {
        if let Some(mut row) = self.exchange(view, exchange_id)?
            && row.waiting()
        {
            row.position = Bytes::copy_from_slice(&position.to_bytes());
            self.rows.insert(Bytes::copy_from_slice(exchange_id), row);
        }
        Ok(())
    }

    /// The exchange with this id, as of this batch.
    pub fn exchange(&self, view: &View, id: &[u8]) -> Result<Option<ExchangeRow>, ViewError> {
        match self.rows.get(id) {
            Some(row) => Ok(Some(row.clone())),
            None => view.exchange(id),
        }
    }

    /// What `sender` has sent under agreement `number` on `day`, as of this batch.
    pub(crate) fn volume(
        &self,
        view: &View,
        number: &str,
        sender: &str,
        day: i32,
    ) -> Result<Volume, ViewError> {
        match self.volumes.get(&volumes::key(number, sender, day)) {
            Some(volume) => Ok(*volume),
            None => view.volume(number, sender, day),
        }
    }

    /// The last sequence that was accepted of a record's stream, as of this batch.
    pub(crate) fn last_of_stream(&self, view: &View, place: &Place) -> Result<u64, ViewError> {
        Ok(self.streams.row(view, place)?.last)
    }

    pub(super) fn into_sled(mut self) -> sled::Batch {
        for (id, row) in &self.rows {
            self.batch.insert(keys::exchange(id), row.encode_to_vec());
        }
        for (key, volume) in &self.volumes {
            self.batch.insert(key.as_slice(), volume.encode_to_vec());
        }
        self.streams.write(&mut self.batch);
        self.batch.insert(keys::META, self.meta.encode_to_vec());
        self.batch
    }

    fn accepted(
        &mut self,
        view: &View,
        leaf: u64,
        time_ms: u64,
        detail: &wire::ExchangeDetail,
        leaf_hash: [u8; 32],
        record: Option<Position>,
    ) -> Result<(), ViewError> {
        let id = &detail.exchange_id;
        // A call is passed on while its caller waits: it lies in no mailbox.
        let kept = detail.kind() == wire::ExchangeKind::Record;
        let order = detail.order.clone().filter(|_| kept).unwrap_or_default();
        let sender = format!("{}/{}", detail.sender_agency, detail.sender_agent);
        let place = Place::new(sender, &order.stream, order.sequence);
        if let Some(place) = &place {
            self.streams.accepted(view, place)?;
        }
        for agency in detail.recipients.iter().filter(|_| kept) {
            let goes_on = match &place {
                Some(place) => self.streams.queue(view, place, (agency, (leaf, id.clone())))?,
                None => true,
            };
            if goes_on {
                self.batch.insert(keys::named(keys::MAILBOX, agency, leaf), id.as_ref());
                self.changes.mail.insert(agency.clone());
            }
        }
        if kept {
            self.batch.insert(keys::paired(keys::EXPIRY, detail.expires_ms, leaf).as_slice(), id.as_ref());
        }
        if let Some(agreement) = &detail.agreement {
            let day = volumes::day(time_ms);
            let mut volume = self.volume(view, &agreement.number, &detail.sender_agency, day)?;
            let key = volumes::key(&agreement.number, &detail.sender_agency, day);
            volume.count += 1;
            volume.bytes = volume.bytes.saturating_add(detail.plaintext_length);
            self.volumes.insert(key, volume);
        }
        let waiting = |agency: &String| RecipientRow { agency: agency.clone(), ..RecipientRow::default() };
        let row = ExchangeRow {
            header_digest: detail.header_digest.clone(),
            leaf_index: leaf,
            leaf_hash: Bytes::copy_from_slice(&leaf_hash),
            accepted_ms: time_ms,
            sender_agency: detail.sender_agency.clone(),
            sender_agent: detail.sender_agent.clone(),
            expires_ms: detail.expires_ms,
            recipients: detail.recipients.iter().filter(|_| kept).map(waiting).collect(),
            position: record.map(|at| Bytes::copy_from_slice(&at.to_bytes())).unwrap_or_default(),
            spooled: kept && detail.plaintext_length > INLINE_BODY_LIMIT,
            stream: order.stream,
            sequence: order.sequence,
        };
        self.rows.insert(id.clone(), row);
        Ok(())
    }

    fn acknowledged(
        &mut self,
        view: &View,
        leaf: u64,
        time_ms: u64,
        detail: &wire::AcknowledgementDetail,
    ) -> Result<(), ViewError> {
        let statement = detail.statement.as_ref().ok_or(ViewError::Malformed("acknowledgement event"))?;
        let acknowledgement = wire::Acknowledgement::decode(statement.payload.clone())
            .map_err(|_error| ViewError::Malformed("acknowledgement event"))?;
        let agency = [acknowledgement.agency];
        let ended = End { status: RecipientStatus::Acknowledged, agent: &acknowledgement.agent, leaf };
        for exchange in &acknowledgement.exchanges {
            let sender = self.settle(view, &exchange.exchange_id, &agency, &ended)?;
            if let Some((agency, agent)) = sender.filter(|_sender| time_ms >= self.notices_from_ms) {
                let name = format!("{agency}/{agent}");
                self.batch.insert(keys::named(keys::NOTICE, &name, leaf), &[]);
                self.changes.notices.insert(agency);
            }
        }
        Ok(())
    }

    /// Ends the wait of `agencies` for one exchange; gives its sender, agency and agent, when something ended. What has
    /// ended before stays as it ended.
    fn settle(
        &mut self,
        view: &View,
        id: &Bytes,
        agencies: &[String],
        ended: &End<'_>,
    ) -> Result<Option<(String, String)>, ViewError> {
        let Some(mut row) = self.exchange(view, id)? else { return Ok(None) };
        let (mut changed, place) = (false, row.place());
        for recipient in &mut row.recipients {
            if recipient.status() == RecipientStatus::Waiting && agencies.contains(&recipient.agency) {
                recipient.set_status(ended.status);
                recipient.leaf_index = ended.leaf;
                ended.agent.clone_into(&mut recipient.agent);
                self.batch.remove(keys::named(keys::MAILBOX, &recipient.agency, row.leaf_index));
                changed = true;
                let Some(place) = &place else { continue };
                if let Some((leaf, next)) =
                    self.streams.ended(view, place, (&recipient.agency, ended.agent))?
                {
                    self.batch.insert(keys::named(keys::MAILBOX, &recipient.agency, leaf), next.as_ref());
                    self.changes.released.insert(recipient.agency.clone());
                }
            }
        }
        if changed && !row.waiting() {
            self.batch.remove(keys::paired(keys::EXPIRY, row.expires_ms, row.leaf_index).as_slice());
            row.position = Bytes::new();
            if row.spooled {
                self.changes.finished.push(Finished {
                    exchange_id: id.clone(),
                    sender_agency: row.sender_agency.clone(),
                    header_digest: row.header_digest.clone(),
                });
            }
        }
        let sender = changed.then(|| (row.sender_agency.clone(), row.sender_agent.clone()));
        self.rows.insert(id.clone(), row);
        Ok(sender)
    }
}
