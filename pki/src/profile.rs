//! The certificate profile: what a certificate of this house looks like, to the last extension.
//!
//! Owns one description, used twice: the linter holds the bytes about to be signed against it ([`lint`]), and the
//! verifier holds what a peer presents against it. `docs/formats/certificates.md` is the same in prose. The rule is
//! "exactly these extensions": one that is missing, doubled or unknown is refused, critical or not.

mod envelope;
mod extensions;
mod lint;
mod signing;

use std::time::Duration;

use x509_parser::certificate::TbsCertificate;
use x509_parser::x509::{AlgorithmIdentifier, X509Version};

use crate::certificate::Usage;
use crate::clock::Timestamp;
use crate::key::PublicKey;
use crate::name::{Identity, NameError, TrustDomain};

use extensions::Extensions;

pub(crate) use envelope::verify_signed;
pub(crate) use extensions::{DOCUMENT_SIGNING, host_name};
pub use lint::{IssuerRules, LintedCertificate, Rules, Subject, lint};
pub(crate) use signing::{BareKey, CertificateKey};

const DAY: Duration = Duration::from_secs(86_400);

/// Longest validity of a certificate of an agent, a gateway or an operator: 398 days.
pub const LEAF_VALIDITY_MAX: Duration = Duration::from_secs(398 * 86_400);
/// Longest validity of an issuing authority: ten years.
pub const ISSUING_VALIDITY_MAX: Duration = Duration::from_secs(3_653 * 86_400);
/// Longest validity of a root: twenty-five years.
pub const ROOT_VALIDITY_MAX: Duration = Duration::from_secs(9_132 * 86_400);
/// How far back a certificate's validity starts, for peers whose clocks are behind.
pub const BACKDATE: Duration = Duration::from_secs(300);

/// Bytes of a serial number: 126 random bits behind the fixed bits `01`, so that it is positive and has no padding.
pub const SERIAL_LENGTH: usize = 16;

/// Extended key usage id-kp-serverAuth, as bits of [`extensions`]' set.
const SERVER: [bool; 3] = [true, true, false];
const CLIENT: [bool; 3] = [false, true, false];
const DOCUMENT: [bool; 3] = [false, false, true];

/// Key usage bits, as RFC 5280 section 4.2.1.3 numbers them, bit 0 lowest.
const DIGITAL_SIGNATURE: u16 = 1;
const CONTENT_COMMITMENT: u16 = 1 << 1;
const KEY_CERT_SIGN: u16 = 1 << 5;
const CRL_SIGN: u16 = 1 << 6;

