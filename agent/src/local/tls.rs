//! TLS of the local interface, for systems on other machines: the agency's own certificate, and its own authority for
//! clients. Version 1.3 alone, without resumption: every connection proves its certificate.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use passerelle_pki::clock::SharedClock;
use passerelle_pki::tls::{Time, provider};
use rustls::server::{NoClientAuth, NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsSettings;

/// Why TLS is not to be had. The agent's administrator is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalTlsError {
    /// A file that is no PEM of what it should be.
    #[error(
        "{} : un fichier PEM est attendu, avec {what_fr} / a PEM file is expected, with {what_en}",
        .path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What should be in it, French.
        what_fr: &'static str,
        /// What should be in it, English.
        what_en: &'static str,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// The client authority does not serve.
    #[error("local.client_ca")]
    Authority(#[source] io::Error),
    /// Certificate and key do not serve, or not together.
    #[error("local.tls_certificate, local.tls_key")]
    Own(#[source] rustls::Error),
}

const CERTIFICATE: (&str, &str) = ("un certificat", "a certificate");
const KEY: (&str, &str) = ("une clé privée", "a private key");

/// What turns connections into TLS.
pub(super) fn acceptor(settings: &TlsSettings, clock: SharedClock) -> Result<TlsAcceptor, LocalTlsError> {
    let chain = certificates(&settings.certificate)?;
    let key =
        PrivateKeyDer::from_pem_file(&settings.key).map_err(|source| fault(&settings.key, KEY, source))?;
    let builder = ServerConfig::builder_with_details(provider(), Arc::new(Time::new(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(LocalTlsError::Own)?;
    let builder = match &settings.client_ca {
        None => builder.with_client_cert_verifier(Arc::new(NoClientAuth)),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for root in certificates(path)? {
                roots.add(root).map_err(|source| LocalTlsError::Authority(io::Error::other(source)))?;
            }
            // Systems that have tokens need no certificate.
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
            let verifier = verifier.allow_unauthenticated().build();
            builder.with_client_cert_verifier(
                verifier.map_err(|source| LocalTlsError::Authority(io::Error::other(source)))?,
            )
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(LocalTlsError::Own)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, LocalTlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|source| fault(path, CERTIFICATE, source))?;
    match certificates.is_empty() {
        true => Err(fault(path, CERTIFICATE, io::Error::from(io::ErrorKind::UnexpectedEof))),
        false => Ok(certificates),
    }
}

fn fault(
    path: &Path,
    (what_fr, what_en): (&'static str, &'static str),
    source: impl std::error::Error + Send + Sync + 'static,
) -> LocalTlsError {
    LocalTlsError::File { path: path.to_owned(), what_fr, what_en, source: io::Error::other(source) }
}
