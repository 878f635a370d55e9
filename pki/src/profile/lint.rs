//! The linter: nothing is signed before its exact bytes have passed.
//!
//! Owns [`LintedCertificate`], the only thing that an authority's key signs as a certificate. The linter parses the
//! to-be-signed bytes with a parser that is not the encoder's, holds them against the profile and against what was
//! asked for, and so catches a fault of ours, of the encoder, or of the request before it is certified.

use x509_parser::certificate::TbsCertificate;
use x509_parser::prelude::FromDer;

use super::extensions::Extensions;
use super::{Authority, ProfileError, inspect_authority, inspect_leaf, validity};
use crate::certificate::Usage;
use crate::clock::Timestamp;
use crate::key::PublicKey;
use crate::name::{Identity, TrustDomain};

/// What kind of certificate is about to be signed.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A root, signed by itself.
    Root,
    /// An issuing authority, signed by a root.
    Issuing,
    /// An agent, a gateway or an operator, signed by an issuing authority.
    Leaf {
        /// Whom the certificate speaks for.
        identity: Identity,
        /// What its key is for.
        usage: Usage,
        /// Host names and addresses, in order; for a gateway's TLS certificate only.
        hosts: Vec<String>,
    },
}

/// What the certificate about to be signed must say, besides the profile.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The trust domain.
    pub domain: TrustDomain,
    /// What kind of certificate, and for whom.
    pub subject: Subject,
    /// The key to certify.
    pub public_key: PublicKey,
    /// The serial number that was drawn.
    pub serial: Vec<u8>,
    /// The issuer: `None` for a root.
    pub issuer: Option<IssuerRules>,
}

/// What of the issuer the certificate must repeat.
#[derive(Clone, Debug)]
pub struct IssuerRules {
    /// The issuer's subject, DER.
    pub subject_der: Vec<u8>,
    /// The issuer's subject key identifier.
    pub key_identifier: Vec<u8>,
    /// Start of the issuer's validity.
    pub not_before: Timestamp,
    /// End of the issuer's validity.
    pub not_after: Timestamp,
}

/// To-be-signed bytes of a certificate that follows the profile and says what was asked for. Only [`lint`] makes it.
#[derive(Debug)]
pub struct LintedCertificate<'a>(&'a [u8]);

impl LintedCertificate<'_> {
    /// The bytes to sign: a `TBSCertificate`, DER (RFC 5280 section 4.1).
    #[must_use]
    pub fn to_be_signed(&self) -> &[u8] {
        self.0
    }
}

/// Holds the bytes about to be signed against the profile and against `rules`.
///
/// # Errors
/// The first departure found: see [`ProfileError`].
pub fn lint<'a>(tbs_der: &'a [u8], rules: &Rules) -> Result<LintedCertificate<'a>, ProfileError> {
    let (rest, tbs) = TbsCertificate::from_der(tbs_der).map_err(|_| ProfileError::Malformed)?;
    if !rest.is_empty() {
        return Err(ProfileError::Malformed);
    }
    let public_key = match &rules.subject {
        Subject::Root => inspect_authority(&tbs, &rules.domain, Authority::Root)?,
        Subject::Issuing => inspect_authority(&tbs, &rules.domain, Authority::Issuing)?,
        Subject::Leaf { identity, usage, hosts } => {
            let leaf = inspect_leaf(&tbs, &rules.domain, *usage)?;
            expect(leaf.identity == *identity, "identity")?;
            expect(leaf.hosts == *hosts, "list of host names")?;
            leaf.public_key
        }
    };
    expect(public_key == rules.public_key, "key")?;
    expect(tbs.raw_serial() == rules.serial, "serial number")?;
    match &rules.issuer {
        Some(issuer) => lint_issuer(&tbs, issuer)?,
        None => expect(tbs.issuer().as_raw() == tbs.subject().as_raw(), "issuer")?,
    }
    Ok(LintedCertificate(tbs_der))
}

fn lint_issuer(tbs: &TbsCertificate<'_>, issuer: &IssuerRules) -> Result<(), ProfileError> {
    expect(tbs.issuer().as_raw() == issuer.subject_der, "issuer")?;
    let identifier = Extensions::collect(tbs)?.authority_key_identifier()?;
    expect(identifier == issuer.key_identifier, "issuer's key identifier")?;
    let (not_before, not_after) = validity(tbs).ok_or(ProfileError::Validity)?;
    if not_before < issuer.not_before || not_after > issuer.not_after {
        return Err(ProfileError::OutlivesIssuer);
    }
    Ok(())
}

fn expect(holds: bool, what: &'static str) -> Result<(), ProfileError> {
    if holds { Ok(()) } else { Err(ProfileError::Other(what)) }
}
