//! From sections to a [`Config`]: names, addresses, ranges, and what must not be missing.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use passerelle_pki::keyfile::Passphrase;
use passerelle_pki::name::{AgentName, TrustDomain};

use super::mistake::{ConfigError, Mistake};
use super::sections::{File, Limits, Oidc};
use super::{Config, Keys, OidcIssuer, Operators, Pki};

/// Variable with the passphrase of the issuing authority, when no file is configured.
const PASSPHRASE_VARIABLE: &str = "PASSERELLE_PASSPHRASE";

/// The configuration that the sections make, or `None` when a part without a default is missing.
pub(super) fn file(file: File, text: &str, path: &Path, mistakes: &mut Vec<Mistake>) -> Option<Config> {
    let base = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let data_dir = required(&file.data_dir, "data_dir", &base, mistakes);
    let name = parsed::<AgentName>(&file.identity.name, "identity.name", mistakes);
    let trust_domain = parsed::<TrustDomain>(&file.identity.trust_domain, "identity.trust_domain", mistakes);
    hosts(&file.identity.hosts, mistakes);
    let agents = parsed::<SocketAddr>(&file.listen.agents, "listen.agents", mistakes);
    let public = parsed::<SocketAddr>(&file.listen.public, "listen.public", mistakes);
    if agents.is_some() && agents == public && agents.is_some_and(|address| address.port() != 0) {
        mistakes.push(Mistake::new(
            "listen.public",
            "même adresse que listen.agents; donner un autre port",
            "same address as listen.agents; give another port",
        ));
    }
    let root_certificate = required(&file.pki.root_certificate, "pki.root_certificate", &base, mistakes);
    let issuing_authority = required(&file.pki.issuing_authority, "pki.issuing_authority", &base, mistakes);
    ranges(&file, mistakes);
    let operators = operators(&file, trust_domain.as_ref(), &base, mistakes);
    level(&file.tracing.level, mistakes);

    let (trust_domain, name, data_dir) = (trust_domain?, name?, data_dir?);
    let keys = keys(&file, &base, &data_dir);
    let log_origin = if file.log.origin.is_empty() { format!("{trust_domain}/log") } else { file.log.origin };
    origin(&log_origin, mistakes);
    let passphrase_file = &file.pki.passphrase_file;
    Some(Config {
        path: path.to_owned(),
        digest: sha256(text.as_bytes()),
        data_dir,
        name,
        trust_domain,
        hosts: file.identity.hosts,
        listen_agents: agents?,
        listen_public: public?,
        pki: Pki {
            root_certificate: root_certificate?,
            issuing_authority: issuing_authority?,
            passphrase_file: (!passphrase_file.as_os_str().is_empty()).then(|| base.join(passphrase_file)),
            agent_certificate_lifetime: Duration::from_secs(
                u64::from(file.pki.agent_certificate_days) * 86_400,
            ),
        },
        keys,
        log_origin,
        publish_interval: Duration::from_millis(file.log.publish_interval_ms),
        revocation_poll_interval: Duration::from_secs(file.revocation.poll_interval_s),
        limits: file.limits,
        operators,
        tracing: file.tracing,
    })
}

/// Files and folders that must exist before the gateway starts.
pub(super) fn missing_files(config: &Config) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut demand = |key: &str, path: &Path, fr: &str, en: &str| {
        if !path.exists() {
            let path = path.display();
            mistakes.push(Mistake::new(
                key,
                format!("{path} n'existe pas; {fr}"),
                format!("{path} does not exist; {en}"),
            ));
        }
    };
    let (root, issuing) = (&config.pki.root_certificate, &config.pki.issuing_authority);
    demand("pki.root_certificate", root, "passerelle-pki root create", "passerelle-pki root create");
    demand(
        "pki.issuing_authority",
        issuing,
        "passerelle-pki issuing create",
        "passerelle-pki issuing create",
    );
    if let Some(path) = &config.pki.passphrase_file {
        demand("pki.passphrase_file", path, "y écrire la phrase de passe", "write the passphrase there");
    }
    for (index, issuer) in config.operators.oidc.iter().enumerate() {
        let key = format!("operators.oidc[{index}].jwks_file");
        let fr = "y enregistrer les clés du fournisseur (jwks_uri)";
        demand(&key, &issuer.jwks_file, fr, "save the provider's keys there (jwks_uri)");
    }
    mistakes
}

