//! What is told of a moment, line by line.

use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_proto::wire::Reason;

use super::*;
use crate::inclusion::ReceiptsStatus;
use crate::records::CheckpointStatus;

const NOW: Timestamp = Timestamp::from_seconds(1_768_478_400);

fn status() -> AgentStatus {
    AgentStatus {
        others: Vec::new(),
        inbox_pending: 0,
        inbox_contested: 1,
        inbox_alarm: Some("retenu / held".to_owned()),
        agent: "ramq/agent-1".parse().unwrap(),
        trust_domain: "qc.example".to_owned(),
        connected: true,
        last_failure: None,
        queued: 2,
        on_the_way: 3,
        inbox: 0,
        queued_bytes: 4_096,
        inbox_bytes: 0,
        oldest_queued_at: Some(NOW.minus(Duration::from_millis(90_500))),
        oldest_inbox_at: None,
        checkpoint: Some(CheckpointStatus { size: 17, seen_at: NOW }),
        checkpoint_alarm: None,
        receipts: ReceiptsStatus::default(),
        agreements: 1,
        directory_at: Some(NOW),
        agreements_at: None,
        tls_until: NOW,
        signing_until: NOW,
        bundle_until: None,
        log_vkey: String::new(),
        folders: Vec::new(),
    }
}

fn lines(status: &AgentStatus, counts: &Counts) -> Vec<String> {
    let text = String::from_utf8(text(status, counts, NOW).unwrap()).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn the_moment_is_told_with_ages_by_the_clock_given() {
    let tally = Tally::default();
    tally.count(Counted::Accepted);
    tally.count_for(Counted::Denied, Reason::PurposeNotCovered);
    tally.count_for(Counted::Denied, Reason::PurposeNotCovered);
    tally.count_for(Counted::Denied, Reason::QuotaExceeded);
    let lines = lines(&status(), &tally.counts());
    for expected in [
        "passerelle_agent_connected 1",
        "passerelle_agent_outbox_records 2",
        "passerelle_agent_inbox_contested_records 1",
        "passerelle_agent_outbox_bytes 4096",
        "passerelle_agent_outbox_oldest_age_seconds 90.5",
        "passerelle_agent_inbox_oldest_age_seconds 0",
        "passerelle_agent_records_on_the_way 3",
        "passerelle_agent_certificate_expiry_timestamp_seconds{certificate=\"tls\"} 1768478400",
        "passerelle_agent_checkpoint_size 17",
        "passerelle_agent_checkpoint_alarm 0",
        "passerelle_agent_records_accepted_total 1",
        "passerelle_agent_records_delivered_total 0",
        "passerelle_agent_records_denied_total{reason=\"PURPOSE_NOT_COVERED\"} 2",
        "passerelle_agent_records_denied_total{reason=\"QUOTA_EXCEEDED\"} 1",
    ] {
        assert!(lines.iter().any(|line| line == expected), "{expected} is not in {lines:#?}");
    }
}

#[test]
fn what_is_not_known_is_left_out_and_an_alarm_is_one() {
    let status = AgentStatus {
        checkpoint: None,
        checkpoint_alarm: Some("alerte / alarm".to_owned()),
        oldest_queued_at: Some(NOW.plus(Duration::from_secs(5))),
        ..status()
    };
    let lines = lines(&status, &Counts::default());
    let starts = |name: &str| lines.iter().any(|line| line.starts_with(name));
    assert!(!starts("passerelle_agent_checkpoint_size"));
    assert!(!starts("passerelle_agent_agreements_timestamp_seconds"));
    assert!(!lines.iter().any(|line| line.contains("key_bundle")));
    assert!(lines.contains(&"passerelle_agent_checkpoint_alarm 1".to_owned()));
    // A clock that was set back makes nothing negative.
    assert!(lines.contains(&"passerelle_agent_outbox_oldest_age_seconds 0".to_owned()));
}

#[test]
fn every_kind_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<_> = Counted::FAMILIES.iter().map(|family| family.name()).collect();
    assert_eq!(names.len(), Counted::FAMILIES.len());
    assert!(names.iter().all(|name| name.ends_with("_total")));
}
