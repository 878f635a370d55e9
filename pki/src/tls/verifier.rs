//! How each side judges the other's certificate during the handshake.
//!
//! Owns the bridge from [`TrustAnchor`] and [`Revocations`] to rustls' two verifier traits. Both are asked at every
//! full handshake, and there are no others.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError as Refusal, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    PeerIncompatible, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::EndEntityCert;

use super::provider::provider;
use crate::certificate::{CertificateError, Chain, TrustAnchor, Usage, VerifiedCertificate};
use crate::clock::{SharedClock, Timestamp};
use crate::name::Identity;
use crate::revocation::{RevocationError, Revocations};

/// The one signature scheme of TLS here: keys are Ed25519.
const SCHEMES: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[webpki::ring::ED25519],
    mapping: &[(SignatureScheme::ED25519, &[webpki::ring::ED25519])],
};

/// Our clock as rustls asks for it.
#[derive(Debug)]
pub struct Time(SharedClock);

impl Time {
    /// Of this clock.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self(clock)
    }
}

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.0.now().as_millis())))
    }
}

/// Judges the certificates of peers.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    pub(super) anchor: TrustAnchor,
    pub(super) revocations: Option<Revocations>,
    pub(super) hints: Vec<DistinguishedName>,
}

impl Judge {
    pub(super) fn new(anchor: TrustAnchor, revocations: Option<Revocations>) -> Arc<Self> {
        let hints = vec![DistinguishedName::from(anchor.issuer().subject_der().to_vec())];
        Arc::new(Self { anchor, revocations, hints })
    }

    fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<VerifiedCertificate, Error> {
        let at = Timestamp::from_seconds(now.as_secs());
        let mut ders = vec![end_entity];
        ders.extend(intermediates);
        let verified = Chain::from_ders(&ders)
            .and_then(|chain| self.anchor.verify(&chain, Usage::Tls, at))
            .map_err(|error| Error::InvalidCertificate(refusal(error)))?;
        if let Some(revocations) = &self.revocations {
            revocations
                .check(&verified, self.anchor.issuer().key_id(), at)
                .map_err(|error| Error::InvalidCertificate(revocation_refusal(error)))?;
        }
        Ok(verified)
    }
}

impl ClientCertVerifier for Judge {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(end_entity, intermediates, now).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &SCHEMES)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.supported_schemes()
    }
}

impl ServerCertVerifier for Judge {
    /// The chain, the host name, and the identity: only a gateway is a server.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.judge(end_entity, intermediates, now)?;
        let refuse = |refusal| Err(Error::InvalidCertificate(refusal));
        if !matches!(verified.identity(), Identity::Gateway(_)) {
            return refuse(Refusal::InvalidPurpose);
        }
        let named = EndEntityCert::try_from(end_entity)
            .and_then(|certificate| certificate.verify_is_valid_for_subject_name(server_name));
        match named {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(_) => refuse(Refusal::NotValidForNameContext {
                expected: server_name.to_owned(),
                presented: verified.hosts().to_vec(),
            }),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &SCHEMES)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.supported_schemes()
    }
}

/// The provider of every configuration here; its own verification algorithms are narrowed to ours.
pub(super) fn narrowed_provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::CryptoProvider {
        signature_verification_algorithms: SCHEMES,
        ..provider().as_ref().clone()
    })
}

fn tls12() -> Error {
    PeerIncompatible::Tls12NotOffered.into()
}

fn refusal(error: CertificateError) -> Refusal {
    match error {
        CertificateError::Expired(_) => Refusal::Expired,
        CertificateError::NotYetValid(_) => Refusal::NotValidYet,
        CertificateError::Malformed | CertificateError::TooLarge(_) => Refusal::BadEncoding,
        CertificateError::Path(webpki::Error::UnknownIssuer) => Refusal::UnknownIssuer,
        other => Refusal::Other(OtherError(Arc::new(other))),
    }
}

fn revocation_refusal(error: RevocationError) -> Refusal {
    match error {
        RevocationError::Revoked(_) => Refusal::Revoked,
        RevocationError::Unknown => Refusal::UnknownRevocationStatus,
        RevocationError::Stale(_) => Refusal::ExpiredRevocationList,
        other => Refusal::Other(OtherError(Arc::new(other))),
    }
}
