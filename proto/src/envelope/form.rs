//! The form of a header: every rule that needs nothing but the header itself (`docs/formats/envelope.md`, "Form").

use passerelle_pki::name::{AgencyCode, AgentId, AgentName};

use super::chunks::chunk_count;
use super::kem::ENCAPSULATED_SIZE;
use super::limits::{
    AGREEMENT_NUMBER_LIMIT, CATEGORIES_LIMIT, CATEGORY_LIMIT, CHUNK_SIZE, CONTENT_TYPE_LIMIT,
    LEGAL_BASIS_LIMIT, LIFETIME_LIMIT_MS, OPERATION_LIMIT, PLAINTEXT_LIMIT, PURPOSE_LIMIT,
    RECIPIENT_KEYS_LIMIT, RECIPIENTS_LIMIT, SEALED_ATTRIBUTES_LIMIT, SERVICE_LIMIT, STREAM_ID_SIZE,
    SUBJECTS_LIMIT, TAG_SIZE,
};
use super::schedule::WRAPPED_SIZE;
use crate::exchange_id::ExchangeId;
use crate::wire::{AgreementRef, ExchangeKind, Header, RecipientKey};

/// A rule of the form that a header breaks. The sender is at fault.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {wrong}")]
pub struct FormError {
    /// The field of the header, as the schema names it.
    pub field: &'static str,
    /// What is wrong with it.
    pub wrong: &'static str,
}

fn must(holds: bool, field: &'static str, wrong: &'static str) -> Result<(), FormError> {
    if holds { Ok(()) } else { Err(FormError { field, wrong }) }
}

/// What of a header the checker has turned into types.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub(super) exchange_id: ExchangeId,
    pub(super) kind: ExchangeKind,
    pub(super) sender: AgentId,
}

/// Checks every rule of the form; the suite was checked before.
pub(super) fn check(header: &Header) -> Result<Checked, FormError> {
    let checked = identities(header)?;
    recipients(header)?;
    header.agreement.as_ref().map_or_else(|| must(false, "agreement", "missing"), agreement)?;
    texts(header, checked.kind)?;
    categories(header)?;
    pseudonyms(header)?;
    times(header)?;
    body(header)?;
    recipient_keys(header)?;
    order(header, checked.kind)?;
    Ok(checked)
}

fn identities(header: &Header) -> Result<Checked, FormError> {
    let wrong = |field, wrong| FormError { field, wrong };
    let exchange_id = ExchangeId::from_bytes(&header.exchange_id)
        .map_err(|_| wrong("exchange_id", "not a UUID of version 7"))?;
    let kind = ExchangeKind::try_from(header.kind)
        .ok()
        .filter(|kind| *kind != ExchangeKind::Unspecified)
        .ok_or_else(|| wrong("kind", "unknown"))?;
    let agency = AgencyCode::try_from(header.sender_agency.as_str())
        .map_err(|_| wrong("sender_agency", "not the code of an agency"))?;
    let agent = AgentName::try_from(header.sender_agent.as_str())
        .map_err(|_| wrong("sender_agent", "not the name of an agent"))?;
    answers(header, kind)?;
    Ok(Checked { exchange_id, kind, sender: AgentId { agency, agent } })
}

/// `in_reply_to`: always in a response, never in a request, as it likes in a record.
fn answers(header: &Header, kind: ExchangeKind) -> Result<(), FormError> {
    const FIELD: &str = "in_reply_to";
    let given = !header.in_reply_to.is_empty();
    must(kind != ExchangeKind::CallRequest || !given, FIELD, "a request answers nothing")?;
    must(kind != ExchangeKind::CallResponse || given, FIELD, "a response answers a request")?;
    must(!given || ExchangeId::from_bytes(&header.in_reply_to).is_ok(), FIELD, "not a UUID of version 7")?;
    must(!given || header.in_reply_to != header.exchange_id, FIELD, "answers itself")
}

fn recipients(header: &Header) -> Result<(), FormError> {
    const FIELD: &str = "recipients";
    let recipients = &header.recipients;
    must((1..=RECIPIENTS_LIMIT).contains(&recipients.len()), FIELD, "1 to 32 are taken")?;
    must(
        recipients.iter().all(|code| AgencyCode::try_from(code.as_str()).is_ok()),
        FIELD,
        "not codes of agencies",
    )?;
    must(recipients.is_sorted_by(|a, b| a < b), FIELD, "not sorted, or one twice")
}

fn agreement(agreement: &AgreementRef) -> Result<(), FormError> {
    must(
        is_text(&agreement.number, AGREEMENT_NUMBER_LIMIT),
        "agreement.number",
        "not a text of 1 to 64 bytes",
    )?;
    must(agreement.version > 0, "agreement.version", "versions start at 1")?;
    must(agreement.digest.len() == 32, "agreement.digest", "not 32 bytes")
}

