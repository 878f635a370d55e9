//! What a person is told of receipts: how many wait, what is missing and why, and when the log contradicts itself.

use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_proto::exchange_id::ExchangeId;
use serde::{Deserialize, Serialize};

use super::entry::Side;
use super::table::{Slot, Table};
use crate::records::time::{rfc3339, rfc3339_option};

/// Missing exchanges that are named; the others are counted.
const NAMED: usize = 20;

/// Why an exchange is not found in the log.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The log ends before its place, though its time is over.
    NotLogged,
    /// Another entry stands at its place.
    OtherEntry,
    /// The log could not be looked at in that time, or what it serves does not lead to what it signed.
    NotSeen,
}

impl Missing {
    /// In words.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::NotLogged => "absent du journal après le délai / not in the log after the delay",
            Self::OtherEntry => "une autre entrée tient sa place / another entry stands at its place",
            Self::NotSeen => {
                "le journal n'a pu être vérifié dans le délai / the log could not be verified in the delay"
            }
        }
    }
}

/// An exchange with a receipt that the log does not honour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingView {
    /// Which.
    pub exchange_id: ExchangeId,
    /// How this agent sees it.
    pub side: Side,
    /// Where the receipt says that it stands.
    pub leaf_index: u64,
    /// When the receipt came.
    #[serde(serialize_with = "rfc3339")]
    pub since: Timestamp,
    /// What was found instead.
    pub reason: Missing,
}

/// How the receipts stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReceiptsStatus {
    /// Receipts that are still to be found in the log.
    pub unchecked: usize,
    /// Receipts that were found since the start.
    pub found: u64,
    /// Entries under the last checkpoint under which receipts were found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked_size: Option<u64>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339_option")]
    pub checked_at: Option<Timestamp>,
    /// Exchanges that are missing: an alarm.
    pub missing: usize,
    /// The first of them.
    pub named: Vec<MissingView>,
    /// Receipts that were not kept because there were too many.
    pub left_out: u64,
    /// How the log contradicts itself, French and English: an alarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_alarm: Option<String>,
}

impl ReceiptsStatus {
    pub(super) fn of(table: &Table, within: Duration, now: Timestamp) -> Self {
        let missing = || {
            table
                .slots
                .iter()
                .filter_map(|(key, slot)| Some((key, slot, slot.is_missing((within, table.tried), now)?)))
        };
        let view = |(key, slot, reason): (&(u64, ExchangeId), &Slot, Missing)| MissingView {
            exchange_id: key.1,
            side: slot.side,
            leaf_index: key.0,
            since: slot.noted,
            reason,
        };
        Self {
            unchecked: table.slots.len(),
            found: table.found,
            checked_size: table.under.as_ref().map(|under| under.size),
            checked_at: table.under.as_ref().map(|under| under.at),
            missing: missing().count(),
            named: missing().take(NAMED).map(view).collect(),
            left_out: table.left_out,
            log_alarm: alarm(table),
        }
    }
}

impl Slot {
    /// Why it is an alarm; `None` while it may still come.
    pub(super) fn is_missing(&self, (within, tried): (Duration, bool), now: Timestamp) -> Option<Missing> {
        match self.missing {
            Some(Missing::OtherEntry) => Some(Missing::OtherEntry),
            // An agent that was stopped for long looks before it cries.
            missing if now.since(self.noted) > within => {
                missing.or_else(|| tried.then_some(Missing::NotSeen))
            }
            _ => None,
        }
    }
}

fn alarm(table: &Table) -> Option<String> {
    if table.contradiction.is_some() {
        return Some(
            "le journal a été réécrit : il ne prolonge pas celui où vos reçus ont été trouvés; conservez le dossier \
             receipts, c'est une preuve, et avertissez votre responsable / the log was rewritten: it does not continue the \
             one in which your receipts were found; keep the folder receipts, it is proof, and tell your officer"
                .to_owned(),
        );
    }
    table.wrong_tile.as_ref().map(|tile| {
        format!(
            "{tile} ne mène pas à la racine que le journal a signée; avertissez l'administrateur de la passerelle / {tile} \
             does not lead to the root that the log has signed; tell the gateway's administrator"
        )
    })
}
