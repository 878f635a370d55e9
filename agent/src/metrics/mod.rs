//! Measures for a monitoring system: what [`AgentStatus`] says and what was counted, in the text format of Prometheus.
//!
//! Every scrape builds its families anew from one look at the agent, so that nothing has to be kept in step. No label
//! names a person, a file, a case or an exchange: reasons and kinds are closed lists of the protocol's own.

mod tally;

#[cfg(test)]
mod tests;

use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_proto::reason;
use prometheus::core::{Collector, GenericGauge};
use prometheus::{Encoder, Gauge, GaugeVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder};

use crate::records::AgentStatus;

pub(crate) use tally::{Counted, Counts, Tally};

/// What the text is, as HTTP says it: version 0.0.4 of the format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The measures of a moment.
///
/// # Errors
/// When two families have one name, or a name is none: ours, found by the tests.
pub(crate) fn text(
    status: &AgentStatus,
    counts: &Counts,
    now: Timestamp,
) -> Result<Vec<u8>, prometheus::Error> {
    let registry = Registry::new();
    gauges(&registry, status, now)?;
    dates(&registry, status)?;
    log(&registry, status)?;
    for family in Counted::FAMILIES {
        counters(&registry, family, counts)?;
    }
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    Ok(text)
}

fn gauges(registry: &Registry, status: &AgentStatus, now: Timestamp) -> Result<(), prometheus::Error> {
    let info = GaugeVec::new(opts("info", "Version and name of the agent."), &["version", "agent"])?;
    info.with_label_values(&[env!("CARGO_PKG_VERSION"), status.agent.to_string().as_str()]).set(1.0);
    register(registry, info)?;
    let age = |oldest: Option<Timestamp>| seconds(oldest.map_or(Duration::ZERO, |oldest| now.since(oldest)));
    let measures = [
        ("connected", "Whether there is a connection to the gateway.", f64::from(u8::from(status.connected))),
        ("outbox_records", "Records that wait to be accepted by the gateway.", count(status.queued)),
        ("outbox_bytes", "Sealed bytes that wait to be accepted by the gateway.", bytes(status.queued_bytes)),
        (
            "outbox_oldest_age_seconds",
            "Age of the oldest record that waits to be accepted; 0 when none does.",
            age(status.oldest_queued_at),
        ),
        (
            "records_on_the_way",
            "Records that are accepted and not yet settled by every recipient.",
            count(status.on_the_way),
        ),
        ("inbox_records", "Records that wait in the inbox for the agency's systems.", count(status.inbox)),
        (
            "inbox_contested_records",
            "Records held because the gateway claims them for others without proof: an alarm above 0.",
            count(status.inbox_contested),
        ),
        ("inbox_bytes", "Sealed bytes in the inbox.", bytes(status.inbox_bytes)),
        (
            "inbox_oldest_age_seconds",
            "How long the oldest record of the inbox has waited; 0 when none does.",
            age(status.oldest_inbox_at),
        ),
        ("agreements", "Agreement versions known.", count(status.agreements)),
    ];
    measures.into_iter().try_for_each(|(name, help, value)| gauge(registry, name, help, value))
}

/// Moments, as seconds since 1970; a moment that has not been is left out.
fn dates(registry: &Registry, status: &AgentStatus) -> Result<(), prometheus::Error> {
    let expiry = GaugeVec::new(
        opts("certificate_expiry_timestamp_seconds", "End of validity of what the agent holds."),
        &["certificate"],
    )?;
    let ends = [
        ("tls", Some(status.tls_until)),
        ("signing", Some(status.signing_until)),
        ("key_bundle", status.bundle_until),
    ];
    for (what, until) in ends {
        if let Some(until) = until {
            expiry.with_label_values(&[what]).set(moment(until));
        }
    }
    register(registry, expiry)?;
    let fetched = [
        ("directory_timestamp_seconds", "When the directory was last fetched.", status.directory_at),
        ("agreements_timestamp_seconds", "When the agreements were last fetched.", status.agreements_at),
    ];
    fetched.into_iter().try_for_each(|(name, help, at)| match at {
        Some(at) => gauge(registry, name, help, moment(at)),
        None => Ok(()),
    })
}

/// What was seen of the gateway's log.
fn log(registry: &Registry, status: &AgentStatus) -> Result<(), prometheus::Error> {
    if let Some(checkpoint) = &status.checkpoint {
        let help = "Entries under the largest checkpoint of the log that was verified.";
        gauge(registry, "checkpoint_size", help, bytes(checkpoint.size))?;
        let help = "When the log last showed a checkpoint that fits what was seen before.";
        gauge(registry, "checkpoint_timestamp_seconds", help, moment(checkpoint.seen_at))?;
    }
    let receipts = &status.receipts;
    let help = "Receipts that are still to be found in the log.";
    gauge(registry, "receipts_unchecked", help, count(receipts.unchecked))?;
    let help = "Exchanges whose receipt the log does not honour.";
    gauge(registry, "receipts_missing", help, count(receipts.missing))?;
    let help =
        "1 when the log does not continue the one in which receipts were found, or its tiles are wrong.";
    gauge(registry, "receipts_log_alarm", help, f64::from(u8::from(receipts.log_alarm.is_some())))?;
    let help = "1 when the log shows something that contradicts what it signed before.";
    gauge(registry, "checkpoint_alarm", help, f64::from(u8::from(status.checkpoint_alarm.is_some())))
}

fn counters(registry: &Registry, family: Counted, counts: &Counts) -> Result<(), prometheus::Error> {
    let told = counts.iter().filter(|((counted, _), _)| *counted == family);
    let options = opts(family.name(), family.help());
    if !family.has_reason() {
        let counter = IntCounter::with_opts(options)?;
        counter.inc_by(told.map(|(_, count)| *count).sum());
        return register(registry, counter);
    }
    let counter = IntCounterVec::new(options, &["reason"])?;
    for ((_, why), count) in told {
        counter.with_label_values(&[reason::code(*why)]).inc_by(*count);
    }
    register(registry, counter)
}

fn gauge(registry: &Registry, name: &str, help: &str, value: f64) -> Result<(), prometheus::Error> {
    let gauge: Gauge = GenericGauge::with_opts(opts(name, help))?;
    gauge.set(value);
    register(registry, gauge)
}

fn register(registry: &Registry, collector: impl Collector + 'static) -> Result<(), prometheus::Error> {
    registry.register(Box::new(collector))
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("passerelle_agent")
}

fn moment(at: Timestamp) -> f64 {
    seconds(Duration::from_millis(at.as_millis()))
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

fn count(count: usize) -> f64 {
    bytes(count as u64)
}

#[expect(clippy::cast_precision_loss, reason = "counts and sizes are far under 2^53")]
fn bytes(count: u64) -> f64 {
    count as f64
}
