//! How the agent is doing.

use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::{AgencyCode, AgentId};
use passerelle_proto::agreement::AgreementVersion;
use serde::Serialize;

use crate::folders::FolderStatus;
use crate::inclusion::ReceiptsStatus;

use super::time::{rfc3339, rfc3339_option};

/// What an administrator wants to know first.
#[derive(Clone, Debug, Serialize)]
pub struct AgentStatus {
    /// Who this is.
    pub agent: AgentId,
    /// The agency's other agents, as the directory lists them: what is sent to the agency goes to any of them.
    pub others: Vec<AgentId>,
    /// Its trust domain.
    pub trust_domain: String,
    /// Whether there is a connection to the gateway.
    pub connected: bool,
    /// Why the last attempt to connect failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    /// Records that wait to be sent.
    pub queued: usize,
    /// Records that are accepted and not delivered yet.
    pub on_the_way: usize,
    /// Records that wait in the inbox.
    pub inbox: usize,
    /// Records whose acknowledgement the gateway has not answered yet: no system sees them.
    pub inbox_pending: usize,
    /// Records of these that the gateway says are not this agent's, without proof.
    pub inbox_contested: usize,
    /// What it says of the oldest of them, French and English: an alarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbox_alarm: Option<String>,
    /// Sealed bytes in the outbox that wait to be sent.
    pub queued_bytes: u64,
    /// Sealed bytes in the inbox.
    pub inbox_bytes: u64,
    /// Since when the oldest of those that wait to be sent has waited.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339_option")]
    pub oldest_queued_at: Option<Timestamp>,
    /// Since when the oldest in the inbox has waited.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339_option")]
    pub oldest_inbox_at: Option<Timestamp>,
    /// The largest checkpoint of the log that was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointStatus>,
    /// How the log contradicts what it signed before, French and English: an alarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_alarm: Option<String>,
    /// Receipts that were or are to be held against the log.
    pub receipts: ReceiptsStatus,
    /// Agreements known.
    pub agreements: usize,
    /// When the directory was last brought up to date.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339_option")]
    pub directory_at: Option<Timestamp>,
    /// When the agreements were last brought up to date.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339_option")]
    pub agreements_at: Option<Timestamp>,
    /// End of the TLS certificate.
    #[serde(serialize_with = "rfc3339")]
    pub tls_until: Timestamp,
    /// End of the signing certificate.
    #[serde(serialize_with = "rfc3339")]
    pub signing_until: Timestamp,
    /// End of the key bundle that the directory has.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339_option")]
    pub bundle_until: Option<Timestamp>,
    /// Verifier key of the log.
    pub log_vkey: String,
    /// Folders of the configuration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<FolderStatus>,
}

/// What was seen of the log.
#[derive(Copy, Clone, Debug, Serialize)]
pub struct CheckpointStatus {
    /// Entries under it.
    pub size: u64,
    /// When the log last showed one that fits.
    #[serde(serialize_with = "rfc3339")]
    pub seen_at: Timestamp,
}

/// One version of an agreement, in a line.
#[derive(Clone, Debug, Serialize)]
pub struct AgreementSummary {
    /// Number.
    pub number: String,
    /// Version.
    pub version: u32,
    /// Title, French.
    pub title_fr: String,
    /// Title, English.
    pub title_en: String,
    /// State, such as `AGREEMENT_STATE_ACTIVE`.
    pub state: &'static str,
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
    /// First day.
    pub valid_from: String,
    /// Last day.
    pub valid_to: String,
    /// From when it is in force, when that is known.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339_option")]
    pub in_force_from: Option<Timestamp>,
    /// Until when.
    #[serde(serialize_with = "rfc3339")]
    pub in_force_until: Timestamp,
    /// Parties that have not signed.
    pub unsigned: Vec<AgencyCode>,
    /// SHA-256 of the document, hexadecimal: what is signed.
    pub digest: String,
}

impl AgreementSummary {
    /// Of one version.
    #[must_use]
    pub fn of(version: &AgreementVersion) -> Self {
        let (terms, standing) = (version.agreement(), version.standing());
        Self {
            number: terms.number.clone(),
            version: terms.version,
            title_fr: terms.title.fr.clone(),
            title_en: terms.title.en.clone(),
            state: standing.state.to_wire().as_str_name(),
            provider: terms.provider.agency.clone(),
            consumers: terms.consumers.iter().map(|party| party.agency.clone()).collect(),
            services: terms.services.clone(),
            purposes: terms.purposes.iter().map(|purpose| purpose.code.code().to_owned()).collect(),
            data_categories: terms.data_categories.iter().map(|category| category.code.clone()).collect(),
            valid_from: terms.valid_from.to_string(),
            valid_to: terms.valid_to.to_string(),
            in_force_from: passerelle_proto::agreement::in_force_from(terms, standing),
            in_force_until: passerelle_proto::agreement::in_force_until(terms),
            unsigned: version.unsigned(),
            digest: hex::encode(version.document().digest()),
        }
    }
}
