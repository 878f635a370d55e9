//! Verification of an envelope: signature first, then the one encoding, then the form.

use bytes::Bytes;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::{KeyId, PublicKey};
use passerelle_pki::name::AgentId;

use super::form::{self, FormError};
use super::limits::{HEADER_LIMIT, PLAINTEXT_LIMIT, SUITE_1};
use crate::exchange_id::ExchangeId;
use crate::statement::{self, StatementError, payload_type};
use crate::strict::{self, StrictError};
use crate::wire::{self, Reason};

/// Why an envelope is not believed. The sender is at fault, or whoever altered it on the way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The header is over [`HEADER_LIMIT`]. Nothing was done with it.
    #[error("the header has {0} bytes where at most {HEADER_LIMIT} are taken")]
    TooLarge(usize),
    /// The signature. Nothing of the header was looked at.
    #[error("the header's signature does not hold")]
    Signature(#[source] StatementError),
    /// The header is not the one encoding of a header.
    #[error("the header cannot be read")]
    Encoding(#[source] StrictError),
    /// Sealed in a way that this version does not know.
    #[error("unknown suite {0}")]
    Suite(u32),
    /// The header breaks a rule of the form.
    #[error("the header breaks the form")]
    Form(#[source] FormError),
    /// The record is over what this protocol carries.
    #[error("a record of {0} bytes is over the limit of {PLAINTEXT_LIMIT}")]
    RecordTooLarge(u64),
}

impl EnvelopeError {
    /// The reason by which this is refused.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Signature(_) => Reason::SignatureInvalid,
            Self::TooLarge(_) | Self::Encoding(_) | Self::Form(_) => Reason::HeaderMalformed,
            Self::Suite(_) => Reason::SuiteUnsupported,
            Self::RecordTooLarge(_) => Reason::RecordTooLarge,
        }
    }
}

/// An envelope whose signature, encoding and form hold. Only [`verify`] makes one.
///
/// It says who signed and what; not whether the certificate was in force, nor whether the agreement permits it.
#[derive(Clone, Debug)]
pub struct VerifiedEnvelope {
    envelope: wire::Envelope,
    header: wire::Header,
    header_digest: [u8; 32],
    signing_key: KeyId,
    checked: form::Checked,
}

impl VerifiedEnvelope {
    /// The header. To be read only: what travels is [`VerifiedEnvelope::envelope`].
    #[must_use]
    pub fn header(&self) -> &wire::Header {
        &self.header
    }

    /// The envelope as it came, to be stored and sent on.
    #[must_use]
    pub fn envelope(&self) -> &wire::Envelope {
        &self.envelope
    }

    /// The exact header bytes.
    #[must_use]
    pub fn header_bytes(&self) -> &Bytes {
        &self.envelope.header
    }

    /// SHA-256 of the exact header bytes.
    #[must_use]
    pub fn header_digest(&self) -> [u8; 32] {
        self.header_digest
    }

    /// The id of the key that it was verified with.
    #[must_use]
    pub fn signing_key_id(&self) -> KeyId {
        self.signing_key
    }

    /// The id of the exchange.
    #[must_use]
    pub fn exchange_id(&self) -> ExchangeId {
        self.checked.exchange_id
    }

    /// Record, request or response; never unspecified.
    #[must_use]
    pub fn kind(&self) -> wire::ExchangeKind {
        self.checked.kind
    }

    /// The sender that the header names. Compare it with the certificate of the signing key: only that one counts.
    #[must_use]
    pub fn sender(&self) -> &AgentId {
        &self.checked.sender
    }

    /// When it was sealed, by the sender's clock.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        Timestamp::from_millis(self.header.created_ms)
    }

    /// The moment from which it must not be accepted any more.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        Timestamp::from_millis(self.header.expires_ms)
    }

    /// Bytes of the sealed body.
    #[must_use]
    pub fn sealed_length(&self) -> u64 {
        super::sealed_length(self.header.plaintext_length)
    }
}

/// The key that the first signature names. A hint for finding the key to verify with; it proves nothing.
#[must_use]
pub fn signing_key_hint(envelope: &wire::Envelope) -> Option<KeyId> {
    statement::first_key(&envelope.signatures)
}

/// Verifies that `key` signed this envelope, and that its header has the one encoding and the form.
///
/// # Errors
/// [`EnvelopeError`]; nothing of the header may be acted upon then.
pub fn verify(envelope: &wire::Envelope, key: &PublicKey) -> Result<VerifiedEnvelope, EnvelopeError> {
    let bytes = &envelope.header;
    if bytes.len() > HEADER_LIMIT {
        return Err(EnvelopeError::TooLarge(bytes.len()));
    }
    statement::verify_signatures(&envelope.signatures, payload_type::HEADER, bytes, key)
        .map_err(EnvelopeError::Signature)?;
    let header: wire::Header = strict::decode(bytes, HEADER_LIMIT).map_err(EnvelopeError::Encoding)?;
    if header.suite != SUITE_1 {
        return Err(EnvelopeError::Suite(header.suite));
    }
    if header.plaintext_length > PLAINTEXT_LIMIT {
        return Err(EnvelopeError::RecordTooLarge(header.plaintext_length));
    }
    let checked = form::check(&header).map_err(EnvelopeError::Form)?;
    Ok(VerifiedEnvelope {
        header_digest: statement::sha256(bytes),
        envelope: envelope.clone(),
        header,
        signing_key: key.key_id(),
        checked,
    })
}
