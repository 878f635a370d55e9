//! Receipts that are checked: what the gateway promised in a signed receipt must stand in its log.
//!
//! Every receipt that this agent was shown is kept in a journal of its own until its leaf was found at its index under a
//! verified checkpoint that continues those before. What is not found in the time that the configuration gives is an
//! alarm that names the exchange; the receipt stays in the journal, since it is the proof.
//!
//! - `entry`: what the journal holds; `table`: what is still to be checked; `tidy`: the journal does not grow for ever;
//! - `tiles`: hash tiles from the gateway's public listener; `round`: one look at the log; `watch`: when.
//!
//! Tiles are asked for without the agent's certificate, 256 entries at a time: who serves them does not learn whose
//! receipts are checked.

mod entry;
mod round;
mod status;
mod table;
mod tidy;
mod tiles;
mod watch;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use passerelle_pki::clock::{SharedClock, Timestamp};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::tlog::Hash;
use passerelle_proto::wire;
use prost::Message;

use crate::records::StoreError;
use crate::records::log::RecordLog;
use entry::{Checked, Contradicted, Entry, Key, Promised};
use table::{Slot, Table};

pub use entry::Side;
pub use status::{Missing, MissingView, ReceiptsStatus};
pub(crate) use watch::Watcher;

/// Receipts that are to be checked at a time, about 30 MB; one more is not kept, and that is told.
const MOST: usize = 1 << 18;

/// When receipts are held against the log.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct CheckSettings {
    /// How long after its receipt an exchange may be absent from the log.
    pub within: Duration,
    /// How often the log is looked at while something is to be checked.
    pub every: Duration,
}

impl Default for CheckSettings {
    fn default() -> Self {
        Self { within: Duration::from_secs(900), every: Duration::from_secs(60) }
    }
}

/// The receipts. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Receipts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    log: RecordLog,
    clock: SharedClock,
    settings: CheckSettings,
    table: Mutex<Table>,
}

impl Receipts {
    /// Opens the receipts in a folder, or begins them. Blocking.
    pub(crate) fn open(
        folder: &Path,
        settings: CheckSettings,
        clock: SharedClock,
    ) -> Result<Self, StoreError> {
        let log = RecordLog::open(&folder.join("journal"))?;
        let mut table = Table::default();
        for entry in log.read()? {
            let entry = entry?;
            table.fold(entry::read(entry.payload)?, entry.position)?;
        }
        Ok(Self(Arc::new(Inner { log, clock, settings, table: Mutex::new(table) })))
    }

    /// Keeps a receipt, verified, to be checked: durable when this returns. One that is kept already changes nothing.
    pub(crate) async fn note(
        &self,
        side: Side,
        receipt: &wire::Receipt,
        body: &wire::ReceiptBody,
    ) -> Result<(), StoreError> {
        let damaged = |_| StoreError::Damaged("a receipt that was verified");
        let id = ExchangeId::from_bytes(&body.exchange_id).map_err(damaged)?;
        let Ok(leaf) = Hash::try_from(&body.leaf_hash[..]) else {
            return Err(StoreError::Damaged("a receipt that was verified"));
        };
        let key = (body.leaf_index, id);
        {
            let mut table = self.table();
            if table.slots.contains_key(&key) {
                return Ok(());
            }
            if table.slots.len() >= MOST {
                table.left_out += 1;
                return Ok(());
            }
        }
        let noted = self.0.clock.now();
        let promised = Promised {
            side: side as u32,
            exchange_id: body.exchange_id.clone(),
            leaf_index: body.leaf_index,
            leaf_hash: body.leaf_hash.clone(),
            noted_ms: noted.as_millis(),
            receipt: Some(receipt.clone()),
        };
        let (entry, this) = (Entry::of_promise(promised).encode_to_vec(), self.clone());
        let slot = move |home| Slot { side, leaf, noted, home, missing: None, told: false };
        self.0.log.append(entry, move |home| this.table().put(key, slot(home))).await
    }

    /// Notes what was found under a checkpoint; durable when this returns.
    async fn checked(&self, found: Vec<(u64, ExchangeId)>, under: Under) -> Result<(), StoreError> {
        let key =
            |(leaf_index, id): &(u64, ExchangeId)| Key { leaf_index: *leaf_index, exchange_id: id.to_wire() };
        let checked = Checked {
            keys: found.iter().map(key).collect(),
            size: under.size,
            root: under.root.as_bytes().to_vec().into(),
            note: under.note.clone(),
            at_ms: under.at.as_millis(),
        };
        let (entry, this) = (Entry::of_check(checked).encode_to_vec(), self.clone());
        self.0.log.append(entry, move |_| this.table().settle(&found, under)).await
    }

    /// Notes that the log contradicts itself, with the two notes that prove it; durable when this returns.
    async fn contradicted(&self, first: String, second: String) -> Result<(), StoreError> {
        if self.table().contradiction.is_some() {
            return Ok(());
        }
        let contradicted = Contradicted { first, second };
        let entry = Entry::of_contradiction(contradicted.clone()).encode_to_vec();
        let this = self.clone();
        self.0.log.append(entry, move |_| this.table().contradiction = Some(contradicted)).await
    }

    /// How it stands.
    pub(crate) fn status(&self) -> ReceiptsStatus {
        ReceiptsStatus::of(&self.table(), self.0.settings.within, self.0.clock.now())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The checkpoint under which receipts were found.
#[derive(Clone, Debug)]
struct Under {
    size: u64,
    root: Hash,
    note: String,
    at: Timestamp,
}
