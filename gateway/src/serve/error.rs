//! Why a gateway does not start or stop, and what to do.

use std::net::SocketAddr;

use passerelle_pki::authority::AuthorityError;
use passerelle_pki::certificate::CertificateError;
use passerelle_pki::keyfile::KeyFileError;
use passerelle_pki::revocation::RevocationError;
use passerelle_pki::tls::TlsError;

use crate::config::ConfigError;
use crate::ledger::{LedgerError, OpenError};
use crate::operators::IssuerError;

/// Why a gateway does not start or stop. The operator can cure all but [`ServeError::Internal`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The issuing authority.
    #[error("l'autorité émettrice ne peut être ouverte / the issuing authority cannot be opened")]
    Authority(#[source] AuthorityError),
    /// The root certificate.
    #[error("le certificat racine ne peut être lu / the root certificate cannot be read")]
    Root(#[source] CertificateError),
    /// A key of the gateway's own.
    #[error(
        "la clé {path} ne peut être lue; `passerelle-gateway init` les crée / the key {path} cannot be read; `passerelle-gateway init` makes them"
    )]
    Key {
        /// Its file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: KeyFileError,
    },
    /// A certificate of the gateway's own.
    #[error(
        "le certificat {path} n'est pas valable; renouvelez-le / the certificate {path} is not valid; renew it"
    )]
    Certificate {
        /// Its file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: CertificateError,
    },
    /// The revocation list.
    #[error("la liste de révocation ne peut être établie / the revocation list cannot be made")]
    Revocation(#[source] RevocationError),
    /// Journal, log or view.
    #[error("le registre ne peut être ouvert / the ledger cannot be opened")]
    Ledger(#[from] OpenError),
    /// The spool.
    #[error(
        "le dossier des corps scellés ne peut être ouvert / the folder of sealed bodies cannot be opened"
    )]
    Bodies(#[source] std::io::Error),
    /// The documents of services.
    #[error(
        "le dossier des documents de services ne peut être ouvert / the folder of services' documents cannot be opened"
    )]
    Documents(#[source] std::io::Error),
    /// Operators' issuers.
    #[error("les émetteurs de jetons ne peuvent être lus / the token issuers cannot be read")]
    Operators(#[source] IssuerError),
    /// TLS.
    #[error("TLS ne peut être configuré / TLS cannot be set up")]
    Tls(#[source] TlsError),
    /// An address is taken, or not this machine's.
    #[error(
        "impossible d'écouter sur {address}; changez [listen] / cannot listen on {address}; change [listen]"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The address of a listener.
    #[error("l'adresse d'écoute est inconnue / the listening address is unknown")]
    Address(#[source] std::io::Error),
    /// Signals.
    #[error("les signaux ne peuvent être reçus / signals cannot be received")]
    Signals(#[source] std::io::Error),
    /// The stop could not be logged.
    #[error("l'arrêt n'a pu être inscrit au journal / the stop could not be logged")]
    Stop(#[source] LedgerError),
    /// Ours.
    #[error("erreur interne / internal error: {0}")]
    Internal(String),
}

impl ServeError {
    pub(super) fn thread(error: &tokio::task::JoinError) -> Self {
        Self::Internal(error.to_string())
    }
}
