//! A client of the local interface of a running agent: for the command line, and for whoever works with an agent from
//! Rust. Bodies are streams in both directions; nothing is held whole.

mod call;
mod content;
mod error;
mod events;
mod lenient;
mod options;
#[cfg(test)]
pub(crate) mod scene;
mod services;
#[cfg(test)]
mod tests;
mod transport;

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use passerelle_proto::evidence::EVIDENCE_LIMIT;
use passerelle_proto::exchange_id::ExchangeId;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::config::Config;
use crate::local::model::{
    Accepted, Agreement, AgreementDocument, Agreements, DeadLetter, DeadLetters, Inbox, InboxRecord,
    IncomingRecord, IncomingRecords, Problem, Record, Records, SignRequest, Signed, Status, Webhook,
    WebhookList,
};

pub use call::{CallAnswer, CallOptions};
pub use content::Content;
pub use error::ClientError;
pub use events::AgentEvent;
pub use options::{InboxQuery, RecordsQuery, SendOptions};
pub use services::ServiceOptions;
pub use transport::Endpoint;

use options::{encoded, query};
use transport::{Outgoing, STALLED, exchange};

/// Bytes of an answer that is no content.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;
/// How long an answer may take, beyond what it was asked to wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client; it holds no connection. Clones cost little.
#[derive(Clone, Debug)]
pub struct LocalClient {
    endpoint: Endpoint,
}

impl LocalClient {
    /// A client of the agent that listens there.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint }
    }

    /// A client of the agent that runs under this configuration: its Unix socket when it has one.
    ///
    /// # Errors
    /// [`ClientError::Token`] when the token's file cannot be read: the agent makes it when it first runs.
    pub fn from_config(config: &Config) -> Result<Self, ClientError> {
        Ok(Self::new(Endpoint::of(config)?))
    }

    /// Where this client looks for the agent.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a record: when this returns, it is durable in the outbox. `length` spares the agent from reading a body that
    /// is too long.
    ///
    /// # Errors
    /// [`ClientError`]; nothing is sent then, unless the answer was lost: an idempotency key makes asking again safe.
    pub async fn send(
        &self,
        options: &SendOptions,
        body: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        length: Option<u64>,
    ) -> Result<Accepted, ClientError> {
        let mut request = self.request(Method::POST, "/v1/records", Outgoing::stream(body, length))?;
        request.headers_mut().extend(options.headers()?);
        read(exchange(&self.endpoint, request, STALLED).await?).await
    }

    /// Where a sent record stands. With `wait`, the answer comes when that changes, is final, or the time is over.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn record(&self, id: &ExchangeId, wait: Option<Duration>) -> Result<Record, ClientError> {
        let wait_s = wait.map(|wait| wait.as_secs().to_string());
        self.ask(&query(&format!("/v1/records/{id}"), &[("wait", wait_s)]), wait).await
    }

    /// Sent records, newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn records(&self, query: &RecordsQuery) -> Result<Records, ClientError> {
        self.ask(&query.path(), None).await
    }

    /// Received records that wait, oldest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn inbox(&self, query: &InboxQuery) -> Result<Inbox, ClientError> {
        self.ask(&query.path(), query.wait).await
    }

    /// Large records on their way in.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn incoming(&self) -> Result<Vec<IncomingRecord>, ClientError> {
        Ok(self.ask::<IncomingRecords>("/v1/inbox/incoming", None).await?.records)
    }

    /// A received record.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn inbox_entry(&self, id: &ExchangeId) -> Result<InboxRecord, ClientError> {
        self.ask(&format!("/v1/inbox/{id}"), None).await
    }

    /// The content of a received record. It is whole only when the stream ends without an error.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn content(&self, id: &ExchangeId) -> Result<Content, ClientError> {
        let request = self.request(Method::GET, &format!("/v1/inbox/{id}/content"), Outgoing::empty())?;
        let answer = accepted(exchange(&self.endpoint, request, PATIENCE).await?).await?;
        let length =
            answer.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        Ok(Content::new(answer.into_body(), length))
    }

    /// Removes a received record that the agency's system has. Doing so again does nothing.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn confirm(&self, id: &ExchangeId) -> Result<(), ClientError> {
        let request = self.request(Method::POST, &format!("/v1/inbox/{id}/confirm"), Outgoing::empty())?;
        accepted(exchange(&self.endpoint, request, PATIENCE).await?).await.map(drop)
    }

    /// The evidence of an exchange, as a file.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn evidence(
        &self,
        id: &ExchangeId,
        without_body: bool,
        disclose_key: bool,
    ) -> Result<Bytes, ClientError> {
        let path = format!("/v1/evidence/{id}?body={}&disclose_key={disclose_key}", !without_body);
        let request = self.request(Method::GET, &path, Outgoing::empty())?;
        let answer = accepted(exchange(&self.endpoint, request, PATIENCE).await?).await?;
        let collecting = Limited::new(answer.into_body(), EVIDENCE_LIMIT).collect();
        match tokio::time::timeout(PATIENCE, collecting).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(_)) => Err(ClientError::TooLong(EVIDENCE_LIMIT)),
            Err(_) => Err(ClientError::Stalled),
        }
    }

    /// Every agreement version that the agent knows.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn agreements(&self) -> Result<Vec<Agreement>, ClientError> {
        Ok(self.ask::<Agreements>("/v1/agreements", None).await?.agreements)
    }

    /// One agreement version, with the exact text of its document.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn agreement(&self, number: &str, version: u32) -> Result<AgreementDocument, ClientError> {
        self.ask(&format!("/v1/agreements/{}/{version}", encoded(number)), None).await
    }

    /// Signs an agreement version for the agency, if its document still is the one of this SHA-256.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn sign(&self, number: &str, version: u32, digest: &[u8; 32]) -> Result<Signed, ClientError> {
        let path = format!("/v1/agreements/{}/{version}/sign", encoded(number));
        let body = json!(SignRequest { digest: hex::encode(digest) }).to_string().into_bytes();
        let mut request = self.request(Method::POST, &path, Outgoing::whole(body))?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        read(exchange(&self.endpoint, request, PATIENCE).await?).await
    }

    /// How the agent is doing.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.ask("/v1/status", None).await
    }

    /// How the webhooks are doing.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, ClientError> {
        Ok(self.ask::<WebhookList>("/v1/webhooks", None).await?.webhooks)
    }

    /// What a webhook has given up, longest ago first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn dead_letters(&self, webhook: &str) -> Result<Vec<DeadLetter>, ClientError> {
        let path = format!("/v1/webhooks/{}/dead", encoded(webhook));
        Ok(self.ask::<DeadLetters>(&path, None).await?.records)
    }

    /// Has a record posted again that was given up.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn retry_dead_letter(&self, webhook: &str, id: &ExchangeId) -> Result<(), ClientError> {
        let path = format!("/v1/webhooks/{}/dead/{id}/retry", encoded(webhook));
        let request = self.request(Method::POST, &path, Outgoing::empty())?;
        accepted(exchange(&self.endpoint, request, PATIENCE).await?).await.map(drop)
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str, wait: Option<Duration>) -> Result<T, ClientError> {
        let request = self.request(Method::GET, path, Outgoing::empty())?;
        let patience = PATIENCE.saturating_add(wait.unwrap_or_default());
        read(exchange(&self.endpoint, request, patience).await?).await
    }

    fn request(&self, method: Method, path: &str, body: Outgoing) -> Result<Request<Outgoing>, ClientError> {
        let mut headers = HeaderMap::new();
        let host = match &self.endpoint {
            Endpoint::Tcp { addr, token } => {
                let bearer = HeaderValue::try_from(format!("Bearer {token}"));
                let mut bearer = bearer.map_err(|_| ClientError::Field("token"))?;
                bearer.set_sensitive(true);
                headers.insert(AUTHORIZATION, bearer);
                addr.as_str()
            }
            Endpoint::Unix { .. } => "localhost",
        };
        headers.insert(HOST, HeaderValue::try_from(host).map_err(|_| ClientError::Field("host"))?);
        let request = Request::builder().method(method).uri(path).body(body);
        let mut request = request.map_err(|_| ClientError::Field("path"))?;
        request.headers_mut().extend(headers);
        Ok(request)
    }
}

