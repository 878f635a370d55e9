//! The certification authority: a root, or an issuing authority, each in a folder of its own.
//!
//! Owns the folder and the order of durable steps in it. A certificate leaves only after its line in `issued.jsonl` is
//! on the disk; a revocation counts only after its line in `revoked.jsonl` is; the list in `crl.der` is derived from
//! the lines and replaced in one step. What a crash leaves is therefore: nothing, a line without its effect (a
//! certificate nobody received; a revocation that the next list carries), or everything.
//!
//! Several processes may work on one folder: every change holds the lock file, and reads the indexes anew.

mod create;
mod folder;
mod index;
mod issue;
mod parameters;
mod revoke;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use crate::certificate::{CertificateError, IssuerCertificate, TrustAnchor};
use crate::key::{KeyError, KeyId, Signer};
use crate::keyfile::KeyFileError;
use crate::name::{NameError, TrustDomain};
use crate::profile::ProfileError;
use crate::request::RequestError;
use crate::revocation::RevocationError;

pub use index::{IssuedRecord, RevokedRecord};

/// Validity of a new root: twenty years.
pub const ROOT_VALIDITY: Duration = Duration::from_secs(7_305 * 86_400);
/// Validity of a new issuing authority: five years.
pub const ISSUING_VALIDITY: Duration = Duration::from_secs(1_826 * 86_400);
/// Validity of a certificate when nobody asks for another: 90 days.
pub const LEAF_VALIDITY: Duration = Duration::from_secs(90 * 86_400);
/// How long a revocation list may be relied on: seven days. Make a new one well before.
pub const LIST_VALIDITY: Duration = Duration::from_secs(7 * 86_400);

/// Which kind of authority a folder holds.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Signed by itself; certifies issuing authorities.
    Root,
    /// Certified by a root; certifies agents, gateways and operators.
    Issuing,
}

/// Why a certificate was revoked (RFC 5280 section 5.3.1, those that apply here).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No reason given.
    #[default]
    Unspecified,
    /// Somebody else has the private key, or may have.
    KeyCompromise,
    /// The holder's name or agency changed.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// The holder is no longer in operation.
    CessationOfOperation,
    /// The holder lost the right to it.
    PrivilegeWithdrawn,
}

impl FromStr for Reason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "unspecified" => Self::Unspecified,
            "key-compromise" => Self::KeyCompromise,
            "affiliation-changed" => Self::AffiliationChanged,
            "superseded" => Self::Superseded,
            "cessation-of-operation" => Self::CessationOfOperation,
            "privilege-withdrawn" => Self::PrivilegeWithdrawn,
            _ => {
                return Err("unspecified, key-compromise, affiliation-changed, superseded, \
                            cessation-of-operation, privilege-withdrawn"
                    .to_owned());
            }
        })
    }
}

/// Why the authority did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The folder holds something already: an authority is never made over anything.
    #[error("{} exists already and is not empty", .0.display())]
    Exists(PathBuf),
    /// The folder is no authority, or not a whole one.
    #[error("{} is not the folder of an authority", .0.display())]
    NotAnAuthority(PathBuf),
    /// The file system refused.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A line of an index cannot be read: the file was changed or damaged.
    #[error("line {line} of {} is damaged", .path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// The private key of the authority could not be opened or written.
    #[error("the key of the authority")]
    KeyFile(#[source] KeyFileError),
    /// The private key could not be used.
    #[error("the key could not be used")]
    Key(#[source] KeyError),
    /// The key in the folder is not the one in its certificate.
    #[error("the key in {} is not the one of its certificate", .0.display())]
    OtherKey(PathBuf),
    /// A certificate in the folder, or one just made, is not believed.
    #[error("a certificate of the authority is not valid")]
    Certificate(#[source] CertificateError),
    /// A revocation list in the folder, or one just made, is not believed.
    #[error("the revocation list of the authority is not valid")]
    Revocation(#[source] RevocationError),
    /// A root was asked for a leaf, or an issuing authority for an authority.
    #[error("a {0:?} authority does not issue this kind of certificate")]
    WrongKind(Kind),
    /// The request was refused: the requester is at fault.
    #[error("the request was refused")]
    Request(#[source] RequestError),
    /// The key was certified before, for another identity or another usage.
    #[error("this key is certified already for {0}")]
    KeyInUse(String),
    /// A host name or address that cannot be one, or host names where none may be.
    #[error("host names")]
    HostNames(#[source] ProfileError),
    /// The validity asked for is empty, or the authority itself has expired.
    #[error("no validity is left for this certificate")]
    NoValidity,
    /// The linter refused what was about to be signed: a fault of ours or of what was asked.
    #[error("the linter refused the certificate")]
    Lint(#[source] ProfileError),
    /// The encoder failed: ours.
    #[error("the encoder failed")]
    Encoding(#[source] rcgen::Error),
    /// The certificate to renew is not of this authority.
    #[error("the certificate was not issued by this authority")]
    OtherIssuer,
    /// The certificate to renew was revoked.
    #[error("the certificate was revoked and cannot be renewed")]
    Revoked,
    /// The serial number was never issued here.
    #[error("serial number {0} was not issued by this authority")]
    UnknownSerial(String),
    /// A name inside an index or a certificate is not one.
    #[error("a name in the authority's folder")]
    Name(#[source] NameError),
}

/// An authority whose folder is open and whose key is at hand. Blocking: every method reads or writes files.
#[derive(Clone, Debug)]
pub struct Authority {
    directory: PathBuf,
    kind: Kind,
    key: Arc<dyn Signer>,
    certificate: IssuerCertificate,
    root: TrustAnchor,
}

impl Authority {
    /// Root or issuing.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The folder.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The trust domain.
    #[must_use]
    pub fn domain(&self) -> &TrustDomain {
        self.root.domain()
    }

    /// The root that everything here leads to.
    #[must_use]
    pub fn trust_anchor(&self) -> &TrustAnchor {
        &self.root
    }

    /// This authority as an issuer of certificates and revocation lists.
    #[must_use]
    pub fn issuer(&self) -> &IssuerCertificate {
        &self.certificate
    }

    /// This authority's certificate, DER.
    #[must_use]
    pub fn certificate_der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    /// The id of this authority's key.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.certificate.key_id()
    }
}
