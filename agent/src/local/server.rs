//! Listening: a bounded number of connections at each door, and an end that lets requests finish.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use passerelle_pki::clock::SharedClock;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::auth::{self, Guard};
use super::listener::{self, Listener, Taken};
use super::routes::{self, Shared};
use super::scrape;
use super::tls::{self, LocalTlsError};
use crate::agent::Agent;
use crate::config::{Listen, LocalSettings};
use crate::govstack::{self, GovstackSettings};
use crate::systems::{Systems, SystemsError};
use crate::webhooks::Webhooks;

/// Connections at a time, of one door: whoever fills it shuts nobody out at another.
const CONNECTIONS_MAX: usize = 256;
/// How long a caller may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD_BYTES: usize = 64 * 1024;
/// Headers of a request: a record may concern many persons.
const HEADERS_MAX: usize = 320;
/// How long a caller may take nothing of an answer that waits for it: its place is for another then.
const STALLED: Duration = Duration::from_secs(60);
/// How long requests under way may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// Why the local interface does not open. The agent's administrator is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// The systems that may call.
    #[error("ceux qui peuvent appeler / those who may call")]
    Systems(#[source] SystemsError),
    /// TLS.
    #[error("TLS de l'interface locale / TLS of the local interface")]
    Tls(#[source] LocalTlsError),
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

/// A listener, and what is served there.
struct Door {
    listener: Listener,
    router: Router,
    stalled: Duration,
}

/// The local interface, listening.
pub struct Server {
    doors: Vec<Door>,
    address: String,
    stop: CancellationToken,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Opens the addresses; makes the tokens that are not there. Serves until `stop`.
    ///
    /// # Errors
    /// [`LocalError`].
    pub async fn bind(
        settings: &LocalSettings,
        (agent, webhooks): (Agent, Webhooks),
        clock: SharedClock,
        stop: CancellationToken,
    ) -> Result<Self, LocalError> {
        let shared = Shared { agent, webhooks, stop: stop.clone() };
        let over_tcp = matches!(settings.listen, Listen::Tcp(_));
        let local_token = (over_tcp || !settings.systems.is_empty()).then_some(&*settings.token_file);
        let systems = Systems::open(local_token, &settings.systems).map_err(LocalError::Systems)?;
        let mut doors = Vec::new();
        let address = match &settings.listen {
            Listen::Tcp(wanted) => {
                let (listener, bound) = bind_tcp(*wanted).await?;
                let router = routes::router(shared.clone(), Guard::tcp(systems.clone(), bound));
                doors.push(Door { listener: Listener::Tcp(listener), router, stalled: STALLED });
                format!("http://{bound}")
            }
            Listen::Unix(path) => {
                let listener = listener::bind_socket(path, settings.socket_mode)?;
                let router = routes::router(shared.clone(), Guard::beyond_pages(systems.clone()));
                doors.push(Door { listener, router, stalled: STALLED });
                format!("unix:{}", path.display())
            }
        };
        if let Some(tls) = &settings.tls {
            let acceptor = tls::acceptor(tls, clock).map_err(LocalError::Tls)?;
            let (listener, bound) = bind_tcp(tls.address).await?;
            let router = routes::router(shared, Guard::beyond_pages(systems));
            doors.push(Door { listener: Listener::Tls(listener, acceptor), router, stalled: STALLED });
            tracing::info!(address = %bound, "systems are served over TLS");
        }
        Ok(Self { doors, address, stop })
    }

    /// Opens the listener of the scraper: measures alone, without a token. Serves until `stop`.
    ///
    /// # Errors
    /// [`LocalError::Listen`].
    pub async fn bind_metrics(
        wanted: SocketAddr,
        agent: Agent,
        stop: CancellationToken,
    ) -> Result<Self, LocalError> {
        let (listener, bound) = bind_tcp(wanted).await?;
        if !bound.ip().is_loopback() {
            tracing::warn!(%bound, "measures can be read from other machines, without a token");
        }
        let hosts = bound.ip().is_loopback().then(|| auth::hosts(bound));
        let router =
            scrape::router(Shared { agent, webhooks: Webhooks::default(), stop: stop.clone() }, hosts);
        let door = Door { listener: Listener::Tcp(listener), router, stalled: STALLED };
        Ok(Self { doors: vec![door], address: format!("http://{bound}"), stop })
    }

    /// Opens the listener of the GovStack compatibility route. Serves until `stop`.
    ///
    /// # Errors
    /// [`LocalError::Listen`].
    pub async fn bind_govstack(
        settings: &GovstackSettings,
        agent: Agent,
        stop: CancellationToken,
    ) -> Result<Self, LocalError> {
        let (listener, bound) = bind_tcp(settings.listen).await?;
        let router = govstack::router(agent, settings.clone(), auth::hosts(bound));
        let door = Door { listener: Listener::Tcp(listener), router, stalled: STALLED };
        Ok(Self { doors: vec![door], address: format!("http://{bound}"), stop })
    }

    /// Where the agent's own commands reach it: `http://host:port` or `unix:path`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Serves until it is stopped, then lets requests under way end.
    pub async fn run(self) {
        let mut doors = JoinSet::new();
        for door in self.doors {
            doors.spawn(door.run(self.stop.clone()));
        }
        while doors.join_next().await.is_some() {}
    }
}

async fn bind_tcp(wanted: SocketAddr) -> Result<(TcpListener, SocketAddr), LocalError> {
    let fault = |source| LocalError::Listen { address: wanted.to_string(), source };
    let listener = TcpListener::bind(wanted).await.map_err(fault)?;
    let bound = listener.local_addr().map_err(fault)?;
    Ok((listener, bound))
}

impl Door {
    async fn run(self, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            // Callers beyond the last place wait in the system's queue.
            let place = tokio::select! {
                () = stop.cancelled() => break,
                place = Arc::clone(&places).acquire_owned() => match place {
                    Ok(place) => place,
                    Err(_) => break,
                },
            };
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok(taken) => {
                    connections.spawn(connection(
                        taken,
                        (self.router.clone(), self.stalled),
                        stop.clone(),
                        place,
                    ));
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
        self.listener.close();
    }
}

async fn connection(
    taken: Taken,
    (router, stalled): (Router, Duration),
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let begun = tokio::select! {
        () = stop.cancelled() => return,
        begun = taken.begin() => begun,
    };
    let (stream, peer) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            tracing::debug!(%error, "a local connection did not begin");
            return;
        }
    };
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(stalled));
    let service = router.map_request(move |mut request: Request<_>| {
        request.extensions_mut().insert(peer);
        request
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(service));
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use axum::routing::get;
    use bytes::Bytes;
    use futures_util::stream;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpStream;
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn who_takes_nothing_of_an_answer_loses_the_place_and_others_are_served() {
        let (alive, mut gone) = mpsc::channel::<()>(1);
        let alive = Arc::new(std::sync::Mutex::new(Some(alive)));
        let endless = get(move || async move {
            // Held by the answer alone, as long as there is one.
            let held = alive.lock().unwrap().take();
            let pieces = stream::repeat_with(move || {
                let _held = &held;
                Ok::<_, Infallible>(Bytes::from_static(&[0; 16 * 1024]))
            });
            Body::from_stream(pieces)
        });
        let (listener, address) = bind_tcp(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let door = Door {
            listener: Listener::Tcp(listener),
            router: Router::new().route("/", endless),
            stalled: Duration::from_millis(200),
        };
        let stop = CancellationToken::new();
        let serving = tokio::spawn(door.run(stop.clone()));
        let mut caller = TcpStream::connect(address).await.unwrap();
        caller.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        // The answer is given up, though the caller's end stays open.
        let ended = timeout(Duration::from_secs(30), gone.recv()).await.unwrap();
        assert_eq!(ended, None);
        drop(caller);
        stop.cancel();
        serving.await.unwrap();
    }
}
