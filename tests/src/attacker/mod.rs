//! A hostile gateway: it has the real one's certificate and the log's real key, and shows any log that it likes.

mod forged;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use passerelle_gateway::config::Config;
use passerelle_gateway::serve::GatewayKeys;
use passerelle_pki::clock::SharedClock;
use passerelle_pki::tls::{ClientAuth, ServerSettings, ServerTls};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::forged::Forged;
use crate::network::{Network, free_address};

/// A public listener that shows a forged log.
#[derive(Debug)]
pub struct Attacker {
    address: SocketAddr,
    shown: Arc<Mutex<Forged>>,
    serving: JoinHandle<()>,
}

impl Drop for Attacker {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Attacker {
    /// Listens with the certificate of the network's own gateway; shows nothing yet.
    ///
    /// # Errors
    /// When the gateway's keys cannot be read, or nobody may listen.
    pub async fn start(network: &Network, clock: &SharedClock) -> anyhow::Result<Self> {
        let tls = ServerTls::new(ServerSettings {
            credential: keys(network)?.tls,
            anchor: network.anchor()?,
            client_auth: ClientAuth::None,
            revocations: None,
            alpn: vec![b"h2".to_vec()],
            clock: SharedClock::clone(clock),
        })?;
        let listener = TcpListener::bind(free_address()?).await?;
        let (address, shown) = (listener.local_addr()?, Arc::new(Mutex::new(Forged::default())));
        let serving = tokio::spawn(serve(listener, tls, Arc::clone(&shown)));
        Ok(Self { address, shown, serving })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shows this log from now on.
    pub fn show(&self, log: Forged) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = log;
    }
}

fn keys(network: &Network) -> anyhow::Result<GatewayKeys> {
    let config = Config::load(&network.gateway_config()).context("the gateway's configuration")?;
    Ok(GatewayKeys::load(&config, network.anchor()?)?)
}

async fn serve(listener: TcpListener, tls: ServerTls, shown: Arc<Mutex<Forged>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, shown) = (tls.clone(), Arc::clone(&shown));
        tokio::spawn(async move {
            let Ok((stream, _)) = tls.accept(stream).await else { return };
            let answering = service_fn(move |request: Request<Incoming>| {
                let found = {
                    let shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
                    shown.file(request.uri().path().trim_start_matches('/'))
                };
                let mut answer = Response::new(Full::new(Bytes::from(found.clone().unwrap_or_default())));
                if found.is_none() {
                    *answer.status_mut() = StatusCode::NOT_FOUND;
                }
                async move { Ok::<_, std::convert::Infallible>(answer) }
            });
            // It is the other side's to end.
            http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), answering)
                .await
                .ok();
        });
    }
}
