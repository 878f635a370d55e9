//! What a submission must pass before the ledger sees it, in this order:
//!
//! the caller is the sender; a signing key of the sender made the signature; the header has its form; the clocks agree
//! and the time has not run out; sender and recipients are active; every recipient key is in a bundle that its agency's
//! agent signed; the size and the rate are within the gateway's limits.

use std::time::Duration;

use bytes::Bytes;
use passerelle_pki::clock::Timestamp;
use passerelle_proto::envelope::{self, VerifiedEnvelope, danger};
use passerelle_proto::wire::{self, Envelope, ExchangeKind, Header, Reason};

use super::service::ExchangeService;
use crate::ledger::DenialNote;
use crate::rpc::caller::AgentCaller;
use crate::state::State;

/// What one caller may ask for.
#[derive(Clone, Debug)]
pub struct ExchangeLimits {
    /// Plaintext bytes of one record.
    pub record_bytes: u64,
    /// Submissions of one agency in a second.
    pub per_second_per_agency: u32,
    /// Submissions of one agency at once.
    pub burst_per_agency: u32,
    /// How far ahead of the gateway's clock a header may have been made.
    pub skew: Duration,
    /// Longest time between a header's creation and its expiry.
    pub time_to_live: Duration,
    /// Uploads of one agency under way at a time.
    pub uploads_per_agency: usize,
    /// Sealed bytes of one agency in the spool.
    pub spool_bytes_per_agency: u64,
}

/// Why a submission is refused, with what could be read of it.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(super) reason: Reason,
    pub(super) detail: String,
    /// The header, only when its signature was verified.
    pub(super) header: Option<Box<Header>>,
}

impl Refusal {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), header: None }
    }

    /// With all that was read.
    pub(crate) fn of(envelope: &VerifiedEnvelope, reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), header: Some(Box::new(envelope.header().clone())) }
    }
}

impl ExchangeService {
    /// The same for a record: calls go another road.
    pub(super) fn check_record(
        &self,
        agent: &AgentCaller,
        envelope: &Envelope,
    ) -> Result<VerifiedEnvelope, Refusal> {
        let verified = self.check(agent, envelope)?;
        match verified.header().kind() {
            ExchangeKind::Record => Ok(verified),
            _ => Err(Refusal::of(&verified, Reason::HeaderMalformed, "field=kind")),
        }
    }

    /// Everything that is checked of an envelope without its body.
    pub(crate) fn check(
        &self,
        agent: &AgentCaller,
        envelope: &Envelope,
    ) -> Result<VerifiedEnvelope, Refusal> {
        let state = self.0.parts.ledger.state();
        let now = self.0.parts.clock.now();
        let verified = signature(&state, agent, envelope, now)?;
        self.time(&verified, now)?;
        parties(&state, &verified)?;
        recipient_keys(&state, &verified, now)?;
        let limit = self.0.parts.limits.record_bytes;
        if verified.header().plaintext_length > limit {
            let detail = format!("limit={limit}");
            return Err(Refusal::of(&verified, Reason::RecordTooLarge, detail));
        }
        if !self.0.rates.allows(agent.id.agency.as_str()) {
            let limit = self.0.parts.limits.per_second_per_agency;
            return Err(Refusal::of(&verified, Reason::QuotaExceeded, format!("per_second={limit}")));
        }
        Ok(verified)
    }

    fn time(&self, verified: &VerifiedEnvelope, now: Timestamp) -> Result<(), Refusal> {
        let limits = &self.0.parts.limits;
        if verified.created() > now.plus(limits.skew) {
            let detail = format!("gateway_time={now}");
            return Err(Refusal::of(verified, Reason::ClockSkew, detail));
        }
        if verified.expires() <= now {
            return Err(Refusal::of(
                verified,
                Reason::HeaderExpired,
                format!("expired={}", verified.expires()),
            ));
        }
        if verified.expires().since(verified.created()) > limits.time_to_live {
            let detail = format!("field=expires_ms; limit_s={}", limits.time_to_live.as_secs());
            return Err(Refusal::of(verified, Reason::HeaderMalformed, detail));
        }
        Ok(())
    }

    /// Logs a refusal and gives it as the caller reads it.
    pub(crate) async fn refuse(
        &self,
        agent: &AgentCaller,
        envelope: &Envelope,
        refusal: Refusal,
    ) -> wire::Denial {
        let exchange_id = match &refusal.header {
            Some(header) => header.exchange_id.clone(),
            None => danger::peek(envelope).map(|header| header.exchange_id).unwrap_or_default(),
        };
        let note = DenialNote {
            caller: agent.id.clone(),
            tls_certificate: agent.certificate.thumbprint,
            reason: refusal.reason,
            detail: refusal.detail,
            exchange_id,
            header_digest: digest(&envelope.header),
            header: refusal.header,
        };
        self.0.parts.ledger.deny(note).await
    }
}

fn signature(
    state: &State,
    agent: &AgentCaller,
    envelope: &Envelope,
    now: Timestamp,
) -> Result<VerifiedEnvelope, Refusal> {
    // A header of somebody else is refused as such, whatever signed it.
    if let Some(header) = danger::peek(envelope)
        && (header.sender_agency != agent.id.agency.as_str()
            || header.sender_agent != agent.id.agent.as_str())
    {
        return Err(Refusal::new(Reason::SenderMismatch, format!("certificate={}", agent.id)));
    }
    let key = envelope::signing_key_hint(envelope)
        .and_then(|key_id| state.signing_key(&agent.id, key_id, now))
        .ok_or_else(|| Refusal::new(Reason::SignatureInvalid, "field=key_id"))?;
    let verified =
        envelope::verify(envelope, key).map_err(|error| Refusal::new(error.reason(), error.to_string()))?;
    if *verified.sender() == agent.id {
        Ok(verified)
    } else {
        Err(Refusal::new(Reason::SenderMismatch, format!("certificate={}", agent.id)))
    }
}

fn parties(state: &State, verified: &VerifiedEnvelope) -> Result<(), Refusal> {
    let header = verified.header();
    for recipient in &header.recipients {
        if state.agency(recipient).is_none() {
            return Err(Refusal::of(verified, Reason::RecipientUnknown, format!("agency={recipient}")));
        }
    }
    for agency in header.recipients.iter().chain([&header.sender_agency]) {
        if !state.is_active(agency) {
            return Err(Refusal::of(verified, Reason::MemberNotActive, format!("agency={agency}")));
        }
    }
    Ok(())
}

fn recipient_keys(state: &State, verified: &VerifiedEnvelope, now: Timestamp) -> Result<(), Refusal> {
    for key in &verified.header().recipient_keys {
        if !state.is_recipient_key(&key.agency, &key.key_id, now) {
            let detail = format!("agency={}", key.agency);
            return Err(Refusal::of(verified, Reason::RecipientKeyUnknown, detail));
        }
    }
    Ok(())
}

fn digest(header: &Bytes) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, header).as_ref());
    digest
}
