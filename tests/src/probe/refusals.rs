//! One submission for each reason that a gateway refuses one for: each is right in everything but one thing.

use anyhow::Context;
use bytes::Bytes;
use passerelle_pki::name::AgencyCode;
use passerelle_proto::envelope::{KemKey, RecipientPublicKey};
use passerelle_proto::wire::{self, Reason, submit_reply};
use ring::rand::SystemRandom;
use std::time::Duration;

use super::{Probe, Terms, frame};
use crate::network::agreements::codes;

/// The agreements that refusals need, each between the same provider and consumer.
#[derive(Clone, Debug)]
pub struct Cases {
    /// In force, and covers everything but what the case changes.
    pub in_force: Terms,
    /// In force, in the other direction.
    pub other_direction: Terms,
    /// Activated, from tomorrow.
    pub not_yet: Terms,
    /// Suspended.
    pub suspended: Terms,
    /// Revoked.
    pub revoked: Terms,
    /// Activated, and over since yesterday.
    pub expired: Terms,
    /// Version 1; version 2 is in force.
    pub replaced: Terms,
    /// In force; demands a case reference and an acting user.
    pub demanding: Terms,
    /// In force; one record a day, of at most [`TINY`] bytes.
    pub tiny: Terms,
}

/// Bytes that a record may have under [`Cases::tiny`].
pub const TINY: u64 = 64;

/// A submission and why it must be refused.
#[derive(Debug)]
pub struct Case {
    /// What is wrong with it.
    pub expected: Reason,
    /// The submission.
    pub frame: wire::SubmitFrame,
}

impl Probe {
    /// Every case, each sealed anew for `recipients`.
    ///
    /// # Errors
    /// When sealing fails.
    pub fn refusals(&self, cases: &Cases, recipients: &[RecipientPublicKey]) -> anyhow::Result<Vec<Case>> {
        let mut all = self.agreement_refusals(cases, recipients)?;
        all.extend(self.header_refusals(cases, recipients)?);
        all.extend(self.forged_refusals(cases, recipients)?);
        Ok(all)
    }

    fn case(
        &self,
        expected: Reason,
        terms: &Terms,
        recipients: &[RecipientPublicKey],
        change: impl FnOnce(&mut passerelle_proto::envelope::HeaderDraft),
    ) -> anyhow::Result<Case> {
        let mut draft = self.draft(terms, recipients);
        change(&mut draft);
        let sealed =
            self.seal(draft, recipients, b"{}").with_context(|| expected.as_str_name().to_owned())?;
        Ok(Case { expected, frame: frame(&sealed) })
    }

    fn agreement_refusals(&self, cases: &Cases, to: &[RecipientPublicKey]) -> anyhow::Result<Vec<Case>> {
        let in_force = &cases.in_force;
        Ok(vec![
            self.case(Reason::AgreementNotFound, in_force, to, |draft| {
                draft.agreement.number = "ENT-0000-000".to_owned();
            })?,
            self.case(Reason::AgreementDigestMismatch, in_force, to, |draft| {
                draft.agreement.digest = Bytes::from_static(&[0; 32]);
            })?,
            self.case(Reason::AgreementNotInForce, &cases.not_yet, to, |_| {})?,
            self.case(Reason::AgreementSuspended, &cases.suspended, to, |_| {})?,
            self.case(Reason::AgreementRevoked, &cases.revoked, to, |_| {})?,
            self.case(Reason::AgreementExpired, &cases.expired, to, |_| {})?,
            self.case(Reason::AgreementReplaced, &cases.replaced, to, |_| {})?,
            self.case(Reason::DirectionNotCovered, &cases.other_direction, to, |_| {})?,
            self.case(Reason::PurposeNotCovered, in_force, to, |draft| {
                draft.purpose = codes::OTHER_PURPOSE.to_owned();
            })?,
            self.case(Reason::CategoryNotCovered, in_force, to, |draft| {
                draft.data_categories.insert("revenus".to_owned());
            })?,
            self.case(Reason::ServiceNotCovered, in_force, to, |draft| {
                draft.service = "autre-service".to_owned();
            })?,
            self.case(Reason::LegalBasisNotCovered, in_force, to, |draft| {
                draft.legal_basis = "A-2.1 s.68".to_owned();
            })?,
            self.case(Reason::CaseReferenceMissing, &cases.demanding, to, |draft| {
                draft.attributes.case_reference.clear();
            })?,
            self.case(Reason::ActingUserMissing, &cases.demanding, to, |draft| {
                draft.acting_user = None;
                draft.attributes.acting_user.clear();
            })?,
        ])
    }

