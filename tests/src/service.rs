//! A small HTTP service, such as an agency has behind its agent: it notes who asks what, and answers as its path says.
//!
//! `…/echo` gives the request's content back, `…/octets-N` so many bytes, `…/statut-N` that status, `…/coupe` less than it
//! announces, `…/goutte` one drop and then nothing, `…/lent` nothing ever; everything else is a record in JSON.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Bytes of content that it reads.
const CONTENT_LIMIT: usize = 256 << 20;
/// Bytes that it gives at a time.
const PIECE: usize = 64 << 10;

/// A request that reached the service.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Its method.
    pub method: Method,
    /// Path and query, as they stood in the request line.
    pub target: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Bytes of its content, once it is read.
    pub length: Option<usize>,
    /// Whoever asked went before the answer.
    pub left: Arc<AtomicBool>,
}

/// The service, in a task of this process.
#[derive(Debug)]
pub struct Service {
    address: SocketAddr,
    notes: Arc<Notes>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Notes {
    visits: Mutex<Vec<Visit>>,
    log: Option<Mutex<File>>,
}

impl Service {
    /// Starts it on loopback; it writes a line a request to `log`, when one is given.
    ///
    /// # Errors
    /// When it cannot listen, or the file cannot be made.
    pub async fn start(log: Option<&Path>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let log = log.map(|path| File::options().create(true).append(true).open(path)).transpose()?;
        let notes = Arc::new(Notes { log: log.map(Mutex::new), ..Notes::default() });
        let task = tokio::spawn(serve(listener, Arc::clone(&notes)));
        Ok(Self { address, notes, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lines of an agent's configuration that put the service behind it under this name.
    #[must_use]
    pub fn settings(&self, name: &str) -> String {
        format!("[services.{name}]\nupstream = \"http://{}/base\"\n", self.address)
    }

    /// Every request that reached it.
    #[must_use]
    pub fn visits(&self) -> Vec<Visit> {
        self.notes.visits().clone()
    }

    /// Forgets every request so far.
    pub fn forget(&self) {
        self.notes.visits().clear();
    }

    /// Asks it directly, as a client beside it: status and content.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn ask(&self, method: Method, path: &str, content: Bytes) -> anyhow::Result<(u16, Vec<u8>)> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the request: its failure is told there.
        tokio::spawn(async move { drop(connection.await) });
        let request = Request::builder()
            .method(method)
            .uri(format!("/base{path}"))
            .header(HOST, self.address.to_string())
            .body(Full::new(content))?;
        let answer = sender.send_request(request).await?;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect().await?.to_bytes().to_vec()))
    }

    /// The last request that reached it.
    ///
    /// # Errors
    /// When none did.
    pub fn last(&self) -> anyhow::Result<Visit> {
        self.notes.visits().last().cloned().context("nobody asked the service")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Notes {
    fn visits(&self) -> std::sync::MutexGuard<'_, Vec<Visit>> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrived(&self, request: &Request<Incoming>) -> (usize, Leaving) {
        let (method, target) = (request.method().clone(), request.uri().to_string());
        if let Some(log) = &self.log {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            // A log that cannot be written shows nothing, and the sandbox says so.
            writeln!(log, "{method} {target}").ok();
        }
        let left = Arc::new(AtomicBool::new(false));
        let headers = request.headers().clone();
        let mut visits = self.visits();
        visits.push(Visit { method, target, headers, length: None, left: Arc::clone(&left) });
        (visits.len() - 1, Leaving { left, answered: false })
    }
}

/// Notes that whoever asked has gone, when it is dropped before there is an answer.
struct Leaving {
    left: Arc<AtomicBool>,
    answered: bool,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.left.store(!self.answered, Ordering::Relaxed);
    }
}

async fn serve(listener: TcpListener, notes: Arc<Notes>) {
    while let Ok((stream, _)) = listener.accept().await {
        let notes = Arc::clone(&notes);
        tokio::spawn(async move {
            let answer = service_fn(|request| answer(request, Arc::clone(&notes)));
            // A caller that goes is noted by `left`.
            http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await.ok();
        });
    }
}

type Content = BoxBody<Bytes, io::Error>;

async fn answer(request: Request<Incoming>, notes: Arc<Notes>) -> Result<Response<Content>, Infallible> {
    let (visit, mut leaving) = notes.arrived(&request);
    let word = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let content_type = request.headers().get(CONTENT_TYPE).cloned();
    let read = http_body_util::Limited::new(request.into_body(), CONTENT_LIMIT).collect().await;
    let Ok(content) = read.map(http_body_util::Collected::to_bytes) else {
        return Ok(plain(StatusCode::BAD_REQUEST, "incomplet"));
    };
    if let Some(visit) = notes.visits().get_mut(visit) {
        visit.length = Some(content.len());
    }
    let number = |prefix: &str| word.strip_prefix(prefix).and_then(|number| number.parse::<usize>().ok());
    let answer = if word == "lent" {
        std::future::pending().await
    } else if word == "echo" {
        let mut answer = Response::new(whole(content));
        answer.headers_mut().extend(content_type.map(|value| (CONTENT_TYPE, value)));
        answer.headers_mut().append("x-service", http::HeaderValue::from_static("un"));
        answer.headers_mut().append("x-service", http::HeaderValue::from_static("deux"));
        answer
    } else if word == "goutte" {
        return Ok(drop_by_drop(leaving));
    } else if word == "coupe" {
        cut()
    } else if let Some(count) = number("octets-") {
        let pieces = (0..count.div_ceil(PIECE)).map(move |piece| {
            let length = PIECE.min(count - piece * PIECE);
            Ok(Frame::data(Bytes::from(vec![(piece % 251) as u8; length])))
        });
        Response::new(BodyExt::boxed(StreamBody::new(stream::iter(pieces))))
    } else if let Some(status) = number("statut-").and_then(|code| u16::try_from(code).ok()) {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        plain(status, if status == StatusCode::NO_CONTENT { "" } else { "statut" })
    } else {
        let record = serde_json::json!({ "numero": word, "admissible": true, "depuis": "2026-01-01" });
        let mut answer = Response::new(whole(record.to_string().into()));
        answer.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        answer
    };
    leaving.answered = true;
    Ok(answer)
}

fn whole(content: Bytes) -> Content {
    Full::new(content).map_err(|never| match never {}).boxed()
}

fn plain(status: StatusCode, text: &'static str) -> Response<Content> {
    let mut answer = Response::new(whole(Bytes::from_static(text.as_bytes())));
    *answer.status_mut() = status;
    answer
}

/// Gives ten bytes, and waits until whoever asked goes.
fn drop_by_drop(leaving: Leaving) -> Response<Content> {
    let first = stream::iter([Ok(Frame::data(Bytes::from_static(b"0123456789")))]);
    let never = stream::once(async move {
        let _noted = leaving;
        std::future::pending().await
    });
    Response::new(BodyExt::boxed(StreamBody::new(first.chain(never))))
}

/// Says 1000 bytes, gives 10, and closes.
fn cut() -> Response<Content> {
    let first = stream::iter([Ok(Frame::data(Bytes::from_static(b"0123456789")))]);
    let failing = first.chain(stream::once(async {
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    }));
    let mut answer = Response::new(BodyExt::boxed(StreamBody::new(failing)));
    answer.headers_mut().insert(CONTENT_LENGTH, 1_000.into());
    answer
}
