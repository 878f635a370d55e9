//! One attempt: a signed POST, bounded in time, whose answer is taken by its status alone. Redirects are not followed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::fmt::rfc2822;
use passerelle_pki::clock::Timestamp;
use passerelle_proto::exchange_id::ExchangeId;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::time::timeout;

use super::message::Message;
use super::signature::Secret;
use super::{WebhookError, WebhookSettings};
use crate::link;

/// How long a connection is kept for the next attempt.
const KEPT: Duration = Duration::from_secs(30);
/// Bytes of an answer's head.
const HEAD_MAX: usize = 64 * 1024;
/// Bytes of an answer's body that are read, so that its connection serves again; it is thrown away.
const BODY_MAX: usize = 64 * 1024;
/// How long that may take.
const DRAINING: Duration = Duration::from_secs(1);
/// Characters of a reason.
const WHY_MAX: usize = 200;

/// Why an attempt failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: Option<u16>,
    pub(super) why: String,
    /// How long the system asks to wait.
    pub(super) retry_after: Option<Duration>,
    /// The system says that it will never take it (410).
    pub(super) gone: bool,
}

impl Failure {
    pub(super) fn new(why: impl Into<String>) -> Self {
        let why: String = why.into();
        let why = why.chars().filter(|letter| !letter.is_control()).take(WHY_MAX).collect();
        Self { why, ..Self::default() }
    }

    #[cfg(test)]
    pub(super) fn of(status: u16, why: &str) -> Self {
        Self { status: Some(status), ..Self::new(why) }
    }

    fn answered(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Self {
        let moved =
            if status.is_redirection() { ", redirection non suivie / redirect not followed" } else { "" };
        Self {
            status: Some(status.as_u16()),
            retry_after: headers.get(RETRY_AFTER).and_then(|value| retry_after(value, now)),
            gone: status == StatusCode::GONE,
            ..Self::new(format!("HTTP {}{moved}", status.as_u16()))
        }
    }
}

/// RFC 9110, section 10.2.3: seconds, or a date.
fn retry_after(value: &HeaderValue, now: Timestamp) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    let date = Timestamp::from_millis(u64::try_from(date.as_millisecond()).ok()?);
    Some(date.since(now))
}

/// Posts to one system.
#[derive(Debug)]
pub(super) struct Poster {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    secret: Secret,
}

impl Poster {
    pub(super) fn new(settings: &WebhookSettings, secret: Secret) -> Result<Self, WebhookError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(settings.timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(settings)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT)
            .pool_max_idle_per_host(settings.at_once)
            .http1_max_buf_size(HEAD_MAX)
            .build(connector);
        Ok(Self { client, secret })
    }

    /// Posts a message under this id; the system has it when it answers 2xx.
    pub(super) async fn post(
        &self,
        settings: &WebhookSettings,
        id: &ExchangeId,
        message: Message,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let request = self.request(settings, id, message, now)?;
        match timeout(settings.timeout, self.client.request(request)).await {
            Ok(Ok(answer)) => {
                let (head, body) = answer.into_parts();
                drain(body).await;
                match head.status.is_success() {
                    true => Ok(()),
                    false => Err(Failure::answered(head.status, &head.headers, now)),
                }
            }
            Ok(Err(error)) => Err(Failure::new(link::chain(&error))),
            Err(_) => Err(Failure::new(format!(
                "pas de réponse en {seconds} s / no answer within {seconds} s",
                seconds = settings.timeout.as_secs()
            ))),
        }
    }

    fn request(
        &self,
        settings: &WebhookSettings,
        id: &ExchangeId,
        message: Message,
        now: Timestamp,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let Message { headers, body } = message;
        let (id, timestamp_s) = (id.to_string(), now.as_seconds());
        let signature = self.secret.sign(&id, timestamp_s, &body);
        let length = body.len();
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = settings.url.clone();
        *request.headers_mut() = headers;
        let given = [
            ("webhook-id", id),
            ("webhook-timestamp", timestamp_s.to_string()),
            ("webhook-signature", signature),
        ];
        for (name, value) in given {
            let value = HeaderValue::try_from(value).map_err(|error| Failure::new(error.to_string()))?;
            request.headers_mut().insert(name, value);
        }
        request.headers_mut().insert(CONTENT_LENGTH, length.into());
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("passerelle-agent"));
        Ok(request)
    }
}

/// Reads what is short and comes at once, so that the connection serves again; otherwise it is closed.
async fn drain(body: Incoming) {
    drop(timeout(DRAINING, Limited::new(body, BODY_MAX).collect()).await);
}

/// Server certificates are believed by the authorities of the file, or of the system.
fn tls(settings: &WebhookSettings) -> Result<ClientConfig, WebhookError> {
    let fault = |source: io::Error| WebhookError::Authority { name: settings.name.clone(), source };
    let mut roots = RootCertStore::empty();
    if settings.url.scheme_str() == Some("https") {
        let certificates = match &settings.ca_file {
            Some(path) => {
                let read =
                    CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
                read.map_err(|error| fault(io::Error::other(error)))?
            }
            None => rustls_native_certs::load_native_certs().certs,
        };
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(fault(io::Error::other("0 certificat / certificate")));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| fault(io::Error::other(error)))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_to_wait_is_seconds_or_a_date() {
        // 2026-01-15T12:00:00Z.
        let now = Timestamp::from_seconds(1_768_478_400);
        let read = |text: &'static str| retry_after(&HeaderValue::from_static(text), now);
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read("Thu, 15 Jan 2026 12:05:00 GMT"), Some(Duration::from_secs(300)));
        assert_eq!(read("Thu, 15 Jan 2026 11:05:00 GMT"), Some(Duration::ZERO));
        assert_eq!((read("-1"), read("bientot"), read("")), (None, None, None));
    }

    #[test]
    fn a_reason_is_short_and_of_one_line() {
        let failure = Failure::new("a\nb\u{1b}[2J".to_owned() + &"c".repeat(500));
        assert!(failure.why.starts_with("ab[2J") && failure.why.chars().count() == WHY_MAX);
    }
}
