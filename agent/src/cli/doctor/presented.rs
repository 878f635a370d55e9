//! What stands at an address instead of the gateway: the certificates that it shows, told with their fingerprints.
//!
//! The handshake is always refused: nothing is ever sent to, or believed of, whoever is there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use passerelle_pki::certificate::TrustAnchor;
use passerelle_pki::tls::provider;
use ring::digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::link::GatewayAddress;

const PATIENCE: Duration = Duration::from_secs(5);
/// Certificates of a chain that are told.
const TOLD: usize = 4;

/// One line for each certificate shown there, and our root beside them.
pub(super) async fn chain(address: &GatewayAddress, anchor: &TrustAnchor) -> Vec<String> {
    let shown = timeout(PATIENCE, shown(address)).await.ok().flatten().unwrap_or_default();
    let mut lines: Vec<String> = shown
        .iter()
        .take(TOLD)
        .enumerate()
        .map(|(place, der)| format!("présenté / presented {} : SHA-256 {}", place + 1, fingerprint(der)))
        .collect();
    if !lines.is_empty() {
        lines.push(format!("votre racine / your root : SHA-256 {}", fingerprint(anchor.der())));
    }
    lines
}

/// As `openssl x509 -noout -fingerprint -sha256` writes it.
pub(super) fn fingerprint(der: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, der);
    let pairs: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

async fn shown(address: &GatewayAddress) -> Option<Vec<Vec<u8>>> {
    let look = Arc::new(Look::default());
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::<Look>::clone(&look))
        .with_no_client_auth();
    let name = ServerName::try_from(address.host().to_owned()).ok()?;
    let stream = TcpStream::connect((address.host(), address.port())).await.ok()?;
    // It ends in the refusal that our verifier always gives.
    drop(TlsConnector::from(Arc::new(config)).connect(name, stream).await);
    let shown = look.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Some(shown)
}

/// Notes what is shown, and believes none of it.
#[derive(Debug, Default)]
struct Look(Mutex<Vec<Vec<u8>>>);

impl ServerCertVerifier for Look {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let all = std::iter::once(end_entity).chain(intermediates).map(|der| der.to_vec());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = all.collect();
        Err(refused())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(refused())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(refused())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

fn refused() -> Error {
    Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}
