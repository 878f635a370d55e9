//! Giving up what is not needed any more: ids that cannot come again, and journal segments that hold little else.

use passerelle_proto::exchange_id::ExchangeId;
use prost::Message;

use super::entry::Entry;
use super::{Inbox, read};
use crate::records::StoreError;
use crate::records::blocking::blocking;

impl Inbox {
    /// Forgets old ids and drops segments; what they still hold is appended again first.
    pub(crate) async fn tidy(&self) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        self.table().forget(now);
        let spool = self.0.spool.clone();
        blocking(move || spool.sweep_abandoned(now).map_err(StoreError::file(spool.folder()))).await??;
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
        let (mut ids, mut entries) = (Vec::with_capacity(homes.len()), Vec::with_capacity(homes.len()));
        for (id, home) in homes {
            let Some(known) = self.table().slots.get(&id).map(|slot| slot.known.clone()) else { continue };
            let entry = match known.waiting {
                true => {
                    let Entry { envelope, body, .. } = read(self.0.log.entry(home)?)?;
                    Entry::of_known(known, envelope, body)
                }
                // The envelope stays as long as the exchange is remembered: it is part of its evidence.
                false => {
                    let Entry { envelope, .. } = read(self.0.log.entry(home)?)?;
                    Entry::of_known(known, envelope, bytes::Bytes::new())
                }
            };
            ids.push(id);
            entries.push(entry.encode_to_vec());
        }
        let marks = self.table().streams.marks_in(oldest);
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
        tracing::debug!(segment = oldest, "inbox segment dropped");
        Ok(())
    }
}
