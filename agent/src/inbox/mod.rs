//! The inbox: records that were received, each once, until the agency's system confirms that it has them.
//!
//! Bodies are kept as they were sealed and opened when they are read: nothing plain is on the disk. A record is durable
//! here before it is acknowledged; its id is remembered, received or refused, until it can not come again, so that what
//! is delivered twice enters once, whenever the machine stops. It is pending, and no system sees it, until the gateway has
//! said that this agent's acknowledgement is the agency's first ([`acknowledging`]).

mod acknowledging;
mod contested;
mod entry;
mod order;
mod reading;
mod table;
mod taking;
mod tidy;

#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use passerelle_pki::clock::{SharedClock, Timestamp};
use passerelle_pki::key::PublicKey;
use passerelle_pki::name::AgencyCode;
use passerelle_proto::acknowledgement::Acknowledged;
use passerelle_proto::envelope::limits::LIFETIME_LIMIT_MS;
use passerelle_proto::envelope::{DecapsulationCache, VerifiedEnvelope};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{self, Reason};
use prost::Message;
use tokio::sync::{OwnedMutexGuard, watch};

use crate::metrics::{Counted, Tally};
use crate::records::blocking::blocking;
use crate::records::log::RecordLog;
use crate::records::transfer::Incoming;
use crate::records::{InboxError, Limits, StoreError};
use crate::spool::Spool;
use crate::systems::Caller;

use entry::{Entry, FORMAT, Known};
use order::TURNS;
pub(crate) use order::Wanted;
pub use reading::InboxBody;
pub(crate) use reading::Waiting;
use table::Table;
pub(crate) use table::is_forgettable;
use taking::Taken;
pub(crate) use taking::Taking;

/// The inbox. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Inbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    log: RecordLog,
    spool: Spool,
    limits: Limits,
    clock: SharedClock,
    table: Mutex<Table>,
    decapsulations: DecapsulationCache,
    changed: watch::Sender<u64>,
    tally: Tally,
    incoming: Incoming,
    taken: Taken,
    /// Ordered records enter one after the other.
    turns: [Arc<tokio::sync::Mutex<()>>; TURNS],
}

/// A record that was verified and opened.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) envelope: VerifiedEnvelope,
    /// The key by which it was verified.
    pub(crate) key: PublicKey,
    /// `None`: durable in the spool.
    pub(crate) body: Option<Bytes>,
    pub(crate) leaf_index: u64,
}

/// Counts for the status.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) records: usize,
    pub(crate) pending: usize,
    /// Of the pending: what the gateway says of them is not believed.
    pub(crate) contested: usize,
    /// Of both.
    pub(crate) bytes: u64,
    /// When the oldest of them was received.
    pub(crate) oldest: Option<Timestamp>,
}

impl Inbox {
    /// Opens the inbox in a folder, or begins it. Blocking.
    pub(crate) fn open(
        folder: &Path,
        limits: Limits,
        clock: SharedClock,
        changed: watch::Sender<u64>,
    ) -> Result<Self, StoreError> {
        let bodies = folder.join("bodies");
        let spool = Spool::open(&bodies).map_err(StoreError::file(&bodies))?;
        let log = RecordLog::open(&folder.join("journal"))?;
        let mut table = Table::default();
        for entry in log.read()? {
            let entry = entry?;
            fold(&mut table, entry.payload, entry.position)?;
        }
        let now = clock.now();
        table.forget(now);
        // A body that was being downloaded is gone on with, while its record may still come.
        let may_come = |id: ExchangeId| now.since(id.drawn_at()) < Duration::from_millis(LIFETIME_LIMIT_MS);
        let needed = |id| table.slots.get(&id).map_or_else(|| may_come(id), |slot| slot.known.waiting);
        spool.sweep(needed).map_err(StoreError::file(&bodies))?;
        let table = Mutex::new(table);
        let decapsulations = DecapsulationCache::default();
        Ok(Self(Arc::new(Inner {
            log,
            spool,
            limits,
            clock,
            table,
            decapsulations,
            changed,
            tally: Tally::default(),
            incoming: Incoming::default(),
            taken: Taken::default(),
            turns: std::array::from_fn(|_| Arc::default()),
        })))
    }

    /// Where large bodies go.
    pub(crate) fn spool(&self) -> &Spool {
        &self.0.spool
    }

    /// What has happened to records.
    pub(crate) fn tally(&self) -> &Tally {
        &self.0.tally
    }

