//! `[systems.NAME]`: the agency's programs that may call, by what each is known, and what it is bound to.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use nix::unistd::User;
use serde::{Deserialize, Serialize};

use super::mistake::Mistake;
use crate::systems::{Action, Rights, Scope, SystemSettings, is_name};

/// Systems of one configuration.
const SYSTEMS_MAX: usize = 1_000;

/// One section as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SystemSection {
    /// File of its token; made when it is not there. Empty: it has none.
    token_file: PathBuf,
    /// SHA-256 of its certificates, hexadecimal.
    certificate_sha256: Vec<String>,
    /// Name or number of its Unix user. Empty: none.
    unix_user: String,
    /// Numbers of agreements, or `"*"`.
    agreements: Vec<String>,
    /// Codes of purposes, or `"*"`.
    purposes: Vec<String>,
    /// What it may do.
    may: Vec<Action>,
}

impl Default for SystemSection {
    fn default() -> Self {
        Self {
            token_file: PathBuf::new(),
            certificate_sha256: Vec::new(),
            unix_user: String::new(),
            agreements: Vec::new(),
            purposes: Vec::new(),
            may: vec![Action::Send, Action::Receive, Action::Call],
        }
    }
}

/// What the sections make.
pub(super) fn settings(
    sections: &[(String, SystemSection)],
    base: &Path,
    mistakes: &mut Vec<Mistake>,
) -> Vec<SystemSettings> {
    if sections.len() > SYSTEMS_MAX {
        mistakes.push(Mistake::new("systems", "plus de 1000 systèmes", "more than 1000 systems"));
    }
    let settings: Vec<_> =
        sections.iter().map(|(name, section)| system(name, section, base, mistakes)).collect();
    let mut seen = HashMap::new();
    for system in &settings {
        let token = system.token_file.iter().map(|path| ("token_file", path.display().to_string()));
        let certificates = system.certificates.iter().map(|hash| ("certificate_sha256", hex::encode(hash)));
        let user = system.unix_user.map(|user| ("unix_user", user.to_string()));
        for (key, value) in token.chain(certificates).chain(user) {
            if let Some(other) = seen.insert((key, value), &system.name) {
                mistakes.push(Mistake::new(
                    format!("systems.{}.{key}", system.name),
                    format!("déjà celui de « {other} »; on ne saurait pas qui appelle"),
                    format!("already the one of \"{other}\"; nobody could tell who calls"),
                ));
            }
        }
    }
    settings
}

fn system(name: &str, section: &SystemSection, base: &Path, mistakes: &mut Vec<Mistake>) -> SystemSettings {
    let key = |key: &str| format!("systems.{name}.{key}");
    if !is_name(name) {
        mistakes.push(Mistake::new(
            format!("systems.{name}"),
            "ce nom ne convient pas; prendre a-z, 0-9 et -, et non « local »",
            "this name does not serve; take a-z, 0-9 and -, and not \"local\"",
        ));
    }
    let has_token = !section.token_file.as_os_str().is_empty();
    if !has_token && section.certificate_sha256.is_empty() && section.unix_user.is_empty() {
        mistakes.push(Mistake::new(
            format!("systems.{name}"),
            "rien ne le fait reconnaître; donner token_file, certificate_sha256 ou unix_user",
            "nothing tells it; give token_file, certificate_sha256 or unix_user",
        ));
    }
    let certificates =
        section.certificate_sha256.iter().filter_map(|text| certificate(text, &key, mistakes)).collect();
    SystemSettings {
        name: name.to_owned(),
        token_file: has_token.then(|| base.join(&section.token_file)),
        certificates,
        unix_user: user(&section.unix_user, &key, mistakes),
        rights: Rights {
            agreements: scope(&section.agreements, key("agreements"), "\"ENT-2026-001\"", mistakes),
            purposes: scope(&section.purposes, key("purposes"), "\"QC-F\"", mistakes),
            actions: section.may.iter().copied().collect(),
        },
    }
}

/// As OpenSSL prints it, with colons and in capitals, or plain.
fn certificate(text: &str, key: &dyn Fn(&str) -> String, mistakes: &mut Vec<Mistake>) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let decoded = hex::decode_to_slice(text.replace(':', ""), &mut hash);
    if decoded.is_err() {
        mistakes.push(Mistake::new(
            key("certificate_sha256"),
            format!("« {text} » : 64 chiffres hexadécimaux sont attendus (openssl x509 -noout -fingerprint -sha256)"),
            format!("\"{text}\": 64 hexadecimal digits are expected (openssl x509 -noout -fingerprint -sha256)"),
        ));
    }
    decoded.is_ok().then_some(hash)
}

fn user(text: &str, key: &dyn Fn(&str) -> String, mistakes: &mut Vec<Mistake>) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    let found = text.parse().ok().or_else(|| {
        let user = User::from_name(text).ok().flatten();
        user.map(|user| user.uid.as_raw())
    });
    if found.is_none() {
        mistakes.push(Mistake::new(
            key("unix_user"),
            format!("cette machine ne connaît pas d'utilisateur « {text} »"),
            format!("this machine knows no user \"{text}\""),
        ));
    }
    found
}

fn scope(names: &[String], key: String, example: &str, mistakes: &mut Vec<Mistake>) -> Scope {
    let all = names.iter().any(|name| name == "*");
    if names.is_empty() || (all && names.len() > 1) || names.iter().any(String::is_empty) {
        mistakes.push(Mistake::new(
            key,
            format!("dire à quoi il est lié, [{example}] par exemple, ou [\"*\"] seul pour tout"),
            format!("say what it is bound to, [{example}] for instance, or [\"*\"] alone for all"),
        ));
    }
    match all {
        true => Scope::All,
        false => Scope::Only(names.iter().cloned().collect::<BTreeSet<_>>()),
    }
}
