//! The gateway's configuration: one TOML file, whose sections ([`sections`]) are the manual.
//!
//! Every key has a name, a default where one is sensible, and a check. A file with mistakes is refused as a whole, and
//! all of them are told together ([`ConfigError`]), each with its key and what to do. Secrets are never in the file,
//! only the paths of the files that hold them. Relative paths start at the folder of the configuration file.

mod check;
mod mistake;
mod read;
pub mod sections;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use passerelle_pki::name::{AgentName, TrustDomain};

pub use mistake::{ConfigError, Mistake};
pub use sections::{Limits, Tracing};

/// Bytes that a configuration file may have.
pub const FILE_LIMIT: u64 = 256 * 1024;

/// A configuration without mistakes. Only [`Config::load`] and [`Config::parse`] make one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where it was read.
    pub path: PathBuf,
    /// SHA-256 of the file, for the event that the gateway leaves when it starts.
    pub digest: [u8; 32],
    /// What the gateway owns: journal, log, view, bodies, keys.
    pub data_dir: PathBuf,
    /// The gateway's name: it is certified as `spiffe://<trust domain>/gateway/<name>`.
    pub name: AgentName,
    /// The trust domain; the root certificate must be of it.
    pub trust_domain: TrustDomain,
    /// Host names and addresses under which agents and operators reach the gateway.
    pub hosts: Vec<String>,
    /// Listener for agents: mutual TLS.
    pub listen_agents: SocketAddr,
    /// Listener for operators, enrolment and the published log: server TLS.
    pub listen_public: SocketAddr,
    /// The root and the issuing authority.
    pub pki: Pki,
    /// The gateway's own keys and certificates.
    pub keys: Keys,
    /// The log's origin line, such as `passerelle.example/log` (C2SP tlog-checkpoint).
    pub log_origin: String,
    /// How often a checkpoint is published while there is something new.
    pub publish_interval: Duration,
    /// How often revocations made outside this process are looked for.
    pub revocation_poll_interval: Duration,
    /// What one caller may ask for.
    pub limits: Limits,
    /// Whose tokens are believed.
    pub operators: Operators,
    /// What is written to the standard error.
    pub tracing: Tracing,
}

/// Where certificates come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pki {
    /// The root certificate, PEM.
    pub root_certificate: PathBuf,
    /// Folder of the issuing authority.
    pub issuing_authority: PathBuf,
    /// File with the passphrase of the issuing authority's key. `None`: the variable `PASSERELLE_PASSPHRASE`.
    pub passphrase_file: Option<PathBuf>,
    /// How long certificates of agents are valid.
    pub agent_certificate_lifetime: Duration,
}

/// The gateway's own keys, all made by `init`, and the certificates of two of them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Keys {
    /// TLS key of both listeners, PEM.
    pub tls_key: PathBuf,
    /// Its chain, PEM.
    pub tls_certificate: PathBuf,
    /// Key that signs receipts.
    pub signing_key: PathBuf,
    /// Its chain, PEM.
    pub signing_certificate: PathBuf,
    /// Key that signs checkpoints.
    pub log_key: PathBuf,
    /// Key of the local issuer of operators' tokens.
    pub operator_key: PathBuf,
    /// Key of one-time enrolment tokens.
    pub enrolment_key: PathBuf,
}

/// Whose operators' tokens are believed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Operators {
    /// Issuer (`iss`) of tokens made with `passerelle-gateway operator token`; `None` when that way is closed.
    pub local_issuer: Option<String>,
    /// Audience (`aud`) of the local issuer's tokens.
    pub audience: String,
    /// Longest lifetime of a token, whoever issued it.
    pub lifetime_max: Duration,
    /// Clock difference that is borne with.
    pub leeway: Duration,
    /// Identity providers.
    pub oidc: Vec<OidcIssuer>,
}

/// An identity provider (OpenID Connect) whose tokens are believed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OidcIssuer {
    /// `iss` of its tokens, exactly.
    pub issuer: String,
    /// `aud` that its tokens must have.
    pub audience: String,
    /// Its keys (RFC 7517), as a file that the operator keeps up to date; read again when it changes.
    pub jwks_file: PathBuf,
    /// Claim with the roles, dots between levels, as in `realm_access.roles`.
    pub roles_claim: String,
    /// Claim with the agency's code.
    pub agency_claim: String,
}

impl Config {
    /// Reads and checks the configuration file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`] with every mistake that was found.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let bytes = passerelle_pki::files::read_limited(path, FILE_LIMIT)
            .map_err(|source| ConfigError::unreadable(path, &source))?;
        let text = String::from_utf8(bytes).map_err(|_error| ConfigError::not_text(path))?;
        Self::parse(&text, path)
    }

    /// Checks the text of a configuration file that stands, or will stand, at `path`. Looks at no other file.
    ///
    /// # Errors
    /// [`ConfigError`] with every mistake that was found.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut mistakes = Vec::new();
        let file = read::file(text, &mut mistakes);
        let config = check::file(file, text, path, &mut mistakes);
        match config {
            Some(config) if mistakes.is_empty() => Ok(config),
            _ => Err(ConfigError::new(path, mistakes)),
        }
    }

    /// Checks that the files that must exist before the gateway can start do. For `config check` and `serve`.
    ///
    /// # Errors
    /// [`ConfigError`] with every file that is missing.
    pub fn check_files(&self) -> Result<(), ConfigError> {
        let mistakes = check::missing_files(self);
        if mistakes.is_empty() { Ok(()) } else { Err(ConfigError::new(&self.path, mistakes)) }
    }

    /// Folder of the journal.
    #[must_use]
    pub fn journal_dir(&self) -> PathBuf {
        self.data_dir.join("journal")
    }

    /// Folder of the published log (C2SP tiles).
    #[must_use]
    pub fn log_dir(&self) -> PathBuf {
        self.data_dir.join("log")
    }

    /// Folder of the derived store.
    #[must_use]
    pub fn view_dir(&self) -> PathBuf {
        self.data_dir.join("view.sled")
    }

    /// Folder of the sealed bodies that are too large for the journal.
    #[must_use]
    pub fn bodies_dir(&self) -> PathBuf {
        self.data_dir.join("bodies")
    }

    /// Folder of the OpenAPI documents that services name.
    #[must_use]
    pub fn services_dir(&self) -> PathBuf {
        self.data_dir.join("services")
    }

    /// The passphrase of the issuing authority: from its file, else from `PASSERELLE_PASSPHRASE`.
    ///
    /// # Errors
    /// [`ConfigError`] when there is none.
    pub fn passphrase(&self) -> Result<passerelle_pki::keyfile::Passphrase, ConfigError> {
        check::passphrase(self)
    }
}