    /// Large records on their way in.
    pub(crate) fn incoming(&self) -> &Incoming {
        &self.0.incoming
    }

    /// Contexts of senders that were opened before.
    pub(crate) fn decapsulations(&self) -> &DecapsulationCache {
        &self.0.decapsulations
    }

    /// Told whenever something has changed that a user sees.
    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Whether one more record may enter.
    pub(crate) fn has_room(&self) -> bool {
        let (table, limits) = (self.table(), &self.0.limits);
        table.waiting.len() + table.pending.len() < limits.inbox_records
            && table.kept_bytes < limits.inbox_bytes
    }

    pub(crate) fn counts(&self) -> Counts {
        let table = self.table();
        let oldest = table.waiting.values().next().and_then(|id| table.slots.get(id));
        let oldest = oldest.map(|slot| Timestamp::from_millis(slot.known.received_ms));
        let (records, pending) = (table.waiting.len(), table.pending.len());
        Counts { records, pending, contested: table.contested.len(), bytes: table.kept_bytes, oldest }
    }

    /// Begins to take an exchange; `None` while another delivery of its id is under way.
    pub(crate) fn begin(&self, id: ExchangeId) -> Option<Taking> {
        self.0.taken.begin(id)
    }

    /// What is to be acknowledged for an exchange that has come before; `None` when it has not. Other bytes under an id
    /// that is known are refused.
    pub(crate) fn known(&self, id: ExchangeId, header_digest: [u8; 32]) -> Option<Acknowledged> {
        let table = self.table();
        let known = &table.slots.get(&id)?.known;
        let refused = match Reason::try_from(known.refused) {
            _ if known.header_digest != header_digest[..] => Some(Reason::ExchangeIdReused),
            Ok(Reason::Unspecified) | Err(_) => None,
            Ok(reason) => Some(reason),
        };
        Some(Acknowledged { exchange_id: id, header_digest, refused })
    }

    /// Takes a record in: it is durable when this returns, and may be acknowledged then; it is pending. One that is in
    /// stays as it is. False when a later one of its stream has entered: it is not taken in.
    pub(crate) async fn receive(&self, arrived: Arrived, agency: &AgencyCode) -> Result<bool, StoreError> {
        let Arrived { envelope, key, body, leaf_index } = arrived;
        let ours = envelope.header().recipient_keys.iter().filter(|key| key.agency == agency.as_str());
        let mut known = Known {
            exchange_id: envelope.exchange_id().to_wire(),
            header_digest: envelope.header_digest().to_vec().into(),
            refused: Reason::Unspecified.into(),
            expires_ms: envelope.expires().as_millis(),
            sequence: 0,
            waiting: true,
            pending: true,
            spooled: body.is_none(),
            sealed_bytes: envelope.sealed_length(),
            received_ms: self.0.clock.now().as_millis(),
            leaf_index,
            signing_key: key.raw().to_vec().into(),
            recipient_keys: ours.map(|key| key.key_id.clone()).collect(),
            header_bytes: envelope.header_bytes().len() as u64,
            ..Known::default()
        };
        known.under(envelope.header());
        known.placed(envelope.header());
        let (id, envelope) = (envelope.exchange_id(), envelope.envelope().clone());
        let turn = match known.stream.first() {
            Some(byte) => Some(Arc::clone(&self.0.turns[usize::from(*byte) % TURNS]).lock_owned().await),
            None => None,
        };
        if self.table().comes_late(&id, &known) {
            return Ok(false);
        }
        self.enter(id, known, Some(envelope), (body.unwrap_or_default(), turn)).await.map(|_new| true)
    }

    /// Remembers that an exchange was refused, so that it is refused for the same reason if it comes again. One that is in
    /// stays as it is, with its body.
    pub(crate) async fn refuse(&self, refused: Acknowledged, expires_ms: u64) -> Result<(), StoreError> {
        let now = self.0.clock.now().as_millis();
        let known = Known {
            exchange_id: refused.exchange_id.to_wire(),
            header_digest: refused.header_digest.to_vec().into(),
            refused: refused.refused.unwrap_or(Reason::Unspecified).into(),
            // Nobody may have verified what the header says.
            expires_ms: expires_ms.min(now.saturating_add(LIFETIME_LIMIT_MS)),
            received_ms: now,
            ..Known::default()
        };
        match self.enter(refused.exchange_id, known, None, (Bytes::new(), None)).await? {
            true => self.remove_body(refused.exchange_id).await,
            false => Ok(()),
        }
    }

