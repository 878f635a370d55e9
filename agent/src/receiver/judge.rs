//! What must hold of a record before it enters: sender, signature, receipt, agreement, time, body.

use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::PublicKey;
use passerelle_pki::name::AgentId;
use passerelle_proto::acknowledgement::Acknowledged;
use passerelle_proto::agreement::{FieldRules, Permitted, permitted_at_acceptance};
use passerelle_proto::envelope::{self, INLINE_BODY_LIMIT, OpenError, Opener, VerifiedEnvelope, danger};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{DeliveredRecord, Envelope, Header, Reason};
use tokio::time::Instant;
use tonic::transport::Channel;

use super::{Receiver, SessionError};
use crate::inbox::{Arrived, Taking, is_forgettable};
use crate::inclusion::Side;
use crate::link;
use crate::minimisation;
use crate::records::blocking::blocking;
use crate::records::digest::sha256;
use crate::records::trust::{self, Doubt};

/// Why a record does not enter.
#[derive(Debug)]
pub(super) enum Fault {
    /// It never will; the sender reads why.
    Refused(Reason),
    /// It may yet.
    Session(SessionError),
}

impl<E: Into<SessionError>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Session(error.into())
    }
}

impl Receiver {
    /// Takes a delivered record: what is to be acknowledged once it is durable; nothing when it cannot be named.
    pub(super) async fn take(
        &self,
        channel: Channel,
        delivered: DeliveredRecord,
    ) -> Result<Option<Acknowledged>, SessionError> {
        let envelope = delivered.envelope.clone().unwrap_or_default();
        // Not verified: only to name what is refused.
        let named = danger::peek(&envelope);
        let id = named.as_ref().and_then(|header| ExchangeId::from_bytes(&header.exchange_id).ok());
        let (Some(header), Some(id)) = (named, id) else {
            tracing::error!("a delivery that names no exchange");
            return Ok(None);
        };
        let header_digest = sha256(&envelope.header);
        // Before looking whether it is known: what the other delivery of it comes to is known afterwards.
        let taking = self.inbox.begin(id).ok_or(SessionError::NotYet)?;
        if let Some(known) = self.inbox.known(id, header_digest) {
            return Ok(Some(known));
        }
        match self.enter(channel, &envelope, &header, delivered, &taking).await {
            Ok(()) => {}
            Err(Fault::Session(error)) => return Err(error),
            Err(Fault::Refused(reason)) => {
                self.inbox.incoming().ended(id);
                tracing::warn!(%id, reason = reason.as_str_name(), sender = %header.sender_agency, "a record is refused");
                let refused = Acknowledged { exchange_id: id, header_digest, refused: Some(reason) };
                self.inbox.refuse(refused, header.expires_ms).await?;
            }
        }
        // What is acknowledged is what was kept.
        Ok(self.inbox.known(id, header_digest))
    }

    async fn enter(
        &self,
        channel: Channel,
        envelope: &Envelope,
        peeked: &Header,
        delivered: DeliveredRecord,
        taking: &Taking,
    ) -> Result<(), Fault> {
        let key = self.signing_key(envelope, peeked).await?;
        let verified = envelope::verify(envelope, &key).map_err(|error| Fault::Refused(error.reason()))?;
        let us = &self.identity.agent().agency;
        if !verified.header().recipients.iter().any(|recipient| recipient == us.as_str()) {
            return Err(Fault::Refused(Reason::RecipientUnknown));
        }
        if is_forgettable(verified.header().expires_ms, self.clock.now()) {
            return Err(Fault::Refused(Reason::HeaderExpired));
        }
        let (accepted, leaf_index) = self.receipt(&verified, &delivered).await?;
        let permitted = self.permitted(&verified, accepted).await?;
        let rules = permitted.agreement().agreement().field_rules(&verified.header().service).cloned();
        let body = if verified.sealed_length() > INLINE_BODY_LIMIT {
            if self.inbox.incoming().is_parked(verified.exchange_id()) {
                return Err(SessionError::NotYet.into());
            }
            let _place = self.downloading.acquire().await.map_err(|_| SessionError::NotYet)?;
            self.download(channel, &verified, rules, taking).await?;
            None
        } else {
            self.opens(&verified, &delivered.body, rules).await?;
            Some(delivered.body)
        };
        let (id, arrived) = (verified.exchange_id(), Arrived { envelope: verified, key, body, leaf_index });
        if !self.inbox.receive(arrived, us).await? {
            tracing::error!(%id, sender = %peeked.sender_agency, "ALARM: the gateway gave an ordered record after a later one");
            return Err(Fault::Refused(Reason::SequencePassed));
        }
        self.inbox.incoming().ended(id);
        Ok(())
    }

