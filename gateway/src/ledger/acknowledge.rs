//! Logging what a recipient's agent acknowledges.

use std::io;

use passerelle_proto::acknowledgement::Acknowledged;
use passerelle_proto::event;
use passerelle_proto::wire::{self, Reason, event::Detail};
use prost::Message;

use super::accept::{Counters, deny};
use super::handle::Shared;
use super::request::Settled;
use super::stage::Stage;
use super::{Acknowledging, DenialNote, LedgerError, NewEvent, agent_actor};
use crate::view::{EntrySource, RecipientStatus};

/// Most bytes of other agents' statements in one answer.
const STATEMENTS_LIMIT: usize = 1 << 20;

/// Logs an acknowledgement of what waits for the caller's agency. One that names something which has ended before, or
/// which the caller's agency did not receive, is not logged, so that an exchange is acknowledged in one event for each
/// recipient agency and the log says nothing false; the answer says what ended how, as it does when the same
/// acknowledgement comes again, and what is unknown. What is unknown leaves one denial.
pub(super) fn acknowledge(
    stage: &mut Stage<'_>,
    counters: &mut Counters,
    acknowledging: Acknowledging,
) -> Result<Settled, LedgerError> {
    let mut settled = Settled::default();
    let answer = &mut settled.answer;
    let (mut waiting, mut unknown) = (0, Vec::new());
    for exchange in &acknowledging.body {
        let id = exchange.exchange_id.to_wire();
        let row = stage.exchange(&id)?;
        let recipient = row.as_ref().and_then(|row| row.recipient(acknowledging.caller.agency.as_str()));
        let (Some(row), Some(recipient)) = (&row, recipient) else {
            unknown.push((*exchange, Reason::RecipientUnknown));
            continue;
        };
        if row.header_digest != exchange.header_digest[..] {
            unknown.push((*exchange, Reason::BodyMismatch));
            continue;
        }
        match recipient.status() {
            RecipientStatus::Waiting => waiting += 1,
            RecipientStatus::Acknowledged if recipient.agent == acknowledging.caller.agent.as_str() => {
                if answer.exchange_ids.is_empty() {
                    answer.leaf_index = recipient.leaf_index;
                }
                answer.exchange_ids.push(id);
            }
            status @ (RecipientStatus::Acknowledged | RecipientStatus::Expired) => {
                let agent = recipient.agent.clone();
                answer.elsewhere.push(wire::EndedElsewhere { exchange_id: id, agent, acknowledgement: None });
                let leaf = (status == RecipientStatus::Acknowledged).then_some(recipient.leaf_index);
                settled.proofs.push(leaf);
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
    } else if let Some((first, reason)) = unknown.first() {
        deny_one(stage, counters, &acknowledging, (first, *reason, unknown.len()))?;
        let named = unknown.iter().map(|(exchange, reason)| wire::UnknownExchange {
            exchange_id: exchange.exchange_id.to_wire(),
            reason: (*reason).into(),
        });
        answer.unknown = named.collect();
    }
    Ok(settled)
}

fn deny_one(
    stage: &mut Stage<'_>,
    counters: &mut Counters,
    acknowledging: &Acknowledging,
    (exchange, reason, count): (&Acknowledged, Reason, usize),
) -> Result<(), LedgerError> {
    let detail = match reason {
        Reason::BodyMismatch => "field=header_digest",
        _ => "field=exchange_id; no such exchange for this agency",
    };
    let note = DenialNote {
        exchange_id: exchange.exchange_id.to_wire(),
        header_digest: exchange.header_digest,
        caller: acknowledging.caller.clone(),
        tls_certificate: acknowledging.tls_certificate,
        reason,
        detail: format!("{detail}; unknown={count}"),
        header: None,
    };
    deny(stage, counters, &note).map(drop)
}

impl Shared {
    /// The answer as the agent gets it: with what the agency's other agents have signed, as far as it fits; what does not
    /// is left out, to be asked for again. Reads the log.
    pub(super) fn prove(&self, settled: Settled) -> wire::AcknowledgementLogged {
        let Settled { mut answer, proofs } = settled;
        let mut bytes = 0;
        let ended = std::mem::take(&mut answer.elsewhere).into_iter().zip(proofs);
        let proven = ended.map_while(|(mut ended, leaf)| {
            // One that cannot be read goes without: the agent keeps its record then, and tells its people.
            ended.acknowledgement = leaf.and_then(|leaf| match self.acknowledgement(leaf) {
                Ok(statement) => Some(statement),
                Err(error) => {
                    tracing::error!(leaf, %error, "an acknowledgement cannot be read");
                    None
                }
            });
            bytes += ended.encoded_len();
            (bytes <= STATEMENTS_LIMIT).then_some(ended)
        });
        answer.elsewhere = proven.collect();
        answer
    }

    /// The statement that was logged at a leaf.
    pub(super) fn acknowledgement(&self, leaf: u64) -> Result<wire::Statement, LedgerError> {
        let failed = |why: String| LedgerError::Internal(format!("acknowledgement at leaf {leaf}: {why}"));
        let entry = self.entries.entry(leaf).map_err(|error: io::Error| failed(error.to_string()))?;
        let entry = entry.ok_or_else(|| failed("no such entry".to_owned()))?;
        match event::decode(&entry).map_err(|error| failed(error.to_string()))?.detail {
            Some(Detail::Acknowledgement(detail)) => {
                detail.statement.ok_or_else(|| failed("it has no statement".to_owned()))
            }
            _ => Err(failed("another kind of event".to_owned())),
        }
    }
}
