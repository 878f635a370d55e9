//! The sandbox: a whole network on loopback, each party a process of its own, and a tour of it.
//!
//! RAMQ sends to SAAQ under one agreement, Revenu Québec to both under another; every record is compared byte for byte at
//! its recipients. SAAQ calls a service of RAMQ, and each answer is compared too. Then each refusal is provoked, and the log is verified as anybody could.

mod calls;
mod items;
mod journey;
mod refusals;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use passerelle_pki::clock::SharedClock;
use passerelle_proto::wire::Denial;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use self::items::Item;
use self::journey::{Roads, Sent};
use crate::network::Network;
use crate::network::agent::AgentProcess;
use crate::network::agreements::{RAMQ, REVENU, SAAQ, codes, draft, today};
use crate::network::process::Program;
use crate::service::Service;

/// How long all records may take to arrive: a start, and what a slow disk needs for the bytes.
const ARRIVING: Duration = Duration::from_secs(300);
const BYTES_PER_SECOND: u64 = 2 << 20;
/// How long the log may take to be published.
const PUBLISHING: Duration = Duration::from_secs(60);
/// The agreement from RAMQ to SAAQ.
const FIRST: &str = "ENT-2026-001";
/// The agreement from Revenu Québec to both.
const SECOND: &str = "ENT-2026-002";

/// What the sandbox is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Send the files of this folder.
    pub records: Option<PathBuf>,
    /// Generated records, when there is no folder.
    pub count: u32,
    /// Seed of the generator.
    pub seed: u64,
}

/// What happened, as the last line of `--json`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Records that senders' agents took over.
    pub records_sent: u64,
    /// Records whose every recipient has signed that it has them.
    pub records_delivered: u64,
    /// Plaintext bytes of them.
    pub bytes: u64,
    /// Whether each arrived byte for byte at each of its recipients.
    pub byte_identical: bool,
    /// Calls that a service behind an agent answered.
    pub calls_answered: u64,
    /// Whether each answer came back byte for byte.
    pub calls_byte_identical: bool,
    /// Denials by reason code.
    pub denials: BTreeMap<&'static str, u64>,
    /// Entries of the log when it was verified.
    pub audit_entries: u64,
    /// Whether the published log passed every check, with the key that the gateway's `init` wrote down.
    pub log_verified: bool,
    /// Most memory that each process ever held, bytes.
    pub peak_memory: BTreeMap<String, u64>,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// A network that runs, with three agencies.
#[derive(Debug)]
pub struct Sandbox {
    network: Network,
    ramq: AgentProcess,
    saaq: AgentProcess,
    revenu: AgentProcess,
    service: Service,
}

impl Sandbox {
    /// Starts everything in a folder and concludes the two agreements.
    ///
    /// # Errors
    /// The first step that failed.
    pub async fn start(folder: &Path, program: Program, clock: &SharedClock) -> anyhow::Result<Self> {
        say("1. Autorités, passerelle et opérateurs", "authorities, gateway and operators");
        let network = Network::create(folder, program)?;
        say("2. Trois organismes, chacun avec son agent", "three agencies, each with its agent");
        for body in [RAMQ, SAAQ, REVENU] {
            network.register(body)?;
        }
        let service = Service::start(Some(&folder.join("acces-dossiers.log"))).await?;
        let ramq = network.agent_with_settings(RAMQ, &service.settings(codes::SERVICE))?;
        let (saaq, revenu) = (network.agent(SAAQ)?, network.agent(REVENU)?);
        say("3. Deux ententes, signées par chaque partie", "two agreements, signed by every party");
        let day = today(clock.now());
        let first = calls::with_calls(draft(FIRST, RAMQ, &[SAAQ], day));
        network.conclude_by_agents(&first, &[&ramq, &saaq]).await?;
        let second = draft(SECOND, REVENU, &[RAMQ, SAAQ], day);
        network.conclude_by_agents(&second, &[&revenu, &ramq, &saaq]).await?;
        say("4. Un service de la RAMQ au catalogue", "a service of RAMQ in the catalogue");
        calls::prepare(&network, (&ramq, &saaq), clock).await?;
        Ok(Self { network, ramq, saaq, revenu, service })
    }

