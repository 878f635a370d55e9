//! Webhooks as the local interface shows them.

use passerelle_pki::clock::Timestamp;
use passerelle_proto::exchange_id::ExchangeId;
use serde::Serialize;

use crate::records::time::{rfc3339, rfc3339_option};

/// How a webhook is doing.
#[derive(Clone, Debug, Serialize)]
pub struct WebhookView {
    /// Its name.
    pub name: String,
    /// Where it posts, without the query.
    pub url: String,
    /// Records in the inbox that are to be posted by it, those given up and those told of included.
    pub waiting: usize,
    /// Those of them that failed and are tried again.
    pub retrying: usize,
    /// Those of them that were given up.
    pub dead: usize,
    /// Those of them whose content was too long: the system was told, and fetches and confirms them itself.
    pub announced: usize,
    /// When the system last took something, since the agent started.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339_option")]
    pub last_success_at: Option<Timestamp>,
    /// Why the last attempt failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
}

/// A record that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// Which. It still is in the inbox.
    pub exchange_id: ExchangeId,
    /// How often it was tried.
    pub attempts: u32,
    /// When it first failed.
    #[serde(serialize_with = "rfc3339")]
    pub first_failed_at: Timestamp,
    /// When it was given up.
    #[serde(serialize_with = "rfc3339")]
    pub given_up_at: Timestamp,
    /// What the system answered, when it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why the last attempt failed.
    pub why: String,
}
