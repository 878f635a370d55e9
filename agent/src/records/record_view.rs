//! A sent record as its sender sees it.

use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::AgencyCode;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::reason;
use passerelle_proto::wire;
use serde::Serialize;

use super::time::{rfc3339, rfc3339_option};
use super::transfer::Progress;

/// Where a record stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordState {
    /// Durable in the outbox.
    Queued,
    /// On its way to the gateway.
    Sent,
    /// Durable at the gateway and logged: the receipt is here.
    Accepted,
    /// Every recipient has acknowledged it.
    Delivered,
    /// The gateway refused it. Final.
    Denied,
    /// A recipient did not collect it in time. Final.
    Expired,
    /// A recipient's agent refused it. Final.
    Refused,
}

impl RecordState {
    /// Whether nothing will change any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Denied | Self::Expired | Self::Refused)
    }
}

/// Where a record stands with one recipient.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RecipientState {
    /// Nothing is known yet.
    Waiting,
    /// Its agent has signed that it has it.
    Delivered,
    /// Its agent has signed that it refuses it.
    Refused,
    /// It did not collect it in time.
    Expired,
}

/// One recipient of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecipientView {
    /// The agency.
    pub agency: AgencyCode,
    /// Where the record stands with it.
    pub state: RecipientState,
    /// Why its agent refused the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// When it was received or refused, by the recipient's clock.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339_option")]
    pub at: Option<Timestamp>,
}

/// The gateway's promise, verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceiptView {
    /// Place of the event in the log.
    pub leaf_index: u64,
    /// When the gateway accepted the record.
    #[serde(serialize_with = "rfc3339")]
    pub accepted_at: Timestamp,
    /// Origin of the log.
    pub log_origin: String,
}

/// The gateway's refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DenialView {
    /// Stable code.
    pub code: &'static str,
    /// What is wrong and what to do, French.
    pub message_fr: &'static str,
    /// The same in English.
    pub message_en: &'static str,
    /// The fact behind it.
    pub detail: String,
    /// Place of the denial in the log, when it was logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf_index: Option<u64>,
}

impl DenialView {
    /// Our own words for the code: the gateway's are not shown.
    #[must_use]
    pub fn of(reason: wire::Reason, detail: String, leaf_index: Option<u64>) -> Self {
        let text = reason::text(reason);
        Self { code: reason::code(reason), message_fr: text.fr, message_en: text.en, detail, leaf_index }
    }
}

/// An agreement version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgreementView {
    /// Number.
    pub number: String,
    /// Version.
    pub version: u32,
}

/// The place of an ordered record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderView {
    /// Its stream, hexadecimal: of one sending agent, one agreement and one set of recipients.
    pub stream: String,
    /// Its number there, from 1 on; a missing one was refused for good.
    pub sequence: u64,
}

impl OrderView {
    pub(crate) fn of(stream: &[u8], sequence: u64) -> Option<Self> {
        (!stream.is_empty()).then(|| Self { stream: hex::encode(stream), sequence })
    }
}

/// A sent record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordView {
    /// Its id.
    pub exchange_id: ExchangeId,
    /// Where it stands.
    pub state: RecordState,
    /// The agreement relied on.
    pub agreement: AgreementView,
    /// Service.
    pub service: String,
    /// Purpose.
    pub purpose: String,
    /// Media type.
    pub content_type: String,
    /// Plaintext bytes, as they were sealed.
    pub length: u64,
    /// Pointers of the fields that the agreement does not let leave, and that were removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed_fields: Vec<String>,
    /// Its place in its stream, when it is ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderView>,
    /// When it was sealed.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: Timestamp,
    /// Until when it may be accepted and delivered.
    #[serde(serialize_with = "rfc3339")]
    pub expires_at: Timestamp,
    /// The receipt, once accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptView>,
    /// The refusal, when denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denial: Option<DenialView>,
    /// Every recipient.
    pub recipients: Vec<RecipientView>,
    /// How far the body has come, while it is uploaded by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

/// Which records to list: newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordFilter {
    /// Only these.
    pub state: Option<RecordState>,
    /// Only those older than this one: the last of the previous page.
    pub after: Option<ExchangeId>,
    /// At most so many; 100 when 0, never more than 1,000.
    pub limit: usize,
}

impl RecordFilter {
    /// The limit that holds.
    #[must_use]
    pub fn effective_limit(&self) -> usize {
        effective_limit(self.limit)
    }
}

pub(super) fn effective_limit(limit: usize) -> usize {
    match limit {
        0 => 100,
        limit => limit.min(1_000),
    }
}

/// A record was taken over: durable in the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// Its id.
    pub exchange_id: ExchangeId,
    /// Where it stands: queued, or further when the same request was made before.
    pub state: RecordState,
    /// The same request had been made before under the same key.
    pub repeated: bool,
    /// Pointers of the fields that the agreement does not let leave, and that were removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed_fields: Vec<String>,
}
