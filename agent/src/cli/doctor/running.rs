//! What the running agent says of itself.

use passerelle_pki::clock::Timestamp;

use super::super::text::size;
use super::report::Report;
use crate::client::LocalClient;
use crate::local::model;
use crate::records::Limits;

/// A queue is nearly full in its last tenth.
const NEARLY: u64 = 10;

/// Whether it answers, is connected, and has an agreement to work under.
pub(super) async fn check(report: &mut Report, client: &LocalClient, limits: &Limits, now: Timestamp) {
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
            for name in super::RUNNING {
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
        let why = status.last_failure.clone().unwrap_or_else(|| "–".to_owned());
        report.failed(
            "connected",
            why,
            (
                "corrigez ce qui précède; si tout y est ✓, le certificat de l'agent est peut-être révoqué : voyez avec l'administrateur",
                "correct what stands above; if all is ✓ there, the agent's certificate may be revoked: ask the administrator",
            ),
        );
    }
    queue(report, &status, limits);
    held(report, &status);
    log(report, &status);
    super::receipts::check(report, &status.receipts);
    match client.agreements().await {
        Ok(agreements) => agreements_in_force(report, &agreements, now),
        Err(error) => report.failed(
            "agreements",
            crate::link::chain(&error),
            ("relancez la vérification", "run the doctor again"),
        ),
    }
}

/// Whether outbox and inbox still take what comes.
pub(super) fn queue(report: &mut Report, status: &model::Status, limits: &Limits) {
    const NAME: &str = "queue";
    let count = |limit: usize| u64::try_from(limit).unwrap_or(u64::MAX);
    let fills = [
        ("limits.queued_records_max", status.queued, count(limits.queued_records)),
        ("limits.queued_bytes_max", status.queued_bytes, limits.queued_bytes),
        ("limits.inbox_records_max", status.inbox, count(limits.inbox_records)),
        ("limits.inbox_bytes_max", status.inbox_bytes, limits.inbox_bytes),
    ];
    let nearly = |used: u64, limit: u64| used >= limit - limit / NEARLY;
    match fills.into_iter().find(|(_, used, limit)| nearly(*used, *limit)) {
        Some((key, used, limit)) => report.failed(
            NAME,
            format!("{key} : {used} / {limit}"),
            (
                "presque plein : voyez la connexion (envois), faites confirmer vos systèmes (boîte de réception), ou relevez la limite si le disque suit",
                "nearly full: see the connection (sending), have your systems confirm (inbox), or raise the limit if the disk allows",
            ),
        ),
        None => report.ok(
            NAME,
            format!("envois / sending {}, réception / inbox {}", size(status.queued_bytes), size(status.inbox_bytes)),
        ),
    }
}

/// Whether the gateway claims records for others without proof.
pub(super) fn held(report: &mut Report, status: &model::Status) {
    const NAME: &str = "held";
    match &status.inbox_alarm {
        Some(alarm) => report.failed(
            NAME,
            alarm.clone(),
            (
                "rien n'est perdu : l'agent garde ces enregistrements et redemande; avertissez votre responsable et l'administrateur de la passerelle",
                "nothing is lost: the agent keeps these records and asks again; tell your officer and the gateway's administrator",
            ),
        ),
        None => report.ok(NAME, format!("accusés en attente / acknowledgements awaited: {}", status.inbox_pending)),
    }
}

/// Whether the gateway's log agrees with what it signed before.
pub(super) fn log(report: &mut Report, status: &model::Status) {
    const NAME: &str = "log";
    match (&status.checkpoint_alarm, &status.checkpoint) {
        (Some(alarm), _) => report.failed(
            NAME,
            alarm.clone(),
            (
                "copiez checkpoint.json du dossier de données; avertissez votre responsable et l'administrateur de la passerelle",
                "copy checkpoint.json of the data folder; tell your officer and the gateway's administrator",
            ),
        ),
        (None, Some(seen)) => report.ok(NAME, format!("{} entrées / entries, {}", seen.size, seen.seen_at)),
        (None, None) => report.ok(NAME, "pas encore vu / not seen yet"),
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
