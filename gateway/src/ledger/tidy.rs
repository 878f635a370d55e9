//! What time brings about: expiry of what was not collected, and the summaries of denials.

use std::io;

use bytes::Bytes;
use passerelle_proto::event;
use passerelle_proto::wire::{self, actor, event::Detail};

use super::accept::Counters;
use super::stage::Stage;
use super::{LedgerError, NewEvent};
use crate::view::{EntrySource, ExchangeRow, RecipientStatus};

/// Exchanges that one tidying expires at most, so that nobody waits long behind it.
pub(super) const EXPIRED_LIMIT: usize = 256;

/// Expires what is due; gives how many.
pub(super) fn expire(
    stage: &mut Stage<'_>,
    log: &dyn EntrySource,
    gateway: &str,
) -> Result<usize, LedgerError> {
    let due = stage.expired(EXPIRED_LIMIT)?;
    let mut expired = 0;
    for id in due {
        let Some(row) = stage.exchange(&id)? else { continue };
        let still = |status| status == RecipientStatus::Waiting;
        let waiting: Vec<String> =
            row.recipients.iter().filter(|r| still(r.status())).map(|r| r.agency.clone()).collect();
        if waiting.is_empty() {
            continue;
        }
        let detail = wire::ExchangeDetail { recipients: waiting, ..accepted(log, &id, &row) };
        let kind = wire::EventKind::ExchangeExpired;
        stage
            .log(NewEvent { kind, actor: gateway_actor(gateway), detail: Detail::Exchange(detail) }, None)?;
        expired += 1;
    }
    Ok(expired)
}

/// Logs the summaries of denials that are due, or all of them.
pub(super) fn summaries(
    stage: &mut Stage<'_>,
    counters: &mut Counters,
    all: bool,
) -> Result<(), LedgerError> {
    for event in counters.guard.summaries(stage.now(), all) {
        stage.log(event, None)?;
    }
    Ok(())
}

/// The gateway itself, as the actor of an event.
pub(super) fn gateway_actor(gateway: &str) -> wire::Actor {
    wire::Actor { actor: Some(actor::Actor::Gateway(gateway.to_owned())), ..wire::Actor::default() }
}

/// What the log says of the acceptance; only what the view knows when that cannot be read, since expiry must not
/// wait for it.
fn accepted(log: &dyn EntrySource, id: &Bytes, row: &ExchangeRow) -> wire::ExchangeDetail {
    let read = || -> io::Result<Option<wire::ExchangeDetail>> {
        let Some(entry) = log.entry(row.leaf_index)? else { return Ok(None) };
        match event::decode(&entry).map_err(io::Error::other)?.detail {
            Some(Detail::Exchange(detail)) => Ok(Some(detail)),
            _ => Ok(None),
        }
    };
    match read() {
        Ok(Some(detail)) if detail.exchange_id == *id => detail,
        other => {
            let error = other.err();
            tracing::warn!(leaf = row.leaf_index, ?error, "an acceptance that expires cannot be read");
            wire::ExchangeDetail {
                exchange_id: id.clone(),
                header_digest: row.header_digest.clone(),
                sender_agency: row.sender_agency.clone(),
                expires_ms: row.expires_ms,
                ..wire::ExchangeDetail::default()
            }
        }
    }
}
