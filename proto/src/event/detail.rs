//! What the log keeps of a header.

use bytes::Bytes;
use passerelle_pki::key::KeyId;

use crate::envelope::limits;
use crate::exchange_id::ExchangeId;
use crate::wire::{self, ExchangeDetail, Header, Reason};

/// The detail of an exchange whose header was verified: everything the gateway may see of it but the keys.
///
/// `header_digest` is SHA-256 of the exact header bytes, `signing_key` the key that the signature verified with.
#[must_use]
pub fn exchange_detail(header: &Header, header_digest: &[u8; 32], signing_key: &KeyId) -> ExchangeDetail {
    ExchangeDetail {
        exchange_id: header.exchange_id.clone(),
        header_digest: Bytes::copy_from_slice(header_digest),
        kind: header.kind,
        sender_agency: header.sender_agency.clone(),
        sender_agent: header.sender_agent.clone(),
        recipients: header.recipients.clone(),
        agreement: header.agreement.clone(),
        service: header.service.clone(),
        operation: header.operation.clone(),
        purpose: header.purpose.clone(),
        legal_basis: header.legal_basis.clone(),
        data_categories: header.data_categories.clone(),
        case_commitment: header.case_commitment.clone(),
        acting_user: header.acting_user.clone(),
        subjects: header.subjects.clone(),
        created_ms: header.created_ms,
        expires_ms: header.expires_ms,
        in_reply_to: header.in_reply_to.clone(),
        plaintext_length: header.plaintext_length,
        body_root: header.body_root.clone(),
        signing_key_id: Bytes::copy_from_slice(signing_key.as_bytes()),
        reason: Reason::Unspecified.into(),
        reason_detail: String::new(),
        order: header.order.clone(),
    }
}

/// The detail of a denial, from a header that nobody may have verified: what could be read of it, cut to the
/// protocol's limits, so that a denial always fits an entry and nothing of odd form reaches the log.
///
/// `header` is `None` when nothing could be read. `header_digest` is over the bytes as they came.
#[must_use]
pub fn denied_detail(
    header: Option<&Header>,
    header_digest: &[u8; 32],
    signing_key: Option<&KeyId>,
    reason: Reason,
    reason_detail: &str,
) -> ExchangeDetail {
    let empty = Header::default();
    let header = header.unwrap_or(&empty);
    let agreement = header.agreement.as_ref().map(|agreement| wire::AgreementRef {
        number: cut(&agreement.number, limits::AGREEMENT_NUMBER_LIMIT),
        version: agreement.version,
        digest: exactly(&agreement.digest, 32),
    });
    let texts = |list: &[String], count: usize, bytes: usize| {
        list.iter().take(count).map(|text| cut(text, bytes)).collect::<Vec<_>>()
    };
    let id = |bytes: &Bytes| ExchangeId::from_bytes(bytes).map(ExchangeId::to_wire).unwrap_or_default();
    ExchangeDetail {
        exchange_id: id(&header.exchange_id),
        header_digest: Bytes::copy_from_slice(header_digest),
        kind: wire::ExchangeKind::try_from(header.kind).unwrap_or_default().into(),
        sender_agency: cut(&header.sender_agency, limits::NAME_LIMIT),
        sender_agent: cut(&header.sender_agent, limits::NAME_LIMIT),
        recipients: texts(&header.recipients, limits::RECIPIENTS_LIMIT, limits::NAME_LIMIT),
        agreement,
        service: cut(&header.service, limits::SERVICE_LIMIT),
        operation: cut(&header.operation, limits::OPERATION_LIMIT),
        purpose: cut(&header.purpose, limits::PURPOSE_LIMIT),
        legal_basis: cut(&header.legal_basis, limits::LEGAL_BASIS_LIMIT),
        data_categories: texts(&header.data_categories, limits::CATEGORIES_LIMIT, limits::CATEGORY_LIMIT),
        case_commitment: exactly(&header.case_commitment, 32),
        acting_user: exactly(&header.acting_user, 32),
        subjects: header
            .subjects
            .iter()
            .filter(|s| s.len() == 32)
            .take(limits::SUBJECTS_LIMIT)
            .cloned()
            .collect(),
        created_ms: header.created_ms,
        expires_ms: header.expires_ms,
        in_reply_to: id(&header.in_reply_to),
        plaintext_length: header.plaintext_length,
        body_root: exactly(&header.body_root, 32),
        signing_key_id: signing_key.map(|key| Bytes::copy_from_slice(key.as_bytes())).unwrap_or_default(),
        reason: reason.into(),
        reason_detail: cut(reason_detail, limits::REASON_DETAIL_LIMIT),
        order: header.order.clone().filter(|order| order.stream.len() == limits::STREAM_ID_SIZE),
    }
}

/// At most `limit` bytes of a text, cut between characters, without control characters.
fn cut(text: &str, limit: usize) -> String {
    let mut kept = String::new();
    for character in text.chars().filter(|character| !character.is_control()) {
        if kept.len() + character.len_utf8() > limit {
            break;
        }
        kept.push(character);
    }
    kept
}

fn exactly(bytes: &Bytes, size: usize) -> Bytes {
    if bytes.len() == size { bytes.clone() } else { Bytes::new() }
}
