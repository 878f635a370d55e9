//! The receipts in memory: those that are still to be found in the log, and under what those before were found.

use std::collections::BTreeMap;

use passerelle_journal::Position;
use passerelle_pki::clock::Timestamp;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::tlog::Hash;

use super::entry::{Contradicted, Entry, Side};
use super::{Missing, Under};
use crate::records::StoreError;

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) side: Side,
    pub(super) leaf: Hash,
    pub(super) noted: Timestamp,
    /// Where the journal has the receipt.
    pub(super) home: Position,
    /// What the last look found instead.
    pub(super) missing: Option<Missing>,
    /// The alarm was written to the agent's log.
    pub(super) told: bool,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    /// By leaf index: neighbours are in one tile.
    pub(super) slots: BTreeMap<(u64, ExchangeId), Slot>,
    /// The last checkpoint under which receipts were found.
    pub(super) under: Option<Under>,
    pub(super) contradiction: Option<Contradicted>,
    /// Receipts that were found in the log since the start.
    pub(super) found: u64,
    /// Receipts that were not kept, since there were too many.
    pub(super) left_out: u64,
    /// The log was looked at since the start, with or without success.
    pub(super) tried: bool,
    /// What the log's tiles were, when they did not lead to the signed root at the last look.
    pub(super) wrong_tile: Option<String>,
}

impl Table {
    pub(super) fn put(&mut self, key: (u64, ExchangeId), slot: Slot) {
        self.slots.entry(key).or_insert(slot);
    }

    pub(super) fn settle(&mut self, found: &[(u64, ExchangeId)], under: Under) {
        for key in found {
            self.found += u64::from(self.slots.remove(key).is_some());
        }
        self.under = Some(under);
    }

    pub(super) fn fold(&mut self, entry: Entry, home: Position) -> Result<(), StoreError> {
        let damaged = || StoreError::Damaged("an entry of the receipts");
        let id = |bytes: &[u8]| ExchangeId::from_bytes(bytes).map_err(|_| damaged());
        if let Some(promised) = entry.promised {
            let slot = Slot {
                side: Side::read(promised.side).ok_or_else(damaged)?,
                leaf: Hash::try_from(&promised.leaf_hash[..]).map_err(|_| damaged())?,
                noted: Timestamp::from_millis(promised.noted_ms),
                home,
                missing: None,
                told: false,
            };
            let key = (promised.leaf_index, id(&promised.exchange_id)?);
            // Carried to another place, or noted twice around a stop.
            self.slots.insert(key, slot);
        }
        if let Some(checked) = entry.checked {
            for key in &checked.keys {
                self.slots.remove(&(key.leaf_index, id(&key.exchange_id)?));
            }
            let root = Hash::try_from(&checked.root[..]).map_err(|_| damaged())?;
            let at = Timestamp::from_millis(checked.at_ms);
            self.under = Some(Under { size: checked.size, root, note: checked.note, at });
        }
        if entry.contradicted.is_some() {
            self.contradiction = entry.contradicted;
        }
        Ok(())
    }
}
