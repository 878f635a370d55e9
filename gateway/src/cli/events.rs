//! An event as a line: when, who, what, under which agreement, for which purpose, and how it ended.

use passerelle_pki::clock::Timestamp;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{self, actor::Actor, event::Detail};
use prost::Message;
use serde_json::{Map, Value, json};

/// The fields of an event that people and programs ask for.
pub(super) fn row(leaf_index: u64, event: &wire::Event) -> Value {
    let mut row = Map::new();
    row.insert("leaf_index".to_owned(), json!(leaf_index));
    row.insert("time".to_owned(), json!(Timestamp::from_millis(event.time_ms).to_string()));
    let kind = event.kind().as_str_name().trim_start_matches("EVENT_KIND_");
    row.insert("kind".to_owned(), json!(kind));
    row.insert("actor".to_owned(), json!(actor(event.actor.as_ref())));
    for (name, value) in detail(event) {
        if !value.is_empty() {
            row.insert(name.to_owned(), json!(value));
        }
    }
    Value::Object(row)
}

/// The row of an event whose contents are erased.
pub(super) fn erased_row(leaf_index: u64) -> Value {
    json!({ "leaf_index": leaf_index, "kind": "ERASED", "note": "contenu effacé / contents erased" })
}

/// Prints a row as one line.
pub(super) fn print(row: &Value) {
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let known = ["leaf_index", "time", "kind", "actor"];
    let rest: Vec<String> = row
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !known.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    println!(
        "{:>8}  {}  {:<24} {:<28} {}",
        row["leaf_index"],
        text("time"),
        text("kind"),
        text("actor"),
        rest.join(" ")
    );
}

fn actor(actor: Option<&wire::Actor>) -> String {
    match actor.and_then(|actor| actor.actor.as_ref()) {
        Some(Actor::Agent(name) | Actor::Operator(name)) => name.clone(),
        Some(Actor::Gateway(name)) => format!("gateway:{name}"),
        None => "?".to_owned(),
    }
}

fn detail(event: &wire::Event) -> Vec<(&'static str, String)> {
    match &event.detail {
        Some(Detail::Exchange(exchange)) => exchange_detail(exchange),
        Some(Detail::Acknowledgement(detail)) => {
            let payload =
                detail.statement.as_ref().map(|statement| statement.payload.clone()).unwrap_or_default();
            let body = wire::Acknowledgement::decode(payload).unwrap_or_default();
            let ids: Vec<String> = body.exchanges.iter().map(|exchange| id(&exchange.exchange_id)).collect();
            vec![("agency", body.agency), ("exchanges", ids.join(","))]
        }
        Some(Detail::Agency(agency)) => {
            vec![("agency", agency.agency.clone()), ("note", agency.note.clone())]
        }
        Some(Detail::Certificate(certificate)) => vec![
            ("agency", certificate.agency.clone()),
            ("agent", certificate.agent.clone()),
            ("reason", certificate.reason.clone()),
        ],
        Some(Detail::Agreement(agreement)) => {
            let reference = agreement.agreement.clone().unwrap_or_default();
            vec![
                ("agreement", format!("{} v{}", reference.number, reference.version)),
                ("signed_by", agreement.signature.as_ref().map(|by| by.agency.clone()).unwrap_or_default()),
                ("on", agreement.on.clone()),
                ("note", agreement.note.clone()),
            ]
        }
        Some(Detail::Access(access)) => vec![
            ("rpc", access.rpc.clone()),
            ("query", access.query.clone()),
            ("reason", access.reason.clone()),
        ],
        Some(Detail::Gateway(gateway)) => vec![("version", gateway.version.clone())],
        Some(Detail::Service(statement)) => {
            let service = wire::ServiceDescription::decode(&statement.payload[..]).unwrap_or_default();
            let enabled = if service.enabled { "yes" } else { "no" };
            vec![
                ("agency", service.agency),
                ("service", service.service),
                ("version", service.version),
                ("enabled", enabled.to_owned()),
            ]
        }
        Some(Detail::Erasure(erasure)) => {
            let entries: u64 = erasure.ranges.iter().map(|range| range.end.saturating_sub(range.first)).sum();
            vec![
                ("agreement", erasure.agreement.clone()),
                ("entries", entries.to_string()),
                ("before", Timestamp::from_millis(erasure.before_ms).to_string()),
            ]
        }
        Some(Detail::KeyBundle(_)) | None => Vec::new(),
    }
}

fn exchange_detail(exchange: &wire::ExchangeDetail) -> Vec<(&'static str, String)> {
    let reference = exchange.agreement.clone().unwrap_or_default();
    let agreement = if reference.number.is_empty() {
        String::new()
    } else {
        format!("{} v{}", reference.number, reference.version)
    };
    let denied = exchange.reason() != wire::Reason::Unspecified;
    vec![
        ("exchange", id(&exchange.exchange_id)),
        ("from", exchange.sender_agency.clone()),
        ("to", exchange.recipients.join(",")),
        ("agreement", agreement),
        ("service", exchange.service.clone()),
        ("purpose", exchange.purpose.clone()),
        ("categories", exchange.data_categories.join(",")),
        ("reason", if denied { exchange.reason().as_str_name().to_owned() } else { String::new() }),
        ("detail", exchange.reason_detail.clone()),
    ]
}

fn id(bytes: &[u8]) -> String {
    ExchangeId::from_bytes(bytes).map(|id| id.to_string()).unwrap_or_default()
}
