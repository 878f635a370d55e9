//! Logging what a recipient's agent acknowledges.

use passerelle_proto::acknowledgement::Acknowledged;
use passerelle_proto::wire::{self, Reason, event::Detail};

use super::accept::{Counters, deny};
use super::stage::Stage;
use super::{Acknowledging, DenialNote, LedgerError, NewEvent, agent_actor};
use crate::view::RecipientStatus;

/// Logs an acknowledgement of what waits for the caller's agency. One that names something which has ended before is not
/// logged, so that an exchange is acknowledged in one event for each recipient agency; the answer says what ended how, as
/// it does when the same acknowledgement comes again. One that names an exchange which the caller's agency did not
/// receive is denied as a whole.
pub(super) fn acknowledge(
    stage: &mut Stage<'_>,
    counters: &mut Counters,
    acknowledging: Acknowledging,
) -> Result<Result<wire::AcknowledgementLogged, wire::Denial>, LedgerError> {
    let mut answer = wire::AcknowledgementLogged::default();
    let mut waiting = 0;
    for exchange in &acknowledging.body {
        let id = exchange.exchange_id.to_wire();
        let row = stage.exchange(&id)?;
        let recipient = row.as_ref().and_then(|row| row.recipient(acknowledging.caller.agency.as_str()));
        let (Some(row), Some(recipient)) = (&row, recipient) else {
            let unknown = "field=exchange_id; no such exchange for this agency";
            let exchange = *exchange;
            return deny_one(stage, counters, acknowledging, (exchange, Reason::RecipientUnknown, unknown));
        };
        if row.header_digest != exchange.header_digest[..] {
            let other = (*exchange, Reason::BodyMismatch, "field=header_digest");
            return deny_one(stage, counters, acknowledging, other);
        }
        match recipient.status() {
            RecipientStatus::Waiting => waiting += 1,
            RecipientStatus::Acknowledged if recipient.agent == acknowledging.caller.agent.as_str() => {
                if answer.exchange_ids.is_empty() {
                    answer.leaf_index = recipient.leaf_index;
                }
                answer.exchange_ids.push(id);
            }
            RecipientStatus::Acknowledged | RecipientStatus::Expired => {
                let agent = recipient.agent.clone();
                answer.elsewhere.push(wire::EndedElsewhere { exchange_id: id, agent });
            }
        }
    }
    if waiting == acknowledging.body.len() {
        let Acknowledging { caller, tls_certificate, statement, body } = acknowledging;
        let event = NewEvent {
            kind: wire::EventKind::ExchangeAcknowledged,
            actor: agent_actor(&caller, &tls_certificate),
            detail: Detail::Acknowledgement(wire::AcknowledgementDetail { statement: Some(statement) }),
        };
        answer.leaf_index = stage.log(event, None)?.leaf_index;
        answer.exchange_ids = body.iter().map(|exchange| exchange.exchange_id.to_wire()).collect();
    }
    Ok(Ok(answer))
}

fn deny_one(
    stage: &mut Stage<'_>,
    counters: &mut Counters,
    acknowledging: Acknowledging,
    (exchange, reason, detail): (Acknowledged, Reason, &str),
) -> Result<Result<wire::AcknowledgementLogged, wire::Denial>, LedgerError> {
    let note = DenialNote {
        exchange_id: exchange.exchange_id.to_wire(),
        header_digest: exchange.header_digest,
        caller: acknowledging.caller,
        tls_certificate: acknowledging.tls_certificate,
        reason,
        detail: detail.to_owned(),
        header: None,
    };
    deny(stage, counters, &note).map(Err)
}
