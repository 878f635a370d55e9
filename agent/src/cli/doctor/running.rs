//! What the running agent says of itself.

use passerelle_pki::clock::Timestamp;

use super::report::Report;
use crate::client::LocalClient;
use crate::local::model;

/// Whether it answers, is connected, and has an agreement to work under.
pub(super) async fn check(report: &mut Report, client: &LocalClient, now: Timestamp) {
    let status = match client.status().await {
        Ok(status) => status,
        Err(error) => {
            report.failed(
                "local_api",
                crate::link::chain(&error),
                (
                    "démarrez l'agent : passerelle-agent serve (ou : systemctl start passerelle-agent)",
                    "start the agent: passerelle-agent serve (or: systemctl start passerelle-agent)",
                ),
            );
            for name in ["connected", "agreements"] {
                report.skipped(name, "agent (serve)");
            }
            return;
        }
    };
    let found = format!(
        "{} : {} à transmettre / to send, {} en route / on the way, {} reçus / received",
        client.endpoint(),
        status.queued,
        status.on_the_way,
        status.inbox
    );
    report.ok("local_api", found);
    if status.connected {
        report.ok("connected", format!("{} ↔ passerelle / gateway", status.agent));
    } else {
        let why = status.last_failure.unwrap_or_else(|| "–".to_owned());
        report.failed(
            "connected",
            why,
            (
                "corrigez ce qui précède; si tout y est ✓, le certificat de l'agent est peut-être révoqué : voyez avec l'administrateur",
                "correct what stands above; if all is ✓ there, the agent's certificate may be revoked: ask the administrator",
            ),
        );
    }
    match client.agreements().await {
        Ok(agreements) => agreements_in_force(report, &agreements, now),
        Err(error) => report.failed(
            "agreements",
            crate::link::chain(&error),
            ("relancez la vérification", "run the doctor again"),
        ),
    }
}

fn agreements_in_force(report: &mut Report, agreements: &[model::Agreement], now: Timestamp) {
    let in_force: Vec<String> = agreements
        .iter()
        .filter(|agreement| super::super::agreement::is_in_force(agreement, now))
        .map(|agreement| format!("{} v{}", agreement.number, agreement.version))
        .collect();
    if !in_force.is_empty() {
        report.ok("agreements", format!("en vigueur / in force: {}", in_force.join(", ")));
        return;
    }
    let coming = agreements.iter().find_map(|agreement| {
        let from = agreement.in_force_from.filter(|from| *from > now.to_jiff())?;
        (agreement.state == "AGREEMENT_STATE_ACTIVE").then_some((agreement, from))
    });
    if let Some((agreement, from)) = coming {
        report.failed(
            "agreements",
            format!("{} v{} : dès / from {from}", agreement.number, agreement.version),
            ("rien ne peut être transmis avant ce moment", "nothing can be sent before that moment"),
        );
        return;
    }
    let waiting = agreements.iter().find(|agreement| agreement.state.ends_with("PROPOSED"));
    match waiting {
        Some(agreement) => report.failed(
            "agreements",
            format!("{} v{} attend des signatures / waits for signatures", agreement.number, agreement.version),
            (
                &format!("lisez-la puis signez : passerelle-agent agreement sign {} {}", agreement.number, agreement.version),
                &format!("read it, then sign: passerelle-agent agreement sign {} {}", agreement.number, agreement.version),
            ),
        ),
        None => report.failed(
            "agreements",
            "aucune en vigueur / none in force",
            (
                "rien ne peut être transmis : voyez le responsable des ententes (passerelle-agent agreement list)",
                "nothing can be sent: see the agreement officer (passerelle-agent agreement list)",
            ),
        ),
    }
}
