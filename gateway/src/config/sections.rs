//! The sections of the file as they are written, with their defaults. `passerelle-gateway.toml` shows them all.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[identity]`: who the gateway is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Name of this gateway, in its certificate: 2 to 40 of a-z, 0-9 and '-'. Default `passerelle`.
    pub name: String,
    /// Trust domain of the root certificate. No default.
    pub trust_domain: String,
    /// Host names and addresses of this gateway, for its TLS certificate. Default `["localhost", "127.0.0.1"]`.
    pub hosts: Vec<String>,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            name: "passerelle".to_owned(),
            trust_domain: String::new(),
            hosts: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        }
    }
}

/// `[listen]`: where the gateway listens. Both addresses must differ.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// For agents (mutual TLS). Default `127.0.0.1:7443`.
    pub agents: String,
    /// For operators, enrolment and the published log. Default `127.0.0.1:7444`.
    pub public: String,
}

impl Default for Listen {
    fn default() -> Self {
        Self { agents: "127.0.0.1:7443".to_owned(), public: "127.0.0.1:7444".to_owned() }
    }
}

/// `[pki]`: the root that is trusted and the authority that certifies agents.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pki {
    /// Root certificate, PEM. No default.
    pub root_certificate: PathBuf,
    /// Folder of the issuing authority (`passerelle-pki issuing create`). No default.
    pub issuing_authority: PathBuf,
    /// File whose first line is the passphrase of the issuing key. Default: the variable `PASSERELLE_PASSPHRASE`.
    pub passphrase_file: PathBuf,
    /// Days for which an agent's certificates are valid, 1 to 90. Default 30.
    pub agent_certificate_days: u32,
}

impl Default for Pki {
    fn default() -> Self {
        Self {
            root_certificate: PathBuf::new(),
            issuing_authority: PathBuf::new(),
            passphrase_file: PathBuf::new(),
            agent_certificate_days: 30,
        }
    }
}

/// `[keys]`: the gateway's own keys and certificates. Default: in `<data_dir>/keys`, where `init` makes them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// TLS key. Default `<data_dir>/keys/tls.key.pem`.
    pub tls_key: PathBuf,
    /// TLS chain. Default `<data_dir>/keys/tls.cert.pem`.
    pub tls_certificate: PathBuf,
    /// Key that signs receipts. Default `<data_dir>/keys/signing.key.pem`.
    pub signing_key: PathBuf,
    /// Its chain. Default `<data_dir>/keys/signing.cert.pem`.
    pub signing_certificate: PathBuf,
    /// Key that signs checkpoints. Default `<data_dir>/keys/log.key.pem`.
    pub log_key: PathBuf,
    /// Key of the local issuer of operators' tokens. Default `<data_dir>/keys/operators.key.pem`.
    pub operator_key: PathBuf,
    /// Key of one-time enrolment tokens. Default `<data_dir>/keys/enrolment.key.pem`.
    pub enrolment_key: PathBuf,
}

impl Default for Keys {
    fn default() -> Self {
        let path = |name: &str| PathBuf::from(name);
        Self {
            tls_key: path("tls.key.pem"),
            tls_certificate: path("tls.cert.pem"),
            signing_key: path("signing.key.pem"),
            signing_certificate: path("signing.cert.pem"),
            log_key: path("log.key.pem"),
            operator_key: path("operators.key.pem"),
            enrolment_key: path("enrolment.key.pem"),
        }
    }
}

/// `[log]`: the audit log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Origin line of the checkpoints; never changes in the life of a log. Default `<trust domain>/log`.
    pub origin: String,
    /// Milliseconds between two checkpoints while there is something new, 50 to 60,000. Default 1,000.
    pub publish_interval_ms: u64,
}

impl Default for Log {
    fn default() -> Self {
        Self { origin: String::new(), publish_interval_ms: 1_000 }
    }
}

/// `[revocation]`: revocations that are made outside the gateway, with `passerelle-pki revoke`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Revocation {
    /// Seconds between two looks at the issuing authority's list, 1 to 3,600. Default 2.
    pub poll_interval_s: u64,
}

impl Default for Revocation {
    fn default() -> Self {
        Self { poll_interval_s: 2 }
    }
}

