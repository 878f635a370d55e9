//! Governance events: the entries that the state is folded from at start. Exchanges, readings of the log and refused
//! operators are not among them: they change nothing that is decided by.

use bytes::Bytes;
use passerelle_proto::wire::EventKind;

use super::keys;
use super::store::{View, ViewError};

/// Whether events of this kind change the state.
pub(crate) fn changes_state(kind: EventKind) -> bool {
    use EventKind as Kind;
    !matches!(
        kind,
        Kind::ExchangeAccepted
            | Kind::ExchangeDenied
            | Kind::ExchangeAcknowledged
            | Kind::ExchangeExpired
            | Kind::LogRead
            | Kind::OperatorDenied
    )
}

impl View {
    /// Leaf and exact entry of every governance event, in leaf order.
    pub fn governance(&self) -> impl Iterator<Item = Result<(u64, Bytes), ViewError>> + '_ {
        self.db().scan_prefix([keys::GOVERNANCE]).map(|row| {
            let (key, entry) = row?;
            let leaf = keys::last_number(&key).ok_or(ViewError::Malformed("governance key"))?;
            Ok((leaf, Bytes::copy_from_slice(&entry)))
        })
    }
}
