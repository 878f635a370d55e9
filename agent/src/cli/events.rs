//! `events`: what happens at the agent, line by line, as it happens.

use std::io::{self, Write};

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::arguments::EventsOptions;
use super::failure::Failure;
use super::text::{harmless, size};
use crate::client::{AgentEvent, LocalClient};

/// Follows until the agent stops, or until it is interrupted.
pub(super) async fn run(options: &EventsOptions, client: &LocalClient) -> Result<(), Failure> {
    let events = client.events(options.after.as_deref()).await?;
    tokio::pin!(events);
    while let Some(event) = events.next().await {
        let event = event?;
        let line = match options.output.json {
            true => json!({ "event": event.kind, "id": event.id, "data": event.data }).to_string(),
            false => line(&event),
        };
        // Line by line also into a pipe; one that nobody reads any more is the reader's way to say that it has enough.
        let mut out = io::stdout().lock();
        if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn line(event: &AgentEvent) -> String {
    let text = |name: &str| harmless(event.data[name].as_str().unwrap_or("–"));
    let about = format!("{}  {}", text("exchange_id"), agreement(&event.data["agreement"]));
    match event.kind.as_str() {
        "inbox" => format!("reçu / received        {about}"),
        "record" => format!("envoi / sent           {about}  {}", text("state")),
        "progress" => {
            let way = if event.data["direction"] == "out" {
                "↑ en route / under way"
            } else {
                "↓ en route / under way"
            };
            let [bytes, of] = ["bytes", "of"].map(|name| size(event.data[name].as_u64().unwrap_or(0)));
            format!("{way} {about}  {bytes} / {of}")
        }
        "end" => format!(
            "fin / end: {}. Reprendre / go on: passerelle-agent events --after {}",
            text("reason"),
            harmless(&event.id)
        ),
        kind => format!("{}  {}", harmless(kind), harmless(&event.data.to_string())),
    }
}

/// A number, or the reference that has one.
fn agreement(value: &Value) -> String {
    let number = value.as_str().or_else(|| value["number"].as_str());
    harmless(number.unwrap_or("–"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_a_line_for_people_and_nothing_commands_the_terminal() {
        let event = |kind: &str, data| AgentEvent { kind: kind.to_owned(), id: "3.4".to_owned(), data };
        let inbox = line(&event("inbox", json!({ "exchange_id": "e", "agreement": "ENT-1" })));
        assert_eq!(inbox, "reçu / received        e  ENT-1");
        let sent = json!({ "exchange_id": "e", "agreement": { "number": "ENT-1" }, "state": "delivered" });
        assert_eq!(line(&event("record", sent)), "envoi / sent           e  ENT-1  delivered");
        let way =
            json!({ "exchange_id": "e", "agreement": "ENT-1", "direction": "in", "bytes": 0, "of": 10 });
        assert!(line(&event("progress", way)).starts_with('↓'));
        assert!(line(&event("end", json!({ "reason": "stopping" }))).contains("--after 3.4"));
        let odd = line(&event("x\u{1b}[2J", json!({ "y": "\u{202e}" })));
        assert!(!odd.contains('\u{1b}') && !odd.contains('\u{202e}'), "{odd}");
    }
}
