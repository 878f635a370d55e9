//! What the local interface says, in the JSON that `openapi.yaml` describes. The client reads with the same types.
//!
//! The views of [`crate::records`] are what the server writes; these are the same shapes, owned, so that they read back.
//! Times are RFC 3339, UTC. Fields that a later version adds are ignored.

use jiff::Timestamp;
use passerelle_pki::name::{AgencyCode, AgentId};
use passerelle_proto::exchange_id::ExchangeId;
use serde::{Deserialize, Serialize};

pub use crate::inclusion::{Missing, Side};
pub use crate::records::{Progress, RecordState};

/// `202` of `POST /v1/records`: the record is durable in the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Its id.
    pub exchange_id: ExchangeId,
    /// Where it stands.
    pub state: RecordState,
    /// The same request had been made before under the same idempotency key.
    pub repeated: bool,
    /// Pointers of the fields that the agreement does not let leave, and that were removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed_fields: Vec<String>,
}

/// An agreement version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementRef {
    /// Number.
    pub number: String,
    /// Version.
    pub version: u32,
}

/// The gateway's promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Place of the event in the log.
    pub leaf_index: u64,
    /// When the gateway accepted the record.
    pub accepted_at: Timestamp,
    /// Origin of the log.
    pub log_origin: String,
}

/// The gateway's refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// Stable code, such as `AGREEMENT_EXPIRED`.
    pub code: String,
    /// What is wrong and what to do, French.
    pub message_fr: String,
    /// The same in English.
    pub message_en: String,
    /// The fact behind it.
    pub detail: String,
    /// Place of the denial in the log.
    pub leaf_index: Option<u64>,
}

/// One recipient of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// The agency.
    pub agency: AgencyCode,
    /// `waiting`, `delivered`, `refused` or `expired`.
    pub state: String,
    /// Why its agent refused the record.
    pub reason: Option<String>,
    /// When it was received or refused, by the recipient's clock.
    pub at: Option<Timestamp>,
}

/// The place of an ordered record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its stream, hexadecimal.
    pub stream: String,
    /// Its number there, from 1 on.
    pub sequence: u64,
}

/// A sent record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its id.
    pub exchange_id: ExchangeId,
    /// Where it stands.
    pub state: RecordState,
    /// The agreement relied on.
    pub agreement: AgreementRef,
    /// Service.
    pub service: String,
    /// Purpose.
    pub purpose: String,
    /// Media type.
    pub content_type: String,
    /// Plaintext bytes, as they were sealed.
    pub length: u64,
    /// Pointers of the fields that the agreement does not let leave, and that were removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed_fields: Vec<String>,
    /// Its place in its stream, when it is ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// When it was sealed.
    pub created_at: Timestamp,
    /// Until when it may be accepted and delivered.
    pub expires_at: Timestamp,
    /// The receipt, once accepted.
    pub receipt: Option<Receipt>,
    /// The refusal, when denied.
    pub denial: Option<Denial>,
    /// Every recipient.
    pub recipients: Vec<Recipient>,
    /// How far the body has come, while it is uploaded by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

/// A large record on its way in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncomingRecord {
    /// Its id.
    pub exchange_id: ExchangeId,
    /// The agency that sent it.
    pub from: AgencyCode,
    /// The agreement relied on.
    pub agreement: AgreementRef,
    /// Purpose.
    pub purpose: String,
    /// Until when it may come.
    pub expires_at: Timestamp,
    /// How far it has come.
    pub progress: Progress,
    /// How often the gateway gave something else than the body that was signed.
    pub wrong: u32,
}

/// `GET /v1/inbox/incoming`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncomingRecords {
    /// By id.
    pub records: Vec<IncomingRecord>,
}

/// `GET /v1/records`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// Newest first.
    pub records: Vec<Record>,
}

/// A record that waits in the inbox.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxRecord {
    /// Its id.
    pub exchange_id: ExchangeId,
    /// The agency that sent it.
    pub from: AgencyCode,
    /// The agent of that agency.
    pub from_agent: String,
    /// The agreement relied on.
    pub agreement: AgreementRef,
    /// Service.
    pub service: String,
    /// Purpose.
    pub purpose: String,
    /// Legal basis.
    pub legal_basis: String,
    /// Data categories.
    pub data_categories: Vec<String>,
    /// Media type.
    pub content_type: String,
    /// Name of the file, when the sender gave one. Never to be used as a path.
    pub file_name: Option<String>,
    /// Plaintext bytes.
    pub length: u64,
    /// When it was sealed, by the sender's clock.
    pub created_at: Timestamp,
    /// When it was durable here.
    pub received_at: Timestamp,
    /// Case reference.
    pub case_reference: Option<String>,
    /// Who acted at the sender's.
    pub acting_user: Option<String>,
    /// Persons concerned.
    pub subjects: Vec<String>,
    /// The exchange that this answers.
    pub in_reply_to: Option<ExchangeId>,
    /// Its place in its stream, when it is ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// Place of its event in the log.
    pub leaf_index: u64,
}

