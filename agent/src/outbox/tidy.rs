//! Giving up what is not needed any more: old history, and journal segments that hold little else.

use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_proto::exchange_id::ExchangeId;
use prost::Message;

use super::entry::Entry;
use super::{Outbox, read};
use crate::records::StoreError;
use crate::records::blocking::blocking;

/// After this, no clock can think that a record has not expired.
const CERTAINLY: Duration = Duration::from_secs(86_400);

impl Outbox {
    /// Forgets old history and drops segments; what they still hold is appended again first. Bodies go that nobody would
    /// accept any more, however long the gateway has been away.
    pub(crate) async fn tidy(&self) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let expired: Vec<ExchangeId> = {
            let table = self.table();
            let bodies =
                table.slots.iter().filter(|(_, slot)| slot.record.spooled && slot.record.is_waiting());
            let late = |ms: u64| Timestamp::from_millis(ms).plus(CERTAINLY) <= now;
            bodies.filter(|(_, slot)| late(slot.record.expires_ms)).map(|(id, _)| *id).collect()
        };
        let spool = self.0.spool.clone();
        blocking(move || {
            let expired = expired.into_iter().try_for_each(|id| spool.remove(id));
            expired.and_then(|()| spool.sweep_abandoned(now)).map_err(StoreError::file(spool.folder()))
        })
        .await??;
        let forgotten = self.table().forget(&self.0.limits, self.0.clock.now());
        if forgotten > 0 {
            self.0.changed.send_modify(|generation| *generation += 1);
        }
        // What is carried may close segments of its own: no more than there are now.
        for _ in 0..self.0.log.closed().len() {
            let live = self.table().live_bytes();
            if self.0.log.excess(live).is_none() {
                break;
            }
            let alone = self.0.log.alone().await;
            let this = self.clone();
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
        let homes: Vec<(ExchangeId, passerelle_journal::Position)> = {
            let table = self.table();
            let there = table.slots.iter().filter(|(_, slot)| slot.home.segment == oldest);
            there.map(|(id, slot)| (*id, slot.home)).collect()
        };
        let mut entries = Vec::with_capacity(homes.len());
        for (id, home) in &homes {
            let Some(record) = self.table().slots.get(id).map(|slot| slot.record.clone()) else { continue };
            let entry = match record.is_waiting() {
                true => {
                    let Entry { envelope, body, .. } = read(self.0.log.entry(*home)?)?;
                    Entry::of_record(record, envelope, body)
                }
                // The envelope stays with the history: it is the sender's part of the evidence.
                false => {
                    let Entry { envelope, .. } = read(self.0.log.entry(*home)?)?;
                    Entry::of_record(record, envelope, bytes::Bytes::new())
                }
            };
            entries.push((*id, entry.encode_to_vec()));
        }
        let marks = self.table().streams.marks_in(oldest);
        let (ids, mut entries): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        entries.extend(marks.iter().map(|(_, mark)| Entry::of_stream(mark.clone()).encode_to_vec()));
        let places = self.0.log.carry(entries)?;
        let mut table = self.table();
        for ((key, _), place) in marks.iter().zip(places.iter().skip(ids.len())) {
            table.streams.moved(key, *place);
        }
        for (id, place) in ids.into_iter().zip(places) {
            if let Some(slot) = table.slots.get_mut(&id) {
                slot.home = place;
            }
        }
        drop(table);
        self.0.log.drop_segment(oldest)?;
        tracing::debug!(segment = oldest, "outbox segment dropped");
        Ok(())
    }
}
