//! The sections of the configuration file as they are written, with their defaults. `passerelle-agent.toml` shows them all.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::folders::Folders;
use super::govstack::GovstackSection;
use super::local::Local;
use super::services::{Calls, Service};
use super::signing::Signing;
use super::systems::SystemSection;
use super::webhooks::WebhookSection;
use crate::inclusion::CheckSettings;
use crate::records;

/// The whole file.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) data_dir: PathBuf,
    pub(super) agent: AgentSection,
    pub(super) gateway: Gateway,
    pub(super) local: Local,
    /// By name.
    pub(super) systems: Vec<(String, SystemSection)>,
    /// By name.
    pub(super) webhooks: Vec<(String, WebhookSection)>,
    pub(super) checks: Checks,
    pub(super) pseudonyms: Pseudonyms,
    pub(super) limits: Limits,
    pub(super) metrics: Metrics,
    pub(super) calls: Calls,
    pub(super) services: Vec<(String, Service)>,
    pub(super) folders: Folders,
    pub(super) signing: Signing,
    pub(super) govstack: GovstackSection,
    pub(super) tracing: Tracing,
}

/// `[agent]`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AgentSection {
    /// `agency/agent`, as the administrator of the gateway issued the token.
    pub(super) id: String,
}

/// `[gateway]`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Gateway {
    /// Listener for agents: `https://host:port`.
    pub(super) agents: String,
    /// Public listener, for enrolment: `https://host:port`.
    pub(super) public: String,
    /// The root certificate that the agency was given, PEM.
    pub(super) root_certificate: PathBuf,
}

/// `[checks]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Checks {
    /// Refuse by the agreement before sealing. `false` only in trials: the gateway then refuses.
    pub(super) before_sending: bool,
    /// How long after its receipt an exchange may be absent from the log.
    pub(super) logged_within_s: u64,
    /// How often the log is looked at while a receipt is to be checked.
    pub(super) log_every_s: u64,
}

impl Default for Checks {
    fn default() -> Self {
        let checks = CheckSettings::default();
        Self {
            before_sending: true,
            logged_within_s: checks.within.as_secs(),
            log_every_s: checks.every.as_secs(),
        }
    }
}

/// `[pseudonyms]`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Pseudonyms {
    /// 32 bytes in hexadecimal, the same for every agent of the agency; empty: the agent's own.
    pub(super) key_file: PathBuf,
}

/// `[limits]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Limits {
    pub(super) record_bytes_max: u64,
    pub(super) queued_records_max: u32,
    pub(super) queued_bytes_max: u64,
    pub(super) inbox_records_max: u32,
    pub(super) inbox_bytes_max: u64,
    pub(super) history_days: u32,
    pub(super) history_records_max: u32,
    pub(super) minimised_bytes_max: u64,
    pub(super) lifetime_default_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = records::Limits::default();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            record_bytes_max: limits.record_bytes,
            queued_records_max: count(limits.queued_records),
            queued_bytes_max: limits.queued_bytes,
            inbox_records_max: count(limits.inbox_records),
            inbox_bytes_max: limits.inbox_bytes,
            history_days: u32::try_from(limits.history.as_secs() / 86_400).unwrap_or(u32::MAX),
            history_records_max: count(limits.history_records),
            minimised_bytes_max: limits.minimised_bytes,
            lifetime_default_s: limits.lifetime.as_secs(),
        }
    }
}

/// `[metrics]`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Metrics {
    /// Address of the scraper's listener; empty for none.
    pub(super) listen: String,
}

/// `[tracing]`: what is written to the standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tracing {
    /// `error`, `warn`, `info`, `debug` or `trace`, or a filter such as `info,passerelle_agent=debug`.
    pub level: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

impl Default for Tracing {
    fn default() -> Self {
        Self { level: "info".to_owned(), json: false }
    }
}
