//! What must hold of a call that is offered, before its content is looked at and before the service is touched.

use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_proto::agreement::VerifiedAgreement;
use passerelle_proto::call::MEDIA_TYPE;
use passerelle_proto::envelope::VerifiedEnvelope;
use passerelle_proto::wire::{ExchangeKind, OfferedCall, Reason};
use tokio::time::Instant;

use super::seen::{First, Request};
use super::{Failure, Provider};
use crate::calls::settings::DEADLINE_MAX;
use crate::inclusion::Side;

/// An offer whose sender, signature, receipt and agreement hold.
#[derive(Debug)]
pub(super) struct Believed {
    pub(super) envelope: VerifiedEnvelope,
    /// What permitted it.
    pub(super) agreement: VerifiedAgreement,
    /// Until when its caller waits.
    pub(super) until: Instant,
    /// How long that was from the moment when the gateway accepted it.
    pub(super) left: Duration,
}

impl Provider {
    /// Believes an offer, or says why not.
    pub(super) async fn believe(&self, offered: &OfferedCall) -> Result<Believed, Failure> {
        let (begun, belief) = (Instant::now(), &self.0.calls.0.belief);
        let malformed = |field: &str| Failure::new(Reason::HeaderMalformed, format!("field={field}"));
        let envelope = offered.envelope.as_ref().ok_or_else(|| malformed("envelope"))?;
        let verified = belief.envelope(envelope).await?;
        let header = verified.header();
        if verified.kind() != ExchangeKind::CallRequest {
            return Err(malformed("kind"));
        }
        if header.content_type != MEDIA_TYPE {
            return Err(malformed("content_type"));
        }
        let us = self.0.calls.0.planner.identity.agent().agency.as_str();
        if header.recipients != [us] {
            return Err(Failure::new(Reason::RecipientUnknown, "field=recipients"));
        }
        let named = (verified.exchange_id(), verified.header_digest());
        let receipt = belief.receipt(Side::Answered, offered.receipt.as_ref(), named).await?;
        let accepted = Timestamp::from_millis(receipt.accepted_ms);
        let agreement = belief.permitted(header, accepted).await?.agreement().clone();
        // By the gateway's clock and ours: neither side's clock shortens the time that the caller gave.
        let left = verified.expires().since(accepted).min(DEADLINE_MAX);
        let request = Request {
            id: verified.exchange_id(),
            created: Timestamp::from_millis(header.created_ms),
            expires: verified.expires(),
        };
        match self.first(request).await {
            First::Yes => Ok(Believed { envelope: verified, agreement, until: begun + left, left }),
            First::No => Err(Failure::new(Reason::ExchangeIdReused, "call=offered before")),
            First::Before => Err(Failure::new(
                Reason::Busy,
                "field=created_ms; created before the provider's agent started: call again",
            )),
            First::Early(_) | First::Ahead => {
                Err(Failure::new(Reason::ClockSkew, "field=created_ms; ahead of the provider's clock"))
            }
            First::Over => Err(Failure::new(Reason::HeaderExpired, "field=expires_ms")),
            First::Full => Err(Failure::new(Reason::Busy, "calls=too many")),
        }
    }

    /// Whether it is the first time, waiting once for our clock to come to it.
    async fn first(&self, request: Request) -> First {
        let first = || self.0.seen.first(request, self.0.calls.0.clock.now());
        match first() {
            First::Early(ahead) => {
                tokio::time::sleep(ahead).await;
                first()
            }
            known => known,
        }
    }
}
