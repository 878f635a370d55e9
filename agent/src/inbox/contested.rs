//! Records that the gateway says are not this agent's, without proof that is believed: they stay pending, no system sees
//! them, and people are told as long as that is so. In memory: after a stop they are acknowledged again, and doubted again.

use std::collections::BTreeMap;

use passerelle_pki::clock::Timestamp;
use passerelle_proto::exchange_id::ExchangeId;

use super::Inbox;

/// What the gateway says of pending records that is not believed, by record, French and English.
pub(crate) type Contested = BTreeMap<ExchangeId, String>;

impl Inbox {
    /// Until when a record that is pending may be delivered; `None` when it is not pending.
    pub(crate) fn pending_until(&self, id: &ExchangeId) -> Option<Timestamp> {
        let table = self.table();
        let known = table.slots.get(id).map(|slot| &slot.known).filter(|known| known.pending);
        known.map(|known| Timestamp::from_millis(known.expires_ms))
    }

    /// Notes that what the gateway says of a pending record is not believed; true when that is news.
    pub(crate) fn contest(&self, id: ExchangeId, why: &str) -> bool {
        let mut table = self.table();
        if !table.slots.get(&id).is_some_and(|slot| slot.known.pending) {
            return false;
        }
        let before = table.contested.insert(id, why.to_owned());
        drop(table);
        let news = before.as_deref() != Some(why);
        if news {
            self.tell();
        }
        news
    }

    /// What is told of each.
    #[cfg(test)]
    pub(crate) fn contested(&self) -> Contested {
        self.table().contested.clone()
    }

    /// Why some records are neither shown nor dropped, French and English: an alarm. Names the oldest of them.
    pub(crate) fn alarm(&self) -> Option<String> {
        let table = self.table();
        let (oldest, why) = table.contested.first_key_value()?;
        let count = table.contested.len();
        Some(format!("{count} enregistrement(s) retenu(s) / record(s) held; {oldest} : {why}"))
    }
}
