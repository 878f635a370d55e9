//! A system of the agency that is posted to: it answers well, badly, or not at all, as the test wants.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// How it answers.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// With this status.
    Status(u16),
    /// Never.
    Silent,
    /// With a redirect to itself.
    Redirect,
    /// With something that is no HTTP.
    Garbage,
    /// A byte of the head at a time, without end.
    Drip,
    /// By closing the connection.
    Cut,
    /// With 200 and a body without end.
    Endless,
}

/// One request that was posted.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Posted {
    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).cloned().unwrap_or_default()
    }
}

#[derive(Debug)]
struct Inner {
    behaviour: Mutex<Behaviour>,
    posted: Mutex<Vec<Posted>>,
    followed: AtomicUsize,
}

/// The system, listening on loopback until the test ends.
#[derive(Debug)]
pub(crate) struct System {
    scheme: &'static str,
    address: std::net::SocketAddr,
    inner: Arc<Inner>,
}

impl System {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        Self::listen(behaviour, None).await
    }

    /// Over TLS, with a certificate of an authority of its own, whose certificate is given too.
    pub(crate) async fn start_tls(behaviour: Behaviour) -> (Self, String) {
        let (config, authority) = tls();
        (Self::listen(behaviour, Some(TlsAcceptor::from(Arc::new(config)))).await, authority)
    }

    async fn listen(behaviour: Behaviour, tls: Option<TlsAcceptor>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            behaviour: Mutex::new(behaviour),
            posted: Mutex::default(),
            followed: AtomicUsize::new(0),
        });
        let this = Arc::clone(&inner);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (this, tls) = (Arc::clone(&this), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, this).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, this).await;
                            }
                        }
                    }
                });
            }
        });
        Self { scheme, address, inner }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}/recu?jeton=secret", self.scheme, self.address)
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self.inner.behaviour.lock().unwrap() = behaviour;
    }

    /// Requests that came and were not taken by the test.
    pub(crate) fn count(&self) -> usize {
        self.inner.posted.lock().unwrap().len()
    }

    pub(crate) fn take(&self) -> Vec<Posted> {
        std::mem::take(&mut self.inner.posted.lock().unwrap())
    }

    /// Requests to the place that redirects lead to.
    pub(crate) fn followed(&self) -> usize {
        self.inner.followed.load(Ordering::Relaxed)
    }
}

fn tls() -> (ServerConfig, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = authority.self_signed(&key).unwrap().pem();
    let (issuer, key) = (Issuer::new(authority, key), KeyPair::generate().unwrap());
    let leaf = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    (config, certificate)
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, inner: Arc<Inner>) {
    while let Some((target, posted)) = request(&mut stream).await {
        if target.starts_with("/ailleurs") {
            inner.followed.fetch_add(1, Ordering::Relaxed);
        }
        let behaviour = *inner.behaviour.lock().unwrap();
        inner.posted.lock().unwrap().push(posted);
        let answer: &[u8] = match behaviour {
            Behaviour::Status(status) => {
                let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
                continue;
            }
            Behaviour::Silent => {
                sleep(Duration::from_secs(3_600)).await;
                return;
            }
            Behaviour::Redirect => b"HTTP/1.1 307 X\r\nlocation: /ailleurs\r\ncontent-length: 0\r\n\r\n",
            Behaviour::Garbage => b"\x00\xff 220 smtp.example ready\r\n\r\n",
            Behaviour::Cut => b"",
            Behaviour::Drip => {
                // More than the time that an attempt may take.
                for byte in b"HTTP/1.1 200 OK\r\nx-y: ".iter().chain([b'z'; 500].iter()) {
                    if stream.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                    sleep(Duration::from_millis(100)).await;
                }
                return;
            }
            Behaviour::Endless => {
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n").await);
                while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
                return;
            }
        };
        drop(stream.write_all(answer).await);
        return;
    }
}

/// Reads one request: its target, fields and body.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, Posted)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let target = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    Some((target, Posted { headers, body }))
}