/// Without what the sender sealed.
impl std::fmt::Debug for InboxRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InboxRecord")
            .field("exchange_id", &self.exchange_id)
            .field("from", &self.from)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// `GET /v1/inbox`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    /// Oldest first.
    pub records: Vec<InboxRecord>,
}

/// One version of an agreement, in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// Number.
    pub number: String,
    /// Version.
    pub version: u32,
    /// Title, French.
    pub title_fr: String,
    /// Title, English.
    pub title_en: String,
    /// State, such as `AGREEMENT_STATE_ACTIVE`.
    pub state: String,
    /// Who provides.
    pub provider: AgencyCode,
    /// Who collects.
    pub consumers: Vec<AgencyCode>,
    /// Services.
    pub services: Vec<String>,
    /// Codes of the purposes.
    pub purposes: Vec<String>,
    /// Codes of the data categories.
    pub data_categories: Vec<String>,
    /// First day, YYYY-MM-DD.
    pub valid_from: String,
    /// Last day, YYYY-MM-DD.
    pub valid_to: String,
    /// From when it is in force, when that is known.
    pub in_force_from: Option<Timestamp>,
    /// Until when.
    pub in_force_until: Timestamp,
    /// Parties that have not signed.
    pub unsigned: Vec<AgencyCode>,
    /// SHA-256 of the document, hexadecimal: what is signed.
    pub digest: String,
}

/// `GET /v1/agreements`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreements {
    /// By number and version.
    pub agreements: Vec<Agreement>,
}

/// `GET /v1/agreements/{number}/{version}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementDocument {
    /// In a line.
    #[serde(flatten)]
    pub summary: Agreement,
    /// The exact text that is signed: JSON, UTF-8.
    pub document: String,
}

/// Body of `POST /v1/agreements/{number}/{version}/sign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignRequest {
    /// SHA-256, hexadecimal, of the document that was read before deciding: nothing else is signed.
    pub digest: String,
}

/// Answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// State after it, such as `AGREEMENT_STATE_SIGNED`.
    pub state: String,
}

/// A service of the catalogue, in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Who offers it.
    pub agency: AgencyCode,
    /// Its name, as agreements name it.
    pub service: String,
    /// Whether it may be called.
    pub enabled: bool,
    /// Title, French.
    pub title_fr: String,
    /// Title, English.
    pub title_en: String,
    /// The interface's version.
    pub version: String,
    /// When that version was published first.
    pub version_since: Timestamp,
    /// When the agency last signed the description.
    pub published_at: Timestamp,
    /// Codes of the data categories.
    pub data_categories: Vec<String>,
    /// The agency's code of classification.
    pub classification: String,
    /// SHA-256 of the OpenAPI document, hexadecimal.
    pub openapi_digest: String,
    /// Its bytes.
    pub openapi_length: u64,
}

/// An operation of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceOperation {
    /// `operationId`.
    pub name: String,
    /// Method.
    pub method: String,
    /// Path template.
    pub path: String,
}

/// `GET /v1/services/{agency}/{service}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDetail {
    /// In a line.
    #[serde(flatten)]
    pub summary: Service,
    /// Its operations.
    pub operations: Vec<ServiceOperation>,
}

/// `GET /v1/services`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Services {
    /// By agency and name.
    pub services: Vec<Service>,
}

