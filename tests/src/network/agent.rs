//! Agents as processes of their own, set up and asked as an agency would.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use passerelle_agent::client::LocalClient;
use passerelle_agent::config::Config;
use passerelle_proto::agreement::draft::Draft;
use tokio::time::{Instant, sleep};

use super::agreements::Body;
use super::process::{Program, Running};
use super::{Network, free_address};
use crate::roles::Role;

/// How long news may take to reach an agent.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// An agency's agent, in a process of its own.
#[derive(Debug)]
pub struct AgentProcess {
    /// The agency.
    pub body: Body,
    /// The interface for the agency's systems.
    pub client: LocalClient,
    /// The process.
    pub process: Running,
    program: Program,
    folder: PathBuf,
}

impl Network {
    /// Writes the configuration of an agent, enrols it with a one-time token, and starts it. The agency must be
    /// registered.
    ///
    /// # Errors
    /// The first command that failed.
    pub fn agent(&self, body: Body) -> anyhow::Result<AgentProcess> {
        self.agent_with_settings(body, "")
    }

    /// The same, with more lines for its configuration file.
    ///
    /// # Errors
    /// The first command that failed.
    pub fn agent_with_settings(&self, body: Body, settings: &str) -> anyhow::Result<AgentProcess> {
        self.agent_in(body, "agent-1", &self.folder().join(body.code), settings)
    }

    /// One more agent of an agency, under a name of its own and in a folder of its own.
    ///
    /// # Errors
    /// The first command that failed.
    pub fn agent_named(&self, body: Body, name: &str, settings: &str) -> anyhow::Result<AgentProcess> {
        self.agent_in(body, name, &self.folder().join(format!("{}-{name}", body.code)), settings)
    }

    fn agent_in(
        &self,
        body: Body,
        name: &str,
        folder: &Path,
        settings: &str,
    ) -> anyhow::Result<AgentProcess> {
        let folder = folder.to_path_buf();
        fs::create_dir_all(&folder)?;
        let (gateway, local) = (self.addresses(), free_address()?);
        let root = self.root_certificate();
        let file = format!(
            "data_dir = \"donnees\"\n\n[agent]\nid = \"{}/{name}\"\n\n[gateway]\nagents = \"https://localhost:{}\"\n\
             public = \"https://localhost:{}\"\nroot_certificate = {root:?}\n\n[local]\nlisten = \"{local}\"\n\n{settings}",
            body.code,
            gateway.agents.port(),
            gateway.public.port(),
        );
        let config = folder.join("passerelle-agent.toml");
        fs::write(&config, file)?;
        let token = folder.join("jeton.txt");
        fs::write(&token, self.enrolment_token(body.code, name)?)?;
        let arguments = [
            "enrol".into(),
            "--config".into(),
            config.clone().into_os_string(),
            "--token-file".into(),
            token.into_os_string(),
        ];
        self.program().run(Role::Agent, &arguments)?;
        let process = start(self.program(), &config, &folder)?;
        let client = LocalClient::from_config(&Config::load(&config)?)?;
        Ok(AgentProcess { body, client, process, program: self.program().clone(), folder })
    }

    /// Proposes an agreement, has each party read and sign it through its agent, activates it, and waits until every
    /// party's agent knows.
    ///
    /// # Errors
    /// The first command that failed.
    pub async fn conclude_by_agents(&self, draft: &Draft, parties: &[&AgentProcess]) -> anyhow::Result<()> {
        self.propose(draft)?;
        for party in parties {
            party.knows(draft, "PROPOSED").await?;
            party.sign(draft)?;
        }
        self.step(super::operators::Operator::SigningAuthority, "activate", draft)?;
        for party in parties {
            party.knows(draft, "ACTIVE").await?;
        }
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (entry, kind) = entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind)))?;
        let place = to.join(entry.file_name());
        if kind.is_dir() {
            copy(&entry.path(), &place)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &place)?;
        }
    }
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    Ok(())
}

fn start(program: &Program, config: &Path, folder: &Path) -> anyhow::Result<Running> {
    let arguments = ["serve".into(), "--config".into(), config.to_owned().into_os_string()];
    program.start::<OsString>(Role::Agent, &arguments, &folder.join("agent.log"))
}

impl AgentProcess {
    /// Its configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join("passerelle-agent.toml")
    }

    /// What it wrote to its standard error.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("agent.log")
    }

    /// The file of the token that its local interface asks for.
    #[must_use]
    pub fn local_token_file(&self) -> PathBuf {
        self.folder.join("donnees/local.token")
    }

    /// Runs a command of the agent under its configuration; gives what it printed.
    ///
    /// # Errors
    /// When it does not end well; with what it said.
    pub fn command(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut all: Vec<OsString> = arguments.iter().map(Into::into).collect();
        all.extend(["--config".into(), self.config().into_os_string()]);
        self.program.run(Role::Agent, &all)
    }

    /// The same, with something to read on its standard input.
    ///
    /// # Errors
    /// When it does not end well; with what it said.
    pub fn command_with_input(&self, arguments: &[&str], input: &str) -> anyhow::Result<String> {
        let mut all: Vec<OsString> = arguments.iter().map(Into::into).collect();
        all.extend(["--config".into(), self.config().into_os_string()]);
        self.program.run_with_input(Role::Agent, &all, input)
    }

    /// Starts the process again after it ended.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.process = start(&self.program, &self.config(), &self.folder)?;
        Ok(())
    }

    /// The same agent in a copy of its folder, its gateway's public listener somewhere else; this one must be stopped.
    ///
    /// # Errors
    /// When the folder cannot be copied, or the process does not become ready.
    pub fn copied(&self, name: &str, public: SocketAddr) -> anyhow::Result<Self> {
        let folder = self.folder.with_file_name(format!("{}-{name}", self.body.code));
        copy(&self.folder, &folder)?;
        let config = folder.join("passerelle-agent.toml");
        let text = fs::read_to_string(&config)?;
        let elsewhere = format!("public = \"https://localhost:{}\"", public.port());
        let lines =
            text.lines().map(|line| if line.starts_with("public = ") { elsewhere.as_str() } else { line });
        fs::write(&config, lines.collect::<Vec<_>>().join("\n"))?;
        let process = start(&self.program, &config, &folder)?;
        let client = LocalClient::from_config(&Config::load(&config)?)?;
        Ok(Self { body: self.body, client, process, program: self.program.clone(), folder })
    }

    fn sign(&self, draft: &Draft) -> anyhow::Result<()> {
        let version = draft.version.to_string();
        self.command(&["agreement", "sign", &draft.number, &version, "--yes"]).map(drop)
    }

    /// Waits until the agent knows a version in a state.
    ///
    /// # Errors
    /// When it does not answer, or never knows.
    pub async fn knows(&self, draft: &Draft, state: &str) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let agreements = self.client.agreements().await?;
            let found = agreements.iter().any(|agreement| {
                agreement.number == draft.number
                    && agreement.version == draft.version
                    && agreement.state.ends_with(state)
            });
            if found {
                return Ok(());
            }
            let late = || format!("{} does not know {} as {state}", self.body.code, draft.number);
            (Instant::now() < until).then_some(()).with_context(late)?;
            sleep(LOOK).await;
        }
    }
}
