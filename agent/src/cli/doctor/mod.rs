//! `doctor`: looks at everything an agent needs, in the order in which one thing rests on another, and tells for each
//! failure what to do. It changes nothing.

mod folders;
mod gateway;
mod machine;
mod presented;
mod receipts;
mod report;
mod running;
mod surroundings;
#[cfg(test)]
mod tests;
mod trust;

use passerelle_pki::certificate::TrustAnchor;
use passerelle_pki::clock::SharedClock;
use serde_json::json;

use super::arguments::{ConfigOption, OutputOption};
use super::failure::Failure;
use crate::client::LocalClient;
use crate::config::Config;
use report::Report;

/// Every check, in order.
const NAMES: [&str; 20] = [
    "configuration",
    "folders",
    "services",
    "data_folder",
    "local_token",
    "identity",
    "certificates",
    "signing_key",
    "revocation",
    "key_bundle",
    "gateway_agents",
    "gateway_public",
    "clock",
    "local_api",
    "connected",
    "queue",
    "held",
    "log",
    "receipts",
    "agreements",
];
/// Those that are asked of the running agent, after whether it answers.
const RUNNING: [&str; 6] = ["connected", "queue", "held", "log", "receipts", "agreements"];
/// Those that need an identity.
const ENROLLED: [&str; 4] = ["certificates", "signing_key", "revocation", "key_bundle"];

/// Checks and prints. Fails when a check does.
pub(super) async fn run(
    option: &ConfigOption,
    output: OutputOption,
    clock: &SharedClock,
) -> Result<(), Failure> {
    let report = examine(option, clock).await;
    let failures = report.failures();
    if output.json {
        println!("{}", json!({ "ok": failures == 0, "checks": report.checks() }));
    } else {
        print!("{}", report.text());
    }
    match failures {
        0 => Ok(()),
        _ => Err(Failure::new(
            &format!("{failures} vérification(s) en échec : voyez ✗ ci-dessus."),
            &format!("{failures} check(s) failed: see ✗ above."),
        )),
    }
}

async fn examine(option: &ConfigOption, clock: &SharedClock) -> Report {
    let mut report = Report::default();
    let advice = (
        "corrigez le fichier, puis : passerelle-agent config check",
        "correct the file, then: passerelle-agent config check",
    );
    let read = Config::load(&option.config).map_err(|error| error.to_string()).and_then(|config| {
        let path = &config.root_certificate;
        let anchor = TrustAnchor::from_pem_file(path);
        anchor.map(|anchor| (config.clone(), anchor)).map_err(|error| format!("{} : {error}", path.display()))
    });
    let (config, anchor) = match read {
        Ok(read) => read,
        Err(mistakes) => {
            report.failed("configuration", mistakes, advice);
            for name in &NAMES[1..] {
                report.skipped(name, "configuration");
            }
            return report;
        }
    };
    let root = presented::fingerprint(anchor.der());
    report.ok("configuration", format!("{}\nracine / root SHA-256 {root}", config.path.display()));
    folders::check(&mut report, &config.folders);
    surroundings::services(&mut report, &config).await;
    machine(&mut report, &config, &anchor, clock).await;
    network(&mut report, &config, &anchor, clock).await;
    match LocalClient::from_config(&config) {
        Ok(client) => running::check(&mut report, &client, &config.limits, clock.now()).await,
        Err(error) => {
            let advice =
                ("démarrez l'agent : passerelle-agent serve", "start the agent: passerelle-agent serve");
            report.failed("local_api", crate::link::chain(&error), advice);
            for name in RUNNING {
                report.skipped(name, "agent (serve)");
            }
        }
    }
    report
}

async fn machine(report: &mut Report, config: &Config, anchor: &TrustAnchor, clock: &SharedClock) {
    if !machine::data_folder(report, &config.data_dir) {
        for name in ["local_token", "identity"].iter().chain(&ENROLLED) {
            report.skipped(name, "dossier/folder");
        }
        return;
    }
    surroundings::local_token(report, config);
    let expected = config.agent_id();
    match machine::identity(report, &config.data_dir, anchor, Some(&expected)) {
        Some(summary) => {
            machine::certificates(report, &summary, clock.now());
            surroundings::signing_key(report, config, &summary).await;
            trust::check(report, &config.data_dir, anchor, &summary, clock);
        }
        None => ENROLLED.iter().for_each(|name| report.skipped(name, "identité")),
    }
}

async fn network(report: &mut Report, config: &Config, anchor: &TrustAnchor, clock: &SharedClock) {
    if let Some(line) =
        gateway::listener(report, "gateway_agents", &config.gateway_agents, anchor, clock).await
    {
        line.cut();
    }
    match gateway::listener(report, "gateway_public", &config.gateway_public, anchor, clock).await {
        Some(line) => {
            gateway::clock(report, &line, clock).await;
            line.cut();
        }
        None => report.skipped("clock", "écoute publique / public listener"),
    }
}