/// How a certificate departs from the profile. The one who presents or requests it is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// Not DER, or followed by other bytes.
    #[error("not a certificate in DER")]
    Malformed,
    /// Not an X.509 version 3 certificate.
    #[error("not version 3")]
    Version,
    /// The serial number breaks the rule of [`SERIAL_LENGTH`].
    #[error("the serial number is not {SERIAL_LENGTH} bytes starting with the bits 01")]
    Serial,
    /// Signed with something other than Ed25519.
    #[error("the signature algorithm is not Ed25519")]
    SignatureAlgorithm,
    /// A key other than Ed25519.
    #[error("the key is not Ed25519")]
    KeyType,
    /// The validity is empty or unreadable.
    #[error("the validity is empty")]
    Validity,
    /// The validity exceeds the ceiling for this kind of certificate.
    #[error("valid for {days} days, more than {ceiling}")]
    TooLong {
        /// Days that the certificate would be valid.
        days: u64,
        /// Days that it may be.
        ceiling: u64,
    },
    /// The validity reaches beyond the issuer's.
    #[error("valid outside the validity of its issuer")]
    OutlivesIssuer,
    /// An extension that the profile does not have.
    #[error("extension {0} is not in the profile")]
    UnknownExtension(String),
    /// An extension that occurs twice.
    #[error("extension {0} occurs twice")]
    Twice(&'static str),
    /// An extension that is absent.
    #[error("extension {0} is missing")]
    Missing(&'static str),
    /// An extension whose value or criticality is not that of the profile.
    #[error("extension {0} does not have the value of the profile")]
    Value(&'static str),
    /// Not exactly one URI, or a kind of name that the profile does not have.
    #[error("the alternative names are not exactly one URI (and, for a gateway's TLS, host names)")]
    Names,
    /// A host name or address that cannot be one.
    #[error("{0:?} is not a host name or address")]
    HostName(String),
    /// The URI is not an identity of this house.
    #[error("the URI is not an identity")]
    Identity(#[source] NameError),
    /// The identity belongs to another trust domain.
    #[error("trust domain {found}, not {expected}")]
    OtherDomain {
        /// The trust domain of the root.
        expected: String,
        /// The trust domain of the certificate.
        found: String,
    },
    /// The linter expected another value: ours, or the request's.
    #[error("the {0} is not the one that was asked for")]
    Other(&'static str),
}

/// What a leaf that follows the profile says.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub(crate) identity: Identity,
    pub(crate) public_key: PublicKey,
    /// Host names and addresses as text, in the order of the certificate.
    pub(crate) hosts: Vec<String>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

/// The two kinds of certificate that may sign others.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Authority {
    Root,
    Issuing,
}

/// Holds a leaf against the profile.
pub(crate) fn inspect_leaf(
    tbs: &TbsCertificate<'_>,
    domain: &TrustDomain,
    usage: Usage,
) -> Result<Leaf, ProfileError> {
    let (public_key, not_before, not_after) = inspect_common(tbs, LEAF_VALIDITY_MAX)?;
    let extensions = Extensions::collect(tbs)?;
    extensions.expect_end_entity()?;
    let (uri, hosts) = extensions.names()?;
    let (found, identity) = Identity::from_uri(uri).map_err(ProfileError::Identity)?;
    if found != *domain {
        return Err(ProfileError::OtherDomain { expected: domain.to_string(), found: found.to_string() });
    }
    let (key_usage, purposes) = match (usage, &identity) {
        (Usage::Tls, Identity::Gateway(_)) => (DIGITAL_SIGNATURE, SERVER),
        (Usage::Tls, Identity::Agent(_) | Identity::Operator(_)) => (DIGITAL_SIGNATURE, CLIENT),
        (Usage::Signing, _) => (DIGITAL_SIGNATURE | CONTENT_COMMITMENT, DOCUMENT),
    };
    extensions.expect_key_usage(key_usage)?;
    extensions.expect_purposes(Some(purposes))?;
    if !hosts.is_empty() && purposes != SERVER {
        return Err(ProfileError::Names);
    }
    Ok(Leaf { identity, public_key, hosts, not_before, not_after })
}

/// Holds a root or an issuing authority against the profile; gives its key.
pub(crate) fn inspect_authority(
    tbs: &TbsCertificate<'_>,
    domain: &TrustDomain,
    authority: Authority,
) -> Result<PublicKey, ProfileError> {
    let ceiling = match authority {
        Authority::Root => ROOT_VALIDITY_MAX,
        Authority::Issuing => ISSUING_VALIDITY_MAX,
    };
    let (public_key, _, _) = inspect_common(tbs, ceiling)?;
    let extensions = Extensions::collect(tbs)?;
    let found = extensions.domain()?;
    if found != *domain {
        return Err(ProfileError::OtherDomain { expected: domain.to_string(), found: found.to_string() });
    }
    extensions.expect_authority(authority)?;
    extensions.expect_key_usage(KEY_CERT_SIGN | CRL_SIGN)?;
    extensions.expect_purposes(None)?;
    Ok(public_key)
}

/// The trust domain that a root or an issuing authority carries as its only alternative name.
pub(crate) fn authority_domain(tbs: &TbsCertificate<'_>) -> Result<TrustDomain, ProfileError> {
    Extensions::collect(tbs)?.domain()
}

/// The subject key identifier of an authority.
pub(crate) fn subject_key_identifier(tbs: &TbsCertificate<'_>) -> Result<Vec<u8>, ProfileError> {
    Extensions::collect(tbs)?.subject_key_identifier().map(<[u8]>::to_vec)
}

fn inspect_common(
    tbs: &TbsCertificate<'_>,
    ceiling: Duration,
) -> Result<(PublicKey, Timestamp, Timestamp), ProfileError> {
    if tbs.version() != X509Version::V3 || tbs.issuer_uid.is_some() || tbs.subject_uid.is_some() {
        return Err(ProfileError::Version);
    }
    let serial = tbs.raw_serial();
    if serial.len() != SERIAL_LENGTH || serial.first().is_none_or(|byte| byte >> 6 != 1) {
        return Err(ProfileError::Serial);
    }
    if !is_ed25519(&tbs.signature) {
        return Err(ProfileError::SignatureAlgorithm);
    }
    let public_key = PublicKey::from_spki_der(tbs.public_key().raw).map_err(|_| ProfileError::KeyType)?;
    let (not_before, not_after) = validity(tbs).ok_or(ProfileError::Validity)?;
    if not_after <= not_before {
        return Err(ProfileError::Validity);
    }
    let length = not_after.since(not_before);
    if length > ceiling {
        let days = |duration: Duration| duration.as_secs().div_ceil(DAY.as_secs());
        return Err(ProfileError::TooLong { days: days(length), ceiling: days(ceiling) });
    }
    Ok((public_key, not_before, not_after))
}

/// Start and end of validity; `None` before 1970.
pub(crate) fn validity(tbs: &TbsCertificate<'_>) -> Option<(Timestamp, Timestamp)> {
    let moment = |seconds: i64| u64::try_from(seconds).ok().map(Timestamp::from_seconds);
    Some((moment(tbs.validity().not_before.timestamp())?, moment(tbs.validity().not_after.timestamp())?))
}

/// Ed25519 (1.3.101.112) without parameters (RFC 8410 section 3).
pub(crate) fn is_ed25519(algorithm: &AlgorithmIdentifier<'_>) -> bool {
    algorithm.algorithm.as_bytes() == [0x2b, 0x65, 0x70] && algorithm.parameters.is_none()
}
