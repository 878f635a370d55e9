//! The outbox: sealed records on their way, and what has become of those that were sent.
//!
//! A record counts once its journal entry is durable; the body of a large one was durable in the spool before. Changes
//! are applied when they are durable. The sealed body goes when the gateway's receipt is here: the gateway has it then.
//! Nothing here is plain but what the gateway sees as well.
//!
//! A record is sent again until there is an answer; the gateway gives the same receipt to the same bytes, so that a
//! crash at any point neither loses nor doubles anything.

mod entry;
mod streams;
mod table;
mod tidy;

#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use passerelle_journal::JournalError;
use passerelle_pki::clock::{SharedClock, Timestamp};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{self, Reason};
use prost::Message;
use tokio::sync::watch;

use crate::metrics::{Counted, Tally};
use crate::records::blocking::blocking;
use crate::records::log::RecordLog;
use crate::records::sealing::Sealed;
use crate::records::{
    Accepted, Limits, Progress, RecordFilter, RecordState, RecordView, SendError, StoreError,
};
use crate::spool::Spool;

use entry::{Change, Denial, Entry, FORMAT, Receipt, Recipient, Record};
pub(crate) use streams::{Numbered, Numbering, StreamKey};
pub(crate) use table::Lane;
use table::Table;

/// The outbox. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Outbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    log: RecordLog,
    spool: Spool,
    limits: Limits,
    clock: SharedClock,
    table: Mutex<Table>,
    /// Something a user sees has changed.
    changed: watch::Sender<u64>,
    /// Something waits to be sent.
    work: watch::Sender<u64>,
    tally: Tally,
}

/// What is to be sent of a record.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) envelope: wire::Envelope,
    /// Empty when the body lies in the spool.
    pub(crate) body: Bytes,
    pub(crate) header_digest: [u8; 32],
    /// Until when it may be accepted.
    pub(crate) expires: Timestamp,
}

/// What an idempotency key leads to.
#[derive(Debug)]
pub(crate) enum Claim {
    /// Nothing yet: it is the holder's until dropped.
    Fresh(KeyHeld),
    /// A record, made for a request with this digest.
    Known(ExchangeId, RecordState, Bytes),
    /// A request that is being taken over.
    UnderWay,
}

/// A key while its request is being taken over.
#[derive(Debug)]
pub(crate) struct KeyHeld {
    outbox: Outbox,
    key: [u8; 32],
}

impl Drop for KeyHeld {
    fn drop(&mut self) {
        self.outbox.table().claimed.remove(&self.key);
    }
}

/// Counts for the status.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) queued: usize,
    pub(crate) queued_bytes: u64,
    pub(crate) on_the_way: usize,
    /// When the oldest of those queued was sealed.
    pub(crate) oldest: Option<Timestamp>,
}

