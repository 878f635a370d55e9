//! `status`.

use jiff::Timestamp as Moment;
use passerelle_pki::clock::{SharedClock, Timestamp};

use super::arguments::OutputOption;
use super::failure::Failure;
use super::record::to_json;
use super::text::{age, harmless, size};
use crate::client::LocalClient;
use crate::local::model::Status;

pub(super) async fn run(
    output: OutputOption,
    client: &LocalClient,
    clock: &SharedClock,
) -> Result<(), Failure> {
    let status = client.status().await?;
    if output.json {
        println!("{}", to_json(&status)?);
    } else {
        print!("{}", lines(&status, clock.now()).join(""));
    }
    for folder in &status.folders {
        let mark = if folder.trouble.is_none() && folder.quarantined == 0 { '✓' } else { '✗' };
        println!(
            "{mark} Dossier / folder {}: {} en attente / waiting, {} en route / on the way, {} en quarantaine / \
             quarantined, {} reçus / received",
            folder.name, folder.waiting, folder.on_the_way, folder.quarantined, folder.received
        );
        if let Some(trouble) = &folder.trouble {
            println!("  → {}", harmless(trouble));
        }
    }
    Ok(())
}

/// What people read, French first.
fn lines(status: &Status, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |text: String| lines.push(text + "\n");
    line(format!("{} ({})", status.agent, status.trust_domain));
    match (&status.connected, &status.last_failure) {
        (true, _) => line("✓ connecté à la passerelle / connected to the gateway".to_owned()),
        (false, why) => {
            let why = why.as_deref().map(harmless).unwrap_or_default();
            line(format!("✗ pas de connexion / no connection: {why}\n  → passerelle-agent doctor"));
        }
    }
    let (queued, inbox) = (size(status.queued_bytes), size(status.inbox_bytes));
    let (sent_since, taken_since) = (since(status.oldest_queued_at, now), since(status.oldest_inbox_at, now));
    line(format!("À transmettre / to send:       {} ({queued}){sent_since}", status.queued));
    line(format!("En route / on the way:         {}", status.on_the_way));
    line(format!("Boîte de réception / inbox:    {} ({inbox}){taken_since}", status.inbox));
    if status.inbox_pending > 0 {
        line(format!("  accusé en attente / acknowledgement awaited: {}", status.inbox_pending));
    }
    if !status.others.is_empty() {
        let others: Vec<_> = status.others.iter().map(ToString::to_string).collect();
        line(format!("Autres agents / other agents:  {}", others.join(", ")));
    }
    line(format!("Ententes / agreements:         {}", status.agreements));
    line(format!("Certificat TLS / certificate:  → {}", status.tls_until));
    line(format!("Certificat de signature:       → {}", status.signing_until));
    if let Some(until) = &status.bundle_until {
        line(format!("Trousseau / key bundle:        → {until}"));
    }
    let seen =
        status.checkpoint.as_ref().map(|seen| format!("{} entrées / entries, {}", seen.size, seen.seen_at));
    let seen = seen.unwrap_or_else(|| "pas encore vu / not seen yet".to_owned());
    line(format!("Journal vu / log seen:         {seen}"));
    let receipts = &status.receipts;
    line(format!(
        "Reçus vérifiés / receipts:     {} trouvés au journal / found in the log, {} à vérifier / to check",
        receipts.found, receipts.unchecked
    ));
    if receipts.missing > 0 {
        line(format!(
            "✗ ALERTE / ALARM: {} reçus sans entrée au journal / receipts without an entry in the log\n  → passerelle-agent doctor",
            receipts.missing
        ));
    }
    if let Some(alarm) = &receipts.log_alarm {
        line(format!("✗ ALERTE / ALARM: {}", harmless(alarm)));
    }
    for alarm in [&status.checkpoint_alarm, &status.inbox_alarm].into_iter().flatten() {
        line(format!("✗ ALERTE / ALARM: {}", harmless(alarm)));
    }
    lines
}

fn since(oldest: Option<Moment>, now: Timestamp) -> String {
    let Some(oldest) = oldest else { return String::new() };
    let oldest = Timestamp::from_millis(u64::try_from(oldest.as_millisecond()).unwrap_or_default());
    format!(", le plus ancien depuis / oldest for {}", age(now.since(oldest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-15T12:00:00Z.
    const NOW: Timestamp = Timestamp::from_seconds(1_768_478_400);

    #[test]
    fn people_read_how_long_something_waits_and_an_alarm() {
        let text = r#"{"agent":"ramq/agent-1","trust_domain":"qc.example","connected":true,"queued":2,"on_the_way":0,
            "inbox":0,"queued_bytes":2048,"inbox_bytes":0,"oldest_queued_at":"2026-01-15T11:58:30Z",
            "checkpoint":{"size":17,"seen_at":"2026-01-15T11:59:00Z"},"checkpoint_alarm":"rétréci / shrunk","inbox_alarm":"1 retenu / held","agreements":1,
            "tls_until":"2026-03-01T00:00:00Z","signing_until":"2026-03-01T00:00:00Z","log_vkey":"x"}"#;
        let status: Status = serde_json::from_str(text).unwrap();
        let text = lines(&status, NOW).join("");
        assert!(text.contains("2 (2,0 Kio), le plus ancien depuis / oldest for 1 min 30 s"), "{text}");
        assert!(text.contains("inbox:    0 (0 o)\n"), "{text}");
        assert!(text.contains("17 entrées / entries, 2026-01-15T11:59:00Z"), "{text}");
        assert!(text.contains("ALERTE / ALARM: rétréci / shrunk"), "{text}");
        assert!(text.contains("ALERTE / ALARM: 1 retenu / held"), "{text}");
    }
}