    fn header_refusals(&self, cases: &Cases, to: &[RecipientPublicKey]) -> anyhow::Result<Vec<Case>> {
        let now = self.now();
        let in_force = &cases.in_force;
        let large = self.seal(self.draft(&cases.tiny, to), to, &[0; 2 * TINY as usize])?;
        let agency: AgencyCode = to.first().context("a recipient")?.agency().clone();
        let stranger = KemKey::generate(&SystemRandom::new())?;
        let substituted = [RecipientPublicKey::new(agency, stranger.public_key().clone())];
        let unknown: AgencyCode = "inconnu".parse()?;
        let nobody = [RecipientPublicKey::new(unknown, stranger.public_key().clone())];
        Ok(vec![
            Case { expected: Reason::RecordTooLarge, frame: frame(&large) },
            self.case(Reason::HeaderExpired, in_force, to, |draft| {
                draft.created = now.minus(Duration::from_secs(7_200));
                draft.expires = now.minus(Duration::from_secs(3_600));
            })?,
            self.case(Reason::ClockSkew, in_force, to, |draft| {
                draft.created = now.plus(Duration::from_secs(7_200));
                draft.expires = now.plus(Duration::from_secs(86_400));
            })?,
            self.case(Reason::RecipientKeyUnknown, in_force, &substituted, |_| {})?,
            self.case(Reason::RecipientUnknown, in_force, &nobody, |_| {})?,
        ])
    }

    fn forged_refusals(&self, cases: &Cases, to: &[RecipientPublicKey]) -> anyhow::Result<Vec<Case>> {
        let sealed = self.seal(self.draft(&cases.in_force, to), to, b"{}")?;
        let mut broken = frame(&sealed);
        if let Some(signature) = broken.envelope.as_mut().and_then(|envelope| envelope.signatures.first_mut())
        {
            signature.signature = Bytes::from(vec![7; 64]);
        }
        let mut other_body = frame(&self.seal(self.draft(&cases.in_force, to), to, b"{}")?);
        other_body.body = Bytes::from(vec![0; other_body.body.len()]);
        let malformed = self.resigned(&sealed, |header| header.recipients.clear())?;
        let other_suite = self.resigned(&sealed, |header| header.suite = 9)?;
        let other_sender = self.resigned(&sealed, |header| header.sender_agency = "saaq".to_owned())?;
        Ok(vec![
            Case { expected: Reason::SignatureInvalid, frame: broken },
            Case { expected: Reason::BodyMismatch, frame: other_body },
            Case { expected: Reason::HeaderMalformed, frame: malformed },
            Case { expected: Reason::SuiteUnsupported, frame: other_suite },
            Case { expected: Reason::SenderMismatch, frame: other_sender },
        ])
    }

    /// The cases that need an accepted exchange before them: other bytes under an id that was used, and one more
    /// record than a day's quota.
    ///
    /// # Errors
    /// When the exchange before is not accepted.
    pub async fn refusals_after_acceptance(
        &self,
        cases: &Cases,
        recipients: &[RecipientPublicKey],
    ) -> anyhow::Result<Vec<Case>> {
        let first = self.seal(self.draft(&cases.tiny, recipients), recipients, b"{}")?;
        if let Some(submit_reply::Result::Denial(denial)) = self.submit(frame(&first)).await?.result {
            anyhow::bail!("the exchange before was denied: {:?} {}", denial.reason(), denial.detail);
        }
        let reused = self.resigned(&first, |header| header.content_type = "text/plain".to_owned())?;
        Ok(vec![
            Case { expected: Reason::ExchangeIdReused, frame: reused },
            self.case(Reason::QuotaExceeded, &cases.tiny, recipients, |_| {})?,
        ])
    }

    /// Submits a case and gives the denial.
    ///
    /// # Errors
    /// When it was accepted, or not answered.
    pub async fn denied(&self, frame: wire::SubmitFrame) -> anyhow::Result<wire::Denial> {
        match self.submit(frame).await?.result {
            Some(submit_reply::Result::Denial(denial)) => Ok(denial),
            Some(submit_reply::Result::Receipt(_)) => anyhow::bail!("it was accepted"),
            None => anyhow::bail!("an answer without a result"),
        }
    }
}
