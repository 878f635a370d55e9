//! Asks an agent's local interface as any program would: plain HTTP over TCP, TLS or a Unix socket, so that a test sees
//! statuses, headers and bytes as they are.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use passerelle_agent::config::{Config, Listen};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::network::agent::AgentProcess;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// How the interface is reached.
#[derive(Clone, Debug)]
pub enum Way {
    /// Loopback.
    Tcp(SocketAddr),
    /// TLS, to a server of the name `localhost`.
    Tls(SocketAddr, Arc<ClientConfig>),
    /// A Unix socket.
    Unix(PathBuf),
}

/// A program that asks.
#[derive(Clone, Debug)]
pub struct Program {
    /// How it reaches the interface.
    pub way: Way,
    /// The token that it shows.
    pub token: Option<String>,
}

/// What it was told.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Program {
    /// A program that shows the content of a file beside the agent's configuration, such as `donnees/local.token`.
    ///
    /// # Errors
    /// When configuration or token cannot be read.
    pub fn of(agent: &AgentProcess, token: &str) -> anyhow::Result<Self> {
        let path = agent.config();
        let way = match Config::load(&path)?.local.listen {
            Listen::Tcp(address) => Way::Tcp(address),
            Listen::Unix(path) => Way::Unix(path),
        };
        let token = std::fs::read_to_string(path.with_file_name(token)).context("a token")?;
        Ok(Self { way, token: Some(token) })
    }

    /// Asks once, on a connection of its own.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder().method(method).uri(path);
        let host = match &self.way {
            Way::Tcp(address) | Way::Tls(address, _) => address.to_string(),
            Way::Unix(_) => "localhost".to_owned(),
        };
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header(HOST, host);
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into()))?;
        tokio::time::timeout(PATIENCE, self.exchange(request)).await.context("no answer in time")?
    }

    /// `GET`, without headers or body.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.ask(Method::GET, path, &[], Bytes::new()).await
    }

    /// `POST`.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Answer> {
        self.ask(Method::POST, path, headers, body).await
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        match &self.way {
            Way::Tcp(address) => over(TcpStream::connect(address).await?, request).await,
            Way::Tls(address, config) => {
                let stream = TcpStream::connect(address).await?;
                let name = ServerName::try_from("localhost")?;
                let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
                over(stream, request).await
            }
            Way::Unix(path) => over(UnixStream::connect(path).await?, request).await,
        }
    }
}

/// Asks over a stream that is there.
///
/// # Errors
/// When there is no answer.
pub async fn over<IO>(stream: IO, request: Request<Full<Bytes>>) -> anyhow::Result<Answer>
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let (head, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    connection.abort();
    Ok(Answer { status: head.status, headers: head.headers, body })
}

impl Answer {
    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Status and problem code: `"403 SYSTEM_NOT_BOUND"`, or the status alone.
    #[must_use]
    pub fn outcome(&self) -> String {
        match self.json()["code"].as_str() {
            Some(code) if !self.status.is_success() => format!("{} {code}", self.status.as_u16()),
            _ => self.status.as_u16().to_string(),
        }
    }

    /// The media type, without its parameters.
    #[must_use]
    pub fn media_type(&self) -> &str {
        let value = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        value.and_then(|value| value.split(';').next()).unwrap_or_default().trim()
    }
}
