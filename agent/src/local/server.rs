//! Listening: loopback TCP or a Unix socket, a bounded number of connections, and an end that lets requests finish.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::auth::{self, Guard, TokenError};
use super::routes::{self, Shared};
use crate::agent::Agent;
use crate::config::{Listen, LocalSettings};

/// Connections at a time.
const CONNECTIONS_MAX: usize = 256;
/// How long a caller may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD_BYTES: usize = 64 * 1024;
/// Headers of a request: a record may concern many persons.
const HEADERS_MAX: usize = 320;
/// How long requests under way may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// Why the local interface does not open. The agent's administrator is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// The token.
    #[error("le jeton local / the local token")]
    Token(#[source] TokenError),
    /// The address.
    #[error(
        "{address} : écoute impossible ; un autre programme s'y trouve peut-être / cannot listen; another program may \
         be there"
    )]
    Listen {
        /// Where.
        address: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody answers on the socket.
    #[error("{} : un autre agent y répond déjà / another agent answers there already", .0.display())]
    Taken(PathBuf),
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// The local interface, listening.
pub struct Server {
    listener: Listener,
    address: String,
    router: Router,
    stop: CancellationToken,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Opens the address; makes the token when there is none. Serves until `stop`.
    ///
    /// # Errors
    /// [`LocalError`].
    pub async fn bind(
        settings: &LocalSettings,
        agent: Agent,
        stop: CancellationToken,
    ) -> Result<Self, LocalError> {
        let shared = Shared { agent, stop: stop.clone() };
        match &settings.listen {
            Listen::Tcp(wanted) => {
                let fault = |source| LocalError::Listen { address: wanted.to_string(), source };
                let token = auth::token(&settings.token_file).map_err(LocalError::Token)?;
                let listener = TcpListener::bind(wanted).await.map_err(fault)?;
                let bound = listener.local_addr().map_err(fault)?;
                let router = routes::router(shared, Guard::tcp(token, bound));
                let address = format!("http://{bound}");
                Ok(Self { listener: Listener::Tcp(listener), address, router, stop })
            }
            Listen::Unix(path) => {
                let listener = bind_socket(path)?;
                let router = routes::router(shared, Guard::Socket);
                let address = format!("unix:{}", path.display());
                Ok(Self { listener: Listener::Unix(listener, path.clone()), address, router, stop })
            }
        }
    }

    /// Where it listens: `http://host:port` or `unix:path`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Serves until it is stopped, then lets requests under way end.
    pub async fn run(self) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            // Callers beyond the last place wait in the system's queue.
            let place = tokio::select! {
                () = self.stop.cancelled() => break,
                place = Arc::clone(&places).acquire_owned() => match place {
                    Ok(place) => place,
                    Err(_) => break,
                },
            };
            let (router, stop) = (self.router.clone(), self.stop.clone());
            let accepted = tokio::select! {
                () = self.stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok(stream) => {
                    connections.spawn(connection(stream, router, stop, place));
                }
                Err(error) => {
                    tracing::warn!(%error, "the local interface could not take a connection");
                    tokio::task::yield_now().await;
                }
            }
        }
        let ended = async { while connections.join_next().await.is_some() {} };
        if timeout(GRACE, ended).await.is_err() {
            tracing::warn!("local requests under way did not end; they are cut");
        }
        connections.shutdown().await;
        if let Listener::Unix(_, path) = &self.listener {
            // The next start removes it otherwise.
            fs::remove_file(path).ok();
        }
    }
}

/// Both kinds of stream.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Listener {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::Unix(listener, _) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

async fn connection(
    stream: Box<dyn Stream>,
    router: Router,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a local connection ended early");
    }
}

/// A socket for its owner alone. One that a dead agent left is replaced.
fn bind_socket(path: &Path) -> Result<UnixListener, LocalError> {
    let fault = |source| LocalError::Listen { address: path.display().to_string(), source };
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(fault(io::ErrorKind::AlreadyExists.into()));
        }
        if StdUnixStream::connect(path).is_ok() {
            return Err(LocalError::Taken(path.to_owned()));
        }
        fs::remove_file(path).map_err(fault)?;
    }
    // Nobody else may connect even for a moment: the mask holds while the socket is made.
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    rustix::process::umask(before);
    let listener = listener.map_err(fault)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(fault)?;
    Ok(listener)
}