/// The passphrase of the issuing authority.
pub(super) fn passphrase(config: &Config) -> Result<Passphrase, ConfigError> {
    let missing = |fr: String, en: String| {
        ConfigError::new(&config.path, vec![Mistake::new("pki.passphrase_file", fr, en)])
    };
    match &config.pki.passphrase_file {
        Some(path) => Passphrase::from_file(path).map_err(|error| {
            let path = path.display();
            missing(
                format!(
                    "{path} ne peut être lu ({error}); y écrire la phrase de passe sur la première ligne"
                ),
                format!("{path} cannot be read ({error}); write the passphrase there, on the first line"),
            )
        }),
        None => Passphrase::from_environment(PASSPHRASE_VARIABLE).ok_or_else(|| {
            missing(
                format!("donner ce fichier, ou la variable {PASSPHRASE_VARIABLE}"),
                format!("give this file, or the variable {PASSPHRASE_VARIABLE}"),
            )
        }),
    }
}

fn required(path: &Path, key: &str, base: &Path, mistakes: &mut Vec<Mistake>) -> Option<PathBuf> {
    if path.as_os_str().is_empty() {
        mistakes.push(missing(key));
        return None;
    }
    Some(base.join(path))
}

fn missing(key: &str) -> Mistake {
    Mistake::new(key, "manque; l'ajouter", "is missing; add it")
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(
    text: &str,
    key: &str,
    mistakes: &mut Vec<Mistake>,
) -> Option<T> {
    if text.is_empty() {
        mistakes.push(missing(key));
        return None;
    }
    text.parse()
        .map_err(|error: T::Err| {
            mistakes.push(Mistake::new(
                key,
                format!("« {text} » n'a pas la forme attendue; la corriger ({error})"),
                format!("\"{text}\" does not have the form expected; correct it ({error})"),
            ));
        })
        .ok()
}

fn hosts(hosts: &[String], mistakes: &mut Vec<Mistake>) {
    let plain = |host: &String| {
        !host.is_empty()
            && host.len() <= 253
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte))
    };
    if hosts.is_empty() || !hosts.iter().all(plain) {
        mistakes.push(Mistake::new(
            "identity.hosts",
            "donner au moins un nom d'hôte ou une adresse, sans port ni espace",
            "give at least one host name or address, without port or space",
        ));
    }
}

fn ranges(file: &File, mistakes: &mut Vec<Mistake>) {
    let Limits {
        record_bytes_max,
        inline_bytes_max,
        connections_per_agency,
        connections_max,
        exchanges_per_second_per_agency,
        burst_per_agency,
        header_skew_max_s,
        time_to_live_max_s,
        uploads_per_agency,
        calls_per_agency,
        call_deadline_max_s,
        spool_bytes_per_agency,
    } = &file.limits;
    let checks: [(&str, u64, u64, u64); 17] = [
        ("pki.agent_certificate_days", file.pki.agent_certificate_days.into(), 1, 90),
        ("log.publish_interval_ms", file.log.publish_interval_ms, 50, 60_000),
        ("revocation.poll_interval_s", file.revocation.poll_interval_s, 1, 3_600),
        ("limits.record_bytes_max", *record_bytes_max, 1, 50 << 30),
        ("limits.inline_bytes_max", *inline_bytes_max, 1, 1 << 20),
        ("limits.connections_per_agency", (*connections_per_agency).into(), 1, 65_536),
        ("limits.connections_max", (*connections_max).into(), 1, 65_536),
        ("limits.exchanges_per_second_per_agency", (*exchanges_per_second_per_agency).into(), 1, 1_000_000),
        ("limits.burst_per_agency", (*burst_per_agency).into(), 1, 1_000_000),
        ("limits.header_skew_max_s", *header_skew_max_s, 1, 3_600),
        ("limits.time_to_live_max_s", *time_to_live_max_s, 1, 31 * 86_400),
        ("limits.uploads_per_agency", (*uploads_per_agency).into(), 1, 1_024),
        ("limits.calls_per_agency", (*calls_per_agency).into(), 1, 65_536),
        ("limits.call_deadline_max_s", *call_deadline_max_s, 1, 3_600),
        ("limits.spool_bytes_per_agency", *spool_bytes_per_agency, 1 << 20, 1 << 50),
        ("operators.token_lifetime_max_s", file.operators.token_lifetime_max_s, 60, 86_400),
        ("operators.leeway_s", file.operators.leeway_s, 0, 60),
    ];
    for (key, value, least, most) in checks {
        if !(least..=most).contains(&value) {
            mistakes.push(Mistake::new(
                key,
                format!("{value} : donner un nombre de {least} à {most}"),
                format!("{value}: give a number from {least} to {most}"),
            ));
        }
    }
}