/// `[limits]`: what one caller may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Plaintext bytes of one record at most; an agreement may set less. Default 1 GiB, at most 50 GiB.
    pub record_bytes_max: u64,
    /// Plaintext bytes that travel inside the envelope's frame at most. Default and ceiling 1 MiB.
    pub inline_bytes_max: u64,
    /// Open connections of one agency. Default 64.
    pub connections_per_agency: u32,
    /// Open connections in all, on each listener. Default 4,096.
    pub connections_max: u32,
    /// Exchanges that one agency may submit in a second, on average. Default 5,000.
    pub exchanges_per_second_per_agency: u32,
    /// Exchanges that one agency may submit at once. Default 10,000.
    pub burst_per_agency: u32,
    /// Seconds by which a header's creation may lie ahead of the gateway's clock, 1 to 3,600. Default 60.
    pub header_skew_max_s: u64,
    /// Seconds between a header's creation and its expiry at most, up to 31 days. Default 30 days.
    pub time_to_live_max_s: u64,
    /// Uploads of one agency under way at a time. Default 8.
    pub uploads_per_agency: u32,
    /// Calls of one agency under way at a time. Default 256.
    pub calls_per_agency: u32,
    /// Seconds between a call's creation and its deadline at most, 1 to 3,600. Default 300.
    pub call_deadline_max_s: u64,
    /// Sealed bytes of one agency that may lie in the spool undelivered. Default 64 GiB.
    pub spool_bytes_per_agency: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes_max: 1 << 30,
            inline_bytes_max: 1 << 20,
            connections_per_agency: 64,
            connections_max: 4_096,
            exchanges_per_second_per_agency: 5_000,
            burst_per_agency: 10_000,
            header_skew_max_s: 60,
            time_to_live_max_s: 30 * 86_400,
            uploads_per_agency: 8,
            calls_per_agency: 256,
            call_deadline_max_s: 300,
            spool_bytes_per_agency: 64 << 30,
        }
    }
}

/// `[operators]`: whose tokens are believed. `[[operators.oidc]]` adds an identity provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Operators {
    /// Whether tokens of `passerelle-gateway operator token` are believed. Default `true`; `false` in production.
    pub local: bool,
    /// Issuer of those tokens. Default `passerelle:<trust domain>:<name>`.
    pub local_issuer: String,
    /// Audience of those tokens. Default `passerelle:<trust domain>:operators`.
    pub audience: String,
    /// Seconds for which a token may be valid, whoever issued it, 60 to 86,400. Default 43,200 (12 hours).
    pub token_lifetime_max_s: u64,
    /// Seconds of clock difference that are borne with, 0 to 60. Default 5.
    pub leeway_s: u64,
    /// Identity providers, see [`Oidc`].
    #[serde(skip_serializing)]
    pub oidc: Vec<Oidc>,
}

impl Default for Operators {
    fn default() -> Self {
        Self {
            local: true,
            local_issuer: String::new(),
            audience: String::new(),
            token_lifetime_max_s: 43_200,
            leeway_s: 5,
            oidc: Vec::new(),
        }
    }
}

/// `[[operators.oidc]]`: an identity provider (OpenID Connect).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Oidc {
    /// `iss` of its tokens, exactly. No default.
    pub issuer: String,
    /// `aud` that its tokens must have. No default.
    pub audience: String,
    /// File with its keys (JWKS, RFC 7517). No default.
    pub jwks_file: PathBuf,
    /// Claim with the roles, dots between levels, as in `realm_access.roles`. Default `roles`.
    pub roles_claim: String,
    /// Claim with the agency's code. Default `agency`.
    pub agency_claim: String,
}

impl Default for Oidc {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: String::new(),
            jwks_file: PathBuf::new(),
            roles_claim: "roles".to_owned(),
            agency_claim: "agency".to_owned(),
        }
    }
}

/// `[tracing]`: what is written to the standard error. No payload and no secret is ever in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tracing {
    /// `error`, `warn`, `info`, `debug` or `trace`. Default `info`.
    pub level: String,
    /// One JSON object a line instead of text. Default `false`.
    pub json: bool,
}

impl Default for Tracing {
    fn default() -> Self {
        Self { level: "info".to_owned(), json: false }
    }
}

/// The whole file, after every section was read.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// `data_dir`: what the gateway owns. No default.
    pub data_dir: PathBuf,
    /// `[identity]`.
    pub identity: Identity,
    /// `[listen]`.
    pub listen: Listen,
    /// `[pki]`.
    pub pki: Pki,
    /// `[keys]`.
    pub keys: Keys,
    /// `[log]`.
    pub log: Log,
    /// `[revocation]`.
    pub revocation: Revocation,
    /// `[limits]`.
    pub limits: Limits,
    /// `[operators]`.
    pub operators: Operators,
    /// `[tracing]`.
    pub tracing: Tracing,
}