    /// True when the exchange entered; false when one of this id was in.
    async fn enter(
        &self,
        id: ExchangeId,
        mut known: Known,
        envelope: Option<wire::Envelope>,
        (body, turn): (Bytes, Option<OwnedMutexGuard<()>>),
    ) -> Result<bool, StoreError> {
        {
            let mut table = self.table();
            if table.slots.contains_key(&id) {
                return Ok(false);
            }
            table.sequence += 1;
            known.sequence = table.sequence;
        }
        let (waits, why) = (known.waiting, Reason::try_from(known.refused).unwrap_or(Reason::Unspecified));
        let (entry, this) = (Entry::of_known(known.clone(), envelope, body).encode_to_vec(), self.clone());
        let apply = move |home| {
            let entered = this.table().put(id, known, home);
            drop(turn);
            entered
        };
        let entered = self.0.log.append(entry, apply).await?;
        if entered {
            self.0.tally.count_for(if waits { Counted::Received } else { Counted::Rejected }, why);
            self.tell();
        }
        Ok(entered)
    }

    /// Whether the exchange is there for a caller: waiting, or confirmed before.
    pub(crate) fn shown_to(&self, id: &ExchangeId, caller: &Caller) -> Result<(), InboxError> {
        let table = self.table();
        let shown = table.slots.get(id).is_some_and(|slot| slot.known.is_shown_to(caller));
        shown.then_some(()).ok_or(InboxError::NotFound(*id))
    }

    /// The agency's system has the record: it goes. Confirming again does nothing.
    pub(crate) async fn confirm(&self, id: ExchangeId) -> Result<(), InboxError> {
        match self.table().slots.get(&id).map(|slot| &slot.known) {
            Some(known) if known.is_shown() => {}
            Some(known) if known.pending || known.elsewhere => return Err(InboxError::NotFound(id)),
            Some(known) if known.refused == i32::from(Reason::Unspecified) => return Ok(()),
            _ => return Err(InboxError::NotFound(id)),
        }
        let (entry, this) = (Entry::of_confirmation(id.to_wire()).encode_to_vec(), self.clone());
        let spooled = self.0.log.append(entry, move |_| this.table().confirm(id)).await?;
        self.0.tally.count(Counted::Confirmed);
        self.tell();
        if spooled {
            self.remove_body(id).await?;
        }
        Ok(())
    }

    /// Ids of the KEM keys that records which are kept are sealed to.
    pub(crate) fn keys_needed(&self) -> HashSet<Bytes> {
        let table = self.table();
        let kept = table.waiting.values().chain(table.pending.values()).filter_map(|id| table.slots.get(id));
        kept.flat_map(|slot| slot.known.recipient_keys.iter().cloned()).collect()
    }

    async fn remove_body(&self, id: ExchangeId) -> Result<(), StoreError> {
        let spool = self.0.spool.clone();
        blocking(move || spool.remove(id).map_err(StoreError::file(spool.folder()))).await?
    }

    /// Wakes whoever waits for news.
    pub(crate) fn tell(&self) {
        self.0.changed.send_modify(|generation| *generation += 1);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(payload: Bytes) -> Result<Entry, StoreError> {
    let entry = Entry::decode(payload).map_err(|_| StoreError::Damaged("an entry of the inbox"))?;
    if entry.format > FORMAT { Err(StoreError::Newer) } else { Ok(entry) }
}

fn fold(table: &mut Table, payload: Bytes, position: passerelle_journal::Position) -> Result<(), StoreError> {
    let entry = read(payload)?;
    let id =
        |bytes: &Bytes| ExchangeId::from_bytes(bytes).map_err(|_| StoreError::Damaged("an id in the inbox"));
    if let Some(mut known) = entry.known {
        // Written before it was noted there.
        if known.waiting
            && known.agreement.is_empty()
            && let Some(envelope) = &entry.envelope
        {
            let header = wire::Header::decode(envelope.header.clone());
            known.under(&header.map_err(|_| StoreError::Damaged("a header in the inbox"))?);
        }
        table.put(id(&known.exchange_id)?, known, position);
    }
    for ours in entry.ours {
        table.show(id(&ours.exchange_id)?, ours.sequence);
    }
    for other in &entry.elsewhere {
        table.let_go(id(other)?, true);
    }
    if let Some(mark) = entry.stream {
        table.streams.marked(mark, position);
    }
    if !entry.confirmed.is_empty() {
        table.confirm(id(&entry.confirmed)?);
    }
    Ok(())
}