fn operators(
    file: &File,
    domain: Option<&TrustDomain>,
    base: &Path,
    mistakes: &mut Vec<Mistake>,
) -> Operators {
    let section = &file.operators;
    let domain = domain.map(ToString::to_string).unwrap_or_default();
    let or = |text: &String, default: String| if text.is_empty() { default } else { text.clone() };
    let local_issuer = or(&section.local_issuer, format!("passerelle:{domain}:{}", file.identity.name));
    let mut oidc = Vec::new();
    for (index, provider) in section.oidc.iter().enumerate() {
        let key = |name: &str| format!("operators.oidc[{index}].{name}");
        let Oidc { issuer, audience, jwks_file, roles_claim, agency_claim } = provider.clone();
        for (name, text) in [
            ("issuer", &issuer),
            ("audience", &audience),
            ("roles_claim", &roles_claim),
            ("agency_claim", &agency_claim),
        ] {
            if text.is_empty() {
                mistakes.push(missing(&key(name)));
            }
        }
        let other_issuers = &section.oidc[..index];
        if issuer == local_issuer || other_issuers.iter().any(|other| other.issuer == issuer) {
            mistakes.push(Mistake::new(
                key("issuer"),
                "cet émetteur est déjà configuré; un seul par émetteur",
                "this issuer is configured already; one entry per issuer",
            ));
        }
        let jwks_file = required(&jwks_file, &key("jwks_file"), base, mistakes).unwrap_or_default();
        oidc.push(OidcIssuer { issuer, audience, jwks_file, roles_claim, agency_claim });
    }
    if !section.local && oidc.is_empty() {
        mistakes.push(Mistake::new(
            "operators.local",
            "aucun émetteur de jetons : personne ne pourrait administrer; ajouter [[operators.oidc]] ou mettre true",
            "no issuer of tokens: nobody could administer; add [[operators.oidc]] or set true",
        ));
    }
    Operators {
        local_issuer: section.local.then_some(local_issuer),
        audience: or(&section.audience, format!("passerelle:{domain}:operators")),
        lifetime_max: Duration::from_secs(section.token_lifetime_max_s),
        leeway: Duration::from_secs(section.leeway_s),
        oidc,
    }
}

/// A key's default is a name in `<data_dir>/keys`; a path that was given starts at the configuration file.
fn keys(file: &File, base: &Path, data_dir: &Path) -> Keys {
    let default = super::sections::Keys::default();
    let place = |given: &PathBuf, default: &PathBuf| {
        if given == default { data_dir.join("keys").join(default) } else { base.join(given) }
    };
    let given = &file.keys;
    Keys {
        tls_key: place(&given.tls_key, &default.tls_key),
        tls_certificate: place(&given.tls_certificate, &default.tls_certificate),
        signing_key: place(&given.signing_key, &default.signing_key),
        signing_certificate: place(&given.signing_certificate, &default.signing_certificate),
        log_key: place(&given.log_key, &default.log_key),
        operator_key: place(&given.operator_key, &default.operator_key),
        enrolment_key: place(&given.enrolment_key, &default.enrolment_key),
    }
}

/// A key name of C2SP signed-note: no spaces, no plus; and one line.
fn origin(origin: &str, mistakes: &mut Vec<Mistake>) {
    if origin.len() > 200 || origin.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+') {
        mistakes.push(Mistake::new(
            "log.origin",
            "donner un nom d'au plus 200 caractères sans espace ni « + », comme passerelle.example/log",
            "give a name of at most 200 characters without space or \"+\", such as passerelle.example/log",
        ));
    }
}

fn level(level: &str, mistakes: &mut Vec<Mistake>) {
    if !["error", "warn", "info", "debug", "trace"].contains(&level) {
        mistakes.push(Mistake::new(
            "tracing.level",
            format!("« {level} » : donner error, warn, info, debug ou trace"),
            format!("\"{level}\": give error, warn, info, debug or trace"),
        ));
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    out
}
