//! The gateway's side.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{NoClientAuth, NoServerSessionStorage};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::credential::{Credential, Presented, check};
use super::verifier::{Judge, Time, narrowed_provider};
use super::{HANDSHAKE_LIMIT, PeerCertificate, TlsError};
use crate::certificate::{Chain, TrustAnchor, Usage};
use crate::clock::{SharedClock, Timestamp};
use crate::name::Identity;
use crate::revocation::Revocations;

/// Whether clients have to show a certificate.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// A client without a certificate of this house is not served.
    Required,
    /// Clients are not asked for one: for the listener where tokens are the credential.
    None,
}

/// What a server needs.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The gateway's own certificate and key.
    pub credential: Credential,
    /// The root that clients must lead to.
    pub anchor: TrustAnchor,
    /// Whether clients have to show a certificate.
    pub client_auth: ClientAuth,
    /// The revocation lists that clients are held against. `None`: they are not, for a listener that asks for no
    /// certificate or a server that holds them against a directory itself.
    pub revocations: Option<Revocations>,
    /// Protocols that are spoken here (RFC 7301), most preferred first, as in `b"h2"`.
    pub alpn: Vec<Vec<u8>>,
    /// What time it is when validity is judged.
    pub clock: SharedClock,
}

/// The server's side of TLS. Clones share credential and revocation lists.
#[derive(Clone, Debug)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    presented: Arc<Presented>,
    anchor: TrustAnchor,
    clock: SharedClock,
}

impl ServerTls {
    /// Sets up a server.
    ///
    /// # Errors
    /// [`TlsError::OwnCertificate`], [`TlsError::OtherKey`] or [`TlsError::NotAGateway`] when the credential does not
    /// serve; [`TlsError::Settings`] when rustls refuses.
    pub fn new(settings: ServerSettings) -> Result<Self, TlsError> {
        let ServerSettings { credential, anchor, client_auth, revocations, alpn, clock } = settings;
        check_gateway(&credential, &anchor, clock.now())?;
        let presented = Arc::new(Presented::default());
        presented.install(&credential);

        let builder =
            ServerConfig::builder_with_details(narrowed_provider(), Arc::new(Time::new(Arc::clone(&clock))))
                .with_protocol_versions(&[&rustls::version::TLS13])
                .map_err(TlsError::Settings)?
                .with_client_cert_verifier(match client_auth {
                    ClientAuth::Required => Judge::new(anchor.clone(), revocations),
                    ClientAuth::None => Arc::new(NoClientAuth),
                });
        let mut config = builder.with_cert_resolver(Arc::<Presented>::clone(&presented));
        config.alpn_protocols = alpn;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        config.send_half_rtt_data = false;
        config.ignore_client_order = true;
        Ok(Self { config: Arc::new(config), presented, anchor, clock })
    }

    /// Presents another certificate from the next handshake on.
    ///
    /// # Errors
    /// As [`ServerTls::new`]; the former credential then stays.
    pub fn rotate(&self, credential: &Credential) -> Result<(), TlsError> {
        check_gateway(credential, &self.anchor, self.clock.now())?;
        self.presented.install(credential);
        Ok(())
    }

    /// Performs the handshake on an accepted connection, within [`HANDSHAKE_LIMIT`]. Gives the stream and, where
    /// certificates are asked for, who the client is.
    ///
    /// # Errors
    /// [`TlsError::Handshake`] or [`TlsError::TooSlow`]; the connection is then gone.
    pub async fn accept<IO>(&self, io: IO) -> Result<(TlsStream<IO>, Option<PeerCertificate>), TlsError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = tokio::time::timeout(HANDSHAKE_LIMIT, self.acceptor().accept(io));
        let stream = handshake.await.map_err(|_| TlsError::TooSlow)?.map_err(TlsError::Handshake)?;
        let peer = self.peer(stream.get_ref().1)?;
        Ok((stream, peer))
    }

    /// The client of a connection whose handshake is done; `None` where no certificate is asked for.
    ///
    /// # Errors
    /// [`TlsError::PeerCertificate`] when its certificate has expired since.
    pub fn peer(&self, connection: &rustls::ServerConnection) -> Result<Option<PeerCertificate>, TlsError> {
        let Some(certificates) = connection.peer_certificates() else {
            return Ok(None);
        };
        Chain::from_ders(certificates)
            .and_then(|chain| self.anchor.verify(&chain, Usage::Tls, self.clock.now()))
            .map(|verified| Some(PeerCertificate::from(&verified)))
            .map_err(TlsError::PeerCertificate)
    }

    /// The acceptor, for servers that drive the handshake themselves.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// The configuration, shared with every connection.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

fn check_gateway(credential: &Credential, anchor: &TrustAnchor, now: Timestamp) -> Result<(), TlsError> {
    match check(credential, anchor, now)?.identity() {
        Identity::Gateway(_) => Ok(()),
        other => Err(TlsError::NotAGateway(other.clone())),
    }
}
