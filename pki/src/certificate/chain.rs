//! A certificate chain as it travels and as it lies in a file. Nothing about it is believed yet.

use std::path::Path;

use pkcs8::LineEnding;
use pkcs8::der::pem;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::CertificateError;
use crate::files;
use crate::key::KeyId;

/// Bytes that a single certificate may have.
pub const CERTIFICATE_LIMIT: usize = 8_192;

/// Bytes that a PEM file of certificates may have.
const FILE_LIMIT: u64 = 64 * 1024;

const LABEL: &str = "CERTIFICATE";

/// A leaf and its issuing authority, in this order, without the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain([CertificateDer<'static>; 2]);

impl Chain {
    /// The chain of these DER certificates, leaf first.
    ///
    /// # Errors
    /// [`CertificateError::ChainLength`] unless there are two, [`CertificateError::TooLarge`] when one is too long.
    pub fn from_ders<T: AsRef<[u8]>>(ders: &[T]) -> Result<Self, CertificateError> {
        let [leaf, issuing] = ders else {
            return Err(CertificateError::ChainLength(ders.len()));
        };
        Ok(Self([limited(leaf.as_ref())?, limited(issuing.as_ref())?]))
    }

    /// The DER certificates, leaf first, as the schema carries them.
    #[must_use]
    pub fn to_ders(&self) -> Vec<Vec<u8>> {
        self.0.iter().map(|certificate| certificate.to_vec()).collect()
    }

    /// The leaf.
    #[must_use]
    pub fn leaf(&self) -> &CertificateDer<'static> {
        &self.0[0]
    }

    /// The issuing authority.
    #[must_use]
    pub fn issuing(&self) -> &CertificateDer<'static> {
        &self.0[1]
    }

    /// The id of the key that the leaf says it certifies: a hint for finding a chain, it proves nothing. `None` when the
    /// leaf cannot be read.
    #[must_use]
    pub fn key_hint(&self) -> Option<KeyId> {
        let (_, leaf) = X509Certificate::from_der(self.leaf()).ok()?;
        Some(KeyId::of(leaf.tbs_certificate.subject_pki.raw))
    }

    /// The certificates as rustls takes them, leaf first.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.0
    }

    /// Reads a chain from PEM text.
    ///
    /// # Errors
    /// [`CertificateError::Pem`] when it holds anything but certificates; otherwise as [`Chain::from_ders`].
    pub fn from_pem(text: &[u8]) -> Result<Self, CertificateError> {
        Self::from_ders(&certificates_from_pem(text)?)
    }

    /// Reads a chain from a PEM file.
    ///
    /// # Errors
    /// [`CertificateError::File`] when the file cannot be read; otherwise as [`Chain::from_pem`].
    pub fn from_pem_file(path: &Path) -> Result<Self, CertificateError> {
        Self::from_pem(&read(path)?)
    }

    /// The chain as PEM text.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.0.iter().map(pem_of).collect()
    }

    /// Writes the chain as a PEM file, durably; an older chain at `path` is replaced in one step.
    ///
    /// # Errors
    /// [`CertificateError::File`] when the system refuses.
    pub fn write_pem_file(&self, path: &Path) -> Result<(), CertificateError> {
        files::replace(path, self.to_pem().as_bytes(), files::PUBLIC)
            .map_err(|source| CertificateError::File { path: path.to_owned(), source })
    }
}

pub(super) fn limited(der: &[u8]) -> Result<CertificateDer<'static>, CertificateError> {
    if der.len() > CERTIFICATE_LIMIT {
        return Err(CertificateError::TooLarge(der.len()));
    }
    Ok(CertificateDer::from(der.to_vec()))
}

/// Every certificate of a PEM text, which must hold nothing else.
pub(super) fn certificates_from_pem(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().map_err(|_| CertificateError::Pem)
}

/// Every certificate of a PEM file, which must hold nothing else.
pub(crate) fn certificates_in(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    certificates_from_pem(&read(path)?)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    files::read_limited(path, FILE_LIMIT)
        .map_err(|source| CertificateError::File { path: path.to_owned(), source })
}

/// A certificate as PEM text.
pub(crate) fn pem_of(certificate: &CertificateDer<'_>) -> String {
    to_pem(LABEL, certificate)
}

/// DER as PEM text (RFC 7468).
pub(crate) fn to_pem(label: &str, der: &[u8]) -> String {
    // Encoding fails only for a label that is no label or for sizes beyond memory: neither can be here.
    pem::encode_string(label, LineEnding::LF, der).unwrap_or_default()
}
