//! `[local]`: where the agency's systems reach the agent. Plain HTTP stays on this machine; other machines come by TLS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::mistake::Mistake;
use super::systems::{self, SystemSection};
use crate::systems::SystemSettings;

/// The section as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Local {
    /// Address on loopback, when no Unix socket is given; any address with TLS.
    pub(super) listen: String,
    /// A Unix socket instead, or beside TLS; empty for none.
    pub(super) unix_socket: PathBuf,
    /// Permissions of the socket, octal.
    pub(super) unix_socket_mode: String,
    /// File with the token that callers show over TCP; `local.token` in the data folder when empty.
    pub(super) token_file: PathBuf,
    /// Certificate chain for TLS, PEM; empty for none.
    pub(super) tls_certificate: PathBuf,
    /// Its key, PEM.
    pub(super) tls_key: PathBuf,
    /// The authority that issues the systems' certificates, PEM; empty: none is asked for.
    pub(super) client_ca: PathBuf,
}

impl Default for Local {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7450".to_owned(),
            unix_socket: PathBuf::new(),
            unix_socket_mode: "0600".to_owned(),
            token_file: PathBuf::new(),
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
            client_ca: PathBuf::new(),
        }
    }
}

/// Where agency systems reach the agent, and by what they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalSettings {
    /// The address by which this machine reaches it.
    pub listen: Listen,
    /// Permissions of a Unix socket.
    pub socket_mode: u32,
    /// The address by which other machines reach it.
    pub tls: Option<TlsSettings>,
    /// File of the agency's own token; made when it is not there.
    pub token_file: PathBuf,
    /// The systems; none: whoever holds the token, or reaches the socket, may do everything.
    pub systems: Vec<SystemSettings>,
}

impl LocalSettings {
    /// On this machine only, for the agency alone.
    #[must_use]
    pub fn new(listen: Listen, token_file: PathBuf) -> Self {
        Self { listen, socket_mode: 0o600, tls: None, token_file, systems: Vec::new() }
    }
}

/// A local address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// On loopback; callers show a token.
    Tcp(SocketAddr),
    /// A Unix socket; its permissions are the protection, and the user behind it tells the system.
    Unix(PathBuf),
}

/// HTTPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The address.
    pub address: SocketAddr,
    /// Certificate chain, PEM.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
    /// Whose certificates systems may show, PEM; none are asked for without it.
    pub client_ca: Option<PathBuf>,
}

/// What the two sections make, or `None` when the address does not serve.
pub(super) fn settings(
    local: &Local,
    systems: &[(String, SystemSection)],
    (base, data_dir): (&Path, Option<&Path>),
    mistakes: &mut Vec<Mistake>,
) -> Option<LocalSettings> {
    let systems = systems::settings(systems, base, mistakes);
    let tls = tls(local, base, mistakes);
    let listen = listen(local, base, mistakes);
    let socket_mode = socket_mode(local, !systems.is_empty(), mistakes);
    if tls.is_some() {
        require(
            &local.unix_socket,
            "local.unix_socket",
            mistakes,
            (
                "manque; avec TLS, les commandes de l'agent sur cette machine passent par la prise Unix",
                "missing; with TLS, the agent's commands on this machine go through the Unix socket",
            ),
        );
        if systems.is_empty() {
            mistakes.push(Mistake::new(
                "systems",
                "TLS ne sert que des systèmes; en écrire un, [systems.nom]",
                "TLS serves systems only; write one, [systems.name]",
            ));
        }
    }
    for system in &systems {
        if system.unix_user.is_some() {
            let key = format!("systems.{}.unix_user", system.name);
            require(
                &local.unix_socket,
                &key,
                mistakes,
                (
                    "ne sert que sur une prise Unix; donner local.unix_socket",
                    "serves on a Unix socket only; give local.unix_socket",
                ),
            );
            if socket_mode == 0o600 {
                mistakes.push(Mistake::new(
                    "local.unix_socket_mode",
                    "0600 n'admet que l'utilisateur de l'agent; prendre 0660 (le groupe) ou 0666 (chacun est reconnu)",
                    "0600 lets only the agent's user in; take 0660 (the group) or 0666 (everybody is recognised)",
                ));
            }
        }
        if !system.certificates.is_empty() {
            let key = format!("systems.{}.certificate_sha256", system.name);
            require(
                &local.client_ca,
                &key,
                mistakes,
                (
                    "ne sert qu'en TLS; donner local.tls_certificate, local.tls_key et local.client_ca",
                    "serves over TLS only; give local.tls_certificate, local.tls_key and local.client_ca",
                ),
            );
        }
    }
    let token_file = match local.token_file.as_os_str().is_empty() {
        true => data_dir?.join("local.token"),
        false => base.join(&local.token_file),
    };
    Some(LocalSettings { listen: listen?, socket_mode, tls, token_file, systems })
}

