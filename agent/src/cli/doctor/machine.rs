//! What can be seen on this machine: the data folder, the identity in it, its dates.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use passerelle_pki::certificate::TrustAnchor;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::AgentId;

use super::report::Report;
use crate::identity::{IdentityError, Summary};
use crate::link::chain;

/// Free space under which a busy agent is soon out of disk.
const FREE_BYTES: u64 = 1 << 30;
/// Validity left under which the automatic renewal has evidently not worked.
const LAST_HOURS: u64 = 24;

/// The folder: there, ours, closed to others, with room. `false` when nothing in it can be looked at.
pub(super) fn data_folder(report: &mut Report, path: &Path) -> bool {
    const NAME: &str = "data_folder";
    let shown = path.display();
    let metadata = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => {
            report.failed(
                NAME,
                format!("{shown} n'est pas un dossier / is no folder"),
                ("corrigez data_dir dans la configuration", "correct data_dir in the configuration"),
            );
            return false;
        }
        Err(error) => {
            let fr = format!("créez-le pour l'utilisateur de l'agent : install -d -m 700 {shown}");
            let en = format!("make it for the agent's user: install -d -m 700 {shown}");
            report.failed(NAME, format!("{shown} : {error}"), (&fr, &en));
            return false;
        }
    };
    let (mode, owner) = (metadata.mode() & 0o777, metadata.uid());
    let user = rustix::process::geteuid().as_raw();
    if owner != user && user != 0 {
        let found = format!(
            "{shown} appartient à l'utilisateur {owner}, vous êtes {user} / belongs to user {owner}, you are {user}"
        );
        let advice =
            ("lancez la commande sous l'utilisateur de l'agent", "run the command as the agent's user");
        report.failed(NAME, found, advice);
        return false;
    }
    if mode & 0o077 != 0 {
        let found = format!("{shown} est ouvert à d'autres ({mode:o}) / is open to others ({mode:o})");
        report.failed(NAME, found, (&format!("chmod 700 {shown}"), &format!("chmod 700 {shown}")));
        return true;
    }
    match free_bytes(path) {
        Ok(free) if free < FREE_BYTES => report.failed(
            NAME,
            format!("{shown} : {} Mio libres / MiB free", free >> 20),
            (
                "libérez au moins 1 Gio : l'agent refuse de prendre ce qu'il ne peut garder",
                "free at least 1 GiB: the agent refuses what it cannot keep",
            ),
        ),
        Ok(free) => report.ok(NAME, format!("{shown} ({mode:o}, {} Gio libres / GiB free)", free >> 30)),
        Err(error) => report.failed(
            NAME,
            format!("{shown} : {error}"),
            ("vérifiez le système de fichiers", "check the file system"),
        ),
    }
    true
}

fn free_bytes(path: &Path) -> Result<u64, rustix::io::Errno> {
    let space = rustix::fs::statvfs(path)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

/// Who the folder is of.
pub(super) fn identity(
    report: &mut Report,
    data_dir: &Path,
    anchor: &TrustAnchor,
    expected: Option<&AgentId>,
) -> Option<Summary> {
    const NAME: &str = "identity";
    let summary = match Summary::read(data_dir, anchor) {
        Ok(summary) => summary,
        Err(error) => {
            let advice = match error {
                IdentityError::NotEnrolled(_) => (
                    "demandez un jeton à l'administrateur de la passerelle, puis : passerelle-agent enrol --token-file jeton.txt",
                    "ask the gateway's administrator for a token, then: passerelle-agent enrol --token-file jeton.txt",
                ),
                IdentityError::OtherDomain { .. } => (
                    "corrigez le certificat racine dans la configuration",
                    "correct the root certificate in the configuration",
                ),
                IdentityError::File { .. } => (
                    "lancez la commande sous l'utilisateur de l'agent",
                    "run the command as the agent's user",
                ),
                _ => (
                    "rétablissez la sauvegarde du dossier, ou inscrivez l'agent de nouveau (enrol --again)",
                    "restore the folder's backup, or enrol the agent again (enrol --again)",
                ),
            };
            report.failed(NAME, chain(&error), advice);
            return None;
        }
    };
    match expected.filter(|expected| **expected != summary.agent) {
        Some(expected) => report.failed(
            NAME,
            format!("{} au lieu de / instead of {expected}", summary.agent),
            ("corrigez agency, agent ou data_dir", "correct agency, agent or data_dir"),
        ),
        None => report.ok(NAME, format!("{} ({})", summary.agent, summary.trust_domain)),
    }
    Some(summary)
}

/// Until when its certificates and its key bundle are good.
pub(super) fn certificates(report: &mut Report, summary: &Summary, now: Timestamp) {
    const NAME: &str = "certificates";
    let dates = [
        ("TLS", Some(summary.tls_until)),
        ("signature", Some(summary.signing_until)),
        ("trousseau / key bundle", summary.bundle_until),
    ];
    let soon = now.plus(std::time::Duration::from_secs(LAST_HOURS * 3_600));
    let told: Vec<String> =
        dates.iter().filter_map(|(what, until)| until.map(|until| format!("{what} → {until}"))).collect();
    let told = told.join("\n");
    if dates.iter().any(|(_, until)| until.is_some_and(|until| until <= now)) {
        report.failed(
            NAME,
            told,
            (
                "échu : demandez un jeton, arrêtez l'agent, puis : passerelle-agent enrol --again --token-file jeton.txt",
                "expired: ask for a token, stop the agent, then: passerelle-agent enrol --again --token-file jeton.txt",
            ),
        );
    } else if dates.iter().any(|(_, until)| until.is_some_and(|until| until <= soon)) {
        report.failed(
            NAME,
            told,
            (
                "moins d'un jour de validité : l'agent renouvelle seul quand il est connecté; démarrez-le et voyez la connexion",
                "less than a day of validity: the agent renews by itself while connected; start it and see the connection",
            ),
        );
    } else {
        report.ok(NAME, told);
    }
}
