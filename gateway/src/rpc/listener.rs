//! One listener: accepts, shakes hands, and serves each connection until it ends, is ended, or the gateway stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use passerelle_pki::tls::ServerTls;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;
use tower::ServiceExt;

use super::caller::Caller;
use super::connections::{Connections, Registered};

/// Requests of one connection at a time.
const STREAMS_MAX: u32 = 128;
/// Bytes of a request's headers.
const HEADERS_MAX: u32 = 16 * 1024;
/// A peer that does not answer a ping within this is gone.
const PING: Duration = Duration::from_secs(20);
/// Time for a request's headers over HTTP/1.
const HEADERS_TIME: Duration = Duration::from_secs(10);
/// What a connection may take to end its requests when the gateway stops.
const GRACE: Duration = Duration::from_secs(10);
/// Pause after the system gave no connection (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections a listener takes.
#[derive(Copy, Clone, Debug)]
pub struct ListenerLimits {
    /// In all.
    pub connections: usize,
    /// Of one agency.
    pub per_agency: usize,
}

/// A bound listener.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    tls: ServerTls,
    limits: ListenerLimits,
    connections: Connections,
    free: Arc<Semaphore>,
}

impl Listener {
    /// Binds `address`.
    ///
    /// # Errors
    /// What the system says.
    pub async fn bind(
        address: SocketAddr,
        tls: ServerTls,
        limits: ListenerLimits,
        connections: Connections,
    ) -> std::io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        Ok(Self { socket, tls, limits, connections, free: Arc::new(Semaphore::new(limits.connections)) })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves `routes` until `stop`, then waits until the open connections have ended their requests, for a while.
    pub async fn serve(self, routes: Router, stop: CancellationToken) {
        let serving = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = stop.cancelled() => break,
            };
            let stream = match accepted {
                Ok((stream, _from)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Full: closed at once, so that the backlog does not hold peers in the dark.
            let Ok(place) = Arc::clone(&self.free).try_acquire_owned() else {
                tracing::warn!("a connection was refused: the listener is full");
                continue;
            };
            let one = Connection {
                tls: self.tls.clone(),
                routes: routes.clone(),
                connections: self.connections.clone(),
                per_agency: self.limits.per_agency,
                stop: stop.clone(),
                _place: place,
            };
            serving.spawn(one.run(stream));
        }
        serving.close();
        if tokio::time::timeout(GRACE, serving.wait()).await.is_err() {
            tracing::warn!("connections were still open when the gateway stopped");
        }
    }
}

struct Connection {
    tls: ServerTls,
    routes: Router,
    connections: Connections,
    per_agency: usize,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // Without it, small answers wait for acknowledgements of the network.
        drop(stream.set_nodelay(true));
        let shaken = tokio::select! {
            shaken = self.tls.accept(stream) => shaken,
            () = self.stop.cancelled() => return,
        };
        let (stream, peer) = match shaken {
            Ok(done) => done,
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "a handshake failed");
                return;
            }
        };
        let Some(caller) = peer.map_or(Some(Caller::Public), Caller::of) else { return };
        let registered = match &caller {
            Caller::Agent(agent) => match self.connections.register(agent, self.per_agency) {
                Ok(registered) => Some(registered),
                Err(why) => {
                    tracing::warn!(agent = %agent.id, why, "a connection was refused");
                    return;
                }
            },
            Caller::Public => None,
        };
        self.serve(TokioIo::new(stream), caller, registered).await;
    }

    async fn serve(
        &self,
        io: TokioIo<tokio_rustls::server::TlsStream<TcpStream>>,
        caller: Caller,
        registered: Option<Registered>,
    ) {
        let (routes, connections) = (self.routes.clone(), self.connections.clone());
        let service = tower::service_fn(move |mut request: Request<Incoming>| {
            let welcome = match &caller {
                Caller::Agent(agent) => connections.check(agent),
                Caller::Public => Ok(()),
            };
            request.extensions_mut().insert(caller.clone());
            let routes = routes.clone();
            async move {
                match welcome {
                    Ok(()) => routes.oneshot(request).await,
                    Err(why) => Ok(Status::permission_denied(why).into_http::<Body>()),
                }
            }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEADERS_MAX)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .adaptive_window(false)
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(4 << 20);
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_TIME);
        let connection = builder.serve_connection(io, TowerToHyperService::new(service));
        tokio::pin!(connection);
        let ended = async {
            match &registered {
                Some(registered) => registered.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(ended);
        let served = tokio::select! {
            served = connection.as_mut() => served,
            // Cut, not asked: whoever is not welcome any more gets no more answers.
            () = ended.as_mut() => return,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.as_mut().await
            }
        };
        if let Err(error) = served {
            tracing::debug!(error, "a connection ended badly");
        }
    }
}
