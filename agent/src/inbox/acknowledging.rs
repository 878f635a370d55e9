//! From pending to shown: two agents of one agency may both hold a record when one of them was stopped at the wrong moment,
//! and only the one whose acknowledgement the gateway logged may give it to systems. The other drops it.

use passerelle_proto::acknowledgement::Acknowledged;
use passerelle_proto::exchange_id::ExchangeId;
use prost::Message;

use super::Inbox;
use super::entry::{Entry, Ours};
use crate::records::StoreError;

impl Inbox {
    /// What is to be acknowledged, again perhaps: pending records, oldest first.
    pub(crate) fn pending(&self) -> Vec<Acknowledged> {
        let ids: Vec<_> = {
            let table = self.table();
            let slots = table.pending.values().filter_map(|id| table.slots.get(id).map(|slot| (*id, slot)));
            slots.map(|(id, slot)| (id, slot.known.header_digest.clone())).collect()
        };
        let named = |(exchange_id, digest): (ExchangeId, bytes::Bytes)| {
            let header_digest = digest[..].try_into().ok()?;
            Some(Acknowledged { exchange_id, header_digest, refused: None })
        };
        ids.into_iter().filter_map(named).collect()
    }

    /// What the gateway said of acknowledgements: records that are this agency's through this agent are shown, in this
    /// order; those that ended `elsewhere` go. Durable when this returns. What is not pending stays as it is.
    pub(crate) async fn acknowledged(
        &self,
        ours: &[ExchangeId],
        elsewhere: &[ExchangeId],
    ) -> Result<(), StoreError> {
        let (ours, elsewhere) = {
            let mut table = self.table();
            let pending = |id: &&ExchangeId| table.slots.get(*id).is_some_and(|slot| slot.known.pending);
            let ours: Vec<ExchangeId> = ours.iter().filter(pending).copied().collect();
            let elsewhere: Vec<ExchangeId> = elsewhere.iter().filter(pending).copied().collect();
            let ours = table.in_order(ours, &elsewhere);
            let number = |id| {
                table.sequence += 1;
                (id, table.sequence)
            };
            (ours.into_iter().map(number).collect::<Vec<_>>(), elsewhere)
        };
        if ours.is_empty() && elsewhere.is_empty() {
            return Ok(());
        }
        let shown = ours.iter().map(|(id, sequence)| Ours { exchange_id: id.to_wire(), sequence: *sequence });
        let gone = elsewhere.iter().map(|id| id.to_wire()).collect();
        let entry = Entry::of_acknowledgement(shown.collect(), gone).encode_to_vec();
        let this = self.clone();
        let apply = move |_| {
            let mut table = this.table();
            ours.into_iter().for_each(|(id, sequence)| table.show(id, sequence));
            elsewhere.into_iter().filter(|id| table.let_go(*id, true)).collect::<Vec<_>>()
        };
        let spooled = self.0.log.append(entry, apply).await?;
        self.tell();
        for id in spooled {
            self.remove_body(id).await?;
        }
        Ok(())
    }
}
