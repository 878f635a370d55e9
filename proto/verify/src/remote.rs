//! A log on a server: the HTTP paths of C2SP tlog-tiles below a prefix.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use passerelle_pki::tls;
use ureq::Agent;
use ureq::http::{StatusCode, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use crate::fault::chain;
use crate::source::{Fetched, LogSource, SourceError};

/// Times that one file is asked for before giving up.
const ATTEMPTS: u32 = 5;
/// Wait after the first failed attempt; doubled after each.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Longest time for one file (a full bundle has up to 16 MiB).
const FILE_TIME: Duration = Duration::from_secs(60);
/// Below this the entries are, which need a token.
const ENTRIES: &str = "tile/entries/";

/// How to reach a log on a server.
#[derive(Clone, Default)]
pub struct RemoteOptions {
    /// Bearer token for the entry bundles (an auditor's reading). Sent for those only.
    pub token: Option<String>,
    /// PEM of the root certificates to trust for the server; needed for `https`.
    pub roots_pem: Option<Vec<u8>>,
    /// Wait after a first passing failure, doubled after each; a quarter of a second when absent.
    pub first_wait: Option<Duration>,
}

impl fmt::Debug for RemoteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "(not shown)");
        f.debug_struct("RemoteOptions").field("token", &token).finish_non_exhaustive()
    }
}

/// A log below an `http` or `https` address.
#[derive(Debug)]
pub struct Remote {
    agent: Agent,
    prefix: String,
    options: RemoteOptions,
}

/// One attempt that did not give the file.
enum Attempt {
    /// May pass: the network, or a server that is busy or restarting.
    Passing(String),
    Final(SourceError),
}

impl Remote {
    /// The log below `address`, to which `/checkpoint` and `/tile/…` are added.
    ///
    /// # Errors
    /// [`SourceError::Usage`] when the address or the certificates cannot be used, when `https` has no root certificate
    /// to trust, or when a token would go over plain `http` to another machine.
    pub fn new(address: &str, options: RemoteOptions) -> Result<Self, SourceError> {
        let usage = |text: String| SourceError::Usage(text);
        let prefix = format!("{}/", address.trim_end_matches('/'));
        let uri: Uri = prefix.parse().map_err(|error| usage(format!("{address}: {error}")))?;
        let secure = uri.scheme_str() == Some("https");
        if options.token.is_some() && !secure && !is_loopback(&uri) {
            return Err(usage(format!("{address}: a token is only sent over https")));
        }
        let roots = match &options.roots_pem {
            Some(pem) => certificates(pem)?,
            None if secure => return Err(usage(format!("{address}: --ca is needed for https"))),
            None => Vec::new(),
        };
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(tls::provider())
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // The token must not follow to another place.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(FILE_TIME))
            .build()
            .new_agent();
        Ok(Self { agent, prefix, options })
    }

    fn attempt(&self, url: &str, with_token: bool, limit: usize) -> Result<Fetched, Attempt> {
        let mut request = self.agent.get(url);
        if let (Some(token), true) = (&self.options.token, with_token) {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let response = request.call().map_err(|error| failed(url, &error))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(Fetched::Missing),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(Attempt::Passing(format!("HTTP {status}")));
            }
            status => {
                let error = SourceError::Refused { url: url.to_owned(), status: status.as_u16() };
                return Err(Attempt::Final(error));
            }
        }
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        match response.into_body().into_with_config().limit(most).read_to_vec() {
            Ok(bytes) if bytes.len() > limit => Ok(Fetched::TooLong),
            Ok(bytes) => Ok(Fetched::Bytes(bytes)),
            Err(ureq::Error::BodyExceedsLimit(_)) => Ok(Fetched::TooLong),
            Err(error) => Err(failed(url, &error)),
        }
    }
}

impl LogSource for Remote {
    fn fetch(&self, path: &str, limit: usize) -> Result<Fetched, SourceError> {
        let url = format!("{}{path}", self.prefix);
        let mut wait = self.options.first_wait.unwrap_or(FIRST_WAIT);
        let mut last = String::new();
        for attempt in 1..=ATTEMPTS {
            match self.attempt(&url, path.starts_with(ENTRIES), limit) {
                Ok(fetched) => return Ok(fetched),
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Passing(detail)) => last = detail,
            }
            if attempt < ATTEMPTS {
                thread::sleep(wait);
                wait *= 2;
            }
        }
        Err(SourceError::Unreachable { url, detail: last, attempts: ATTEMPTS })
    }
}

fn failed(url: &str, error: &ureq::Error) -> Attempt {
    let detail = chain(error);
    match error {
        ureq::Error::Io(_)
        | ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Protocol(_) => Attempt::Passing(detail),
        _ => Attempt::Final(SourceError::Unreachable { url: url.to_owned(), detail, attempts: 1 }),
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, SourceError> {
    let mut roots = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => roots.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(SourceError::Usage(format!("--ca: {error}"))),
        }
    }
    if roots.is_empty() {
        return Err(SourceError::Usage("--ca: no certificate in this file".to_owned()));
    }
    Ok(roots)
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
