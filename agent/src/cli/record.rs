//! `record`: where a sent record stands, and the wait for its outcome.

use std::time::Duration;

use passerelle_proto::exchange_id::ExchangeId;

use super::arguments::{RecordOptions, seconds};
use super::failure::Failure;
use super::progress::Progress;
use super::text::harmless;
use crate::client::{ClientError, LocalClient};
use crate::local::model::Record;
use crate::records::RecordState;

/// One long poll.
pub(super) const POLL: Duration = Duration::from_secs(30);
/// The same, for somebody who watches a bar.
const MOVING: Duration = Duration::from_secs(1);

pub(super) async fn run(options: &RecordOptions, client: &LocalClient) -> Result<(), Failure> {
    let record = outcome(client, &options.id, seconds(options.wait), None).await?;
    if options.output.json {
        println!("{}", to_json(&record)?);
    } else {
        print!("{}", text(&record));
    }
    match failed(&record) {
        true => Err(Failure::new("l'enregistrement n'a pas été remis.", "the record was not delivered.")),
        false => Ok(()),
    }
}

/// The record, once its state is final or `wait` is over; meanwhile `bar` shows how far its body has come.
pub(super) async fn outcome(
    client: &LocalClient,
    id: &ExchangeId,
    wait: Option<Duration>,
    bar: Option<&Progress>,
) -> Result<Record, ClientError> {
    let mut record = client.record(id, None).await?;
    let Some(wait) = wait else { return Ok(record) };
    let bar = bar.filter(|bar| bar.is_shown());
    let poll = if bar.is_some() { MOVING } else { POLL };
    let following = async {
        while !record.state.is_final() {
            if let (Some(bar), Some(progress)) = (bar, &record.progress) {
                bar.reached(progress.bytes);
            }
            record = client.record(id, Some(poll)).await?;
        }
        Ok::<_, ClientError>(())
    };
    // Out of time: what was seen last.
    if let Ok(followed) = tokio::time::timeout(wait, following).await {
        followed?;
    }
    Ok(record)
}

/// Whether it will never be delivered as asked.
pub(super) fn failed(record: &Record) -> bool {
    matches!(record.state, RecordState::Denied | RecordState::Expired | RecordState::Refused)
}

pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::of(&error))
}

/// A state, in both languages.
pub(super) fn state_text(state: RecordState) -> &'static str {
    match state {
        RecordState::Queued => "dans la boîte d'envoi / queued",
        RecordState::Sent => "en route vers la passerelle / sent",
        RecordState::Accepted => "accepté par la passerelle / accepted",
        RecordState::Delivered => "remis / delivered",
        RecordState::Denied => "refusé par la passerelle / denied",
        RecordState::Expired => "échu / expired",
        RecordState::Refused => "refusé par un destinataire / refused",
    }
}

/// For people.
pub(super) fn text(record: &Record) -> String {
    let mut lines = vec![
        format!("{}  {}", record.exchange_id, state_text(record.state)),
        format!(
            "    entente / agreement: {} v{}   service: {}   finalité / purpose: {}",
            record.agreement.number, record.agreement.version, record.service, record.purpose
        ),
    ];
    if let Some(receipt) = &record.receipt {
        lines.push(format!(
            "    reçu / receipt: {}, n° {} ({})",
            receipt.accepted_at, receipt.leaf_index, receipt.log_origin
        ));
    }
    if let Some(denial) = &record.denial {
        lines.push(format!("    {} : {}", denial.code, denial.detail));
        lines.push(format!("    {}", denial.message_fr));
        lines.push(format!("    {}", denial.message_en));
    }
    for recipient in &record.recipients {
        let reason = recipient.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        lines.push(format!("    → {} : {}{reason}", recipient.agency, recipient_text(&recipient.state)));
    }
    let lines: Vec<String> = lines.iter().map(|line| harmless(line)).collect();
    lines.join("\n") + "\n"
}

fn recipient_text(state: &str) -> &str {
    match state {
        "waiting" => "en attente / waiting",
        "delivered" => "remis / delivered",
        "refused" => "refusé / refused",
        "expired" => "échu / expired",
        other => other,
    }
}
