//! The agent's configuration: one TOML file, of which `passerelle-agent.toml` is the manual.
//!
//! Every key has a name, a default where one is sensible, and a check. A file with mistakes is refused as a whole, and
//! all of them are told together ([`ConfigError`]), each with its key and what to do. Secrets are never in the file,
//! only the paths of the files that hold them. Relative paths start at the folder of the configuration file.

mod check;
mod folders;
mod govstack;
mod local;
mod mistake;
mod read;
mod sections;
mod services;
mod signing;
mod systems;
#[cfg(test)]
mod tests;
mod webhooks;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use passerelle_pki::certificate::TrustAnchor;
use passerelle_pki::files;
use passerelle_pki::name::AgentId;
use zeroize::Zeroizing;

pub use local::{Listen, LocalSettings, TlsSettings};
pub use mistake::{ConfigError, Mistake};
pub use sections::Tracing;

use crate::agent::Settings;
use crate::calls::CallSettings;
use crate::enrol::EnrolSettings;
use crate::folders::FolderSettings;
use crate::govstack::GovstackSettings;
use crate::inclusion::CheckSettings;
use crate::link::GatewayAddress;
use crate::pkcs11::Pkcs11Settings;
use crate::records::Limits;
use crate::webhooks::WebhookSettings;

/// Bytes that a configuration file may have.
pub const FILE_LIMIT: u64 = 256 * 1024;
/// The commented sample.
pub const SAMPLE: &str = include_str!("../../passerelle-agent.toml");

/// A configuration without mistakes. Only [`Config::load`] and [`Config::parse`] make one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where it was read.
    pub path: PathBuf,
    /// What the agent owns: identity, caches, outbox, inbox.
    pub data_dir: PathBuf,
    /// Who the agent is.
    pub agent: AgentId,
    /// The gateway's listener for agents.
    pub gateway_agents: GatewayAddress,
    /// The gateway's public listener.
    pub gateway_public: GatewayAddress,
    /// The root certificate, PEM.
    pub root_certificate: PathBuf,
    /// Where agency systems reach the agent.
    pub local: LocalSettings,
    /// Refuse by the agreement before sealing.
    pub check_before_sending: bool,
    /// When receipts are held against the log.
    pub checks: CheckSettings,
    /// File of the key of the pseudonyms, when the agency's agents share one.
    pub pseudonym_key_file: Option<PathBuf>,
    /// How much is kept.
    pub limits: Limits,
    /// The agency's systems that received records are posted to.
    pub webhooks: Vec<WebhookSettings>,
    /// Where a scraper reads measures without a token, when it does.
    pub metrics: Option<SocketAddr>,
    /// Calls, and the agency's own services.
    pub calls: CallSettings,
    /// Folders for systems that only know files.
    pub folders: Vec<FolderSettings>,
    /// The token of the signing key, when it is in one.
    pub signing: Option<Pkcs11Settings>,
    /// The GovStack compatibility route, when it is on.
    pub govstack: Option<GovstackSettings>,
    /// What is written to the standard error.
    pub tracing: Tracing,
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// Every mistake of the file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let bytes = files::read_limited(path, FILE_LIMIT).map_err(|error| {
            let fr = format!("le fichier ne peut être lu ({error}); donner son chemin avec --config");
            let en = format!("the file cannot be read ({error}); give its path with --config");
            ConfigError::one(path, Mistake::new("", fr, en))
        })?;
        let text = String::from_utf8(bytes).map_err(|_| {
            let fr = "le fichier n'est pas du texte UTF-8; l'enregistrer en UTF-8";
            ConfigError::one(path, Mistake::new("", fr, "the file is not UTF-8 text; save it as UTF-8"))
        })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a configuration file that stands at `path`.
    ///
    /// # Errors
    /// Every mistake of the text.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut mistakes = Vec::new();
        let file = read::file(text, &mut mistakes);
        match check::file(file, path, &mut mistakes) {
            Some(config) if mistakes.is_empty() => Ok(config),
            _ => Err(ConfigError::new(path, mistakes)),
        }
    }

    /// Who the agent is.
    #[must_use]
    pub fn agent_id(&self) -> AgentId {
        self.agent.clone()
    }

    /// The root that the agent trusts.
    ///
    /// # Errors
    /// When its file cannot be read as one.
    pub fn anchor(&self) -> Result<TrustAnchor, ConfigError> {
        TrustAnchor::from_pem_file(&self.root_certificate).map_err(|error| {
            let path = self.root_certificate.display();
            let fr = format!("{path} : {error}; y mettre le certificat racine reçu de la passerelle");
            let en = format!("{path}: {error}; put the root certificate there that the gateway gave you");
            ConfigError::one(&self.path, Mistake::new("gateway.root_certificate", fr, en))
        })
    }

    /// What enrolling needs.
    ///
    /// # Errors
    /// When the root certificate cannot be read.
    pub fn enrol_settings(&self, again: bool) -> Result<EnrolSettings, ConfigError> {
        Ok(EnrolSettings {
            data_dir: self.data_dir.clone(),
            address: self.gateway_public.clone(),
            anchor: self.anchor()?,
            agent: self.agent_id(),
            again,
            signing: self.signing.clone(),
        })
    }

    /// What running needs.
    ///
    /// # Errors
    /// When the root certificate or the key of the pseudonyms cannot be read.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        Ok(Settings {
            data_dir: self.data_dir.clone(),
            anchor: self.anchor()?,
            agents: self.gateway_agents.clone(),
            public: self.gateway_public.clone(),
            expected: Some(self.agent_id()),
            signing: self.signing.clone(),
            check_before_sending: self.check_before_sending,
            pseudonym_key: self.pseudonym_key()?,
            checks: self.checks,
            limits: self.limits.clone(),
            calls: self.calls.clone(),
            folders: self.folders.clone(),
        })
    }

    fn pseudonym_key(&self) -> Result<Option<[u8; 32]>, ConfigError> {
        let Some(path) = &self.pseudonym_key_file else { return Ok(None) };
        let refuse = |why: &str| {
            let path = path.display();
            let fr = format!("{path} ne peut servir ({why}); y écrire 64 chiffres hexadécimaux");
            let en = format!("{path} cannot serve ({why}); write 64 hexadecimal digits there");
            ConfigError::one(&self.path, Mistake::new("pseudonyms.key_file", fr, en))
        };
        let text = files::read_limited(path, 1_024).map_err(|error| refuse(&error.to_string()))?;
        let text = Zeroizing::new(text);
        let mut key = [0; 32];
        hex::decode_to_slice(text.trim_ascii(), &mut key).map_err(|error| refuse(&error.to_string()))?;
        Ok(Some(key))
    }
}