fn texts(header: &Header, kind: ExchangeKind) -> Result<(), FormError> {
    must(is_text(&header.service, SERVICE_LIMIT), "service", "not a text of 1 to 128 bytes")?;
    if kind == ExchangeKind::Record {
        must(header.operation.is_empty(), "operation", "a record has none")?;
    } else {
        must(is_text(&header.operation, OPERATION_LIMIT), "operation", "not a text of 1 to 128 bytes")?;
    }
    must(is_text(&header.purpose, PURPOSE_LIMIT), "purpose", "not a text of 1 to 64 bytes")?;
    must(is_text(&header.legal_basis, LEGAL_BASIS_LIMIT), "legal_basis", "not a text of 1 to 64 bytes")?;
    must(is_text(&header.content_type, CONTENT_TYPE_LIMIT), "content_type", "not a text of 1 to 128 bytes")
}

/// A non-empty text of at most so many bytes, without control characters.
fn is_text(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn categories(header: &Header) -> Result<(), FormError> {
    const FIELD: &str = "data_categories";
    let categories = &header.data_categories;
    must((1..=CATEGORIES_LIMIT).contains(&categories.len()), FIELD, "1 to 64 are taken")?;
    must(categories.iter().all(|code| is_text(code, CATEGORY_LIMIT)), FIELD, "not texts of 1 to 64 bytes")?;
    must(categories.is_sorted_by(|a, b| a < b), FIELD, "not sorted, or one twice")
}

fn pseudonyms(header: &Header) -> Result<(), FormError> {
    const WRONG: &str = "not 32 bytes";
    must(matches!(header.case_commitment.len(), 0 | 32), "case_commitment", WRONG)?;
    must(matches!(header.acting_user.len(), 0 | 32), "acting_user", WRONG)?;
    must(header.subjects.len() <= SUBJECTS_LIMIT, "subjects", "at most 256 are taken")?;
    must(header.subjects.iter().all(|subject| subject.len() == 32), "subjects", WRONG)
}

fn times(header: &Header) -> Result<(), FormError> {
    let lifetime = header.expires_ms.checked_sub(header.created_ms);
    must(header.created_ms > 0, "created_ms", "missing")?;
    must(
        lifetime.is_some_and(|lifetime| (1..=LIFETIME_LIMIT_MS).contains(&lifetime)),
        "expires_ms",
        "not after the creation, or more than 31 days after it",
    )
}

fn body(header: &Header) -> Result<(), FormError> {
    must(header.chunk_size as usize == CHUNK_SIZE, "chunk_size", "not 65,536")?;
    must(header.plaintext_length <= PLAINTEXT_LIMIT, "plaintext_length", "over 50 GiB")?;
    must(
        header.chunk_count == chunk_count(header.plaintext_length),
        "chunk_count",
        "not the number that follows from the length",
    )?;
    must(header.body_root.len() == 32, "body_root", "not 32 bytes")?;
    must(header.commitment.len() == 32, "commitment", "not 32 bytes")?;
    must(
        (TAG_SIZE..=SEALED_ATTRIBUTES_LIMIT).contains(&header.sealed_attributes.len()),
        "sealed_attributes",
        "not 16 to 4,096 bytes",
    )
}

fn recipient_keys(header: &Header) -> Result<(), FormError> {
    const FIELD: &str = "recipient_keys";
    let keys = &header.recipient_keys;
    must((1..=RECIPIENT_KEYS_LIMIT).contains(&keys.len()), FIELD, "1 to 48 are taken")?;
    must(keys.iter().all(is_recipient_key), FIELD, "a length is wrong")?;
    must(keys.is_sorted_by(|a, b| a.key_id < b.key_id), FIELD, "not sorted by key id, or one twice")?;
    let listed = |key: &RecipientKey| header.recipients.binary_search(&key.agency).is_ok();
    must(keys.iter().all(listed), FIELD, "a key of an agency that is no recipient")?;
    let reached = |agency: &String| keys.iter().any(|key| key.agency == *agency);
    must(header.recipients.iter().all(reached), FIELD, "a recipient without a key")
}

fn order(header: &Header, kind: ExchangeKind) -> Result<(), FormError> {
    let Some(order) = &header.order else { return Ok(()) };
    must(kind == ExchangeKind::Record, "order", "only records have a place in a stream")?;
    must(order.stream.len() == STREAM_ID_SIZE, "order.stream", "not 16 bytes")?;
    must(order.sequence > 0, "order.sequence", "sequences start at 1")
}

fn is_recipient_key(key: &RecipientKey) -> bool {
    key.key_id.len() == 32 && key.encapsulated.len() == ENCAPSULATED_SIZE && key.wrapped.len() == WRAPPED_SIZE
}
