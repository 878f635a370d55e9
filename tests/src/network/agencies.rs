//! What operators do for agencies: register them, let agents in, carry agreements from draft to force.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use passerelle_pki::clock::SharedClock;
use passerelle_proto::agreement::Document;
use passerelle_proto::agreement::draft::Draft;
use serde_json::Value;

use super::Network;
use super::agreements::Body;
use super::operators::Operator;
use crate::probe::Probe;

impl Network {
    /// Registers a public body; a second person approves it.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub fn register(&self, body: Body) -> anyhow::Result<()> {
        self.register_only(body)?;
        self.operate(Operator::SecondAdmin, &["agency", "approve", body.code]).map(drop)
    }

    /// Registers a public body that nobody approves yet.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub fn register_only(&self, body: Body) -> anyhow::Result<()> {
        let names = ["--name-fr", body.fr, "--name-en", body.en];
        let command: Vec<&str> = ["agency", "register", body.code].into_iter().chain(names).collect();
        self.operate(Operator::Admin, &command).map(drop)
    }

    /// A one-time enrolment token for an agent.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub fn enrolment_token(&self, agency: &str, agent: &str) -> anyhow::Result<String> {
        let printed = self.operate(Operator::Admin, &["agency", "token", agency, agent])?;
        Ok(printed.trim().to_owned())
    }

    /// Enrols a probe of an agency, with a published key bundle.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub async fn probe(&self, agency: &str, clock: &SharedClock) -> anyhow::Result<Probe> {
        self.probe_named(agency, "sonde", clock).await
    }

    /// Another probe of the same agency.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub async fn probe_named(&self, agency: &str, agent: &str, clock: &SharedClock) -> anyhow::Result<Probe> {
        let mut probe = self.enrol_probe(agency, agent, clock).await?;
        probe.publish_bundle().await?;
        Ok(probe)
    }

    /// The same without a key bundle, so that nothing can be sealed for it.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub async fn silent_probe(&self, agency: &str, clock: &SharedClock) -> anyhow::Result<Probe> {
        self.probe_without_keys(agency, "sonde", clock).await
    }

    /// The same under another name.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub async fn probe_without_keys(
        &self,
        agency: &str,
        agent: &str,
        clock: &SharedClock,
    ) -> anyhow::Result<Probe> {
        self.enrol_probe(agency, agent, clock).await
    }

    async fn enrol_probe(&self, agency: &str, agent: &str, clock: &SharedClock) -> anyhow::Result<Probe> {
        let token = self.enrolment_token(agency, agent)?;
        let id = format!("{agency}/{agent}").parse()?;
        let clock = SharedClock::clone(clock);
        Probe::enrol(self.addresses(), self.anchor()?, id, token, clock).await
    }

    /// Proposes an agreement, and gives its document as it must be signed.
    ///
    /// # Errors
    /// Every mistake of the draft; what the gateway refuses.
    pub fn propose(&self, draft: &Draft) -> anyhow::Result<Document> {
        let folder = self.folder().join("ententes");
        fs::create_dir_all(&folder)?;
        let path: PathBuf = folder.join(format!("{}-v{}.json", draft.number, draft.version));
        let bytes = draft.to_json()?;
        fs::write(&path, &bytes)?;
        let shown = path.to_str().context("a folder with a UTF-8 name")?;
        self.operate(Operator::AgreementOfficer, &["agreement", "propose", shown])?;
        Document::parse(bytes).map_err(|mistakes| anyhow::anyhow!("{mistakes:?}"))
    }

    /// Moves a version of an agreement on: `activate`, `suspend`, `revoke`, …
    ///
    /// # Errors
    /// What the gateway refuses.
    pub fn step(&self, operator: Operator, step: &str, draft: &Draft) -> anyhow::Result<()> {
        let version = draft.version.to_string();
        let note = ["--note", "bac à sable"];
        let command: Vec<&str> =
            ["agreement", step, &draft.number, "--version", &version].into_iter().chain(note).collect();
        self.operate(operator, &command).map(drop)
    }

    /// Proposes an agreement, has its parties sign it, and activates it.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub async fn conclude(&self, draft: &Draft, parties: &[&Probe]) -> anyhow::Result<Document> {
        let document = self.propose(draft).with_context(|| draft.number.clone())?;
        for party in parties {
            party.sign_agreement(&document).await.with_context(|| draft.number.clone())?;
        }
        self.step(Operator::SigningAuthority, "activate", draft)?;
        Ok(document)
    }

    /// Events of the log, newest first, as the auditor is shown them; each reading is itself an event.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub fn audit(&self, filter: &[&str]) -> anyhow::Result<Vec<Value>> {
        let question = ["audit", "query", "--reason", "vérification", "--limit", "1000", "--json"];
        let command: Vec<&str> = question.into_iter().chain(filter.iter().copied()).collect();
        let answer: Value = serde_json::from_str(&self.operate(Operator::Auditor, &command)?)?;
        answer["events"].as_array().cloned().context("events")
    }
}
