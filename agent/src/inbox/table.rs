//! The inbox in memory: every exchange that has entered, and which wait for their confirmation.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use passerelle_journal::Position;
use passerelle_pki::clock::Timestamp;
use passerelle_proto::exchange_id::ExchangeId;

use super::entry::Known;

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
    /// Those that wait, in the order of their arrival.
    pub(super) waiting: BTreeMap<u64, ExchangeId>,
    pub(super) waiting_bytes: u64,
    /// The last order given.
    pub(super) sequence: u64,
}

impl Table {
    /// Puts an exchange in its place. One that is here stays as it is, but for a confirmation and its new home: what
    /// came twice enters once.
    pub(super) fn put(&mut self, id: ExchangeId, known: Known, home: Position) {
        self.sequence = self.sequence.max(known.sequence);
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.home = home;
            if !known.waiting {
                self.confirm(id);
            }
            return;
        }
        if known.waiting {
            self.waiting.insert(known.sequence, id);
            self.waiting_bytes += known.sealed_bytes;
        }
        self.slots.insert(id, Slot { known, home });
    }

    /// The record waits no more; true when it had a body in the spool.
    pub(super) fn confirm(&mut self, id: ExchangeId) -> bool {
        let Some(slot) = self.slots.get_mut(&id).filter(|slot| slot.known.waiting) else { return false };
        slot.known.confirm();
        self.waiting.remove(&slot.known.sequence);
        self.waiting_bytes -= slot.known.sealed_bytes;
        slot.known.spooled
    }

    /// Forgets what expired long ago and does not wait.
    pub(super) fn forget(&mut self, now: Timestamp) {
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
