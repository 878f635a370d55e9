//! One version of an agreement: document, signatures and standing together.
//!
//! [`AgreementVersion`] may still lack signatures: it is what the gateway and the parties work on while they sign.
//! [`VerifiedAgreement`] has the verified signature of every party, and is the only thing that can permit an exchange.

use std::collections::BTreeMap;
use std::sync::Arc;

use passerelle_pki::certificate::TrustAnchor;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::AgencyCode;

use super::document::Document;
use super::signature::{PartySigned, RevokedSince, SignatureError, verify_signature};
use super::standing::{Standing, StandingError};
use super::terms::Agreement;
use super::validate::FieldError;
use crate::wire;

/// Why a record is not a version, or not one that every party signed. Whoever sent the record is at fault.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The document is not lawful or not readable.
    #[error("the document has {} mistake(s), first: {}", .0.len(), .0.first().map(ToString::to_string).unwrap_or_default())]
    Document(Vec<FieldError>),
    /// The standing is missing or unreadable.
    #[error("the standing cannot be read")]
    Standing(#[source] StandingError),
    /// A signature is not believed.
    #[error("a party's signature is not believed")]
    Signature(#[source] SignatureError),
    /// Parties whose signature is missing.
    #[error("not signed by {}", list(.0))]
    MissingSignatures(Vec<AgencyCode>),
}

/// A version with the signatures that it has so far, each verified.
#[derive(Clone, Debug)]
pub struct AgreementVersion {
    document: Document,
    signatures: BTreeMap<AgencyCode, (PartySigned, wire::PartySignature)>,
    standing: Standing,
}

impl AgreementVersion {
    /// A version that nobody signed yet.
    #[must_use]
    pub fn proposed(document: Document) -> Self {
        Self { document, signatures: BTreeMap::new(), standing: Standing::proposed() }
    }

    /// Reads a record and verifies every signature in it, each as of the instant that it states (or `now` when it
    /// states none, or one that has not come).
    ///
    /// # Errors
    /// [`RecordError`], except for missing signatures.
    pub fn from_record(
        record: &wire::AgreementRecord,
        anchor: &TrustAnchor,
        revoked: RevokedSince<'_>,
        now: Timestamp,
    ) -> Result<Self, RecordError> {
        let document = Document::parse(record.document.clone()).map_err(RecordError::Document)?;
        let standing = record.standing.as_ref().ok_or(RecordError::Standing(StandingError::State(0)))?;
        let standing = Standing::try_from(standing).map_err(RecordError::Standing)?;
        let mut version = Self { document, signatures: BTreeMap::new(), standing };
        for signature in &record.signatures {
            let at = match signature.received_ms {
                0 => now,
                received => Timestamp::from_millis(received).min(now),
            };
            version.take_signature(signature, anchor, revoked, at).map_err(RecordError::Signature)?;
        }
        Ok(version)
    }

    /// Verifies one more signature, taken at `at`, and keeps it with that instant.
    ///
    /// # Errors
    /// [`SignatureError`], [`SignatureError::Repeated`] when the party has signed already; nothing changes then.
    pub fn take_signature(
        &mut self,
        signature: &wire::PartySignature,
        anchor: &TrustAnchor,
        revoked: RevokedSince<'_>,
        at: Timestamp,
    ) -> Result<&PartySigned, SignatureError> {
        let signed = verify_signature(&self.document, signature, anchor, revoked, at)?;
        let agency = signed.agent.agency.clone();
        if self.signatures.contains_key(&agency) {
            return Err(SignatureError::Repeated(agency));
        }
        let kept = wire::PartySignature { received_ms: at.as_millis(), ..signature.clone() };
        Ok(&self.signatures.entry(agency).or_insert((signed, kept)).0)
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The terms.
    #[must_use]
    pub fn agreement(&self) -> &Agreement {
        self.document.agreement()
    }

    /// Where it stands.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The same version, standing elsewhere.
    #[must_use]
    pub fn with_standing(self, standing: Standing) -> Self {
        Self { standing, ..self }
    }

    /// Who has signed.
    pub fn signed(&self) -> impl Iterator<Item = &PartySigned> {
        self.signatures.values().map(|(signed, _)| signed)
    }

    /// The parties that have not signed, provider first.
    #[must_use]
    pub fn unsigned(&self) -> Vec<AgencyCode> {
        let parties = self.agreement().parties().map(|party| &party.agency);
        parties.filter(|agency| !self.signatures.contains_key(*agency)).cloned().collect()
    }

    /// The wire form, signatures in the order of the agencies' codes.
    #[must_use]
    pub fn to_record(&self) -> wire::AgreementRecord {
        wire::AgreementRecord {
            document: self.document.bytes().clone(),
            signatures: self.signatures.values().map(|(_, signature)| signature.clone()).collect(),
            standing: Some(self.standing.to_wire()),
        }
    }

    /// The version as one that every party signed.
    ///
    /// # Errors
    /// [`RecordError::MissingSignatures`] with the parties that did not.
    pub fn into_verified(self) -> Result<VerifiedAgreement, RecordError> {
        let missing = self.unsigned();
        if missing.is_empty() {
            Ok(VerifiedAgreement(Arc::new(self)))
        } else {
            Err(RecordError::MissingSignatures(missing))
        }
    }
}

/// A version that carries the verified signature of every party. Cheap to clone.
#[derive(Clone, Debug)]
pub struct VerifiedAgreement(Arc<AgreementVersion>);

impl VerifiedAgreement {
    /// Reads a record; see [`AgreementVersion::from_record`].
    ///
    /// # Errors
    /// [`RecordError`], [`RecordError::MissingSignatures`] included.
    pub fn from_record(
        record: &wire::AgreementRecord,
        anchor: &TrustAnchor,
        revoked: RevokedSince<'_>,
        now: Timestamp,
    ) -> Result<Self, RecordError> {
        AgreementVersion::from_record(record, anchor, revoked, now)?.into_verified()
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.0.document
    }

    /// The terms.
    #[must_use]
    pub fn agreement(&self) -> &Agreement {
        self.0.agreement()
    }

    /// How headers and events name it.
    #[must_use]
    pub fn reference(&self) -> wire::AgreementRef {
        self.0.document.reference()
    }

    /// Where it stands.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.0.standing
    }

    /// Who signed: every party once.
    pub fn signed(&self) -> impl Iterator<Item = &PartySigned> {
        self.0.signed()
    }

    /// The same version, standing elsewhere.
    #[must_use]
    pub fn with_standing(&self, standing: Standing) -> Self {
        Self(Arc::new(AgreementVersion::clone(&self.0).with_standing(standing)))
    }

    /// The wire form.
    #[must_use]
    pub fn to_record(&self) -> wire::AgreementRecord {
        self.0.to_record()
    }
}

fn list(agencies: &[AgencyCode]) -> String {
    agencies.iter().map(AgencyCode::as_str).collect::<Vec<_>>().join(", ")
}
