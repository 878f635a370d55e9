//! Accepting or denying an exchange: duplicate id, then the check that was submitted with it, then its place in a stream,
//! then quotas.

use passerelle_pki::name::AgentId;
use passerelle_proto::agreement::Refusal;
use passerelle_proto::envelope::{INLINE_BODY_LIMIT, VerifiedEnvelope, sealed_length};
use passerelle_proto::event::{denied_detail, exchange_detail};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::reason;
use passerelle_proto::wire::{self, Reason, event::Detail};

use super::admission::{Admission, Admit};
use super::denials::Guard;
use super::quota::{Load, Rates};
use super::stage::Stage;
use super::{DenialNote, LedgerError, NewEvent, Submission, agent_actor};
use crate::view;

/// What became of a submission in the batch.
pub(super) enum Outcome {
    /// A receipt, by its index among the batch's.
    Receipt(usize),
    /// A denial.
    Denied(wire::Denial),
}

/// What the sequencer counts across batches.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) rates: Rates,
    pub(super) guard: Guard,
}

/// Decides on one submission.
pub(super) fn accept(
    stage: &mut Stage<'_>,
    counters: &mut Counters,
    origin: &str,
    admit: Admit,
    submission: Submission,
) -> Result<Outcome, LedgerError> {
    let Submission { caller, tls_certificate, envelope, record, spooled } = submission;
    let header = envelope.header();
    let (id, digest) = (&header.exchange_id, envelope.header_digest());
    let refuse = |stage: &mut Stage<'_>, counters: &mut Counters, refusal: &Refusal| {
        let note = note(&envelope, &caller, tls_certificate, refusal);
        deny(stage, counters, &note).map(Outcome::Denied)
    };
    // A call is passed on as it comes: none is kept, and none a second time.
    let relayed = header.kind() != wire::ExchangeKind::Record;
    if let Some(row) = stage.exchange(id)? {
        if !relayed && row.header_digest == digest[..] {
            return Ok(Outcome::Receipt(stage.receipt(row.receipt_body(id, origin))));
        }
        let reused = Refusal { reason: Reason::ExchangeIdReused, detail: String::new() };
        return refuse(stage, counters, &reused);
    }
    let fits = record.body.len() as u64 <= sealed_length(INLINE_BODY_LIMIT);
    let admitted = match admit(stage.state(), &envelope, stage.now()) {
        Ok(_) if !relayed && (!fits || spooled != record.body.is_empty()) => {
            Err(Refusal { reason: Reason::BodyMismatch, detail: format!("inline_limit={INLINE_BODY_LIMIT}") })
        }
        Ok(admission) => match passed(stage, header)? {
            Some(refusal) => Err(refusal),
            None => quota(stage, counters, header, &admission)?,
        },
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = admitted {
        return refuse(stage, counters, &refusal);
    }
    let event = NewEvent {
        kind: wire::EventKind::ExchangeAccepted,
        actor: agent_actor(&caller, &tls_certificate),
        detail: Detail::Exchange(exchange_detail(header, &digest, &envelope.signing_key_id())),
    };
    stage.log(event, (!relayed).then_some(record))?;
    let row = stage
        .exchange(id)?
        .ok_or_else(|| LedgerError::Internal("an accepted exchange has no row".to_owned()))?;
    Ok(Outcome::Receipt(stage.receipt(row.receipt_body(id, origin))))
}

/// Logs a denial, unless its caller is flooding, and gives it as the caller reads it.
pub(super) fn deny(
    stage: &mut Stage<'_>,
    counters: &mut Counters,
    note: &DenialNote,
) -> Result<wire::Denial, LedgerError> {
    let mut denial = reason::denial(note.reason, note.detail.clone(), note.exchange_id.clone());
    if counters.guard.admit(&note.caller, note.tls_certificate, note.reason, stage.now()) {
        let header = note.header.as_deref();
        let mut detail = denied_detail(header, &note.header_digest, None, note.reason, &note.detail);
        if header.is_none() {
            // Nobody has verified it: taken only when it has the form of an id.
            if ExchangeId::from_bytes(&note.exchange_id).is_ok() {
                detail.exchange_id = note.exchange_id.clone();
            }
            detail.sender_agency = note.caller.agency.to_string();
            detail.sender_agent = note.caller.agent.to_string();
        }
        let actor = agent_actor(&note.caller, &note.tls_certificate);
        let kind = wire::EventKind::ExchangeDenied;
        let logged = stage.log(NewEvent { kind, actor, detail: Detail::Exchange(detail) }, None)?;
        denial.leaf_index = Some(logged.leaf_index);
    }
    Ok(denial)
}

/// Why an ordered record comes too late: its number, or a later one of its stream, was accepted before.
fn passed(stage: &mut Stage<'_>, header: &wire::Header) -> Result<Option<Refusal>, LedgerError> {
    let sender = format!("{}/{}", header.sender_agency, header.sender_agent);
    let order = header.order.clone().unwrap_or_default();
    let Some(place) = view::Place::new(sender, &order.stream, order.sequence) else { return Ok(None) };
    let last = stage.last_of_stream(&place)?;
    let detail = format!("sequence={}; last={last}", place.sequence());
    Ok((place.sequence() <= last).then_some(Refusal { reason: Reason::SequencePassed, detail }))
}

/// The outer error is ours, the inner one the sender's.
fn quota(
    stage: &mut Stage<'_>,
    counters: &mut Counters,
    header: &wire::Header,
    admission: &Admission,
) -> Result<Result<(), Refusal>, LedgerError> {
    let Some(agreement) = &header.agreement else { return Ok(Err(Refusal::not_found(None))) };
    let now = stage.now();
    let today = stage.volume(&agreement.number, &header.sender_agency, view::day(now.as_millis()))?;
    let load =
        Load { number: &agreement.number, sender: &header.sender_agency, bytes: header.plaintext_length };
    Ok(counters.rates.take(admission.limits(), load, today, now))
}

fn note(
    envelope: &VerifiedEnvelope,
    caller: &AgentId,
    tls_certificate: [u8; 32],
    refusal: &Refusal,
) -> DenialNote {
    DenialNote {
        caller: caller.clone(),
        tls_certificate,
        reason: refusal.reason,
        detail: refusal.detail.clone(),
        exchange_id: envelope.header().exchange_id.clone(),
        header_digest: envelope.header_digest(),
        header: Some(Box::new(envelope.header().clone())),
    }
}
