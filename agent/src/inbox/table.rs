//! The inbox in memory: every exchange that has entered, which are pending, and which wait for their confirmation.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use passerelle_journal::Position;
use passerelle_pki::clock::Timestamp;
use passerelle_proto::exchange_id::ExchangeId;

use super::contested::Contested;
use super::entry::Known;
use super::order::Streams;

/// How long an exchange is remembered after it has expired. From then on it is refused as expired.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(86_400);

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) known: Known,
    /// Where the journal has it whole.
    pub(super) home: Position,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) slots: HashMap<ExchangeId, Slot>,
    /// Those whose acknowledgement the gateway has not answered, in the order of their arrival.
    pub(super) pending: BTreeMap<u64, ExchangeId>,
    /// Those of the pending that the gateway claims for others without proof.
    pub(super) contested: Contested,
    /// Those that wait for their confirmation, in the order in which systems see them.
    pub(super) waiting: BTreeMap<u64, ExchangeId>,
    /// Sealed bytes of both.
    pub(super) kept_bytes: u64,
    /// The last order given.
    pub(super) sequence: u64,
    /// Of ordered records.
    pub(super) streams: Streams,
}

impl Table {
    /// Puts an exchange in its place; true when it is new. One that is here stays as it is, but for a confirmation and its
    /// new home: what came twice enters once. What came under its id and was judged otherwise, or has another header,
    /// changes nothing of it.
    pub(super) fn put(&mut self, id: ExchangeId, known: Known, home: Position) -> bool {
        self.sequence = self.sequence.max(known.sequence);
        if let Some(slot) = self.slots.get_mut(&id) {
            if slot.known.refused != known.refused || slot.known.header_digest != known.header_digest {
                return false;
            }
            slot.home = home;
            self.streams.entered(&known, home);
            match known {
                Known { waiting: false, elsewhere, .. } => drop(self.let_go(id, elsewhere)),
                Known { pending: false, sequence, .. } => self.show(id, sequence),
                Known { .. } => {}
            }
            return false;
        }
        self.streams.entered(&known, home);
        if known.waiting {
            let order = if known.pending { &mut self.pending } else { &mut self.waiting };
            order.insert(known.sequence, id);
            self.kept_bytes += known.sealed_bytes;
        }
        self.slots.insert(id, Slot { known, home });
        true
    }

    /// Systems may have a record that was pending.
    pub(super) fn show(&mut self, id: ExchangeId, sequence: u64) {
        self.sequence = self.sequence.max(sequence);
        let Some(slot) = self.slots.get_mut(&id).filter(|slot| slot.known.pending) else { return };
        self.pending.remove(&slot.known.sequence);
        self.contested.remove(&id);
        (slot.known.pending, slot.known.sequence) = (false, sequence);
        self.waiting.insert(sequence, id);
    }

    /// The record is confirmed; true when it had a body in the spool.
    pub(super) fn confirm(&mut self, id: ExchangeId) -> bool {
        self.let_go(id, false)
    }

    /// The record is kept no more: confirmed, or `elsewhere`; true when it had a body in the spool.
    pub(super) fn let_go(&mut self, id: ExchangeId, elsewhere: bool) -> bool {
        let Some(slot) = self.slots.get_mut(&id).filter(|slot| slot.known.waiting) else { return false };
        let order = if slot.known.pending { &mut self.pending } else { &mut self.waiting };
        order.remove(&slot.known.sequence);
        self.contested.remove(&id);
        slot.known.let_go();
        slot.known.elsewhere = elsewhere;
        self.kept_bytes -= slot.known.sealed_bytes;
        slot.known.spooled
    }

    /// Forgets what expired long ago and does not wait.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.streams.forget(now);
        self.slots.retain(|_, slot| slot.known.waiting || !is_forgettable(slot.known.expires_ms, now));
    }

    /// Bytes that the journal must hold.
    pub(super) fn live_bytes(&self) -> u64 {
        self.slots.values().map(|slot| slot.known.live_bytes()).sum()
    }
}

/// Whether an exchange that expired then is not remembered any more.
pub(crate) fn is_forgettable(expires_ms: u64, now: Timestamp) -> bool {
    now >= Timestamp::from_millis(expires_ms).plus(REMEMBERED)
}
