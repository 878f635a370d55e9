//! The agency's own services, over HTTP/1.1: asked as they would be by a client beside them.
//!
//! Redirects are passed on as they are. Connections are kept for the next call; a call that is let go closes its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use passerelle_proto::wire::{HttpRequestHead, Reason};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::time::timeout;

use super::Failure;
use super::offer::Believed;
use super::request::{Opened, Outgoing};
use crate::calls::{Calls, ServiceSettings, fields};
use crate::link;
use crate::records::StartError;

/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next call.
const KEPT: Duration = Duration::from_secs(60);

type HttpClient = Client<HttpsConnector<HttpConnector>, Outgoing>;

/// The services, by name.
#[derive(Debug)]
pub(super) struct Upstreams(BTreeMap<String, Upstream>);

/// One service.
#[derive(Debug)]
pub(super) struct Upstream {
    base: Uri,
    timeout: Duration,
    client: HttpClient,
}

impl Upstreams {
    pub(super) fn new(services: &BTreeMap<String, ServiceSettings>) -> Result<Self, StartError> {
        let open = |(name, settings): (&String, &ServiceSettings)| {
            Ok((name.clone(), Upstream::new(name, settings)?))
        };
        Ok(Self(services.iter().map(open).collect::<Result<_, StartError>>()?))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The service of this name.
    pub(super) fn of(&self, service: &str) -> Result<&Upstream, Failure> {
        let missing = || Failure::new(Reason::ServiceUnknown, "service=not configured at this agent");
        self.0.get(service).ok_or_else(missing)
    }
}

impl Upstream {
    fn new(name: &str, settings: &ServiceSettings) -> Result<Self, StartError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECTING));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(name, settings)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT)
            .build(connector);
        Ok(Self { base: settings.upstream.clone(), timeout: settings.timeout, client })
    }

    /// Asks the service; its answer once that begins.
    pub(super) async fn ask(
        &self,
        calls: &Calls,
        believed: &Believed,
        opened: Opened,
    ) -> Result<Response<Incoming>, Failure> {
        let mut headers = fields::from_wire(&opened.head.fields);
        say_who(&mut headers, believed, &opened);
        if believed.agreement.agreement().field_rules(&believed.envelope.header().service).is_some() {
            // What is compressed cannot be looked into.
            headers.remove(ACCEPT_ENCODING);
        }
        let method = Method::from_bytes(opened.head.method.as_bytes());
        let method = method.map_err(|_| Failure::new(Reason::HeaderMalformed, "body=method"))?;
        let uri = self.uri(&opened.head)?;
        if !opened.is_empty() {
            headers.insert(CONTENT_LENGTH, opened.length.into());
        }
        let (body, passing) = opened.into_body(calls)?;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let answer = timeout(self.timeout, self.client.request(request)).await;
        drop(passing);
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::warn!(service = %believed.envelope.header().service, error = %link::chain(&error), "a service did not answer");
                Err(Failure::service(if error.is_connect() {
                    "service=not reached"
                } else {
                    "service=no answer"
                }))
            }
            Err(_) => Err(Failure::new(Reason::CallTimedOut, "waited_for=the service")),
        }
    }

    /// The path behind the base, as it was asked.
    fn uri(&self, head: &HttpRequestHead) -> Result<Uri, Failure> {
        let wrong = |_| Failure::new(Reason::HeaderMalformed, "body=path");
        let query = if head.query.is_empty() { String::new() } else { format!("?{}", head.query) };
        let base = self.base.path().trim_end_matches('/');
        let path = PathAndQuery::try_from(format!("{base}{}{query}", head.path)).map_err(wrong)?;
        let mut parts = self.base.clone().into_parts();
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).map_err(|_| Failure::new(Reason::HeaderMalformed, "body=path"))
    }
}

/// Who asks, and under what: only an agent says this, since no head carries such fields.
fn say_who(headers: &mut HeaderMap, believed: &Believed, opened: &Opened) {
    let header = believed.envelope.header();
    let agreement = header.agreement.clone().unwrap_or_default();
    let given = [
        ("passerelle-from", header.sender_agency.clone()),
        ("passerelle-exchange-id", believed.envelope.exchange_id().to_string()),
        ("passerelle-agreement", agreement.number),
        ("passerelle-agreement-version", agreement.version.to_string()),
        ("passerelle-purpose", header.purpose.clone()),
        ("passerelle-case-reference", opened.attributes.case_reference.clone()),
        ("passerelle-acting-user", opened.attributes.acting_user.clone()),
    ];
    for (name, value) in given {
        let encoded = utf8_percent_encode(&value, KEPT_PLAIN).to_string();
        if let Some(value) = HeaderValue::try_from(encoded).ok().filter(|value| !value.is_empty()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// Values are percent-encoded as on the local interface; codes stay as they are.
const KEPT_PLAIN: &percent_encoding::AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b':');

/// Server certificates are believed by the authorities of the file, or of the system.
fn tls(name: &str, settings: &ServiceSettings) -> Result<ClientConfig, StartError> {
    let fault = |source: std::io::Error| StartError::Service { service: name.to_owned(), source };
    let mut roots = RootCertStore::empty();
    if settings.upstream.scheme_str() == Some("https") {
        let (certificates, from) = match &settings.ca_file {
            Some(path) => {
                let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
                let read: Vec<_> = read.map_err(|error| fault(std::io::Error::other(error)))?;
                (read, path.display().to_string())
            }
            None => (rustls_native_certs::load_native_certs().certs, "system".to_owned()),
        };
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(fault(std::io::Error::other(format!("{from} : aucune autorité / no authority"))));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| fault(std::io::Error::other(error)))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http::StatusCode;
    use http_body_util::{Either, Empty, Full};
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// A service on loopback under a certificate of its own; its port, and the certificate in PEM.
    async fn over_tls() -> (u16, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that does not believe the certificate goes.
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let answer = service_fn(async |_| {
                    let mut answer = Response::new(Empty::<Bytes>::new());
                    *answer.status_mut() = StatusCode::IM_A_TEAPOT;
                    Ok::<_, Infallible>(answer)
                });
                http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await.ok();
            }
        });
        (port, made.cert.pem())
    }

    #[tokio::test]
    async fn a_service_over_tls_is_believed_by_its_own_authorities_only() {
        let folder = tempfile::tempdir().unwrap();
        let (port, pem) = over_tls().await;
        let (_, other) = over_tls().await;
        let address = format!("https://localhost:{port}/base");
        let with = |name: &str, pem: &str| {
            let ca_file = folder.path().join(name);
            std::fs::write(&ca_file, pem).unwrap();
            let (upstream, timeout) = (address.parse().unwrap(), Duration::from_secs(5));
            Upstream::new("dossiers", &ServiceSettings { upstream, timeout, ca_file: Some(ca_file) })
        };
        let ask = async |upstream: Upstream| {
            let body: Outgoing = Either::Left(Full::new(Bytes::new()));
            upstream.client.request(Request::get(&address).body(body).unwrap()).await
        };
        let answer = ask(with("la-sienne.pem", &pem).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::IM_A_TEAPOT);
        assert!(ask(with("une-autre.pem", &other).unwrap()).await.unwrap_err().is_connect());
        assert!(matches!(with("vide.pem", ""), Err(StartError::Service { .. })), "no authority at all");
    }
}
