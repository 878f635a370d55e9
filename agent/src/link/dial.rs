//! One attempt to connect: TCP, TLS, HTTP/2.

use std::io;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use passerelle_pki::tls::{ClientTls, PeerCertificate, TlsError};
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint, Uri};

use super::GatewayAddress;
use super::guarded::{Guard, Guarded};

/// How long the TCP connection may take, and how long the gateway may take for its first word after the handshake.
const PATIENCE: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What may be under way towards us on one stream, and on all: bounds memory, and is enough for a fast link.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Nobody answers there, or the network refuses.
    #[error("{address} ne répond pas / does not answer")]
    Unreachable {
        /// Where.
        address: GatewayAddress,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The handshake failed: either side does not believe the other.
    #[error("{address} : connexion TLS refusée / TLS connection refused")]
    Tls {
        /// Where.
        address: GatewayAddress,
        /// Why.
        #[source]
        source: TlsError,
    },
    /// Something answers that is no gateway of ours.
    #[error("{0} ne parle pas HTTP/2 / does not speak HTTP/2")]
    NotHttp2(GatewayAddress),
    /// The gateway's certificate is on a revocation list.
    #[error("{0} : le certificat de la passerelle est révoqué / the gateway's certificate is revoked")]
    Revoked(GatewayAddress),
    /// HTTP/2 could not be set up.
    #[error("{address} : HTTP/2 n'a pu être établi / HTTP/2 could not be set up")]
    Http {
        /// Where.
        address: GatewayAddress,
        /// Why.
        #[source]
        source: tonic::transport::Error,
    },
    /// The gateway closed the connection without a word: usually, it does not believe our certificate.
    #[error(
        "{0} a fermé la connexion sans un mot ; le certificat de l'agent est peut-être expiré ou révoqué \
         (passerelle-agent doctor) / closed the connection without a word; the agent's certificate may be expired or \
         revoked (passerelle-agent doctor)"
    )]
    Refused(GatewayAddress),
}

/// A connection that was made.
#[derive(Debug)]
pub(crate) struct Line {
    address: GatewayAddress,
    channel: Channel,
    peer: PeerCertificate,
    guard: Guard,
}

impl Line {
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) fn peer(&self) -> &PeerCertificate {
        &self.peer
    }

    /// Waits for the gateway's first word.
    pub(crate) async fn heard(&mut self) -> Result<(), LinkError> {
        match tokio::time::timeout(PATIENCE, &mut self.guard.heard).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => {
                self.cut();
                Err(LinkError::Refused(self.address.clone()))
            }
        }
    }

    /// Resolves when the connection is gone.
    pub(crate) async fn gone(&self) {
        self.guard.gone.cancelled().await;
    }

    /// Ends the connection and everything that runs on it.
    pub(crate) fn cut(&self) {
        self.guard.cut.cancel();
    }
}

/// Connects once. `believed` has the last word on the gateway's certificate, which has been verified to the root and
/// for the host name before.
pub(crate) async fn dial(
    address: &GatewayAddress,
    tls: &ClientTls,
    believed: impl FnOnce(&PeerCertificate) -> bool,
) -> Result<Line, LinkError> {
    let unreachable = |source| LinkError::Unreachable { address: address.clone(), source };
    let name = address.server_name().ok_or_else(|| unreachable(io::ErrorKind::InvalidInput.into()))?;
    let stream = tokio::time::timeout(PATIENCE, TcpStream::connect((address.host(), address.port())))
        .await
        .map_err(|_| unreachable(io::ErrorKind::TimedOut.into()))?
        .map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let (stream, peer) = tls
        .connect(stream, name)
        .await
        .map_err(|source| LinkError::Tls { address: address.clone(), source })?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(LinkError::NotHttp2(address.clone()));
    }
    if !believed(&peer) {
        return Err(LinkError::Revoked(address.clone()));
    }
    let (stream, guard) = Guarded::new(stream);
    let channel =
        over(address, stream).await.map_err(|source| LinkError::Http { address: address.clone(), source })?;
    Ok(Line { address: address.clone(), channel, peer, guard })
}

/// A channel over this one connection, which is not made again behind our back.
async fn over<IO>(address: &GatewayAddress, io: Guarded<IO>) -> Result<Channel, tonic::transport::Error>
where
    Guarded<IO>: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let authority = address.authority();
    // "http" because TLS is ours; what the gateway reads is the origin.
    let origin = Uri::builder().scheme("https").authority(authority.as_str()).path_and_query("/").build();
    let endpoint = Endpoint::from_shared(format!("http://{authority}"))?
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(PATIENCE)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .user_agent(concat!("passerelle-agent/", env!("CARGO_PKG_VERSION")))?;
    let endpoint = match origin {
        Ok(origin) => endpoint.origin(origin),
        Err(_) => endpoint,
    };
    let mut once = Some(io);
    let connector = tower::service_fn(move |_: Uri| {
        let io = once.take();
        async move { io.map(TokioIo::new).ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)) }
    });
    endpoint.connect_with_connector(connector).await
}
