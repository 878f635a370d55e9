//! Certification requests (PKCS#10, RFC 2986).
//!
//! Owns the one form of request there is: an Ed25519 key that signs it (proof of possession) and exactly one
//! extension, a subject alternative name with exactly one SPIFFE URI. Everything else in a certificate is the
//! authority's to decide, so a request that asks for more is refused rather than trimmed.

use rcgen::{CertificateParams, DistinguishedName, SanType};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Version;

use crate::key::{KeyError, PublicKey, Signer};
use crate::name::{Identity, NameError, TrustDomain};
use crate::profile::{self, BareKey};

/// Bytes that a request may have.
pub const REQUEST_LIMIT: usize = 4_096;

/// Why a request was refused. The requester is at fault, except for [`RequestError::Key`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Longer than [`REQUEST_LIMIT`].
    #[error("the request has {0} bytes, more than {REQUEST_LIMIT}")]
    TooLarge(usize),
    /// Not a PKCS#10 request, or followed by other bytes.
    #[error("not a PKCS#10 request")]
    Malformed,
    /// The key is not Ed25519.
    #[error("the key of the request is not Ed25519")]
    KeyType,
    /// The requester does not hold the private key.
    #[error("the request is not signed by the key it names")]
    Signature,
    /// An attribute other than the extension request, or an extension other than the alternative name.
    #[error("the request asks for more than an identity: {0}")]
    Surplus(&'static str),
    /// Not exactly one URI among the alternative names.
    #[error("the request must name exactly one URI and nothing else")]
    Names,
    /// The URI is not an identity.
    #[error("the request names no identity of this house")]
    Name(#[source] NameError),
    /// The request names somebody else.
    #[error("the request names {found}, not {expected}")]
    OtherIdentity {
        /// The URI that was expected.
        expected: String,
        /// The URI in the request.
        found: String,
    },
    /// Our own key could not sign the request.
    #[error("the request could not be signed")]
    Key(#[source] KeyError),
    /// Our own request could not be encoded.
    #[error("the request could not be made")]
    Encoding(#[source] rcgen::Error),
}

/// Makes a request for a certificate of `key` for `identity`: DER.
///
/// # Errors
/// [`RequestError::Key`] when the key cannot sign, [`RequestError::Encoding`] when the request cannot be encoded.
pub fn create(key: &dyn Signer, identity: &Identity, domain: &TrustDomain) -> Result<Vec<u8>, RequestError> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    let uri = identity.to_uri(domain).try_into().map_err(RequestError::Encoding)?;
    parameters.subject_alt_names = vec![SanType::URI(uri)];
    let key = BareKey::new(key).map_err(RequestError::Key)?;
    let request = parameters.serialize_request(&key).map_err(RequestError::Encoding)?;
    Ok(request.der().to_vec())
}

/// A request that passed [`check`]: its signer holds the key and asks for nothing but the identity.
#[derive(Clone, Debug)]
pub struct CheckedRequest {
    public_key: PublicKey,
    domain: TrustDomain,
    identity: Identity,
}

impl CheckedRequest {
    /// The key to certify.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The identity that the request names.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The trust domain that the request names.
    #[must_use]
    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// Holds the request against who is known to ask.
    ///
    /// # Errors
    /// [`RequestError::OtherIdentity`] when it names another identity or another trust domain.
    pub fn expect(&self, identity: &Identity, domain: &TrustDomain) -> Result<(), RequestError> {
        if self.identity == *identity && self.domain == *domain {
            return Ok(());
        }
        Err(RequestError::OtherIdentity {
            expected: identity.to_uri(domain),
            found: self.identity.to_uri(&self.domain),
        })
    }
}

/// Checks a request, DER: form, key, signature, and that it asks for nothing but one identity.
///
/// # Errors
/// See [`RequestError`].
pub fn check(der: &[u8]) -> Result<CheckedRequest, RequestError> {
    if der.len() > REQUEST_LIMIT {
        return Err(RequestError::TooLarge(der.len()));
    }
    let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| RequestError::Malformed)?;
    let info = &request.certification_request_info;
    if !rest.is_empty() || info.version != X509Version::V1 {
        return Err(RequestError::Malformed);
    }
    let public_key = PublicKey::from_spki_der(info.subject_pki.raw).map_err(|_| RequestError::KeyType)?;
    if !profile::is_ed25519(&request.signature_algorithm) {
        return Err(RequestError::KeyType);
    }
    profile::verify_signed(der, info.raw, &public_key).map_err(|_| RequestError::Signature)?;
    let (domain, identity) = Identity::from_uri(single_uri(&request)?).map_err(RequestError::Name)?;
    Ok(CheckedRequest { public_key, domain, identity })
}

fn single_uri<'a>(request: &'a X509CertificationRequest<'_>) -> Result<&'a str, RequestError> {
    let [attribute] = request.certification_request_info.attributes() else {
        return Err(RequestError::Surplus("attributes other than one extension request"));
    };
    let ParsedCriAttribute::ExtensionRequest(extensions) = attribute.parsed_attribute() else {
        return Err(RequestError::Surplus("an attribute that is no extension request"));
    };
    let [extension] = extensions.extensions.as_slice() else {
        return Err(RequestError::Surplus("extensions other than one alternative name"));
    };
    let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() else {
        return Err(RequestError::Surplus("an extension that is no alternative name"));
    };
    match names.general_names.as_slice() {
        [GeneralName::URI(uri)] => Ok(uri),
        _ => Err(RequestError::Names),
    }
}
