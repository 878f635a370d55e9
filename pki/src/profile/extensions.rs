//! The extensions of a certificate, collected and compared.
//!
//! Owns the closed list of extensions that the profile knows. [`Extensions::collect`] refuses any other and any that
//! occurs twice, so that the comparisons which follow see everything there is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustls_pki_types::DnsName;
use x509_parser::certificate::TbsCertificate;
use x509_parser::extensions::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, GeneralName, ParsedExtension,
    SubjectAlternativeName, X509Extension,
};

use super::{Authority, ProfileError};
use crate::name::TrustDomain;

/// id-kp-documentSigning, 1.3.6.1.5.5.7.3.36 (RFC 9336), as the content bytes of its OID.
pub(crate) const DOCUMENT_SIGNING: [u8; 8] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x24];

const BASIC_CONSTRAINTS: &str = "basicConstraints";
const KEY_USAGE: &str = "keyUsage";
const EXTENDED_KEY_USAGE: &str = "extKeyUsage";
const ALTERNATIVE_NAME: &str = "subjectAltName";
const AUTHORITY_KEY: &str = "authorityKeyIdentifier";
const SUBJECT_KEY: &str = "subjectKeyIdentifier";

/// A value and whether it was marked critical.
type Marked<T> = Option<(T, bool)>;

/// Every extension of one certificate.
#[derive(Default)]
pub(super) struct Extensions<'a> {
    basic_constraints: Marked<&'a BasicConstraints>,
    key_usage: Marked<u16>,
    purposes: Marked<&'a ExtendedKeyUsage<'a>>,
    names: Marked<&'a SubjectAlternativeName<'a>>,
    authority_key: Marked<&'a AuthorityKeyIdentifier<'a>>,
    subject_key: Marked<&'a [u8]>,
}

impl<'a> Extensions<'a> {
    pub(super) fn collect(tbs: &'a TbsCertificate<'_>) -> Result<Self, ProfileError> {
        let mut found = Self::default();
        for extension in tbs.extensions() {
            found.take(extension)?;
        }
        Ok(found)
    }

