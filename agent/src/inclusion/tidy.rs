//! Giving up old segments of the journal: receipts that were found are kept as long as there is room for them.

use passerelle_proto::exchange_id::ExchangeId;

use super::Receipts;
use super::entry::{Checked, Entry};
use crate::records::StoreError;
use crate::records::blocking::blocking;
use prost::Message;

/// Bytes of closed segments that are kept: receipts of some hundred thousand exchanges.
const KEPT_BYTES: u64 = 256 << 20;

impl Receipts {
    /// Drops the oldest segments when there are too many; receipts in them that are still to be found are appended again
    /// first.
    pub(super) async fn tidy(&self) -> Result<(), StoreError> {
        for _ in 0..self.0.log.closed().len() {
            let bytes: u64 = self.0.log.closed().iter().map(|segment| segment.bytes).sum();
            if bytes <= KEPT_BYTES {
                break;
            }
            let (alone, this) = (self.0.log.alone().await, self.clone());
            blocking(move || {
                let _alone = alone;
                this.drop_oldest()
            })
            .await??;
        }
        Ok(())
    }

    pub(super) fn drop_oldest(&self) -> Result<(), StoreError> {
        let Some(oldest) = self.0.log.closed().first().map(|segment| segment.id) else { return Ok(()) };
        let (homes, under, contradiction) = {
            let table = self.table();
            let there = table.slots.iter().filter(|(_, slot)| slot.home.segment == oldest);
            let homes: Vec<((u64, ExchangeId), _)> = there.map(|(key, slot)| (*key, slot.home)).collect();
            (homes, table.under.clone(), table.contradiction.clone())
        };
        let mut entries = Vec::with_capacity(homes.len() + 2);
        for (_, home) in &homes {
            entries.push(self.0.log.entry(*home)?.to_vec());
        }
        // What else an old segment may be the only one to hold.
        if let Some(under) = under {
            let checked = Checked {
                keys: Vec::new(),
                size: under.size,
                root: under.root.as_bytes().to_vec().into(),
                note: under.note,
                at_ms: under.at.as_millis(),
            };
            entries.push(Entry::of_check(checked).encode_to_vec());
        }
        entries.extend(
            contradiction.map(|contradiction| Entry::of_contradiction(contradiction).encode_to_vec()),
        );
        let places = self.0.log.carry(entries)?;
        let mut table = self.table();
        for ((key, _), place) in homes.into_iter().zip(places) {
            if let Some(slot) = table.slots.get_mut(&key) {
                slot.home = place;
            }
        }
        drop(table);
        self.0.log.drop_segment(oldest)
    }
}