/// `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Who this is.
    pub agent: AgentId,
    /// The agency's other agents.
    #[serde(default)]
    pub others: Vec<AgentId>,
    /// Its trust domain.
    pub trust_domain: String,
    /// Whether there is a connection to the gateway.
    pub connected: bool,
    /// Why the last attempt to connect failed.
    pub last_failure: Option<String>,
    /// Records that wait to be sent.
    pub queued: u64,
    /// Records that are accepted and not delivered yet.
    pub on_the_way: u64,
    /// Records that wait in the inbox.
    pub inbox: u64,
    /// Records whose acknowledgement the gateway has not answered yet.
    #[serde(default)]
    pub inbox_pending: u64,
    /// Records of these that the gateway says are not this agent's, without proof.
    #[serde(default)]
    pub inbox_contested: u64,
    /// What it says of the oldest of them: an alarm.
    #[serde(default)]
    pub inbox_alarm: Option<String>,
    /// Sealed bytes that wait to be sent.
    pub queued_bytes: u64,
    /// Sealed bytes in the inbox.
    pub inbox_bytes: u64,
    /// Since when the oldest of those that wait to be sent has waited.
    pub oldest_queued_at: Option<Timestamp>,
    /// Since when the oldest in the inbox has waited.
    pub oldest_inbox_at: Option<Timestamp>,
    /// The largest checkpoint of the log that was verified.
    pub checkpoint: Option<Checkpoint>,
    /// How the log contradicts what it signed before: an alarm.
    pub checkpoint_alarm: Option<String>,
    /// Receipts that were or are to be held against the log.
    #[serde(default)]
    pub receipts: Receipts,
    /// Agreements known.
    pub agreements: u64,
    /// When the directory was last brought up to date.
    pub directory_at: Option<Timestamp>,
    /// When the agreements were last brought up to date.
    pub agreements_at: Option<Timestamp>,
    /// End of the TLS certificate.
    pub tls_until: Timestamp,
    /// End of the signing certificate.
    pub signing_until: Timestamp,
    /// End of the key bundle that the directory has.
    pub bundle_until: Option<Timestamp>,
    /// Verifier key of the log.
    pub log_vkey: String,
    /// Folders of the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<Folder>,
}

/// A folder of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Its name.
    pub name: String,
    /// Number of the agreement.
    pub agreement: String,
    /// Files in `outbox/` that are not sent yet.
    pub waiting: u64,
    /// Files in `outbox/sent/` whose delivery is not settled.
    pub on_the_way: u64,
    /// Files in `outbox/quarantine/`.
    pub quarantined: u64,
    /// Files written to `inbox/` since the agent started.
    pub received: u64,
    /// Why nothing moves, French and English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// What was seen of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Entries under it.
    pub size: u64,
    /// When the log last showed one that fits.
    pub seen_at: Timestamp,
}

/// How the receipts stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipts {
    /// Receipts that are still to be found in the log.
    pub unchecked: u64,
    /// Receipts that were found since the agent started.
    pub found: u64,
    /// Entries under the last checkpoint under which receipts were found.
    pub checked_size: Option<u64>,
    /// When that was.
    pub checked_at: Option<Timestamp>,
    /// Exchanges that are missing: an alarm.
    pub missing: u64,
    /// The first of them; none for a system of its own.
    pub named: Vec<MissingExchange>,
    /// Receipts that were not kept because there were too many.
    pub left_out: u64,
    /// How the log contradicts itself: an alarm.
    pub log_alarm: Option<String>,
}

/// An exchange with a receipt that the log does not honour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingExchange {
    /// Which.
    pub exchange_id: ExchangeId,
    /// How this agent sees it.
    pub side: Side,
    /// Where the receipt says that it stands.
    pub leaf_index: u64,
    /// When the receipt came.
    pub since: Timestamp,
    /// What was found instead.
    pub reason: Missing,
}

/// `GET /v1/webhooks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookList {
    /// Each of them.
    pub webhooks: Vec<Webhook>,
}

/// How a webhook is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its name.
    pub name: String,
    /// Where it posts, without the query.
    pub url: String,
    /// Records that are to be posted by it, those given up and those told of included.
    pub waiting: u64,
    /// Those of them that failed and are tried again.
    pub retrying: u64,
    /// Those of them that were given up.
    pub dead: u64,
    /// Those of them that the system was told of, and fetches and confirms itself.
    pub announced: u64,
    /// When the system last took something, since the agent started.
    pub last_success_at: Option<Timestamp>,
    /// Why the last attempt failed, if it did.
    pub last_failure: Option<String>,
}

/// `GET /v1/webhooks/{name}/dead`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetters {
    /// Longest ago first.
    pub records: Vec<DeadLetter>,
}

/// A record that was given up; it still is in the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Which.
    pub exchange_id: ExchangeId,
    /// How often it was tried.
    pub attempts: u32,
    /// When it first failed.
    pub first_failed_at: Timestamp,
    /// When it was given up.
    pub given_up_at: Timestamp,
    /// What the system answered, when it did.
    pub status: Option<u16>,
    /// Why the last attempt failed.
    pub why: String,
}

/// An error, `application/problem+json` (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:passerelle:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in words, French.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What is wrong and what to do, French.
    pub detail: String,
    /// The same in English.
    pub detail_en: String,
    /// Stable code: a reason of the gateway's (`AGREEMENT_EXPIRED`), or one of the local interface (`REQUEST_INVALID`).
    pub code: String,
    /// The fact behind it, when there is more to say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fact: Option<String>,
    /// The exchange, when there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exchange_id: Option<ExchangeId>,
}
