//! Peers that do not use our settings: plain rustls, as an attacker or another implementation would.

use std::sync::Arc;

use passerelle_pki::tls::{ClientTls, Credential, PeerCertificate, ServerTls, TlsError, provider};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::{ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use tokio::io::DuplexStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{HOST, House};

type Client = tokio_rustls::client::TlsStream<DuplexStream>;
type Server = (tokio_rustls::server::TlsStream<DuplexStream>, Option<PeerCertificate>);

/// Believes any server.
#[derive(Debug)]
struct Gullible;

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

fn private_key(house: &House, credential: &Credential) -> PrivateKeyDer<'static> {
    let pkcs8 = house.pkcs8_of(credential);
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8))
}

/// A client with rustls' defaults: it keeps sessions and tickets for as long as it can.
pub fn resuming_client(house: &House, credential: &Credential) -> Arc<ClientConfig> {
    Arc::new(client_with(house, credential, provider().kx_groups.clone()))
}

/// A client with these key exchange groups.
pub fn client_with(
    house: &House,
    credential: &Credential,
    groups: Vec<&'static dyn SupportedKxGroup>,
) -> ClientConfig {
    let provider = CryptoProvider { kx_groups: groups, ..provider().as_ref().clone() };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible))
        .with_client_auth_cert(credential.chain.certificates().to_vec(), private_key(house, credential))
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Connects a client that believes anything and shows `credential`.
pub async fn attempt(
    house: &House,
    credential: &Credential,
    server: &ServerTls,
) -> (std::io::Result<Client>, Result<Server, TlsError>) {
    attempt_with(&resuming_client(house, credential), server).await
}

pub async fn attempt_with(
    config: &Arc<ClientConfig>,
    server: &ServerTls,
) -> (std::io::Result<Client>, Result<Server, TlsError>) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let connector = TlsConnector::from(Arc::clone(config));
    let name = ServerName::try_from(HOST).unwrap();
    tokio::join!(connector.connect(name, near), server.accept(far))
}

/// Lets `client` connect to a server that shows `credential` and asks for no certificate.
pub async fn serve(
    house: &House,
    credential: &Credential,
    client: &ClientTls,
    host: &str,
) -> Result<PeerCertificate, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(credential.chain.certificates().to_vec(), private_key(house, credential))
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (near, far) = tokio::io::duplex(64 * 1024);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let (connected, _) = tokio::join!(client.connect(near, name), acceptor.accept(far));
    connected.map(|(_, peer)| peer)
}
