//! The root, and verification against it.
//!
//! Two judges have to agree: webpki builds and checks the path (signatures, validity, basic constraints), and the
//! profile is checked on the same bytes with x509-parser. A chain is leaf, issuing authority, root: neither shorter
//! nor longer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::chain::{certificates_from_pem, limited, read, to_pem};
use super::{CertificateError, Chain, IssuerCertificate, Usage, VerifiedCertificate};
use crate::clock::Timestamp;
use crate::name::TrustDomain;
use crate::profile::{self, Authority, ProfileError};

/// id-kp-clientAuth, 1.3.6.1.5.5.7.3.2, as the content bytes of its OID.
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];

const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[webpki::ring::ED25519];

/// A root certificate that this installation trusts, with the trust domain that it carries. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TrustAnchor(Arc<Root>);

#[derive(Debug)]
struct Root {
    issuer: IssuerCertificate,
    not_before: Timestamp,
    domain: TrustDomain,
    anchor: rustls_pki_types::TrustAnchor<'static>,
}

impl TrustAnchor {
    /// Trusts a root certificate, DER. It must follow the profile of a root and be signed by itself; its trust
    /// domain is read from its alternative name.
    ///
    /// # Errors
    /// [`CertificateError::Malformed`], [`CertificateError::TooLarge`] or [`CertificateError::Root`].
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let der = limited(der)?;
        let certificate = parse(&der)?;
        let tbs = &certificate.tbs_certificate;
        let domain = profile::authority_domain(tbs).map_err(CertificateError::Root)?;
        let (issuer, not_before) =
            issuer(&certificate, &der, &domain, Authority::Root).map_err(CertificateError::Root)?;
        profile::verify_signed(&der, tbs.as_ref(), issuer.public_key())
            .map_err(|_| CertificateError::Root(ProfileError::Other("signature")))?;
        let anchor = webpki::anchor_from_trusted_cert(&der).map_err(CertificateError::Path)?.to_owned();
        Ok(Self(Arc::new(Root { issuer, not_before, domain, anchor })))
    }

    /// Trusts the one root certificate of a PEM text.
    ///
    /// # Errors
    /// [`CertificateError::Pem`] unless it holds exactly one certificate; otherwise as [`TrustAnchor::from_der`].
    pub fn from_pem(text: &[u8]) -> Result<Self, CertificateError> {
        match certificates_from_pem(text)?.as_slice() {
            [root] => Self::from_der(root),
            _ => Err(CertificateError::Pem),
        }
    }

    /// Trusts every root certificate of a PEM text: for who judges what stands under several roots.
    ///
    /// # Errors
    /// [`CertificateError::Pem`] when it holds anything else; otherwise as [`TrustAnchor::from_der`].
    pub fn all_from_pem(text: &[u8]) -> Result<Vec<Self>, CertificateError> {
        certificates_from_pem(text)?.iter().map(|root| Self::from_der(root)).collect()
    }

    /// Trusts the one root certificate of a PEM file.
    ///
    /// # Errors
    /// [`CertificateError::File`] when the file cannot be read; otherwise as [`TrustAnchor::from_pem`].
    pub fn from_pem_file(path: &Path) -> Result<Self, CertificateError> {
        Self::from_pem(&read(path)?)
    }

    /// The trust domain of this root.
    #[must_use]
    pub fn domain(&self) -> &TrustDomain {
        &self.0.domain
    }

    /// The root as an issuer of revocation lists.
    #[must_use]
    pub fn issuer(&self) -> &IssuerCertificate {
        &self.0.issuer
    }

    /// The root certificate, DER.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.0.issuer.der
    }

    /// The root certificate as PEM text.
    #[must_use]
    pub fn to_pem(&self) -> String {
        to_pem("CERTIFICATE", self.der())
    }

    /// Verifies a chain for a usage at a moment.
    ///
    /// # Errors
    /// Whatever stands against it: see [`CertificateError`].
    pub fn verify(
        &self,
        chain: &Chain,
        usage: Usage,
        at: Timestamp,
    ) -> Result<VerifiedCertificate, CertificateError> {
        self.verify_root_validity(at)?;
        let end_entity = EndEntityCert::try_from(chain.leaf()).map_err(path_error)?;
        let anchors = [self.0.anchor.clone()];
        let intermediates = std::slice::from_ref(chain.issuing());
        // webpki asks every certificate of the path for the purpose; the exact purposes are the profile's to check.
        let purpose = KeyUsage::required_if_present(match usage {
            Usage::Tls => CLIENT_AUTH,
            Usage::Signing => &profile::DOCUMENT_SIGNING,
        });
        let time = UnixTime::since_unix_epoch(Duration::from_secs(at.as_seconds()));
        let path = end_entity
            .verify_for_usage(ALGORITHMS, &anchors, intermediates, time, purpose, None, None)
            .map_err(path_error)?;
        if path.intermediate_certificates().count() != 1 {
            return Err(CertificateError::ChainLength(1));
        }

        let leaf = parse(chain.leaf())?;
        let inspected = profile::inspect_leaf(&leaf.tbs_certificate, self.domain(), usage)
            .map_err(CertificateError::Profile)?;
        let issuing = parse(chain.issuing())?;
        let (issuing, _) = issuer(&issuing, chain.issuing(), self.domain(), Authority::Issuing)
            .map_err(CertificateError::Profile)?;
        let serial = leaf.tbs_certificate.raw_serial();
        Ok(VerifiedCertificate::new(chain.leaf(), serial, inspected, usage, issuing))
    }

    /// Verifies the certificate of an issuing authority on its own, DER: what a reader of a revocation list needs.
    ///
    /// # Errors
    /// Whatever stands against it: see [`CertificateError`].
    pub fn verify_issuer(&self, der: &[u8], at: Timestamp) -> Result<IssuerCertificate, CertificateError> {
        self.verify_root_validity(at)?;
        let (issuer, not_before) = self.issued_with_start(der)?;
        within(at, not_before, issuer.not_after)?;
        Ok(issuer)
    }

    /// As [`TrustAnchor::verify_issuer`], whatever the time: for an authority that opens its own folder.
    pub(crate) fn issued(&self, der: &[u8]) -> Result<IssuerCertificate, CertificateError> {
        self.issued_with_start(der).map(|(issuer, _)| issuer)
    }

    fn issued_with_start(&self, der: &[u8]) -> Result<(IssuerCertificate, Timestamp), CertificateError> {
        let der = limited(der)?;
        let certificate = parse(&der)?;
        let tbs = &certificate.tbs_certificate;
        if tbs.issuer().as_raw() != self.0.issuer.subject {
            return Err(CertificateError::Path(webpki::Error::UnknownIssuer));
        }
        profile::verify_signed(&der, tbs.as_ref(), &self.0.issuer.public_key)
            .map_err(|_| CertificateError::Path(webpki::Error::InvalidSignatureForPublicKey))?;
        issuer(&certificate, &der, self.domain(), Authority::Issuing).map_err(CertificateError::Profile)
    }

    fn verify_root_validity(&self, at: Timestamp) -> Result<(), CertificateError> {
        within(at, self.0.not_before, self.0.issuer.not_after)
    }
}

