//! One agent of an answer, verified.

use passerelle_pki::certificate::{CertificateError, Chain, TrustAnchor, Usage, VerifiedCertificate};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::{AgentId, Identity, NameError};
use passerelle_pki::revocation::{RevocationError, Revocations};
use passerelle_proto::bundle::{self, BundleError, VerifiedBundle};
use passerelle_proto::statement;
use passerelle_proto::wire;

/// Earlier signing certificates of one agent that are looked at.
pub(super) const EARLIER_LIMIT: usize = 16;

/// Why an agent, or a part of its entry, is not believed. The gateway is at fault, or behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Not names.
    #[error("not the name of an agent")]
    Name(#[source] NameError),
    /// An agency that was not asked for.
    #[error("not an agency that was asked for")]
    NotAsked,
    /// The same agent twice.
    #[error("listed twice")]
    Repeated,
    /// The directory itself calls it revoked.
    #[error("revoked, says the directory")]
    CalledRevoked,
    /// The chain does not lead to our root, or is not one for signing, or not now.
    #[error("the signing certificate is not believed")]
    Certificate(#[source] CertificateError),
    /// The certificate is another's.
    #[error("the signing certificate is of {0}")]
    OtherAgent(Identity),
    /// The certificate that should be the gateway's is another's.
    #[error("the receipts' signing certificate is of {0}, not of a gateway")]
    NotAGateway(Identity),
    /// The certificate is on the list, or there is no list to tell.
    #[error("the signing certificate is not believed")]
    Revocation(#[source] RevocationError),
    /// The bundle is not signed by one of this agent's keys.
    #[error("the key bundle names a signing key that is not of this agent")]
    BundleKey,
    /// The bundle does not verify.
    #[error("the key bundle is not believed")]
    Bundle(#[source] BundleError),
    /// The bundle is older than one that was seen before.
    #[error("the key bundle of {offered} is older than the one of {known}")]
    OlderBundle {
        /// When the one was made that was seen before.
        known: Timestamp,
        /// When the one was made that is offered now.
        offered: Timestamp,
    },
}

/// What certificates are held against.
#[derive(Copy, Clone)]
pub(super) struct Judge<'a> {
    pub(super) anchor: &'a TrustAnchor,
    pub(super) revocations: &'a Revocations,
    pub(super) now: Timestamp,
}

/// Whether a certificate that was verified before is still valid and not revoked.
pub(super) fn is_believed(
    certificate: &VerifiedCertificate,
    revocations: &Revocations,
    anchor: &TrustAnchor,
    now: Timestamp,
) -> Result<(), EntryError> {
    if now < certificate.not_before() {
        return Err(EntryError::Certificate(CertificateError::NotYetValid(certificate.not_before())));
    }
    if now.as_seconds() > certificate.not_after().as_seconds() {
        return Err(EntryError::Certificate(CertificateError::Expired(certificate.not_after())));
    }
    revocations.check(certificate, anchor.issuer().key_id(), now).map_err(EntryError::Revocation)
}

impl Judge<'_> {
    /// The certificate of this very agent, for signing, valid and not revoked.
    pub(super) fn certificate(
        &self,
        chain: &Chain,
        agent: &AgentId,
    ) -> Result<VerifiedCertificate, EntryError> {
        let certificate = self.believed(chain)?;
        if certificate.identity().agent() == Some(agent) {
            Ok(certificate)
        } else {
            Err(EntryError::OtherAgent(certificate.identity().clone()))
        }
    }

    /// A certificate for signing, valid and not revoked.
    pub(super) fn believed(&self, chain: &Chain) -> Result<VerifiedCertificate, EntryError> {
        let certificate =
            self.anchor.verify(chain, Usage::Signing, self.now).map_err(EntryError::Certificate)?;
        is_believed(&certificate, self.revocations, self.anchor, self.now)?;
        Ok(certificate)
    }

    /// The certificates whose keys sign receipts, the present one first: a gateway's. None when none is offered.
    pub(super) fn gateway(&self, answer: &wire::LookupReply) -> Result<Vec<VerifiedCertificate>, EntryError> {
        if answer.gateway_signing_chain.is_empty() {
            return Ok(Vec::new());
        }
        let of_gateway = |chain: &Chain| {
            let certificate = self.believed(chain)?;
            match certificate.identity() {
                Identity::Gateway(_) => Ok(certificate),
                other => Err(EntryError::NotAGateway(other.clone())),
            }
        };
        let chain = Chain::from_ders(&answer.gateway_signing_chain).map_err(EntryError::Certificate)?;
        let mut certificates = vec![of_gateway(&chain)?];
        for earlier in answer.earlier_gateway_signing_certificates.iter().take(EARLIER_LIMIT) {
            let verified = Chain::from_ders(&[earlier.as_ref(), chain.issuing().as_ref()])
                .map_err(EntryError::Certificate)
                .and_then(|chain| of_gateway(&chain));
            match verified {
                Ok(certificate) => certificates.push(certificate),
                Err(error) => tracing::debug!(%error, "earlier certificate of the gateway left out"),
            }
        }
        Ok(certificates)
    }

    /// Its signing certificates, the present one first. Earlier ones that do not hold are left out.
    pub(super) fn certificates(
        &self,
        entry: &wire::AgentEntry,
        agent: &AgentId,
    ) -> Result<Vec<VerifiedCertificate>, EntryError> {
        if entry.revoked {
            return Err(EntryError::CalledRevoked);
        }
        let chain = Chain::from_ders(&entry.signing_chain).map_err(EntryError::Certificate)?;
        let mut certificates = vec![self.certificate(&chain, agent)?];
        for earlier in entry.earlier_signing_certificates.iter().take(EARLIER_LIMIT) {
            let verified = Chain::from_ders(&[earlier.as_ref(), chain.issuing().as_ref()])
                .map_err(EntryError::Certificate)
                .and_then(|chain| self.certificate(&chain, agent));
            match verified {
                Ok(certificate) => certificates.push(certificate),
                Err(error) => tracing::debug!(%agent, %error, "earlier signing certificate left out"),
            }
        }
        Ok(certificates)
    }

    /// Its bundle, signed with the key of one of its certificates.
    pub(super) fn bundle(
        &self,
        statement: &wire::Statement,
        agent: &AgentId,
        certificates: &[VerifiedCertificate],
    ) -> Result<VerifiedBundle, EntryError> {
        let hint = statement::key_hint(statement);
        let signer = certificates.iter().find(|certificate| Some(certificate.key_id()) == hint);
        let signer = signer.ok_or(EntryError::BundleKey)?;
        bundle::verify(statement, signer.public_key(), agent, self.now).map_err(EntryError::Bundle)
    }
}