    /// Walks through everything.
    ///
    /// # Errors
    /// The first step that failed.
    pub async fn tour(&mut self, options: &Options, clock: &SharedClock) -> anyhow::Result<Report> {
        let started = Instant::now();
        let items = match &options.records {
            Some(folder) => items::in_folder(folder)?,
            None => items::generated(options.count, options.seed),
        };
        say("5. Des enregistrements, scellés de bout en bout", "records, sealed end to end");
        let (sent, byte_identical) = self.exchange(&items).await?;
        say(
            "6. Des appels, et ce que l'entente ne prévoit pas",
            "calls, and what the agreement does not cover",
        );
        let calls = calls::make(&self.saaq, &self.service).await?;
        say("7. Un refus de chaque sorte", "one refusal of each kind");
        let denials = refusals::provoke(&self.network, clock).await?;
        show(&denials);
        say("8. Le journal, vérifié comme chacun peut le faire", "the log, verified as anybody can");
        let audit_entries = self.published().await?;
        let verdict = self.network.verify_log();
        if let Err(error) = &verdict {
            eprintln!("{error:#}");
        }
        Ok(Report {
            records_sent: items.len() as u64,
            records_delivered: sent.len() as u64,
            bytes: sent.iter().map(|sent| sent.print.length).sum(),
            byte_identical,
            calls_answered: calls.answered,
            calls_byte_identical: calls.byte_identical,
            denials: denials.into_keys().map(|code| (code, 1)).collect(),
            audit_entries,
            log_verified: verdict.is_ok(),
            peak_memory: self.peak_memory()?,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// Sends, takes, compares; gives what was delivered.
    async fn exchange(&self, items: &[Item]) -> anyhow::Result<(Vec<Sent>, bool)> {
        let of_revenu = items.iter().filter(|item| item.sender.code == REVENU.code).count();
        let bar = progress(items.len() * 2 + of_revenu);
        let until = Instant::now() + ARRIVING + self.patience(items).await?;
        let roads: Roads<'_> = BTreeMap::from([
            (RAMQ.code, (&self.ramq.client, FIRST)),
            (REVENU.code, (&self.revenu.client, SECOND)),
        ]);
        let (sent, at_ramq, at_saaq) = tokio::try_join!(
            journey::send(items, &roads, &bar),
            journey::take(&self.ramq.client, of_revenu, until, &bar),
            journey::take(&self.saaq.client, items.len(), until, &bar),
        )?;
        bar.finish_and_clear();
        let mut identical = true;
        for (item, sent) in items.iter().zip(&sent) {
            let (client, _) = roads.get(item.sender.code).context("a road")?;
            journey::delivered(client, &sent.id, until).await?;
            identical &= at_saaq.get(&sent.id) == Some(&sent.print);
            identical &= item.sender.code != REVENU.code || at_ramq.get(&sent.id) == Some(&sent.print);
        }
        Ok((sent, identical))
    }

    async fn patience(&self, items: &[Item]) -> anyhow::Result<Duration> {
        let mut bytes = 0;
        for item in items {
            bytes += item.open().await?.1;
        }
        Ok(Duration::from_secs(bytes / BYTES_PER_SECOND))
    }

    /// Waits until every event so far is under a checkpoint; gives its size.
    async fn published(&self) -> anyhow::Result<u64> {
        let newest = self.network.audit(&["--outcome", "denied"])?;
        let newest = newest.iter().filter_map(|event| event["leaf_index"].as_u64()).max().unwrap_or(0);
        let until = Instant::now() + PUBLISHING;
        loop {
            match self.network.log_size() {
                Ok(size) if size > newest => return Ok(size),
                _ if Instant::now() > until => anyhow::bail!("the log was not published in time"),
                _ => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn peak_memory(&mut self) -> anyhow::Result<BTreeMap<String, u64>> {
        let mut peaks = BTreeMap::from([("passerelle".to_owned(), self.network.gateway()?.peak_memory()?)]);
        for agent in [&self.ramq, &self.saaq, &self.revenu] {
            peaks.insert(agent.body.code.to_owned(), agent.process.peak_memory()?);
        }
        Ok(peaks)
    }

    /// Stops every process, and waits until what each had under way is durable.
    ///
    /// # Errors
    /// When one does not stop well.
    pub fn stop(mut self) -> anyhow::Result<()> {
        for agent in [&mut self.ramq, &mut self.saaq, &mut self.revenu] {
            let status = agent.process.stop()?;
            anyhow::ensure!(status.success(), "{}: {status}", agent.body.code);
        }
        let status = self.network.gateway()?.stop()?;
        anyhow::ensure!(status.success(), "passerelle: {status}");
        Ok(())
    }

    /// A call as a system of SAAQ makes it.
    fn curl(&self) -> String {
        let token = self.saaq.local_token_file();
        format!(
            "curl -i -H \"Authorization: Bearer $(cat {})\" http://{}/v1/call/ramq/{}/dossiers/1042",
            token.display(),
            self.saaq.client.endpoint(),
            codes::SERVICE,
        )
    }

    /// Commands to try while it runs.
    #[must_use]
    pub fn commands(&self, executable: &Path) -> String {
        let run = executable.display();
        let (ramq, saaq) = (self.ramq.config(), self.saaq.config());
        let (ramq, saaq) = (ramq.display(), saaq.display());
        let gateway = self.network.gateway_config();
        let auditor = self.network.token_file(crate::network::operators::Operator::Auditor);
        let (gateway, auditor) = (gateway.display(), auditor.display());
        let curl = self.curl();
        let (log, key) = (self.network.log_folder(), self.network.log_key_file());
        format!(
            "{run} as agent status --config {ramq}\n\
             {run} as agent send README.md --agreement {FIRST} --data-categories identification --wait --config {ramq}\n\
             {run} as agent inbox --config {saaq}\n\
             {run} as agent take --all --into . --config {saaq}\n\
             {run} as agent agreement list --config {ramq}\n\
             {run} as agent call ramq dossiers /dossiers/1042 --include --config {saaq}\n\
             {curl}\n\
             {run} as agent doctor --config {ramq}\n\
             {run} as gateway audit query --reason essai --token-file {auditor} --config {gateway}\n\
             {run} as verify log {} --vkey-file {}",
            log.display(),
            key.display()
        )
    }
}

fn say(fr: &str, en: &str) {
    eprintln!("{fr} / {en}");
}

fn show(denials: &BTreeMap<&'static str, Denial>) {
    for (code, denial) in denials {
        let sentence = denial.message_fr.split_inclusive(['.', ';']).next().unwrap_or_default();
        eprintln!("   {code:<26} {sentence}");
    }
}

fn progress(steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64);
    if let Ok(style) = ProgressStyle::with_template("   {bar:40} {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    bar
}