fn within(at: Timestamp, not_before: Timestamp, not_after: Timestamp) -> Result<(), CertificateError> {
    if at < not_before {
        return Err(CertificateError::NotYetValid(not_before));
    }
    if at.as_seconds() > not_after.as_seconds() {
        return Err(CertificateError::Expired(not_after));
    }
    Ok(())
}

/// Holds an authority against the profile; gives it with the start of its validity.
fn issuer(
    certificate: &X509Certificate<'_>,
    der: &CertificateDer<'static>,
    domain: &TrustDomain,
    authority: Authority,
) -> Result<(IssuerCertificate, Timestamp), ProfileError> {
    let tbs = &certificate.tbs_certificate;
    let public_key = profile::inspect_authority(tbs, domain, authority)?;
    let (not_before, not_after) = profile::validity(tbs).ok_or(ProfileError::Validity)?;
    let issuer = IssuerCertificate {
        der: der.clone(),
        public_key,
        serial: tbs.raw_serial().to_vec(),
        subject: tbs.subject().as_raw().to_vec(),
        not_after,
    };
    Ok((issuer, not_before))
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, CertificateError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(CertificateError::Malformed),
    }
}

fn path_error(error: webpki::Error) -> CertificateError {
    let moment = |time: UnixTime| Timestamp::from_seconds(time.as_secs());
    match error {
        webpki::Error::CertExpired { not_after, .. } => CertificateError::Expired(moment(not_after)),
        webpki::Error::CertNotValidYet { not_before, .. } => {
            CertificateError::NotYetValid(moment(not_before))
        }
        webpki::Error::BadDer | webpki::Error::TrailingData(_) => CertificateError::Malformed,
        other => CertificateError::Path(other),
    }
}
