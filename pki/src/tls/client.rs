//! The agent's side.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::credential::{Credential, Presented};
use super::verifier::{Judge, Time, narrowed_provider};
use super::{HANDSHAKE_LIMIT, PeerCertificate, TlsError};
use crate::certificate::{Chain, TrustAnchor, Usage, VerifiedCertificate};
use crate::clock::SharedClock;
use crate::revocation::Revocations;

/// What a client needs.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The client's own certificate and key; `None` before it has any.
    pub credential: Option<Credential>,
    /// The root that the server must lead to.
    pub anchor: TrustAnchor,
    /// The revocation lists that the server is held against. `None`: it is not, as before the first list was fetched.
    pub revocations: Option<Revocations>,
    /// Protocols that the client speaks (RFC 7301), most preferred first.
    pub alpn: Vec<Vec<u8>>,
    /// What time it is when validity is judged.
    pub clock: SharedClock,
}

/// The client's side of TLS. Clones share credential and revocation lists.
#[derive(Clone, Debug)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    presented: Arc<Presented>,
    anchor: TrustAnchor,
    clock: SharedClock,
}

impl ClientTls {
    /// Sets up a client.
    ///
    /// # Errors
    /// [`TlsError::OwnCertificate`] or [`TlsError::OtherKey`] when the credential does not serve;
    /// [`TlsError::Settings`] when rustls refuses.
    pub fn new(settings: ClientSettings) -> Result<Self, TlsError> {
        let ClientSettings { credential, anchor, revocations, alpn, clock } = settings;
        let presented = Arc::new(Presented::default());
        if let Some(credential) = &credential {
            presented.present(credential, &anchor, clock.now())?;
        }
        let builder =
            ClientConfig::builder_with_details(narrowed_provider(), Arc::new(Time::new(Arc::clone(&clock))))
                .with_protocol_versions(&[&rustls::version::TLS13])
                .map_err(TlsError::Settings)?
                // "dangerous" is rustls' name for a verifier of one's own: ours asks more than the default, not less.
                .dangerous()
                .with_custom_certificate_verifier(Judge::new(anchor.clone(), revocations));
        let mut config = builder.with_client_cert_resolver(Arc::<Presented>::clone(&presented));
        config.alpn_protocols = alpn;
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        Ok(Self { config: Arc::new(config), presented, anchor, clock })
    }

    /// Presents another certificate from the next handshake on; gives it as it was verified.
    ///
    /// # Errors
    /// As [`ClientTls::new`]; the former credential then stays.
    pub fn rotate(&self, credential: &Credential) -> Result<VerifiedCertificate, TlsError> {
        self.presented.present(credential, &self.anchor, self.clock.now())
    }

    /// Performs the handshake on a connection to a gateway, within [`HANDSHAKE_LIMIT`]: its chain, its host name and
    /// its identity must hold. Gives the stream and who the gateway is.
    ///
    /// In TLS 1.3 the client is done first: that the server refused its certificate shows at the first read.
    ///
    /// # Errors
    /// [`TlsError::Handshake`], [`TlsError::TooSlow`] or [`TlsError::PeerCertificate`].
    pub async fn connect<IO>(
        &self,
        io: IO,
        server_name: ServerName<'static>,
    ) -> Result<(TlsStream<IO>, PeerCertificate), TlsError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let handshake = tokio::time::timeout(HANDSHAKE_LIMIT, connector.connect(server_name, io));
        let stream = handshake.await.map_err(|_| TlsError::TooSlow)?.map_err(TlsError::Handshake)?;
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let peer = Chain::from_ders(certificates)
            .and_then(|chain| self.anchor.verify(&chain, Usage::Tls, self.clock.now()))
            .map(|verified| PeerCertificate::from(&verified))
            .map_err(TlsError::PeerCertificate)?;
        Ok((stream, peer))
    }

    /// The configuration, shared with every connection.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }
}
