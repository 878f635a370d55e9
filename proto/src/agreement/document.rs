//! An agreement's exact bytes, with the terms that were read from them and their digest.
//!
//! Signatures and headers refer to the bytes; nobody writes a document again from its terms.

use std::sync::Arc;

use bytes::Bytes;

use super::draft::Draft;
use super::terms::Agreement;
use super::validate::{FieldError, Mistake};
use super::{DOCUMENT_LIMIT, FORMAT};
use crate::statement::sha256;
use crate::wire;

/// A document that was read and found lawful. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Document {
    bytes: Bytes,
    digest: [u8; 32],
    agreement: Arc<Agreement>,
}

impl Document {
    /// Reads and checks a document.
    ///
    /// # Errors
    /// What cannot be read as the form (too large, not JSON, unknown or repeated field, wrong type) is reported alone;
    /// otherwise every mistake is reported together. Never empty.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, Vec<FieldError>> {
        let bytes = bytes.into();
        let agreement = read(&bytes).map_err(|fault| vec![fault])?.check()?;
        let digest = sha256(&bytes);
        Ok(Self { bytes, digest, agreement: Arc::new(agreement) })
    }

    /// The exact bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// SHA-256 of the exact bytes.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The terms.
    #[must_use]
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// How headers and events name this version.
    #[must_use]
    pub fn reference(&self) -> wire::AgreementRef {
        wire::AgreementRef {
            number: self.agreement.number.clone(),
            version: self.agreement.version,
            digest: Bytes::copy_from_slice(&self.digest),
        }
    }
}

/// The form, as it stands in the bytes.
fn read(bytes: &[u8]) -> Result<Draft, FieldError> {
    let fault = |path: String, mistake| FieldError { path, section: FORMAT.to_owned(), mistake };
    if bytes.len() > DOCUMENT_LIMIT {
        return Err(fault(String::new(), Mistake::DocumentTooLarge { limit: DOCUMENT_LIMIT }));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let draft = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        fault(path, Mistake::Unreadable { detail: error.into_inner().to_string() })
    })?;
    reader.end().map_err(|error| fault(String::new(), Mistake::Unreadable { detail: error.to_string() }))?;
    Ok(draft)
}
