//! Both sides of TLS.
//!
//! Owns every TLS setting of the house: version 1.3 alone, X25519MLKEM768 before X25519, Ed25519 certificates of our
//! own root, no resumption, no tickets, no early data (a resumed session would skip the certificate checks, and a
//! revoked agent came back on one in measurements). Certificates and revocation lists are swapped while running; the
//! next handshake sees them. Open connections outlive both: whoever keeps them listens to
//! [`crate::revocation::Revocations::subscribe`] and closes them.

mod client;
mod credential;
mod peer;
mod provider;
mod server;
mod verifier;

use std::io;

use crate::certificate::CertificateError;
use crate::name::Identity;

pub use client::{ClientSettings, ClientTls};
pub use credential::Credential;
pub use peer::PeerCertificate;
pub use provider::provider;
pub use server::{ClientAuth, ServerSettings, ServerTls};
pub use verifier::Time;

/// How long a peer may take for its handshake, end to end.
pub const HANDSHAKE_LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

/// Why a TLS side could not be set up, or a connection was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Our own certificate is not valid for this: the operator is at fault.
    #[error("our own certificate")]
    OwnCertificate(#[source] CertificateError),
    /// The private key is not the one that the certificate certifies: the operator is at fault.
    #[error("the private key is not the one of the certificate")]
    OtherKey,
    /// A server's certificate must be a gateway's: the operator is at fault.
    #[error("a server needs a certificate of a gateway, this is {0}")]
    NotAGateway(Identity),
    /// rustls refused the settings: ours.
    #[error("the TLS settings were refused")]
    Settings(#[source] rustls::Error),
    /// The handshake failed: the peer's certificate, its version, its silence or the network.
    #[error("the TLS handshake failed")]
    Handshake(#[source] io::Error),
    /// The peer took longer than [`HANDSHAKE_LIMIT`].
    #[error("the TLS handshake took more than {} s", HANDSHAKE_LIMIT.as_secs())]
    TooSlow,
    /// The peer's certificate was not believed after the handshake.
    #[error("the peer's certificate")]
    PeerCertificate(#[source] CertificateError),
}

impl TlsError {
    /// Why rustls refused the peer or was refused by it, when that is what happened.
    #[must_use]
    pub fn rustls(&self) -> Option<&rustls::Error> {
        match self {
            Self::Handshake(error) => error.get_ref()?.downcast_ref(),
            Self::Settings(error) => Some(error),
            _ => None,
        }
    }
}
