//! The outbox in memory: every record, and which wait for what.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use passerelle_journal::Position;
use passerelle_pki::clock::Timestamp;
use passerelle_proto::exchange_id::ExchangeId;

use super::entry::{Change, Record};
use super::streams::Streams;
use crate::records::{Limits, Progress, RecordView};

/// What a record waits for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Its body, to be uploaded.
    Upload,
    /// To be submitted.
    Submit,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) record: Record,
    /// Where the journal has it whole.
    pub(super) home: Position,
    /// The sender has it.
    pub(super) sent: bool,
    /// The gateway has its body.
    pub(super) uploaded: bool,
    /// How often it was put off.
    pub(super) attempts: u32,
    /// How far its upload has come.
    pub(super) progress: Option<Progress>,
}

impl Slot {
    pub(super) fn view(&self, id: ExchangeId) -> RecordView {
        let progress = self.progress.filter(|_| self.record.is_waiting());
        RecordView { progress, ..self.record.view(id, self.sent) }
    }
}

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) slots: BTreeMap<ExchangeId, Slot>,
    keys: HashMap<[u8; 32], ExchangeId>,
    /// Keys of requests that are being taken over.
    pub(super) claimed: HashSet<[u8; 32]>,
    upload: BTreeSet<ExchangeId>,
    /// Whose bodies are being uploaded.
    pub(super) uploading: BTreeSet<ExchangeId>,
    submit: BTreeSet<ExchangeId>,
    pub(super) streams: Streams,
    pub(super) queued: usize,
    pub(super) queued_bytes: u64,
    /// Records by their last change.
    changes: BTreeMap<u64, ExchangeId>,
    last_change: u64,
}

/// Changes in one millisecond that keep their number over a stop.
const CHANGES_A_MS: u64 = 1 << 10;

impl Table {
    /// Puts a record in its place, or in the place of what was known of it.
    pub(super) fn put(&mut self, id: ExchangeId, record: Record, home: Position) {
        self.remove(id);
        if let Ok(key) = <[u8; 32]>::try_from(&record.key[..]) {
            self.keys.insert(key, id);
        }
        let waiting = record.is_waiting();
        if waiting {
            self.queued += 1;
            self.queued_bytes += record.sealed_bytes;
        }
        // One that is carried over comes after those that it goes before.
        if let Some(before) = self.streams.put(id, &record, home)
            && !self.streams.has_turn(before, &record)
        {
            self.submit.remove(&before);
        }
        let at_ms = match record.changed {
            0 => record.created_ms,
            changed => changed / CHANGES_A_MS,
        };
        self.slots
            .insert(id, Slot { record, home, sent: false, uploaded: false, attempts: 0, progress: None });
        self.mark(id, at_ms);
        self.line_up(id);
    }

    /// Gives a record the next number in the order of changes: by time, and never one that a reader has passed.
    fn mark(&mut self, id: ExchangeId, at_ms: u64) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        self.changes.remove(&slot.record.changed);
        self.last_change = (self.last_change + 1).max(at_ms.saturating_mul(CHANGES_A_MS));
        slot.record.changed = self.last_change;
        self.changes.insert(self.last_change, id);
    }

    /// Records that changed after this number, in the order of their last change.
    pub(super) fn changed_after(&self, number: u64) -> impl Iterator<Item = (u64, ExchangeId, &Slot)> {
        let later = self.changes.range(number.saturating_add(1)..);
        later.filter_map(|(number, id)| self.slots.get(id).map(|slot| (*number, *id, slot)))
    }

    /// Where a reader goes on that was at this number before a stop: earlier, since numbers of changes at the same moment
    /// may have been given again in another order.
    pub(super) fn known_change(&self, number: u64) -> u64 {
        if number > self.last_change { 0 } else { number.saturating_sub(CHANGES_A_MS * 1_000) }
    }

    pub(super) fn remove(&mut self, id: ExchangeId) -> Option<Slot> {
        let slot = self.slots.remove(&id)?;
        self.changes.remove(&slot.record.changed);
        if let Ok(key) = <[u8; 32]>::try_from(&slot.record.key[..])
            && self.keys.get(&key) == Some(&id)
        {
            self.keys.remove(&key);
        }
        if slot.record.is_waiting() {
            self.leave_queue(id, &slot.record);
        }
        Some(slot)
    }

    fn leave_queue(&mut self, id: ExchangeId, record: &Record) {
        self.queued -= 1;
        self.queued_bytes -= record.sealed_bytes;
        self.upload.remove(&id);
        self.uploading.remove(&id);
        self.submit.remove(&id);
        // One that is with a taker lines up when it is given back.
        let next =
            self.streams.leave(record).filter(|next| self.slots.get(next).is_some_and(|slot| !slot.sent));
        if let Some(next) = next {
            self.line_up(next);
        }
    }

    /// Whom a key belongs to.
    pub(super) fn by_key(&self, key: &[u8; 32]) -> Option<(ExchangeId, &Slot)> {
        let id = self.keys.get(key)?;
        self.slots.get(id).map(|slot| (*id, slot))
    }

    /// Lets a waiting record be taken, by the lane that it needs; an ordered one is submitted when it is its turn.
    pub(super) fn line_up(&mut self, id: ExchangeId) {
        let Some(slot) = self.slots.get_mut(&id).filter(|slot| slot.record.is_waiting()) else { return };
        slot.sent = false;
        self.uploading.remove(&id);
        match slot.record.spooled && !slot.uploaded {
            true => self.upload.insert(id),
            false if self.streams.has_turn(id, &slot.record) => self.submit.insert(id),
            false => false,
        };
    }

    /// The oldest that waits in a lane; it is with its taker until it is lined up again.
    pub(super) fn take(&mut self, lane: Lane) -> Option<ExchangeId> {
        let id = match lane {
            Lane::Upload => self.upload.pop_first(),
            Lane::Submit => self.submit.pop_first(),
        }?;
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.sent = true;
        }
        Some(id)
    }

    /// Takes a change over; true when a body in the spool is not needed any more.
    pub(super) fn merge(&mut self, id: ExchangeId, change: &Change) -> bool {
        let Some(slot) = self.slots.get_mut(&id) else { return false };
        let waited = slot.record.is_waiting();
        if slot.record.merge(change) {
            self.mark(id, change.at_ms);
        }
        let Some(slot) = self.slots.get_mut(&id) else { return false };
        if !waited || slot.record.is_waiting() {
            return false;
        }
        let record = slot.record.clone();
        self.streams.refused(&record);
        self.leave_queue(id, &record);
        record.spooled
    }

    /// Forgets finished records that are too old, or too many.
    pub(super) fn forget(&mut self, limits: &Limits, now: Timestamp) -> usize {
        let mut finished: Vec<(u64, ExchangeId)> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.record.finished_ms > 0)
            .map(|(id, slot)| (slot.record.finished_ms, *id))
            .collect();
        finished.sort_unstable();
        let many = finished.len().saturating_sub(limits.history_records);
        let old = |ms: u64| now.since(Timestamp::from_millis(ms)) > limits.history;
        let gone = finished.iter().enumerate().filter(|(place, (ms, _))| *place < many || old(*ms));
        let gone: Vec<ExchangeId> = gone.map(|(_, (_, id))| *id).collect();
        for id in &gone {
            self.remove(*id);
        }
        gone.len()
    }

    /// Bytes that the journal must hold.
    pub(super) fn live_bytes(&self) -> u64 {
        self.slots.values().map(|slot| slot.record.live_bytes()).sum()
    }
}