/// The answer, unless it is a refusal.
async fn accepted(answer: Response<Incoming>) -> Result<Response<Incoming>, ClientError> {
    if answer.status().is_success() { Ok(answer) } else { Err(refused(answer).await) }
}

/// The refusal that an answer is.
async fn refused(answer: Response<Incoming>) -> ClientError {
    let status = answer.status().as_u16();
    match whole(answer).await.map(|bytes| serde_json::from_slice::<Problem>(&bytes)) {
        Ok(Ok(problem)) => ClientError::Refused(Box::new(problem)),
        Ok(Err(error)) => ClientError::Unreadable { status, source: Some(error) },
        Err(error) => error,
    }
}

async fn read<T: DeserializeOwned>(answer: Response<Incoming>) -> Result<T, ClientError> {
    let answer = accepted(answer).await?;
    let status = answer.status().as_u16();
    serde_json::from_slice(&whole(answer).await?)
        .map_err(|error| ClientError::Unreadable { status, source: Some(error) })
}

async fn whole(answer: Response<Incoming>) -> Result<Bytes, ClientError> {
    let collecting = Limited::new(answer.into_body(), ANSWER_LIMIT).collect();
    match tokio::time::timeout(PATIENCE, collecting).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) => match error.downcast::<hyper::Error>() {
            Ok(error) => Err(ClientError::Broken(*error)),
            Err(_) => Err(ClientError::TooLong(ANSWER_LIMIT)),
        },
        Err(_) => Err(ClientError::Stalled),
    }
}
