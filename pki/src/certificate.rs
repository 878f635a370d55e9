//! Certificates: chains as they travel, and their verification.
//!
//! Owns [`Chain`] (leaf first, root left out, as the schema carries it) and [`TrustAnchor`], the only maker of
//! [`VerifiedCertificate`]. What is believed about a peer is read from that type and from nowhere else.

mod anchor;
mod chain;
mod verified;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::profile::ProfileError;

pub use anchor::TrustAnchor;
pub use chain::{CERTIFICATE_LIMIT, Chain};
pub(crate) use chain::{certificates_in, pem_of, to_pem as pem_with_label};
pub use verified::{IssuerCertificate, VerifiedCertificate};

/// What a key was certified for. A key has one job.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Usage {
    /// Authenticates TLS connections: clientAuth, and for a gateway serverAuth too.
    Tls,
    /// Signs records and documents: digitalSignature and contentCommitment, id-kp-documentSigning (RFC 9336).
    Signing,
}

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tls => "tls",
            Self::Signing => "signing",
        })
    }
}

impl std::str::FromStr for Usage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "tls" => Ok(Self::Tls),
            "signing" => Ok(Self::Signing),
            _ => Err(format!("« {text} » : tls ou signing / tls or signing")),
        }
    }
}

/// Why a certificate is not believed. The one who presents it is at fault, except for [`CertificateError::File`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The file system refused.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Not a PEM file of certificates alone.
    #[error("not a PEM file of certificates")]
    Pem,
    /// Other than the two certificates of a chain: leaf and issuing authority.
    #[error("a chain has the leaf and its issuing authority, this has {0} certificates")]
    ChainLength(usize),
    /// A certificate longer than [`CERTIFICATE_LIMIT`].
    #[error("a certificate of {0} bytes, more than {CERTIFICATE_LIMIT}")]
    TooLarge(usize),
    /// Not a certificate in DER.
    #[error("not a certificate in DER")]
    Malformed,
    /// No path from the leaf over the issuing authority to the root.
    #[error("no valid path to the root")]
    Path(#[source] webpki::Error),
    /// The validity has not begun.
    #[error("not valid before {0}")]
    NotYetValid(Timestamp),
    /// The validity has ended.
    #[error("expired on {0}")]
    Expired(Timestamp),
    /// The certificate departs from the profile.
    #[error("not a certificate of this profile")]
    Profile(#[source] ProfileError),
    /// The root departs from the profile, or is not signed by itself.
    #[error("not a root of this profile")]
    Root(#[source] ProfileError),
}
