//! The gateway's own keys and certificates, read and checked at the start.

use std::path::Path;
use std::sync::Arc;

use passerelle_pki::certificate::{Chain, TrustAnchor};
use passerelle_pki::key::{Ed25519Key, Signer};
use passerelle_pki::keyfile;
use passerelle_pki::tls::Credential;
use passerelle_proto::tlog::NoteSigner;

use super::error::ServeError;
use crate::config::Config;

/// Every key that the gateway holds. None of them opens a record.
#[derive(Clone, Debug)]
pub struct GatewayKeys {
    /// The root.
    pub anchor: TrustAnchor,
    /// For both listeners.
    pub tls: Credential,
    /// Signs receipts.
    pub signing: Arc<Ed25519Key>,
    /// The certificate of the key that signs receipts.
    pub signing_chain: Chain,
    /// Signs checkpoints.
    pub log: Arc<Ed25519Key>,
    /// The local issuer of operators' tokens.
    pub operators: Arc<Ed25519Key>,
    /// Signs enrolment and reading tokens.
    pub enrolment: Arc<Ed25519Key>,
}

impl GatewayKeys {
    /// Reads them all.
    ///
    /// # Errors
    /// [`ServeError::Key`] or [`ServeError::Certificate`], with the file.
    pub fn load(config: &Config, anchor: TrustAnchor) -> Result<Self, ServeError> {
        let paths = &config.keys;
        let tls_key: Arc<dyn Signer> = key(&paths.tls_key)?;
        Ok(Self {
            anchor,
            tls: Credential { chain: chain(&paths.tls_certificate)?, key: tls_key },
            signing: key(&paths.signing_key)?,
            signing_chain: chain(&paths.signing_certificate)?,
            log: key(&paths.log_key)?,
            operators: key(&paths.operator_key)?,
            enrolment: key(&paths.enrolment_key)?,
        })
    }

    /// The log's verifier key, as agents and auditors keep it.
    ///
    /// # Errors
    /// [`ServeError::Internal`] when the origin is no key name.
    pub fn log_vkey(&self, origin: &str) -> Result<String, ServeError> {
        let name = origin.parse().map_err(|error| ServeError::Internal(format!("{error}")))?;
        let key: Arc<dyn Signer> = Arc::<Ed25519Key>::clone(&self.log);
        let signer = NoteSigner::new(name, key).map_err(|error| ServeError::Internal(error.to_string()))?;
        Ok(signer.verifier().to_string())
    }
}

fn key(path: &Path) -> Result<Arc<Ed25519Key>, ServeError> {
    keyfile::load(path, None)
        .map(Arc::new)
        .map_err(|source| ServeError::Key { path: path.to_owned(), source })
}

fn chain(path: &Path) -> Result<Chain, ServeError> {
    Chain::from_pem_file(path).map_err(|source| ServeError::Certificate { path: path.to_owned(), source })
}
