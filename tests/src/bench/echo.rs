//! What tonic itself costs: a server that gives back 1 KiB frames on a stream, under the same mutual TLS as the
//! gateway, and does nothing else.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{Stream, StreamExt};
use passerelle_pki::authority::Authority;
use passerelle_pki::certificate::{Chain, TrustAnchor, Usage};
use passerelle_pki::clock::{SharedClock, SystemClock, Timestamp};
use passerelle_pki::key::Ed25519Key;
use passerelle_pki::keyfile;
use passerelle_pki::name::Identity;
use passerelle_pki::request;
use passerelle_pki::tls::{ClientAuth, Credential, ServerSettings, ServerTls};
use passerelle_proto::wire;
use passerelle_proto::wire::exchange_server::{Exchange, ExchangeServer};
use tokio::io::ReadBuf;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};

const KEY: &str = "echo.key.pem";
const CHAIN: &str = "echo.cert.pem";
const ROOT: &str = "root.cert.pem";

/// Certifies an echo server and leaves what it needs in `folder`.
///
/// # Errors
/// What the authority refuses.
pub fn prepare(folder: &Path, issuing: &Authority, now: Timestamp) -> anyhow::Result<()> {
    let key = Ed25519Key::generate()?;
    let identity: Identity = "gateway:echo".parse()?;
    let asked = request::create(&key, &identity, issuing.trust_anchor().domain())?;
    let day = Duration::from_secs(86_400);
    let chain = issuing.issue(&asked, &identity, Usage::Tls, day, now, &["localhost".to_owned()])?;
    keyfile::create_plain(&folder.join(KEY), &key)?;
    std::fs::write(folder.join(CHAIN), chain.to_pem())?;
    std::fs::write(folder.join(ROOT), issuing.trust_anchor().to_pem())?;
    Ok(())
}

/// Serves until killed; prints where it listens.
#[must_use]
pub fn run(arguments: &[std::ffi::OsString]) -> ExitCode {
    let folder = arguments.get(1).map(PathBuf::from).unwrap_or_default();
    let served = tokio::runtime::Runtime::new()
        .context("a runtime")
        .and_then(|runtime| runtime.block_on(serve(&folder)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(folder: &Path) -> anyhow::Result<()> {
    let clock: SharedClock = Arc::new(SystemClock);
    let anchor = TrustAnchor::from_pem_file(&folder.join(ROOT))?;
    let key = keyfile::load(&folder.join(KEY), None)?;
    let chain = Chain::from_pem_file(&folder.join(CHAIN))?;
    let tls = ServerTls::new(ServerSettings {
        credential: Credential { chain, key: Arc::new(key) },
        anchor,
        client_auth: ClientAuth::Required,
        revocations: None,
        alpn: vec![b"h2".to_vec()],
        clock,
    })?;
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    println!("ready {}", listener.local_addr()?);
    let connections = futures_util::stream::unfold((listener, tls), |(listener, tls)| async move {
        let accepted = async {
            let (stream, _from) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (stream, _peer) = tls.accept(stream).await.map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>(Accepted(stream))
        };
        Some((accepted.await, (listener, tls)))
    });
    Ok(Server::builder().add_service(ExchangeServer::new(Echo)).serve_with_incoming(connections).await?)
}

struct Echo;

/// A connection past its handshake.
struct Accepted(tokio_rustls::server::TlsStream<tokio::net::TcpStream>);

impl Connected for Accepted {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl tokio::io::AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl tokio::io::AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Exchange for Echo {
    type SubmitStream = Replies<wire::SubmitReply>;
    type UploadStream = Replies<wire::UploadReply>;
    type CollectStream = Replies<wire::Delivery>;
    type DownloadStream = Replies<wire::DownloadReply>;

    async fn submit(
        &self,
        request: Request<Streaming<wire::SubmitFrame>>,
    ) -> Result<Response<Self::SubmitStream>, Status> {
        // The body comes back in the field that has room for bytes.
        let replies = request
            .into_inner()
            .map(|frame| frame.map(|frame| wire::SubmitReply { exchange_id: frame.body, result: None }));
        Ok(Response::new(Box::pin(replies)))
    }

    async fn upload(
        &self,
        _request: Request<Streaming<wire::UploadFrame>>,
    ) -> Result<Response<Self::UploadStream>, Status> {
        Err(Status::unimplemented("echo"))
    }

    async fn collect(
        &self,
        _request: Request<Streaming<wire::CollectFrame>>,
    ) -> Result<Response<Self::CollectStream>, Status> {
        Err(Status::unimplemented("echo"))
    }

    async fn download(
        &self,
        _request: Request<wire::DownloadRequest>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        Err(Status::unimplemented("echo"))
    }

    async fn state(
        &self,
        _request: Request<wire::StateRequest>,
    ) -> Result<Response<wire::StateReply>, Status> {
        Err(Status::unimplemented("echo"))
    }
}
