//! An agreement's exact bytes, with the terms that were read from them and their digest.
//!
//! Signatures and headers refer to the bytes; nobody writes a document again from its terms.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

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
    let unreadable =
        |error: serde_json::Error| fault(String::new(), Mistake::Unreadable { detail: error.to_string() });
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let draft: Draft = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        // The reader writes `.` for the whole and `?` for a place without a name.
        let path = path.trim_end_matches(['.', '?']).to_owned();
        fault(path, Mistake::Unreadable { detail: error.into_inner().to_string() })
    })?;
    reader.end().map_err(unreadable)?;
    let given = serde_json::from_slice(bytes).map_err(unreadable)?;
    let form = serde_json::to_value(&draft).map_err(unreadable)?;
    match positional(&form, &given, "") {
        None => Ok(draft),
        Some(path) => {
            let detail = "a list stands where an object with named fields belongs".to_owned();
            Err(fault(path, Mistake::Unreadable { detail }))
        }
    }
}

/// The first object that was given as a list of its values. The JSON reader takes one for the other, by position; people
/// who sign do not see which value is which.
fn positional(form: &Value, given: &Value, path: &str) -> Option<String> {
    match (form, given) {
        (Value::Object(_), Value::Array(_)) => Some(path.to_owned()),
        (Value::Object(form), Value::Object(given)) => form.iter().find_map(|(name, form)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            positional(form, given.get(name)?, &path)
        }),
        (Value::Array(form), Value::Array(given)) => {
            let mut pairs = form.iter().zip(given).enumerate();
            pairs.find_map(|(index, (form, given))| positional(form, given, &format!("{path}[{index}]")))
        }
        _ => None,
    }
}