fn require(value: &Path, key: &str, mistakes: &mut Vec<Mistake>, (fr, en): (&str, &str)) {
    if value.as_os_str().is_empty() {
        mistakes.push(Mistake::new(key, fr, en));
    }
}

fn tls(local: &Local, base: &Path, mistakes: &mut Vec<Mistake>) -> Option<TlsSettings> {
    let given = |path: &Path| !path.as_os_str().is_empty();
    let (certificate, key) = (&local.tls_certificate, &local.tls_key);
    if !given(certificate) && !given(key) && !given(&local.client_ca) {
        return None;
    }
    let together =
        ("manque; TLS demande tls_certificate et tls_key", "missing; TLS needs tls_certificate and tls_key");
    require(certificate, "local.tls_certificate", mistakes, together);
    require(key, "local.tls_key", mistakes, together);
    let address = match local.listen.parse() {
        Ok(address) => address,
        Err(_) => {
            mistakes.push(no_address(local));
            return None;
        }
    };
    Some(TlsSettings {
        address,
        certificate: base.join(certificate),
        key: base.join(key),
        client_ca: given(&local.client_ca).then(|| base.join(&local.client_ca)),
    })
}

fn socket_mode(local: &Local, has_systems: bool, mistakes: &mut Vec<Mistake>) -> u32 {
    let key = "local.unix_socket_mode";
    match local.unix_socket_mode.as_str() {
        "0600" => 0o600,
        "0660" | "0666" if !has_systems => {
            mistakes.push(Mistake::new(
                key,
                "sans [systems], quiconque joint la prise peut tout; garder 0600 ou écrire [systems.nom]",
                "without [systems], whoever reaches the socket may do everything; keep 0600 or write [systems.name]",
            ));
            0o600
        }
        "0660" => 0o660,
        "0666" => 0o666,
        other => {
            mistakes.push(Mistake::new(
                key,
                format!("« {other} » ne convient pas; prendre 0600, 0660 ou 0666"),
                format!("\"{other}\" does not serve; take 0600, 0660 or 0666"),
            ));
            0o600
        }
    }
}

/// Where this machine reaches the agent: never in clear from another one.
fn listen(local: &Local, base: &Path, mistakes: &mut Vec<Mistake>) -> Option<Listen> {
    if !local.unix_socket.as_os_str().is_empty() {
        return Some(Listen::Unix(base.join(&local.unix_socket)));
    }
    match local.listen.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Some(Listen::Tcp(address)),
        // With TLS, what is missing is told already.
        Ok(_) if !local.tls_certificate.as_os_str().is_empty() => None,
        Ok(address) => {
            mistakes.push(Mistake::new(
                "local.listen",
                format!(
                    "{address} est joignable d'une autre machine; prendre 127.0.0.1, [::1] ou local.unix_socket, ou TLS \
                     (local.tls_certificate)"
                ),
                format!(
                    "{address} can be reached from another machine; take 127.0.0.1, [::1] or local.unix_socket, or TLS \
                     (local.tls_certificate)"
                ),
            ));
            None
        }
        Err(_) => {
            mistakes.push(no_address(local));
            None
        }
    }
}

fn no_address(local: &Local) -> Mistake {
    Mistake::new(
        "local.listen",
        format!("« {} » n'est pas adresse:port; écrire par exemple 127.0.0.1:7450", local.listen),
        format!("\"{}\" is not address:port; write for instance 127.0.0.1:7450", local.listen),
    )
}
