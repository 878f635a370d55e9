//! `audit …`.

use std::path::PathBuf;

use passerelle_pki::clock::SharedClock;
use passerelle_pki::files;
use passerelle_proto::{event, evidence, wire};
use serde_json::json;

use super::arguments::{AuditAction, QueryOptions};
use super::client;
use super::events;
use super::failure::Failure;

pub(super) async fn run(action: AuditAction, clock: SharedClock) -> Result<(), Failure> {
    match action {
        AuditAction::Query(options) => query(options, &clock).await,
        AuditAction::Reading { reason, client } => {
            let request = wire::ReadingRequest { reason };
            let reply = client::audit(&client, &clock).await?.open_reading(request).await?.into_inner();
            if client.json {
                println!("{}", json!({ "token": reply.token, "expires_ms": reply.expires_ms }));
            } else {
                println!("{}", reply.token);
            }
            Ok(())
        }
        AuditAction::Evidence { exchange, reason, output, client } => {
            let output = output.unwrap_or_else(|| PathBuf::from(format!("{exchange}.evidence")));
            let request = wire::EvidenceRequest { reason, exchange_id: exchange.to_wire() };
            let reply = client::audit(&client, &clock).await?.prove_exchange(request).await?.into_inner();
            let found = reply.evidence.unwrap_or_default();
            let bytes = evidence::file::write(&found).map_err(|error| Failure::of(&error))?;
            files::replace(&output, &bytes, files::PRIVATE)
                .map_err(|error| Failure::file(&output, &error))?;
            if client.json {
                println!("{}", json!({ "file": output, "entries": found.entries.len() }));
            } else {
                println!(
                    "{} : {} inscriptions; vérifiez avec / check with: passerelle-verify evidence {0} --policy …",
                    output.display(),
                    found.entries.len()
                );
            }
            Ok(())
        }
    }
}

async fn query(options: QueryOptions, clock: &SharedClock) -> Result<(), Failure> {
    let milliseconds = |time: Option<jiff::Timestamp>| {
        time.map_or(0, |time| u64::try_from(time.as_millisecond()).unwrap_or(0))
    };
    let outcome = match options.outcome.as_deref() {
        Some("accepted") => wire::Outcome::Accepted,
        Some(_) => wire::Outcome::Denied,
        None => wire::Outcome::Unspecified,
    };
    let request = wire::QueryRequest {
        reason: options.reason,
        agency: options.agency,
        agreement: options.agreement,
        purpose: options.purpose,
        from_ms: milliseconds(options.from),
        to_ms: milliseconds(options.to),
        outcome: outcome.into(),
        exchange_id: options.exchange.map(|id| id.to_wire()).unwrap_or_default(),
        limit: options.limit,
        before: options.before,
    };
    let reply = client::audit(&options.client, clock).await?.query(request).await?.into_inner();
    let mut rows = Vec::with_capacity(reply.events.len());
    for logged in &reply.events {
        if logged.entry.is_empty() {
            rows.push(events::erased_row(logged.leaf_index));
            continue;
        }
        let event = event::decode(&logged.entry).map_err(|error| Failure::of(&error))?;
        rows.push(events::row(logged.leaf_index, &event));
    }
    if options.client.json {
        println!("{}", json!({ "events": rows, "next_before": reply.next_before }));
        return Ok(());
    }
    rows.iter().for_each(events::print);
    if reply.next_before != 0 {
        println!("suite / more: --before {}", reply.next_before);
    }
    Ok(())
}
