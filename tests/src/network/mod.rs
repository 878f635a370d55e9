//! A whole network on loopback: authorities, a gateway and agencies' agents, each a process of its own.

pub mod agencies;
pub mod agent;
pub mod agreements;
pub mod disk;
pub mod folders;
pub mod log;
pub mod operators;
pub mod process;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::Context;
use passerelle_pki::authority::Authority;
use passerelle_pki::certificate::TrustAnchor;
use passerelle_pki::keyfile::Passphrase;

use self::process::{Program, Running};
use crate::probe::Addresses;
use crate::roles::Role;

/// The trust domain of every network of the sandbox.
pub const TRUST_DOMAIN: &str = "sandbox.passerelle.example";

const ROOT_PASSPHRASE: &str = "bac a sable, racine";
const ISSUING_PASSPHRASE: &str = "bac a sable, emission";

/// Authorities and a gateway in a folder, and the gateway's process when it runs.
#[derive(Debug)]
pub struct Network {
    folder: PathBuf,
    program: Program,
    addresses: Addresses,
    gateway: Option<Running>,
}

impl Network {
    /// Makes the authorities, sets up a gateway, starts it, and makes the operators' tokens.
    ///
    /// # Errors
    /// The first command that failed.
    pub fn create(folder: &Path, program: Program) -> anyhow::Result<Self> {
        Self::with_gateway_settings(folder, program, "")
    }

    /// The same, with more lines for the gateway's configuration file.
    ///
    /// # Errors
    /// The first command that failed.
    pub fn with_gateway_settings(folder: &Path, program: Program, settings: &str) -> anyhow::Result<Self> {
        let addresses = Addresses { agents: free_address()?, public: free_address()? };
        let mut network = Self { folder: folder.to_owned(), program, addresses, gateway: None };
        network.create_authorities().context("the authorities")?;
        network.create_gateway(settings).context("the gateway")?;
        network.start_gateway()?;
        network.issue_operator_tokens().context("the operators' tokens")?;
        Ok(network)
    }

    fn create_authorities(&self) -> anyhow::Result<()> {
        let pki = self.folder.join("pki");
        fs::create_dir_all(&pki)?;
        fs::write(pki.join("root.txt"), ROOT_PASSPHRASE)?;
        fs::write(pki.join("issuing.txt"), ISSUING_PASSPHRASE)?;
        let path = |name: &str| pki.join(name).into_os_string();
        self.program.run(
            Role::Pki,
            &[
                "root".into(),
                "create".into(),
                "--dir".into(),
                path("root"),
                "--trust-domain".into(),
                TRUST_DOMAIN.into(),
                "--passphrase-file".into(),
                path("root.txt"),
            ],
        )?;
        self.program.run(
            Role::Pki,
            &[
                "issuing".into(),
                "create".into(),
                "--dir".into(),
                path("issuing"),
                "--root".into(),
                path("root"),
                "--root-passphrase-file".into(),
                path("root.txt"),
                "--passphrase-file".into(),
                path("issuing.txt"),
            ],
        )?;
        Ok(())
    }

    fn create_gateway(&self, settings: &str) -> anyhow::Result<()> {
        let Addresses { agents, public } = self.addresses;
        let file = format!(
            "data_dir = \"passerelle\"\n\n[identity]\ntrust_domain = \"{TRUST_DOMAIN}\"\n\n\
             [listen]\nagents = \"{agents}\"\npublic = \"{public}\"\n\n\
             [pki]\nroot_certificate = \"pki/root/root.cert.pem\"\nissuing_authority = \"pki/issuing\"\n\
             passphrase_file = \"pki/issuing.txt\"\n\n{settings}"
        );
        fs::write(self.gateway_config(), file)?;
        self.run_gateway_command("init")
    }

    fn run_gateway_command(&self, command: &str) -> anyhow::Result<()> {
        let arguments = [command.into(), "--config".into(), self.gateway_config().into_os_string()];
        self.program.run(Role::Gateway, &arguments).map(drop)
    }

    /// Starts the gateway's process.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn start_gateway(&mut self) -> anyhow::Result<()> {
        let arguments = ["serve".into(), "--config".into(), self.gateway_config().into_os_string()];
        self.gateway = Some(self.program.start(Role::Gateway, &arguments, &self.gateway_log())?);
        Ok(())
    }

    /// The gateway's process.
    ///
    /// # Errors
    /// When it was not started.
    pub fn gateway(&mut self) -> anyhow::Result<&mut Running> {
        self.gateway.as_mut().context("the gateway was not started")
    }

    /// Where the gateway listens.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The folder of the whole network.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The gateway's configuration file.
    #[must_use]
    pub fn gateway_config(&self) -> PathBuf {
        self.folder.join("passerelle-gateway.toml")
    }

    /// What the gateway wrote to its standard error.
    #[must_use]
    pub fn gateway_log(&self) -> PathBuf {
        self.folder.join("passerelle.log")
    }

    /// The gateway's data folder.
    #[must_use]
    pub fn gateway_data(&self) -> PathBuf {
        self.folder.join("passerelle")
    }

    /// The published log.
    #[must_use]
    pub fn log_folder(&self) -> PathBuf {
        self.gateway_data().join("log")
    }

    /// The verifier key of the log, written when the gateway was set up.
    #[must_use]
    pub fn log_key_file(&self) -> PathBuf {
        self.gateway_data().join("log.vkey")
    }

    /// The root certificate's file.
    #[must_use]
    pub fn root_certificate(&self) -> PathBuf {
        self.folder.join("pki/root/root.cert.pem")
    }

    /// The root that everybody trusts.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn anchor(&self) -> anyhow::Result<TrustAnchor> {
        Ok(TrustAnchor::from_pem_file(&self.root_certificate())?)
    }

    /// The issuing authority, opened beside the gateway.
    ///
    /// # Errors
    /// When it does not open.
    pub fn issuing_authority(&self) -> anyhow::Result<Authority> {
        let pki = self.folder.join("pki");
        let passphrase = Passphrase::from_file(&pki.join("issuing.txt"))?;
        Ok(Authority::open(&pki.join("issuing"), &passphrase)?)
    }

    /// What runs the commands.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }
}

/// Ports that listeners of tests may have: below those that systems give to outgoing connections, so that none of these
/// takes a port between its choice and its use.
const PORTS: std::ops::Range<u16> = 12_000..32_000;
/// How many were given in this process.
static GIVEN: AtomicU16 = AtomicU16::new(0);

/// An address on loopback that nobody listens on at this moment, another one at each call.
///
/// # Errors
/// When every port is taken.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    let count = u32::from(PORTS.end - PORTS.start);
    for _ in 0..count {
        // Processes that run side by side begin in different places.
        let next = std::process::id()
            .wrapping_mul(97)
            .wrapping_add(u32::from(GIVEN.fetch_add(1, Ordering::Relaxed)));
        let port = PORTS.start + u16::try_from(next % count)?;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Ok(listener.local_addr()?);
        }
    }
    anyhow::bail!("no port is free")
}
