//! A gRPC channel over the house's own TLS.

use std::net::SocketAddr;

use hyper_util::rt::TokioIo;
use passerelle_pki::certificate::TrustAnchor;
use passerelle_pki::clock::SharedClock;
use passerelle_pki::tls::{ClientSettings, ClientTls, Credential};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// Connects to a listener of a gateway; without a credential only the public one lets in.
///
/// # Errors
/// When the connection or the handshake fails.
pub async fn connect(
    address: SocketAddr,
    anchor: &TrustAnchor,
    credential: Option<&Credential>,
    clock: &SharedClock,
) -> anyhow::Result<Channel> {
    let tls = settings(anchor, credential, clock)?;
    let connector = service_fn(move |_uri| {
        let tls = tls.clone();
        async move { Ok::<_, std::io::Error>(TokioIo::new(dial(address, &tls).await?)) }
    });
    // TLS is the connector's affair: to tonic the stream is plain.
    let endpoint = Endpoint::from_shared(format!("http://localhost:{}", address.port()))?;
    Ok(endpoint.connect_with_connector(connector).await?)
}

/// A secure stream to a listener, on which the test writes what it wants.
///
/// # Errors
/// When the connection or the handshake fails.
pub async fn secure(
    address: SocketAddr,
    anchor: &TrustAnchor,
    credential: Option<&Credential>,
    clock: &SharedClock,
) -> anyhow::Result<TlsStream<TcpStream>> {
    Ok(dial(address, &settings(anchor, credential, clock)?).await?)
}

fn settings(
    anchor: &TrustAnchor,
    credential: Option<&Credential>,
    clock: &SharedClock,
) -> anyhow::Result<ClientTls> {
    Ok(ClientTls::new(ClientSettings {
        credential: credential.cloned(),
        anchor: anchor.clone(),
        revocations: None,
        alpn: vec![b"h2".to_vec()],
        clock: SharedClock::clone(clock),
    })?)
}

async fn dial(address: SocketAddr, tls: &ClientTls) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
    let (stream, _peer) = tls.connect(stream, name).await.map_err(std::io::Error::other)?;
    Ok(stream)
}
