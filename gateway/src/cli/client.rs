//! The operators' client: a channel to the public listener under the root certificate, and the token on every call.

use std::path::Path;

use hyper_util::rt::TokioIo;
use passerelle_pki::certificate::TrustAnchor;
use passerelle_pki::clock::SharedClock;
use passerelle_pki::files;
use passerelle_pki::tls::{ClientSettings, ClientTls};
use passerelle_proto::wire::administration_client::AdministrationClient;
use passerelle_proto::wire::audit_client::AuditClient;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tower::service_fn;

use super::arguments::ClientOptions;
use super::failure::Failure;

/// Environment variable with a token.
const VARIABLE: &str = "PASSERELLE_TOKEN";
/// Bytes of a token's file.
const TOKEN_LIMIT: u64 = 16 * 1024;
/// Bytes of an answer: a page of the log.
const ANSWER_MAX: usize = 80 << 20;

/// Puts the token on a call.
pub(super) type Authorize = Box<dyn FnMut(Request<()>) -> Result<Request<()>, Status> + Send>;

/// A channel with a token.
pub(super) type Authorized = InterceptedService<Channel, Authorize>;

/// Runs a client command.
pub(super) fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::of(&error))?.block_on(work)
}

/// Connects as an administrator.
pub(super) async fn administration(
    options: &ClientOptions,
    clock: &SharedClock,
) -> Result<AdministrationClient<Authorized>, Failure> {
    let (channel, authorize) = connect(options, clock).await?;
    Ok(AdministrationClient::with_interceptor(channel, authorize).max_decoding_message_size(ANSWER_MAX))
}

/// Connects as a reader of the log.
pub(super) async fn audit(
    options: &ClientOptions,
    clock: &SharedClock,
) -> Result<AuditClient<Authorized>, Failure> {
    let (channel, authorize) = connect(options, clock).await?;
    Ok(AuditClient::with_interceptor(channel, authorize).max_decoding_message_size(ANSWER_MAX))
}

async fn connect(options: &ClientOptions, clock: &SharedClock) -> Result<(Channel, Authorize), Failure> {
    let bearer = bearer(options.token_file.as_deref())?;
    let (address, host, anchor) = target(options)?;
    let channel = channel(&address, &host, anchor, clock).await.map_err(|error| {
        Failure::new(
            &format!("la passerelle ne répond pas à {address} : {error}. Vérifiez qu'elle est démarrée, --gateway et --ca."),
            &format!("the gateway does not answer at {address}. Check that it runs, --gateway and --ca."),
        )
    })?;
    let authorize: Authorize = Box::new(move |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", bearer.clone());
        Ok(request)
    });
    Ok((channel, authorize))
}

/// Address, host name and root: as typed, or from the configuration.
fn target(options: &ClientOptions) -> Result<(String, String, TrustAnchor), Failure> {
    let anchor = |path: &Path| TrustAnchor::from_pem_file(path).map_err(|error| Failure::file(path, &error));
    if let (Some(gateway), Some(ca)) = (&options.gateway, &options.ca) {
        let host = gateway.rsplit_once(':').map_or(gateway.as_str(), |(host, _port)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        return Ok((gateway.clone(), host, anchor(ca)?));
    }
    let config = options.config.load()?;
    let root = options.ca.as_deref().unwrap_or(&config.pki.root_certificate);
    let host = config.hosts.first().cloned().unwrap_or_else(|| "localhost".to_owned());
    Ok((config.listen_public.to_string(), host, anchor(root)?))
}

async fn channel(
    address: &str,
    host: &str,
    anchor: TrustAnchor,
    clock: &SharedClock,
) -> Result<Channel, Box<dyn std::error::Error + Send + Sync>> {
    let tls = ClientTls::new(ClientSettings {
        credential: None,
        anchor,
        revocations: None,
        alpn: vec![b"h2".to_vec()],
        clock: SharedClock::clone(clock),
    })?;
    let (to, name) = (address.to_owned(), ServerName::try_from(host.to_owned())?);
    let connector = service_fn(move |_uri| {
        let (tls, to, name) = (tls.clone(), to.clone(), name.clone());
        async move {
            let stream = TcpStream::connect(&to).await?;
            stream.set_nodelay(true)?;
            let (stream, _gateway) = tls.connect(stream, name).await.map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>(TokioIo::new(stream))
        }
    });
    // TLS is the connector's affair: to tonic the stream is plain.
    Ok(Endpoint::from_shared(format!("http://{address}"))?.connect_with_connector(connector).await?)
}

fn bearer(file: Option<&Path>) -> Result<MetadataValue<Ascii>, Failure> {
    let token = match file {
        Some(path) => {
            let bytes =
                files::read_limited(path, TOKEN_LIMIT).map_err(|error| Failure::file(path, &error))?;
            String::from_utf8_lossy(&bytes).trim().to_owned()
        }
        None => std::env::var(VARIABLE).map_err(|_error| {
            Failure::new(
                "aucun jeton d'opérateur : donnez --token-file ou PASSERELLE_TOKEN.",
                "no operator's token: give --token-file or PASSERELLE_TOKEN.",
            )
        })?,
    };
    format!("Bearer {token}")
        .parse()
        .map_err(|_error| Failure::new("le jeton n'en est pas un.", "the token is none."))
}
