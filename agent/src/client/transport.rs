//! One request, one connection: TCP or Unix socket, HTTP/1.1.
//!
//! The local interface is on the same machine: a connection costs nothing there, and none is ever stale.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use passerelle_pki::files;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::error::ClientError;
use super::lenient::Lenient;
use crate::config::{Config, Listen};

/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(10);
/// How long nothing may move while a body is under way.
pub(super) const STALLED: Duration = Duration::from_secs(120);

/// Where the agent's local interface is.
#[derive(Clone)]
pub enum Endpoint {
    /// Loopback TCP, with the token of `local.token`.
    Tcp {
        /// Host and port, such as `127.0.0.1:7450`.
        addr: String,
        /// The bearer token.
        token: String,
    },
    /// A Unix socket; its permissions are the protection.
    Unix {
        /// The socket.
        path: PathBuf,
    },
}

/// Bytes that the file of the token may have.
const TOKEN_LIMIT: u64 = 4 * 1024;

impl Endpoint {
    /// Where the agent of this configuration listens, with its token when that is over TCP.
    pub(super) fn of(config: &Config) -> Result<Self, ClientError> {
        let addr = match &config.local.listen {
            Listen::Unix(path) => return Ok(Self::Unix { path: path.clone() }),
            Listen::Tcp(addr) => addr.to_string(),
        };
        let path = &config.local.token_file;
        let token = files::read_limited(path, TOKEN_LIMIT)
            .map_err(|source| ClientError::Token { path: path.clone(), source })?;
        Ok(Self::Tcp { addr, token: String::from_utf8_lossy(&token).trim().to_owned() })
    }
}

/// Without the token.
impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { addr, .. } => f.write_str(addr),
            Self::Unix { path } => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Sends a request. `patience` is how long the answer may take once nothing of the body moves any more.
pub(super) async fn exchange(
    endpoint: &Endpoint,
    request: Request<Outgoing>,
    patience: Duration,
) -> Result<Response<Incoming>, ClientError> {
    let moved = Arc::clone(&request.body().moved);
    let unreachable = |source| ClientError::NotReached { endpoint: endpoint.to_string(), source };
    let connecting = async {
        match endpoint {
            Endpoint::Tcp { addr, .. } => {
                let stream = TcpStream::connect(addr).await.map_err(unreachable)?;
                stream.set_nodelay(true).map_err(unreachable)?;
                begin(stream).await
            }
            Endpoint::Unix { path } => begin(UnixStream::connect(path).await.map_err(unreachable)?).await,
        }
    };
    let late = |_| unreachable(io::ErrorKind::TimedOut.into());
    let mut sender = timeout(CONNECTING, connecting).await.map_err(late)??;
    let answer = sender.send_request(request);
    tokio::pin!(answer);
    loop {
        let before = moved.load(Ordering::Relaxed);
        match timeout(patience, &mut answer).await {
            Ok(answer) => return answer.map_err(ClientError::Broken),
            Err(_) if moved.load(Ordering::Relaxed) != before => {}
            Err(_) => return Err(ClientError::Stalled),
        }
    }
}

async fn begin<IO>(io: IO) -> Result<http1::SendRequest<Outgoing>, ClientError>
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) =
        http1::handshake(TokioIo::new(Lenient::new(io))).await.map_err(ClientError::Broken)?;
    // Ends with the request: its failure is told there.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// A body on its way out; counts what has moved.
pub(super) struct Outgoing {
    source: Option<Source>,
    left: Option<u64>,
    moved: Arc<AtomicU64>,
}

type Source = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

impl Outgoing {
    pub(super) fn empty() -> Self {
        Self { source: None, left: Some(0), moved: Arc::default() }
    }

    /// A stream, with its length when it is known.
    pub(super) fn stream(
        source: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        length: Option<u64>,
    ) -> Self {
        Self { source: Some(Box::pin(source)), left: length, moved: Arc::default() }
    }

    /// A small one.
    pub(super) fn whole(bytes: Vec<u8>) -> Self {
        let length = bytes.len() as u64;
        Self::stream(futures_util::stream::iter([Ok(Bytes::from(bytes))]), Some(length))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Some(source) = self.source.as_mut() else { return Poll::Ready(None) };
        let next = std::task::ready!(source.as_mut().poll_next(context));
        match next {
            Some(Ok(bytes)) => {
                let length = bytes.len() as u64;
                self.moved.fetch_add(length.max(1), Ordering::Relaxed);
                if let Some(left) = self.left {
                    // A file that grows while it is read is not the one whose length was announced.
                    let Some(left) = left.checked_sub(length) else {
                        return Poll::Ready(Some(Err(changed())));
                    };
                    self.left = Some(left);
                }
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None if self.left.is_some_and(|left| left > 0) => {
                self.source = None;
                Poll::Ready(Some(Err(changed())))
            }
            None => {
                self.source = None;
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn changed() -> io::Error {
    io::Error::other(
        "le contenu a changé de longueur pendant sa lecture / the content changed its length while it was read",
    )
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn sent(parts: &[&'static [u8]], length: u64) -> Result<Bytes, io::Error> {
        let parts: Vec<_> = parts.iter().map(|part| Ok(Bytes::from_static(part))).collect();
        let body = Outgoing::stream(futures_util::stream::iter(parts), Some(length));
        body.collect().await.map(http_body_util::Collected::to_bytes)
    }

    #[tokio::test]
    async fn a_body_of_another_length_than_announced_is_not_sent_to_its_end() {
        assert_eq!(sent(&[b"ab", b"c"], 3).await.unwrap(), "abc");
        assert!(sent(&[b"ab", b"c"], 2).await.is_err());
        assert!(sent(&[b"ab", b"c"], 4).await.is_err());
    }

    #[test]
    fn an_endpoint_does_not_show_its_token() {
        let endpoint = Endpoint::Tcp { addr: "127.0.0.1:7450".into(), token: "secret".into() };
        assert_eq!(format!("{endpoint:?} {endpoint}"), "127.0.0.1:7450 127.0.0.1:7450");
    }
}