    fn take(&mut self, extension: &'a X509Extension<'_>) -> Result<(), ProfileError> {
        let critical = extension.critical;
        match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(value) => {
                once(&mut self.basic_constraints, (value, critical), BASIC_CONSTRAINTS)
            }
            ParsedExtension::KeyUsage(value) => once(&mut self.key_usage, (value.flags, critical), KEY_USAGE),
            ParsedExtension::ExtendedKeyUsage(value) => {
                once(&mut self.purposes, (value, critical), EXTENDED_KEY_USAGE)
            }
            ParsedExtension::SubjectAlternativeName(value) => {
                once(&mut self.names, (value, critical), ALTERNATIVE_NAME)
            }
            ParsedExtension::AuthorityKeyIdentifier(value) => {
                once(&mut self.authority_key, (value, critical), AUTHORITY_KEY)
            }
            ParsedExtension::SubjectKeyIdentifier(value) => {
                once(&mut self.subject_key, (value.0, critical), SUBJECT_KEY)
            }
            _ => Err(ProfileError::UnknownExtension(extension.oid.to_id_string())),
        }
    }

    /// No authority: `cA` false and marked critical; both key identifiers present, not critical.
    pub(super) fn expect_end_entity(&self) -> Result<(), ProfileError> {
        self.expect_constraints(false, None)?;
        self.authority_key_identifier()?;
        self.subject_key_identifier().map(drop)
    }

    /// An authority: a root may have one authority below it, an issuing authority none.
    pub(super) fn expect_authority(&self, authority: Authority) -> Result<(), ProfileError> {
        match authority {
            Authority::Root => {
                self.expect_constraints(true, Some(1))?;
                if self.authority_key.is_some() {
                    return Err(ProfileError::Value(AUTHORITY_KEY));
                }
            }
            Authority::Issuing => {
                self.expect_constraints(true, Some(0))?;
                self.authority_key_identifier()?;
            }
        }
        self.subject_key_identifier().map(drop)
    }

    fn expect_constraints(&self, ca: bool, below: Option<u32>) -> Result<(), ProfileError> {
        match self.basic_constraints {
            Some((value, true)) if value.ca == ca && value.path_len_constraint == below => Ok(()),
            Some(_) => Err(ProfileError::Value(BASIC_CONSTRAINTS)),
            None => Err(ProfileError::Missing(BASIC_CONSTRAINTS)),
        }
    }

    /// Exactly these bits, marked critical.
    pub(super) fn expect_key_usage(&self, bits: u16) -> Result<(), ProfileError> {
        match self.key_usage {
            Some((found, true)) if found == bits => Ok(()),
            Some(_) => Err(ProfileError::Value(KEY_USAGE)),
            None => Err(ProfileError::Missing(KEY_USAGE)),
        }
    }

    /// Exactly these purposes, in the order server, client, document; `None`: no such extension.
    pub(super) fn expect_purposes(&self, purposes: Option<[bool; 3]>) -> Result<(), ProfileError> {
        match (purposes, self.purposes) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(ProfileError::Value(EXTENDED_KEY_USAGE)),
            (Some(_), None) => Err(ProfileError::Missing(EXTENDED_KEY_USAGE)),
            (Some([server, client, document]), Some((found, _))) => {
                let others = found.any
                    || found.code_signing
                    || found.email_protection
                    || found.time_stamping
                    || found.ocsp_signing;
                let signs = match found.other.as_slice() {
                    [] => Some(false),
                    [oid] if oid.as_bytes() == DOCUMENT_SIGNING => Some(true),
                    _ => None,
                };
                let same =
                    found.server_auth == server && found.client_auth == client && signs == Some(document);
                if same && !others { Ok(()) } else { Err(ProfileError::Value(EXTENDED_KEY_USAGE)) }
            }
        }
    }

    /// The one URI, and host names and addresses as text.
    pub(super) fn names(&self) -> Result<(&'a str, Vec<String>), ProfileError> {
        let (names, _) = self.names.ok_or(ProfileError::Missing(ALTERNATIVE_NAME))?;
        let (mut uri, mut hosts) = (None, Vec::new());
        for name in &names.general_names {
            match name {
                GeneralName::URI(text) if uri.is_none() => uri = Some(*text),
                GeneralName::DNSName(text) => hosts.push(host_name(text)?),
                GeneralName::IPAddress(bytes) => hosts.push(address(bytes)?.to_string()),
                _ => return Err(ProfileError::Names),
            }
        }
        Ok((uri.ok_or(ProfileError::Names)?, hosts))
    }

    /// The trust domain of an authority: its one alternative name, `spiffe://<trust domain>`.
    pub(super) fn domain(&self) -> Result<TrustDomain, ProfileError> {
        let (uri, hosts) = self.names()?;
        let domain = uri.strip_prefix("spiffe://").ok_or(ProfileError::Names)?;
        if !hosts.is_empty() {
            return Err(ProfileError::Names);
        }
        domain.parse().map_err(ProfileError::Identity)
    }

    pub(super) fn authority_key_identifier(&self) -> Result<&'a [u8], ProfileError> {
        match self.authority_key {
            Some((
                AuthorityKeyIdentifier {
                    key_identifier: Some(key),
                    authority_cert_issuer: None,
                    authority_cert_serial: None,
                },
                false,
            )) => Ok(key.0),
            Some(_) => Err(ProfileError::Value(AUTHORITY_KEY)),
            None => Err(ProfileError::Missing(AUTHORITY_KEY)),
        }
    }

    pub(super) fn subject_key_identifier(&self) -> Result<&'a [u8], ProfileError> {
        match self.subject_key {
            Some((key, false)) => Ok(key),
            Some(_) => Err(ProfileError::Value(SUBJECT_KEY)),
            None => Err(ProfileError::Missing(SUBJECT_KEY)),
        }
    }
}

fn once<T>(slot: &mut Option<T>, value: T, name: &'static str) -> Result<(), ProfileError> {
    if slot.replace(value).is_some() { Err(ProfileError::Twice(name)) } else { Ok(()) }
}

/// A host name in lower case without a wildcard.
pub(crate) fn host_name(text: &str) -> Result<String, ProfileError> {
    let valid = DnsName::try_from(text).is_ok() && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if valid { Ok(text.to_owned()) } else { Err(ProfileError::HostName(text.chars().take(100).collect())) }
}

fn address(bytes: &[u8]) -> Result<IpAddr, ProfileError> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Ok(Ipv4Addr::from(octets).into());
    }
    let octets = <[u8; 16]>::try_from(bytes).map_err(|_| ProfileError::HostName(hex::encode(bytes)))?;
    Ok(Ipv6Addr::from(octets).into())
}
