//! Logging what a recipient's agent acknowledges.

use bytes::Bytes;
use passerelle_proto::wire::{self, Reason, event::Detail};

use super::accept::{Counters, deny};
use super::stage::Stage;
use super::{Acknowledging, DenialNote, LedgerError, NewEvent, agent_actor};
use crate::view::RecipientStatus;

/// Logs an acknowledgement that ends some delivery; one that ends none is answered as the first time. One that names
/// an exchange which the caller's agency did not receive is denied as a whole.
pub(super) fn acknowledge(
    stage: &mut Stage<'_>,
    counters: &mut Counters,
    acknowledging: Acknowledging,
) -> Result<Result<wire::AcknowledgementLogged, wire::Denial>, LedgerError> {
    let Acknowledging { caller, tls_certificate, statement, body } = acknowledging;
    let (mut waiting, mut earlier) = (false, None);
    for exchange in &body {
        let id = exchange.exchange_id.to_wire();
        let refused = match stage.exchange(&id)? {
            None => Some((Reason::RecipientUnknown, "field=exchange_id; no such exchange for this agency")),
            Some(row) => match row.recipient(caller.agency.as_str()) {
                None => {
                    Some((Reason::RecipientUnknown, "field=exchange_id; no such exchange for this agency"))
                }
                Some(_) if row.header_digest != exchange.header_digest[..] => {
                    Some((Reason::BodyMismatch, "field=header_digest"))
                }
                Some(recipient) => {
                    waiting |= recipient.status() == RecipientStatus::Waiting;
                    earlier = earlier.or(Some(recipient.leaf_index));
                    None
                }
            },
        };
        if let Some((reason, detail)) = refused {
            let note = DenialNote {
                caller,
                tls_certificate,
                reason,
                detail: detail.to_owned(),
                exchange_id: id,
                header_digest: exchange.header_digest,
                header: None,
            };
            return deny(stage, counters, &note).map(Err);
        }
    }
    let exchange_ids: Vec<Bytes> = body.iter().map(|exchange| exchange.exchange_id.to_wire()).collect();
    let leaf_index = match earlier {
        Some(leaf_index) if !waiting => leaf_index,
        _ => {
            let event = NewEvent {
                kind: wire::EventKind::ExchangeAcknowledged,
                actor: agent_actor(&caller, &tls_certificate),
                detail: Detail::Acknowledgement(wire::AcknowledgementDetail { statement: Some(statement) }),
            };
            stage.log(event, None)?.leaf_index
        }
    };
    Ok(Ok(wire::AcknowledgementLogged { exchange_ids, leaf_index }))
}