    /// The key that the sender's directory entry gives for the signature.
    async fn signing_key(&self, envelope: &Envelope, peeked: &Header) -> Result<PublicKey, Fault> {
        let sender = peeked.sender_agency.parse().ok().zip(peeked.sender_agent.parse().ok());
        let (agency, agent) = sender.ok_or(Fault::Refused(Reason::HeaderMalformed))?;
        let sender = AgentId { agency, agent };
        let hint = envelope::signing_key_hint(envelope).ok_or(Fault::Refused(Reason::SignatureInvalid))?;
        let (trust, asked) = (&self.sender.trust, Instant::now());
        if let Some(key) = trust.signing_key(&sender, &hint) {
            return Ok(key);
        }
        self.refresh(asked).await?;
        trust.signing_key(&sender, &hint).ok_or(Fault::Refused(Reason::SignatureInvalid))
    }

    /// When the gateway accepted the record, and where it logged that. A gateway that cannot prove it is not obeyed,
    /// and the sender is not blamed for it.
    async fn receipt(
        &self,
        verified: &VerifiedEnvelope,
        delivered: &DeliveredRecord,
    ) -> Result<(Timestamp, u64), Fault> {
        let receipt = delivered.receipt.as_ref().ok_or(SessionError::NotYet)?;
        let asked = Instant::now();
        let (id, digest) = (verified.exchange_id(), verified.header_digest());
        let look = || trust::receipt(self.sender.trust.as_ref(), receipt, id, digest);
        let believed = match look() {
            Err(doubt) if doubt.may_be_ours() => {
                self.refresh(asked).await?;
                look()
            }
            believed => believed,
        };
        let body = believed.map_err(|doubt: Doubt| {
            tracing::error!(%id, error = %link::chain(&doubt), "a record without a receipt that is believed");
            SessionError::NotYet
        })?;
        self.sender.receipts.note(Side::Received, receipt, &body).await?;
        Ok((Timestamp::from_millis(body.accepted_ms), body.leaf_index))
    }

    async fn permitted(&self, verified: &VerifiedEnvelope, accepted: Timestamp) -> Result<Permitted, Fault> {
        let (header, asked) = (verified.header(), Instant::now());
        let look = || {
            let reference = header.agreement.as_ref().ok_or(Reason::AgreementNotFound)?;
            let agreement = self.sender.trust.agreement(reference).ok_or(Reason::AgreementNotFound)?;
            permitted_at_acceptance(&agreement, header, accepted).map_err(|refusal| refusal.reason)
        };
        if let Ok(permitted) = look() {
            return Ok(permitted);
        }
        // Perhaps the agreement changed a moment ago.
        self.refresh(asked).await?;
        look().map_err(Fault::Refused)
    }

    /// Whether an inline body opens to its end, and has no other fields than the agreement lets leave.
    async fn opens(
        &self,
        verified: &VerifiedEnvelope,
        body: &bytes::Bytes,
        rules: Option<FieldRules>,
    ) -> Result<(), Fault> {
        let _place = self.opening.acquire().await.map_err(|_| SessionError::NotYet)?;
        let (keys, inbox) = (self.identity.kem_keys(), self.inbox.clone());
        let (verified, body) = (verified.clone(), body.clone());
        let opened = blocking(move || {
            let plain = Opener::new(&verified, &keys, inbox.decapsulations())?.open_small(&body)?;
            Ok::<_, OpenError>(minimisation::is_minimal(verified.header(), plain, rules.as_ref()))
        });
        let is_minimal = opened.await?.map_err(|error| unreadable(&error))?;
        if is_minimal { Ok(()) } else { Err(Fault::Refused(Reason::FieldNotCovered)) }
    }

    async fn refresh(&self, asked: Instant) -> Result<(), Fault> {
        match self.sender.refresher.refresh(asked).await {
            true => Ok(()),
            false => Err(SessionError::NotYet.into()),
        }
    }
}

/// Why a body that is the signed one does not open, as its sender reads it.
pub(super) fn unreadable(error: &OpenError) -> Fault {
    match error {
        OpenError::Body(_) => Fault::Refused(Reason::BodyMismatch),
        OpenError::Cipher(_) => SessionError::NotYet.into(),
        _ => Fault::Refused(Reason::Unreadable),
    }
}
