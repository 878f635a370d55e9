//! What an agency offers to be called: signed by one of its agents (`docs/formats/catalogue.md`).
//!
//! The agency's own signature makes the description believed, so that the gateway, which keeps and lists it, can neither
//! change an operation nor turn a service on.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::{KeyId, PublicKey, Signer};
use passerelle_pki::name::AgentId;
use prost::Message;

use crate::agreement::validate::{is_operation_name, is_word, misleading};
use crate::call::head::is_method;
use crate::call::path::{PathTemplate, RequestPath};
use crate::statement::{self, StatementError, payload_type, sha256};
use crate::strict::{self, StrictError};
use crate::wire;

/// Most bytes in a description (48 KiB): its event, signatures included, fits a log entry of 65,535 bytes.
pub const DESCRIPTION_LIMIT: usize = 48 * 1024;
/// Most bytes in an OpenAPI document.
pub const OPENAPI_LIMIT: usize = 1 << 20;
/// Operations of a service.
pub const OPERATIONS_LIMIT: usize = 256;
/// How far ahead of the reader's clock a description may have been made.
pub const SKEW_LIMIT: Duration = Duration::from_secs(300);

/// Characters of a title.
const TITLE_LIMIT: usize = 300;
/// Characters of a version.
const VERSION_LIMIT: usize = 64;
const CATEGORIES_LIMIT: usize = 64;

/// Why a description was not made or not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// The signature, or the form of the statement. The peer's or the gateway's fault.
    #[error("the service's signature does not hold")]
    Statement(#[source] StatementError),
    /// The payload is not the one encoding of a description. The signer's fault.
    #[error("the service's description cannot be read")]
    Encoding(#[source] StrictError),
    /// The description is of another agent than the one that signed.
    #[error("the service is of {found}, not of {expected}")]
    Agent {
        /// Agent named in it, shortened.
        found: String,
        /// Agent that signed.
        expected: AgentId,
    },
    /// A rule of the form is broken. The signer's fault.
    #[error("{field}: {wrong}")]
    Form {
        /// The field, as the schema names it.
        field: &'static str,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// Made later than the reader's clock, by more than [`SKEW_LIMIT`].
    #[error("the service's description was made in the future: {0}")]
    Future(Timestamp),
}

/// An operation of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceOperation {
    /// Its `operationId`.
    pub name: String,
    /// Upper-case method.
    pub method: String,
    /// The paths that it is called on.
    pub path: PathTemplate,
}

/// A service whose signature, form and time were checked. Only [`verify`] makes one.
#[derive(Clone, Debug)]
pub struct VerifiedService {
    agent: AgentId,
    signing_key: KeyId,
    created: Timestamp,
    version_since: Timestamp,
    description: wire::ServiceDescription,
    operations: Vec<ServiceOperation>,
    openapi_digest: [u8; 32],
}

impl VerifiedService {
    /// The agent that signed, of the agency that offers the service.
    #[must_use]
    pub fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// The key that it signed with.
    #[must_use]
    pub fn signing_key_id(&self) -> KeyId {
        self.signing_key
    }

    /// The service's name.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.description.service
    }

    /// When the description was made: the latest counts.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// When the interface's version was published first.
    #[must_use]
    pub fn version_since(&self) -> Timestamp {
        self.version_since
    }

    /// Whether it may be called.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.description.enabled
    }

    /// Titles, version, categories, classification and the document's length, as they were signed.
    #[must_use]
    pub fn description(&self) -> &wire::ServiceDescription {
        &self.description
    }

    /// In the document's order.
    #[must_use]
    pub fn operations(&self) -> &[ServiceOperation] {
        &self.operations
    }

    /// SHA-256 of the OpenAPI document.
    #[must_use]
    pub fn openapi_digest(&self) -> [u8; 32] {
        self.openapi_digest
    }

    /// The operation that a method on a path is: of the templates that cover the path, the most exact one, segment by
    /// segment from the left.
    #[must_use]
    pub fn operation(&self, method: &str, path: &RequestPath) -> Option<&ServiceOperation> {
        let covering =
            |operation: &&ServiceOperation| operation.method == method && operation.path.matches(path);
        self.operations.iter().filter(covering).max_by_key(|operation| operation.path.shape())
    }

    /// Whether these bytes are the document that was signed.
    #[must_use]
    pub fn is_document(&self, openapi: &[u8]) -> bool {
        openapi.len() as u64 == self.description.openapi_length && sha256(openapi) == self.openapi_digest
    }
}

/// Signs a description in the agent's name.
///
/// # Errors
/// [`ServiceError::Form`] for one that no reader would take, [`ServiceError::Statement`] when the key cannot sign.
pub fn sign(
    agent: &AgentId,
    mut description: wire::ServiceDescription,
    signer: &dyn Signer,
) -> Result<wire::Statement, ServiceError> {
    description.agency = agent.agency.to_string();
    description.agent = agent.agent.to_string();
    check(&description)?;
    let payload = Bytes::from(description.encode_to_vec());
    if payload.len() > DESCRIPTION_LIMIT {
        return form("operations", "too many, or too long, for one description (48 KiB)");
    }
    statement::sign(payload_type::SERVICE, payload, signer).map_err(ServiceError::Statement)
}

