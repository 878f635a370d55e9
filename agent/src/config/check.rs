//! From sections to a [`Config`]: names, addresses, ranges, and what must not be missing.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use passerelle_proto::envelope::PLAINTEXT_LIMIT;
use passerelle_proto::minimise::CONTENT_LIMIT;

use super::mistake::Mistake;
use super::sections::{Checks, File, Limits};
use super::{Config, govstack, local, services, signing, webhooks};
use crate::inclusion::CheckSettings;
use crate::records;

/// The configuration that the sections make, or `None` when a part without a default is missing.
pub(super) fn file(file: File, path: &Path, mistakes: &mut Vec<Mistake>) -> Option<Config> {
    let base = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let data_dir = required(&file.data_dir, "data_dir", &base, mistakes);
    let agent = parsed(&file.agent.id, "agent.id", mistakes);
    let agents = parsed(&file.gateway.agents, "gateway.agents", mistakes);
    let public = parsed(&file.gateway.public, "gateway.public", mistakes);
    let root = required(&file.gateway.root_certificate, "gateway.root_certificate", &base, mistakes);
    let local = local::settings(&file.local, &file.systems, (base.as_path(), data_dir.as_deref()), mistakes);
    let webhooks = webhooks::settings(&file.webhooks, (base.as_path(), data_dir.as_deref()), mistakes);
    let limits = limits(&file.limits, mistakes);
    let signing = signing::settings(&file.signing, &file.agent.id, &base, mistakes);
    let govstack = govstack::settings(file.govstack, mistakes);
    let metrics = metrics(&file.metrics.listen, mistakes);
    let calls = services::calls(&file.calls, &file.services, &base, mistakes);
    let folders = super::folders::check(&file.folders, &base, mistakes);
    let webhooks = webhooks::apart(webhooks, &folders, mistakes);
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(&file.tracing.level) {
        mistakes.push(Mistake::new(
            "tracing.level",
            format!("niveau inconnu ({error}); prendre error, warn, info, debug ou trace"),
            format!("unknown level ({error}); take error, warn, info, debug or trace"),
        ));
    }
    let checks = checks(&file.checks, mistakes);
    let key_file = &file.pseudonyms.key_file;
    Some(Config {
        path: path.to_owned(),
        data_dir: data_dir?,
        agent: agent?,
        gateway_agents: agents?,
        gateway_public: public?,
        root_certificate: root?,
        local: local?,
        check_before_sending: file.checks.before_sending,
        checks,
        pseudonym_key_file: (!key_file.as_os_str().is_empty()).then(|| base.join(key_file)),
        limits,
        webhooks,
        metrics,
        calls,
        folders,
        signing,
        govstack,
        tracing: file.tracing,
    })
}

fn required(value: &Path, key: &str, base: &Path, mistakes: &mut Vec<Mistake>) -> Option<PathBuf> {
    if value.as_os_str().is_empty() {
        mistakes.push(Mistake::new(key, "manque; donner un chemin", "missing; give a path"));
        return None;
    }
    Some(base.join(value))
}

fn parsed<T: FromStr>(text: &str, key: &str, mistakes: &mut Vec<Mistake>) -> Option<T>
where
    T::Err: Display,
{
    if text.is_empty() {
        let (fr, en) = match key {
            "agent.id" => ("manque; écrire organisme/agent", "missing; write agency/agent"),
            _ => ("manque; écrire https://hôte:port", "missing; write https://host:port"),
        };
        mistakes.push(Mistake::new(key, fr, en));
        return None;
    }
    match text.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            let fr = format!("« {text} » ne convient pas : {error}");
            mistakes.push(Mistake::new(key, fr, format!("\"{text}\" does not serve: {error}")));
            None
        }
    }
}

/// When receipts are held against the log.
fn checks(checks: &Checks, mistakes: &mut Vec<Mistake>) -> CheckSettings {
    for (key, value, high) in
        [("logged_within_s", checks.logged_within_s, 7 * 86_400), ("log_every_s", checks.log_every_s, 86_400)]
    {
        if !(1..=high).contains(&value) {
            mistakes.push(Mistake::new(
                format!("checks.{key}"),
                format!("{value} est hors de 1…{high}"),
                format!("{value} is outside 1…{high}"),
            ));
        }
    }
    CheckSettings {
        within: Duration::from_secs(checks.logged_within_s),
        every: Duration::from_secs(checks.log_every_s),
    }
}

/// Where measures are scraped, when they are.
fn metrics(listen: &str, mistakes: &mut Vec<Mistake>) -> Option<SocketAddr> {
    if listen.is_empty() {
        return None;
    }
    let address = listen.parse().ok();
    if address.is_none() {
        mistakes.push(Mistake::new(
            "metrics.listen",
            format!("« {listen} » n'est pas adresse:port; écrire 127.0.0.1:9464, ou rien"),
            format!("\"{listen}\" is not address:port; write 127.0.0.1:9464, or nothing"),
        ));
    }
    address
}

fn limits(limits: &Limits, mistakes: &mut Vec<Mistake>) -> records::Limits {
    let mut range = |key: &str, value: u64, low: u64, high: u64| {
        if !(low..=high).contains(&value) {
            mistakes.push(Mistake::new(
                format!("limits.{key}"),
                format!("{value} est hors de {low}…{high}"),
                format!("{value} is outside {low}…{high}"),
            ));
        }
    };
    range("record_bytes_max", limits.record_bytes_max, 1, PLAINTEXT_LIMIT);
    range("queued_records_max", limits.queued_records_max.into(), 1, 10_000_000);
    range("queued_bytes_max", limits.queued_bytes_max, 1 << 20, 1 << 50);
    range("inbox_records_max", limits.inbox_records_max.into(), 1, 10_000_000);
    range("inbox_bytes_max", limits.inbox_bytes_max, 1 << 20, 1 << 50);
    range("history_days", limits.history_days.into(), 1, 3_660);
    range("history_records_max", limits.history_records_max.into(), 1, 10_000_000);
    range("minimised_bytes_max", limits.minimised_bytes_max, 1 << 10, CONTENT_LIMIT);
    range("lifetime_default_s", limits.lifetime_default_s, 60, 31 * 86_400);
    records::Limits {
        record_bytes: limits.record_bytes_max,
        queued_records: limits.queued_records_max as usize,
        queued_bytes: limits.queued_bytes_max,
        history: Duration::from_secs(u64::from(limits.history_days) * 86_400),
        history_records: limits.history_records_max as usize,
        inbox_bytes: limits.inbox_bytes_max,
        inbox_records: limits.inbox_records_max as usize,
        minimised_bytes: limits.minimised_bytes_max,
        lifetime: Duration::from_secs(limits.lifetime_default_s),
    }
}
