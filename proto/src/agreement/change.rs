//! What a new version changes, and whether that restarts the Commission's clock.
//!
//! Signed content is immutable; a change is a new version. When it touches one of the seven items, or the ground it
//! stands on, the new version is sent to the Commission again and waits 30 days of its own. Otherwise (a new privacy
//! officer, a shorter retention) the receipt of the version that it replaces still serves.

use std::collections::BTreeSet;

use super::basis::StatutoryItem;
use super::terms::{Agreement, Party};

/// The difference between two versions, as far as the law looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which of the seven items differ, in the law's order.
    pub items: Vec<StatutoryItem>,
    /// Whether regime, basis, case of s. 68, enabling provision or States outside Québec differ.
    pub ground: bool,
}

impl Change {
    /// What `newer` changes; the order of lists does not matter.
    #[must_use]
    pub fn between(older: &Agreement, newer: &Agreement) -> Self {
        let items = StatutoryItem::ALL.iter().copied().filter(|&item| differs(item, older, newer)).collect();
        let ground = older.legal_regime != newer.legal_regime
            || older.legal_basis != newer.legal_basis
            || older.section_68_case != newer.section_68_case
            || older.enabling_provision != newer.enabling_provision
            || states(older) != states(newer);
        Self { items, ground }
    }

    /// Whether the newer version waits for a receipt of its own.
    #[must_use]
    pub fn restarts_clock(&self) -> bool {
        self.ground || !self.items.is_empty()
    }
}

/// Whether the Commission's receipt of `older` serves `newer`: it replaces exactly that version and changes nothing
/// that the law looks at.
#[must_use]
pub fn inherits_receipt(older: &Agreement, newer: &Agreement) -> bool {
    let replaces = newer
        .supersedes
        .as_ref()
        .is_some_and(|before| before.number == older.number && before.version == older.version);
    replaces && older.number == newer.number && !Change::between(older, newer).restarts_clock()
}

fn differs(item: StatutoryItem, older: &Agreement, newer: &Agreement) -> bool {
    match item {
        StatutoryItem::Parties => {
            identity(&older.provider) != identity(&newer.provider)
                || set(older.consumers.iter().map(identity)) != set(newer.consumers.iter().map(identity))
        }
        StatutoryItem::Purposes => set(&older.purposes) != set(&newer.purposes),
        StatutoryItem::Nature => {
            set(&older.data_categories) != set(&newer.data_categories)
                || set(&older.fields) != set(&newer.fields)
        }
        StatutoryItem::Method => {
            set(&older.methods) != set(&newer.methods)
                || set(&older.services) != set(&newer.services)
                || set(&older.operations) != set(&newer.operations)
        }
        StatutoryItem::SecurityMeasures => set(&older.security_measures) != set(&newer.security_measures),
        // The numbers are how the interval is enforced.
        StatutoryItem::Interval => {
            older.interval != newer.interval
                || older.limits.per_second != newer.limits.per_second
                || older.limits.per_day != newer.limits.per_day
        }
        StatutoryItem::Duration => (older.valid_from, older.valid_to) != (newer.valid_from, newer.valid_to),
    }
}

/// What identifies a party; its privacy officer may change without changing the party.
fn identity(party: &Party) -> (&str, &str, &str, &str) {
    (party.agency.as_str(), &party.name.fr, &party.name.en, &party.jurisdiction)
}

fn states(agreement: &Agreement) -> BTreeSet<(&str, &[u8; 32])> {
    agreement.outside_quebec.iter().map(|block| (block.state.as_str(), &block.document_sha256)).collect()
}

fn set<T: Ord>(values: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    values.into_iter().collect()
}