/// The digest and the length that a description gives of its document.
#[must_use]
pub fn document_of(openapi: &[u8]) -> (Bytes, u64) {
    (Bytes::copy_from_slice(&sha256(openapi)), openapi.len() as u64)
}

/// Verifies that `key` (of the signing certificate of `expected`) signed this description of a service of its agency,
/// and that it was not made after `now`.
///
/// # Errors
/// [`ServiceError`] otherwise; the service must not be listed or called then.
pub fn verify(
    statement: &wire::Statement,
    key: &PublicKey,
    expected: &AgentId,
    now: Timestamp,
) -> Result<VerifiedService, ServiceError> {
    let payload =
        statement::verify(statement, payload_type::SERVICE, key).map_err(ServiceError::Statement)?;
    let description: wire::ServiceDescription =
        strict::decode(payload, DESCRIPTION_LIMIT).map_err(ServiceError::Encoding)?;
    if description.agency != expected.agency.as_str() || description.agent != expected.agent.as_str() {
        let found = format!("{}/{}", description.agency, description.agent).chars().take(100).collect();
        return Err(ServiceError::Agent { found, expected: expected.clone() });
    }
    let operations = check(&description)?;
    let created = Timestamp::from_millis(description.created_ms);
    if created > now.plus(SKEW_LIMIT) {
        return Err(ServiceError::Future(created));
    }
    let mut openapi_digest = [0; 32];
    openapi_digest.copy_from_slice(&description.openapi_digest);
    Ok(VerifiedService {
        agent: expected.clone(),
        signing_key: key.key_id(),
        created,
        version_since: Timestamp::from_millis(description.version_since_ms),
        operations,
        openapi_digest,
        description,
    })
}

fn form<T>(field: &'static str, wrong: &'static str) -> Result<T, ServiceError> {
    Err(ServiceError::Form { field, wrong })
}

fn must(holds: bool, field: &'static str, wrong: &'static str) -> Result<(), ServiceError> {
    if holds { Ok(()) } else { form(field, wrong) }
}

/// Every rule of the form.
fn check(description: &wire::ServiceDescription) -> Result<Vec<ServiceOperation>, ServiceError> {
    const WORD: &str = "1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or digit";
    must(is_word(&description.service), "service", WORD)?;
    must(is_word(&description.classification), "classification", WORD)?;
    for (title, field) in [(&description.title_fr, "title_fr"), (&description.title_en, "title_en")] {
        must(is_text(title, TITLE_LIMIT), field, "1 to 300 characters, all of them visible")?;
    }
    must(is_text(&description.version, VERSION_LIMIT), "version", "1 to 64 characters, all of them visible")?;
    let categories = &description.data_categories;
    must((1..=CATEGORIES_LIMIT).contains(&categories.len()), "data_categories", "1 to 64 are taken")?;
    must(categories.iter().all(|code| is_word(code)), "data_categories", WORD)?;
    must(categories.is_sorted_by(|a, b| a < b), "data_categories", "not sorted, or one twice")?;
    let (since, created) = (description.version_since_ms, description.created_ms);
    must(since > 0 && since <= created, "version_since_ms", "missing, or after the description was made")?;
    must(description.openapi_digest.len() == 32, "openapi_digest", "not 32 bytes")?;
    let length = (1..=OPENAPI_LIMIT as u64).contains(&description.openapi_length);
    must(length, "openapi_length", "1 byte to 1 MiB are taken")?;
    operations(&description.operations)
}

fn operations(given: &[wire::ServiceOperation]) -> Result<Vec<ServiceOperation>, ServiceError> {
    const FIELD: &str = "operations";
    must((1..=OPERATIONS_LIMIT).contains(&given.len()), FIELD, "1 to 256 are taken")?;
    let mut operations: Vec<ServiceOperation> = Vec::with_capacity(given.len());
    let mut names = BTreeSet::new();
    for operation in given {
        must(is_operation(&operation.name), FIELD, "a name is a text of 1 to 128 bytes, all of it visible")?;
        must(is_method(&operation.method), FIELD, "not a method to call with")?;
        let Ok(path) = PathTemplate::parse(&operation.path) else {
            return form(FIELD, "not a path template");
        };
        must(names.insert(&operation.name), FIELD, "a name twice")?;
        let (name, method) = (operation.name.clone(), operation.method.clone());
        operations.push(ServiceOperation { name, method, path });
    }
    let mut shapes = BTreeSet::new();
    let distinct =
        operations.iter().all(|operation| shapes.insert((&operation.method, operation.path.shape())));
    must(distinct, FIELD, "two templates for the same paths and method")?;
    Ok(operations)
}

/// Whether an operation may have this name: 1 to 128 bytes, no white space at either end, no invisible character.
#[must_use]
pub fn is_operation(name: &str) -> bool {
    is_operation_name(name) && !name.chars().any(misleading)
}

fn is_text(text: &str, limit: usize) -> bool {
    let characters = text.chars().count();
    (1..=limit).contains(&characters)
        && !text.trim().is_empty()
        && !text.chars().any(|character| misleading(character) || character == '\n')
}
