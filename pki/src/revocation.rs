//! Revocation: which certificates are no longer believed.
//!
//! Owns [`RevocationList`] (a CRL of RFC 5280 whose signature was verified), [`Revocations`] (the lists in force, shared
//! with whoever verifies, replaced while running, never by an older one) and [`RevocationWatch`] (a file that is read
//! again when it changes). Absence is no proof: a certificate whose issuer has no list here, or only a stale one, is
//! refused.

mod list;
mod registry;
mod watch;

use std::path::PathBuf;

use crate::clock::Timestamp;

pub use list::{LIST_LIMIT, RevocationList};
pub use registry::Revocations;
pub use watch::RevocationWatch;

/// Why a list is not taken, or a certificate is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationError {
    /// The certificate, or the authority that issued it, was revoked.
    #[error("the certificate with serial number {0} was revoked")]
    Revoked(String),
    /// No list of this certificate's issuer is at hand.
    #[error("no revocation list of the issuer is at hand")]
    Unknown,
    /// The list at hand has passed its time: ours, or the authority's.
    #[error("the revocation list should have been replaced by {0}")]
    Stale(Timestamp),
    /// Not a revocation list in DER, or one with parts that the profile does not have.
    #[error("not a revocation list of this profile")]
    Malformed,
    /// Longer than [`LIST_LIMIT`].
    #[error("a revocation list of {0} bytes, more than {LIST_LIMIT}")]
    TooLarge(usize),
    /// The list names another issuer.
    #[error("the revocation list is not this issuer's")]
    OtherIssuer,
    /// The list is not signed by its issuer.
    #[error("the revocation list is not signed by its issuer")]
    Signature,
    /// The list is older than the one in force, or another one under the same number.
    #[error("revocation list number {offered} cannot replace number {current}")]
    RolledBack {
        /// The number of the list in force.
        current: u64,
        /// The number of the list that was offered.
        offered: u64,
    },
    /// The file system refused.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}