impl Outbox {
    /// Opens the outbox in a folder, or begins it. Blocking.
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
        table.forget(&limits, clock.now());
        let needed = |id: ExchangeId| table.slots.get(&id).is_some_and(|slot| slot.record.is_waiting());
        spool.sweep(needed).map_err(StoreError::file(&bodies))?;
        let (table, work) = (Mutex::new(table), watch::Sender::new(0));
        Ok(Self(Arc::new(Inner { log, spool, limits, clock, table, changed, work, tally: Tally::default() })))
    }

    /// Where large bodies go.
    pub(crate) fn spool(&self) -> &Spool {
        &self.0.spool
    }

    /// What has happened to records.
    pub(crate) fn tally(&self) -> &Tally {
        &self.0.tally
    }

    /// Told when something waits to be sent.
    pub(crate) fn work(&self) -> watch::Receiver<u64> {
        self.0.work.subscribe()
    }

    /// Whether there is room for one more record.
    pub(crate) fn room(&self, sealed_bytes: u64) -> Result<(), SendError> {
        let (table, limits) = (self.table(), &self.0.limits);
        let fits = table.queued_bytes.saturating_add(sealed_bytes) <= limits.queued_bytes;
        if fits && table.queued < limits.queued_records { Ok(()) } else { Err(SendError::Full) }
    }

    /// The record that was made under an idempotency key.
    pub(crate) fn under_key(&self, key: &[u8; 32]) -> Option<ExchangeId> {
        self.table().by_key(key).map(|(id, _)| id)
    }

    /// What an idempotency key leads to.
    pub(crate) fn claim(&self, key: [u8; 32]) -> Claim {
        let mut table = self.table();
        if let Some((id, slot)) = table.by_key(&key) {
            return Claim::Known(id, slot.record.state(slot.sent), slot.record.request.clone());
        }
        if !table.claimed.insert(key) {
            return Claim::UnderWay;
        }
        Claim::Fresh(KeyHeld { outbox: self.clone(), key })
    }

    /// Takes a sealed record over: it is durable when this returns. `held` is its key, with the digest of the request.
    pub(crate) async fn add(
        &self,
        sealed: Sealed,
        held: Option<(KeyHeld, [u8; 32])>,
    ) -> Result<Accepted, SendError> {
        let Sealed { exchange_id, envelope, body, removed_fields, numbered } = sealed;
        let header = wire::Header::decode(envelope.header.clone())
            .map_err(|_| StoreError::Damaged("the header just sealed cannot be read"))?;
        let sealed_bytes = passerelle_proto::envelope::sealed_length(header.plaintext_length);
        if let Err(full) = self.room(sealed_bytes) {
            self.remove_body(exchange_id).await?;
            return Err(full);
        }
        let mut record = Record::new(&header, &envelope.header, sealed_bytes, body.is_none());
        record.removed_fields.clone_from(&removed_fields);
        record.generation = numbered.as_ref().map_or(0, |numbered| numbered.generation);
        if let Some((held, request)) = &held {
            (record.key, record.request) = (held.key.to_vec().into(), request.to_vec().into());
        }
        let entry = Entry::of_record(record.clone(), Some(envelope), body.unwrap_or_default());
        let this = self.clone();
        let apply = move |home| {
            this.table().put(exchange_id, record, home);
            // Only now: before, the same key must still find the request under way, and the number is not taken.
            drop((held, numbered));
        };
        if let Err(error) = self.0.log.append(entry.encode_to_vec(), apply).await {
            // What is not in the journal is not in the outbox; if it cannot go now, it is swept at the next opening.
            self.remove_body(exchange_id).await.ok();
            return Err(error.into());
        }
        self.0.tally.count(Counted::Queued);
        self.tell();
        Ok(Accepted { exchange_id, state: RecordState::Queued, repeated: false, removed_fields })
    }

    /// One record.
    pub(crate) fn record(&self, id: &ExchangeId) -> Option<RecordView> {
        self.table().slots.get(id).map(|slot| slot.view(*id))
    }

    /// Records, newest first.
    pub(crate) fn records(&self, filter: &RecordFilter) -> Vec<RecordView> {
        let table = self.table();
        let end = filter.after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let older = table.slots.range((std::ops::Bound::Unbounded, end)).rev();
        older
            .filter(|(_, slot)| filter.state.is_none_or(|state| slot.record.state(slot.sent) == state))
            .take(filter.effective_limit())
            .map(|(id, slot)| slot.view(*id))
            .collect()
    }

    /// The first `most` records that changed after this number, each with the number of its last change.
    pub(crate) fn changed_after(&self, number: u64, most: usize) -> Vec<(u64, RecordView)> {
        let table = self.table();
        let changed = table.changed_after(number).take(most);
        changed.map(|(number, id, slot)| (number, slot.record.view(id, slot.sent))).collect()
    }

    /// Where a reader goes on that comes back with this number.
    pub(crate) fn known_change(&self, number: u64) -> u64 {
        self.table().known_change(number)
    }

    pub(crate) fn counts(&self) -> Counts {
        let table = self.table();
        let mut counts =
            Counts { queued: table.queued, queued_bytes: table.queued_bytes, on_the_way: 0, oldest: None };
        for record in table.slots.values().map(|slot| &slot.record) {
            if record.is_waiting() {
                let sealed = Timestamp::from_millis(record.created_ms);
                counts.oldest = Some(counts.oldest.map_or(sealed, |oldest| oldest.min(sealed)));
            } else if record.state(false) == RecordState::Accepted {
                counts.on_the_way += 1;
            }
        }
        counts
    }

    /// Records that are accepted and not settled, with header digest and end of validity.
    pub(crate) fn on_the_way(&self) -> Vec<(ExchangeId, Timestamp)> {
        let table = self.table();
        let accepted =
            table.slots.iter().filter(|(_, slot)| slot.record.state(false) == RecordState::Accepted);
        accepted.map(|(id, slot)| (*id, Timestamp::from_millis(slot.record.expires_ms))).collect()
    }

    /// The header digest of a record.
    pub(crate) fn header_digest(&self, id: &ExchangeId) -> Option<[u8; 32]> {
        self.table().slots.get(id).and_then(|slot| slot.record.header_digest[..].try_into().ok())
    }

    /// The oldest record that waits in a lane. It is the caller's until it is given back or settled.
    pub(crate) fn take(&self, lane: Lane) -> Option<ExchangeId> {
        let taken = self.table().take(lane)?;
        self.0.changed.send_modify(|generation| *generation += 1);
        Some(taken)
    }

    /// Lets records be taken again, unless they are settled.
    pub(crate) fn give_back(&self, ids: impl IntoIterator<Item = ExchangeId>) {
        let mut table = self.table();
        ids.into_iter().for_each(|id| table.line_up(id));
        drop(table);
        self.tell();
    }

    /// Counts a failed attempt; gives how many there were before.
    pub(crate) fn failed(&self, id: ExchangeId) -> u32 {
        let mut table = self.table();
        let Some(slot) = table.slots.get_mut(&id) else { return 0 };
        slot.attempts = slot.attempts.saturating_add(1);
        slot.attempts - 1
    }

    /// Notes that the gateway has so many chunks of the body; `begins` at the first word of an upload.
    pub(crate) fn reached(&self, id: ExchangeId, chunks: u64, begins: bool) {
        let mut table = self.table();
        if let Some(slot) = table.slots.get_mut(&id) {
            match &mut slot.progress {
                Some(progress) if !begins => progress.reach(chunks),
                progress => {
                    let begun = Progress::begun(chunks, slot.record.length);
                    begun.log(id, "upload");
                    *progress = Some(begun);
                }
            }
            table.uploading.insert(id);
        }
        drop(table);
        self.0.changed.send_modify(|generation| *generation += 1);
    }

    /// Records whose bodies are being uploaded.
    pub(crate) fn uploading(&self) -> Vec<RecordView> {
        let table = self.table();
        table.uploading.iter().filter_map(|id| table.slots.get(id).map(|slot| slot.view(*id))).collect()
    }

    /// Notes whether the gateway has the body: the lane follows from it once the record is given back.
    pub(crate) fn uploaded(&self, id: ExchangeId, whole: bool) {
        if let Some(slot) = self.table().slots.get_mut(&id) {
            slot.uploaded = whole;
        }
    }

    /// Reads what is to be sent. `None` when the record is settled.
    pub(crate) async fn load(&self, id: ExchangeId) -> Result<Option<Load>, StoreError> {
        let this = self.clone();
        blocking(move || this.load_now(id)).await?
    }

    /// The envelope of a record in the history, as it was signed. `None` when there is no such record, or its envelope is
    /// not kept any more.
    pub(crate) async fn envelope(&self, id: ExchangeId) -> Result<Option<wire::Envelope>, StoreError> {
        let this = self.clone();
        let found = blocking(move || {
            // Tidying may move an entry between the two looks, never twice so soon.
            for _ in 0..3 {
                let Some(home) = this.table().slots.get(&id).map(|slot| slot.home) else { return Ok(None) };
                match this.0.log.entry(home) {
                    Err(StoreError::Journal(JournalError::NoEntry(_) | JournalError::Io { .. })) => continue,
                    payload => return Ok(read(payload?)?.envelope),
                }
            }
            Err(StoreError::Damaged("a record of the history is not where it should be"))
        });
        found.await?
    }

    fn load_now(&self, id: ExchangeId) -> Result<Option<Load>, StoreError> {
        // Tidying may move an entry between the two looks, never twice so soon.
        for _ in 0..3 {
            let (home, expires_ms) = match self.table().slots.get(&id) {
                Some(slot) if slot.record.is_waiting() => (slot.home, slot.record.expires_ms),
                _ => return Ok(None),
            };
            let payload = match self.0.log.entry(home) {
                Err(StoreError::Journal(JournalError::NoEntry(_) | JournalError::Io { .. })) => continue,
                payload => payload?,
            };
            let entry = read(payload)?;
            let envelope =
                entry.envelope.ok_or(StoreError::Damaged("a waiting record without its envelope"))?;
            let header_digest = crate::records::digest::sha256(&envelope.header);
            let expires = Timestamp::from_millis(expires_ms);
            return Ok(Some(Load { envelope, body: entry.body, header_digest, expires }));
        }
        Err(StoreError::Damaged("a waiting record is not where it should be"))
    }

    /// Notes the gateway's receipt, verified.
    pub(crate) async fn accepted(&self, id: ExchangeId, body: wire::ReceiptBody) -> Result<(), StoreError> {
        let receipt = Receipt {
            leaf_index: body.leaf_index,
            accepted_ms: body.accepted_ms,
            log_origin: body.log_origin,
        };
        self.change(id, Change { receipt: Some(receipt), ..Change::default() }).await
    }

    /// Notes the gateway's refusal.
    pub(crate) async fn denied(
        &self,
        id: ExchangeId,
        (reason, detail): (Reason, String),
        leaf_index: Option<u64>,
    ) -> Result<(), StoreError> {
        let denial = Denial { reason: reason.into(), detail, leaf_index };
        self.change(id, Change { denial: Some(denial), ..Change::default() }).await
    }

    /// Notes what a recipient's agent has signed, verified.
    pub(crate) async fn acknowledged(
        &self,
        id: ExchangeId,
        agency: &str,
        (refused, at_ms): (Option<Reason>, u64),
    ) -> Result<(), StoreError> {
        let state = if refused.is_some() { entry::REFUSED } else { entry::DELIVERED };
        let reason = refused.unwrap_or(Reason::Unspecified).into();
        let recipient = Recipient { agency: agency.to_owned(), state, reason, at_ms };
        self.change(id, Change { recipient: Some(recipient), ..Change::default() }).await
    }

    /// Notes that a recipient did not collect the record in time.
    pub(crate) async fn expired(&self, id: ExchangeId, agency: &str) -> Result<(), StoreError> {
        let recipient =
            Recipient { agency: agency.to_owned(), state: entry::EXPIRED, ..Recipient::default() };
        self.change(id, Change { recipient: Some(recipient), ..Change::default() }).await
    }

    async fn change(&self, id: ExchangeId, change: Change) -> Result<(), StoreError> {
        let change = Change { exchange_id: id.to_wire(), at_ms: self.0.clock.now().as_millis(), ..change };
        let news = self.table().slots.get(&id).is_some_and(|slot| slot.record.clone().merge(&change));
        if !news {
            return Ok(());
        }
        let (entry, this) = (Entry::of_change(change.clone()).encode_to_vec(), self.clone());
        let (what, why) = change.counted();
        let unneeded = self.0.log.append(entry, move |_| this.table().merge(id, &change)).await?;
        self.0.tally.count_for(what, why);
        self.tell();
        if unneeded {
            self.remove_body(id).await?;
        }
        Ok(())
    }

    async fn remove_body(&self, id: ExchangeId) -> Result<(), StoreError> {
        let spool = self.0.spool.clone();
        blocking(move || spool.remove(id).map_err(StoreError::file(spool.folder()))).await?
    }

    fn tell(&self) {
        self.0.changed.send_modify(|generation| *generation += 1);
        self.0.work.send_modify(|generation| *generation += 1);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(payload: Bytes) -> Result<Entry, StoreError> {
    let entry = Entry::decode(payload).map_err(|_| StoreError::Damaged("an entry of the outbox"))?;
    if entry.format > FORMAT { Err(StoreError::Newer) } else { Ok(entry) }
}

fn fold(table: &mut Table, payload: Bytes, position: passerelle_journal::Position) -> Result<(), StoreError> {
    let entry = read(payload)?;
    let id =
        |bytes: &Bytes| ExchangeId::from_bytes(bytes).map_err(|_| StoreError::Damaged("an id in the outbox"));
    if let Some(record) = entry.record {
        table.put(id(&record.exchange_id)?, record.clone(), position);
    }
    if let Some(mark) = entry.stream {
        table.streams.marked(mark, position);
    }
    if let Some(change) = entry.change {
        table.merge(id(&change.exchange_id)?, &change);
    }
    Ok(())
}
