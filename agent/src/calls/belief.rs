//! What must hold of half a call before anything is done with it: sender, signature, receipt, agreement.

use std::sync::Arc;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::PublicKey;
use passerelle_pki::name::AgentId;
use passerelle_proto::agreement::{Permitted, Refusal, permitted_at_acceptance};
use passerelle_proto::envelope::{self, VerifiedEnvelope, danger};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::reason;
use passerelle_proto::wire::{self, Reason};
use tokio::time::Instant;

use crate::inclusion::{Receipts, Side};
use crate::link;
use crate::records::trust::{self, Refresher, Trust};

/// Asks directory and agreements, and asks the gateway for fresh ones before it says no for want of them.
#[derive(Debug)]
pub(super) struct Belief {
    pub(super) trust: Arc<dyn Trust>,
    pub(super) refresher: Arc<Refresher>,
    pub(super) receipts: Receipts,
}

/// Why half a call is not believed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {detail}", reason::code(*.reason))]
pub(super) struct Doubted {
    /// As the other side reads it.
    pub(super) reason: Reason,
    /// The fact.
    pub(super) detail: String,
}

impl Doubted {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl From<Refusal> for Doubted {
    fn from(refusal: Refusal) -> Self {
        Self { reason: refusal.reason, detail: refusal.detail }
    }
}

impl Belief {
    /// The envelope, once the agent that it names has signed it.
    pub(super) async fn envelope(&self, envelope: &wire::Envelope) -> Result<VerifiedEnvelope, Doubted> {
        // Not verified: only to find the key.
        let named = danger::peek(envelope).unwrap_or_default();
        let sender = named.sender_agency.parse().ok().zip(named.sender_agent.parse().ok());
        let (agency, agent) = sender.ok_or_else(|| Doubted::new(Reason::HeaderMalformed, "field=sender"))?;
        let key = self.signing_key(envelope, &AgentId { agency, agent }).await?;
        envelope::verify(envelope, &key).map_err(|error| Doubted::new(error.reason(), link::chain(&error)))
    }

    async fn signing_key(&self, envelope: &wire::Envelope, sender: &AgentId) -> Result<PublicKey, Doubted> {
        let unsigned = || Doubted::new(Reason::SignatureInvalid, format!("agent={sender}"));
        let hint = envelope::signing_key_hint(envelope).ok_or_else(unsigned)?;
        let asked = Instant::now();
        if let Some(key) = self.trust.signing_key(sender, &hint) {
            return Ok(key);
        }
        self.refresher.refresh(asked).await;
        self.trust.signing_key(sender, &hint).ok_or_else(unsigned)
    }

    /// When and where the gateway logged it. That it did is looked at later; nobody waits until the receipt is durable.
    pub(super) async fn receipt(
        &self,
        side: Side,
        receipt: Option<&wire::Receipt>,
        (id, digest): (ExchangeId, [u8; 32]),
    ) -> Result<wire::ReceiptBody, Doubted> {
        let missing = || Doubted::new(Reason::LogUnavailable, "field=receipt");
        let (receipt, asked) = (receipt.ok_or_else(missing)?, Instant::now());
        let look = || trust::receipt(self.trust.as_ref(), receipt, id, digest);
        let believed = match look() {
            Err(doubt) if doubt.may_be_ours() && self.refresher.refresh(asked).await => look(),
            believed => believed,
        };
        let body = believed.map_err(|doubt| {
            tracing::error!(%id, error = %link::chain(&doubt), "half a call without a receipt that is believed");
            Doubted::new(Reason::LogUnavailable, "field=receipt")
        })?;
        let (receipts, receipt, promised) = (self.receipts.clone(), receipt.clone(), body.clone());
        tokio::spawn(async move {
            if let Err(error) = receipts.note(side, &receipt, &promised).await {
                tracing::error!(%id, error = %link::chain(&error), "the receipt of a call could not be kept");
            }
        });
        Ok(body)
    }

    /// What the agreement said when the gateway accepted it.
    pub(super) async fn permitted(
        &self,
        header: &wire::Header,
        accepted: Timestamp,
    ) -> Result<Permitted, Doubted> {
        let asked = Instant::now();
        let look = || {
            let reference = header.agreement.as_ref().ok_or_else(|| Refusal::not_found(None))?;
            let agreement = self.trust.agreement(reference);
            let agreement = agreement.ok_or_else(|| Refusal::not_found(Some(reference)))?;
            permitted_at_acceptance(&agreement, header, accepted)
        };
        match look() {
            // Perhaps the agreement changed a moment ago.
            Err(_) if self.refresher.refresh(asked).await => Ok(look()?),
            permitted => Ok(permitted?),
        }
    }
}
