//! A party's signature over the document: made by one of its agents, believed only with its certificate.
//!
//! The signature covers the DSSE pre-authentication encoding of [`super::PAYLOAD_TYPE`] and the exact document bytes.
//! The party is read from the verified certificate, never from the field that names it: the field must agree.
//!
//! Agreements outlive certificates. A signature is judged at the instant at which it was taken: its certificate must
//! have been valid then, and not revoked until then. A later expiry, renewal or revocation does not undo it, as a
//! signature on paper survives the loss of the pen; a party that wants out revokes the agreement.

use bytes::Bytes;
use passerelle_pki::certificate::{CertificateError, Chain, TrustAnchor, Usage};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::{KeyId, Signer};
use passerelle_pki::name::{AgencyCode, AgentId};

use super::PAYLOAD_TYPE;
use super::document::Document;
use crate::statement::{self, StatementError};
use crate::wire;

/// Tells since when the certificate with a serial number (big-endian bytes) is revoked. Who knows only *that* it is
/// revoked answers with the UNIX epoch.
pub type RevokedSince<'a> = &'a dyn Fn(&[u8]) -> Option<Timestamp>;

/// A party's signature that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartySigned {
    /// The agent that signed; its agency is the party.
    pub agent: AgentId,
    /// The key that it signed with.
    pub key_id: KeyId,
    /// Serial number of its signing certificate, big-endian.
    pub serial: Vec<u8>,
    /// When the signature was taken; its certificate was judged then.
    pub received: Timestamp,
}

/// Why a party's signature was not made or not believed.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// The chain cannot be read, or does not lead to the root, or is not one for signing, or not at that time. The
    /// signer is at fault.
    #[error("the signing certificate of {agency} is not believed")]
    Certificate {
        /// The party that the signature names.
        agency: String,
        /// Why.
        #[source]
        source: CertificateError,
    },
    /// The certificate was revoked when the signature was taken. The signer is at fault.
    #[error("the signing certificate of {agency} is revoked since {since}")]
    Revoked {
        /// The party.
        agency: AgencyCode,
        /// Since when.
        since: Timestamp,
    },
    /// The certificate is not an agent's. The signer is at fault.
    #[error("a certificate of {found} cannot sign for an agency; only its agents can")]
    NotAnAgent {
        /// Whose it is.
        found: String,
    },
    /// The certificate is another agency's than the signature names. The signer misbehaves.
    #[error("the signature is given for {named} but the certificate is {found}'s")]
    OtherAgency {
        /// Named by the signature.
        named: String,
        /// Named by the certificate.
        found: AgencyCode,
    },
    /// The agency is not bound by this document. The signer is at fault.
    #[error("{0} is not a party to this agreement")]
    NotAParty(AgencyCode),
    /// The party has signed already.
    #[error("{0} has signed already; a second signature adds nothing")]
    Repeated(AgencyCode),
    /// The signature does not cover these bytes with this key. The signer is at fault, or the document was changed.
    #[error("the signature of {agency} does not cover this document")]
    Signature {
        /// The party.
        agency: AgencyCode,
        /// Why.
        #[source]
        source: StatementError,
    },
    /// The signing key could not be used: ours.
    #[error("the signing key could not be used")]
    Signer(#[source] StatementError),
}

/// Signs for an agency with the key of one of its agents; `chain` is that key's signing certificate.
///
/// # Errors
/// [`SignatureError::Signer`] when the key cannot be used, [`SignatureError::NotAParty`] when the document does not
/// bind the agency.
pub fn sign_document(
    document: &Document,
    signer: &dyn Signer,
    chain: &Chain,
    agency: &AgencyCode,
) -> Result<wire::PartySignature, SignatureError> {
    if !document.agreement().is_party(agency.as_str()) {
        return Err(SignatureError::NotAParty(agency.clone()));
    }
    let signature =
        statement::signature(PAYLOAD_TYPE, document.bytes(), signer).map_err(SignatureError::Signer)?;
    Ok(wire::PartySignature {
        agency: agency.to_string(),
        signing_chain: chain.to_ders().into_iter().map(Bytes::from).collect(),
        signature: Some(signature),
        received_ms: 0,
    })
}

/// Verifies a party's signature as of the instant `at` at which it was taken.
///
/// # Errors
/// [`SignatureError`]; the signature counts for nothing then.
pub fn verify_signature(
    document: &Document,
    signature: &wire::PartySignature,
    anchor: &TrustAnchor,
    revoked: RevokedSince<'_>,
    at: Timestamp,
) -> Result<PartySigned, SignatureError> {
    let named: String = signature.agency.chars().take(64).collect();
    let certificate = Chain::from_ders(&signature.signing_chain)
        .and_then(|chain| anchor.verify(&chain, Usage::Signing, at))
        .map_err(|source| SignatureError::Certificate { agency: named.clone(), source })?;
    let Some(agent) = certificate.identity().agent() else {
        return Err(SignatureError::NotAnAgent { found: certificate.identity().to_string() });
    };
    let agency = &agent.agency;
    if agency.as_str() != signature.agency {
        return Err(SignatureError::OtherAgency { named, found: agency.clone() });
    }
    if !document.agreement().is_party(agency.as_str()) {
        return Err(SignatureError::NotAParty(agency.clone()));
    }
    if let Some(since) = revoked(certificate.serial()).filter(|since| *since <= at) {
        return Err(SignatureError::Revoked { agency: agency.clone(), since });
    }
    statement::verify_signatures(
        signature.signature.as_slice(),
        PAYLOAD_TYPE,
        document.bytes(),
        certificate.public_key(),
    )
    .map_err(|source| SignatureError::Signature { agency: agency.clone(), source })?;
    Ok(PartySigned {
        agent: agent.clone(),
        key_id: certificate.key_id(),
        serial: certificate.serial().to_vec(),
        received: at,
    })
}
