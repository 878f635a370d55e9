//! The query index: for each value of each field that can be asked for, the leaves that have it.

use passerelle_proto::wire::{self, EventKind, actor, event::Detail};
use prost::Message;

use super::keys;

/// Every how many leaves the time index has a row.
pub(super) const TIME_STRIDE: u64 = 64;

/// A field that is indexed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// Sender, recipient, or the agency that a governance event is about.
    Agency,
    /// Agreement number.
    Agreement,
    /// Purpose code.
    Purpose,
    /// Exchange id.
    Exchange,
    /// "accepted" or "denied".
    Outcome,
}

/// Outcome of accepted exchanges.
pub(super) const ACCEPTED: &[u8] = b"accepted";
/// Outcome of denied exchanges and operators, and of calls without an answer.
pub(super) const DENIED: &[u8] = b"denied";

/// `I | field | first 16 bytes of SHA-256(value)`: values come from outside and can have any length.
pub(super) fn prefix(field: Field, value: &[u8]) -> Vec<u8> {
    let tag = match field {
        Field::Agency => b'a',
        Field::Agreement => b'g',
        Field::Purpose => b'p',
        Field::Exchange => b'x',
        Field::Outcome => b'o',
    };
    let digest = ring::digest::digest(&ring::digest::SHA256, value);
    let mut key = Vec::with_capacity(26);
    key.extend_from_slice(&[keys::INDEX, tag]);
    key.extend_from_slice(&digest.as_ref()[..16]);
    key
}

/// Adds the rows of one event.
pub(super) fn insert(batch: &mut sled::Batch, leaf: u64, event: &wire::Event) {
    each_value(event, |field, value| {
        let mut key = prefix(field, value);
        key.extend_from_slice(&leaf.to_be_bytes());
        batch.insert(key, &[]);
    });
    if leaf.is_multiple_of(TIME_STRIDE) {
        batch.insert(keys::paired(keys::TIME, event.time_ms, leaf).as_slice(), &[]);
    }
}

/// Whether `event` has `value` in `field`: the same rule as the index's own.
pub(super) fn has(event: &wire::Event, field: Field, value: &[u8]) -> bool {
    let mut found = false;
    each_value(event, |has_field, has_value| found |= has_field == field && has_value == value);
    found
}

fn each_value(event: &wire::Event, mut emit: impl FnMut(Field, &[u8])) {
    match event.kind() {
        EventKind::ExchangeAccepted => emit(Field::Outcome, ACCEPTED),
        EventKind::ExchangeDenied | EventKind::CallFailed | EventKind::OperatorDenied => {
            emit(Field::Outcome, DENIED);
        }
        _ => {}
    }
    if event.kind() == EventKind::ExchangeDenied {
        // Its header may be unread, or another's: who was refused is what the certificate says.
        emit_actor(event, &mut emit);
    }
    match &event.detail {
        Some(Detail::Exchange(detail)) => {
            emit(Field::Exchange, &detail.exchange_id);
            emit(Field::Agency, detail.sender_agency.as_bytes());
            detail.recipients.iter().for_each(|agency| emit(Field::Agency, agency.as_bytes()));
            emit(Field::Purpose, detail.purpose.as_bytes());
            if let Some(agreement) = &detail.agreement {
                emit(Field::Agreement, agreement.number.as_bytes());
            }
        }
        Some(Detail::Acknowledgement(detail)) => {
            let payload = detail.statement.as_ref().map(|statement| statement.payload.clone());
            if let Some(Ok(body)) = payload.map(wire::Acknowledgement::decode) {
                emit(Field::Agency, body.agency.as_bytes());
                body.exchanges.iter().for_each(|exchange| emit(Field::Exchange, &exchange.exchange_id));
            }
        }
        Some(Detail::Agency(detail)) => emit(Field::Agency, detail.agency.as_bytes()),
        Some(Detail::Certificate(detail)) => emit(Field::Agency, detail.agency.as_bytes()),
        Some(Detail::Agreement(detail)) => {
            if let Some(agreement) = &detail.agreement {
                emit(Field::Agreement, agreement.number.as_bytes());
            }
            if let Some(signature) = &detail.signature {
                emit(Field::Agency, signature.agency.as_bytes());
            }
        }
        Some(Detail::KeyBundle(_) | Detail::Service(_)) => emit_actor(event, &mut emit),
        Some(Detail::Erasure(detail)) if !detail.agreement.is_empty() => {
            emit(Field::Agreement, detail.agreement.as_bytes());
        }
        Some(Detail::Access(_) | Detail::Gateway(_) | Detail::Erasure(_)) | None => {}
    }
}

/// The agency of the agent that caused the event.
fn emit_actor(event: &wire::Event, emit: &mut impl FnMut(Field, &[u8])) {
    if let Some(actor::Actor::Agent(agent)) = event.actor.as_ref().and_then(|actor| actor.actor.as_ref()) {
        emit(Field::Agency, agent.split('/').next().unwrap_or_default().as_bytes());
    }
}
