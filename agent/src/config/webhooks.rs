//! `[webhooks.NAME]`: the agency's systems that received records are posted to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use serde::{Deserialize, Serialize};

use super::mistake::Mistake;
use crate::folders::FolderSettings;
use crate::systems::is_name;
use crate::webhooks::{Covers, Format, WebhookSettings};

/// Webhooks of one configuration.
const WEBHOOKS_MAX: usize = 100;

/// One section as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct WebhookSection {
    /// `https://host/path`, or http on this machine.
    url: String,
    /// File of the secret that signs; made when it is not there. Empty: `webhook-NAME.secret` in the data folder.
    secret_file: PathBuf,
    /// Numbers of agreements, or `"*"` for all that no other webhook names.
    agreements: Vec<String>,
    /// Authorities of the server's certificate, PEM; empty: the system's.
    ca_file: PathBuf,
    /// http to another machine: the content then crosses the network in clear.
    allow_http: bool,
    /// `content` or `json`.
    format: String,
    timeout_s: u64,
    at_once: u32,
    content_bytes_max: u64,
    attempts_max: u32,
    give_up_after_s: u64,
}

impl Default for WebhookSection {
    fn default() -> Self {
        Self {
            url: String::new(),
            secret_file: PathBuf::new(),
            agreements: Vec::new(),
            ca_file: PathBuf::new(),
            allow_http: false,
            format: "content".to_owned(),
            timeout_s: 30,
            at_once: 4,
            content_bytes_max: 1 << 20,
            attempts_max: 100,
            give_up_after_s: 3 * 86_400,
        }
    }
}

/// What the sections make.
pub(super) fn settings(
    sections: &[(String, WebhookSection)],
    (base, data_dir): (&Path, Option<&Path>),
    mistakes: &mut Vec<Mistake>,
) -> Vec<WebhookSettings> {
    if sections.len() > WEBHOOKS_MAX {
        mistakes.push(Mistake::new("webhooks", "plus de 100 webhooks", "more than 100 webhooks"));
    }
    let mut named = BTreeMap::new();
    for (name, section) in sections {
        for agreement in &section.agreements {
            if let Some(other) = named.insert(agreement.as_str(), name.as_str()) {
                mistakes.push(Mistake::new(
                    format!("webhooks.{name}.agreements"),
                    format!("« {agreement} » est déjà à « {other} »; un seul webhook par entente confirme"),
                    format!("\"{agreement}\" is already with \"{other}\"; one webhook an agreement confirms"),
                ));
            }
        }
    }
    let all: BTreeSet<String> = named.keys().map(ToString::to_string).collect();
    let one =
        |(name, section): &(String, WebhookSection)| webhook(name, section, &all, (base, data_dir), mistakes);
    sections.iter().filter_map(one).collect()
}

/// The same, without the agreements whose records are put into a folder.
pub(super) fn apart(
    mut webhooks: Vec<WebhookSettings>,
    folders: &[FolderSettings],
    mistakes: &mut Vec<Mistake>,
) -> Vec<WebhookSettings> {
    for folder in folders.iter().filter(|folder| folder.inbox) {
        for webhook in &mut webhooks {
            match &mut webhook.covers {
                Covers::AllBut(others) => drop(others.insert(folder.agreement.clone())),
                Covers::Only(names) if names.contains(&folder.agreement) => mistakes.push(Mistake::new(
                    format!("webhooks.{}.agreements", webhook.name),
                    format!("« {} » va déjà au dossier « {} »; choisir", folder.agreement, folder.name),
                    format!(
                        "\"{}\" already goes to the folder \"{}\"; choose",
                        folder.agreement, folder.name
                    ),
                )),
                Covers::Only(_) => {}
            }
        }
    }
    webhooks
}

fn webhook(
    name: &str,
    section: &WebhookSection,
    all: &BTreeSet<String>,
    (base, data_dir): (&Path, Option<&Path>),
    mistakes: &mut Vec<Mistake>,
) -> Option<WebhookSettings> {
    let before = mistakes.len();
    let mut mistake = |key: &str, fr: String, en: String| {
        mistakes.push(Mistake::new(format!("webhooks.{name}{key}"), fr, en));
    };
    if !is_name(name) {
        mistake(
            "",
            "ce nom ne convient pas; prendre a-z, 0-9 et -".into(),
            "this name does not serve; take a-z, 0-9 and -".into(),
        );
    }
    let every = section.agreements.iter().any(|number| number == "*");
    if section.agreements.is_empty() || (every && section.agreements.len() > 1) {
        mistake(
            ".agreements",
            "dire lesquelles, [\"ENT-2026-001\"] par exemple, ou [\"*\"] seul pour les autres".into(),
            "say which, [\"ENT-2026-001\"] for instance, or [\"*\"] alone for the others".into(),
        );
    }
    let format = match section.format.as_str() {
        "content" => Format::Content,
        "json" => Format::Json,
        other => {
            let (fr, en) = ("prendre content ou json", "take content or json");
            mistake(".format", format!("« {other} » : {fr}"), format!("\"{other}\": {en}"));
            Format::Content
        }
    };
    for (key, value, low, high) in [
        (".timeout_s", section.timeout_s, 1, 300),
        (".at_once", section.at_once.into(), 1, 64),
        (".content_bytes_max", section.content_bytes_max, 0, 16 << 20),
        (".attempts_max", section.attempts_max.into(), 1, 10_000),
        (".give_up_after_s", section.give_up_after_s, 1, 31 * 86_400),
    ] {
        if !(low..=high).contains(&value) {
            let (fr, en) =
                (format!("{value} est hors de {low}…{high}"), format!("{value} is outside {low}…{high}"));
            mistake(key, fr, en);
        }
    }
    let url = url(section, &mut mistake);
    let covers = match every {
        true => Covers::AllBut(all.clone()),
        false => Covers::Only(section.agreements.iter().cloned().collect()),
    };
    let given = |path: &Path| (!path.as_os_str().is_empty()).then(|| base.join(path));
    let secret_file = given(&section.secret_file)
        .or_else(|| data_dir.map(|folder| folder.join(format!("webhook-{name}.secret"))));
    if mistakes.len() > before {
        return None;
    }
    Some(WebhookSettings {
        name: name.to_owned(),
        url: url?,
        secret_file: secret_file?,
        covers,
        ca_file: given(&section.ca_file),
        timeout: Duration::from_secs(section.timeout_s),
        at_once: section.at_once as usize,
        content_bytes_max: section.content_bytes_max,
        attempts_max: section.attempts_max,
        give_up_after: Duration::from_secs(section.give_up_after_s),
        format,
    })
}

fn url(section: &WebhookSection, mistake: &mut impl FnMut(&str, String, String)) -> Option<Uri> {
    let text = &section.url;
    let parsed: Option<Uri> = text.parse().ok().filter(|uri: &Uri| {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        scheme
            && !uri.host().unwrap_or_default().is_empty()
            && !authority.contains('@')
            && !text.contains('#')
    });
    let Some(uri) = parsed else {
        mistake(
            ".url",
            format!("« {text} » ne convient pas; écrire https://hôte/chemin"),
            format!("\"{text}\" does not serve; write https://host/path"),
        );
        return None;
    };
    if uri.scheme_str() == Some("http")
        && !section.allow_http
        && !is_this_machine(uri.host().unwrap_or_default())
    {
        mistake(
            ".url",
            "le contenu traverserait le réseau en clair; prendre https, ou allow_http = true en connaissance de cause".into(),
            "the content would cross the network in clear; take https, or allow_http = true knowingly".into(),
        );
        return None;
    }
    Some(uri)
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sections: Vec<(&str, WebhookSection)>) -> (Vec<WebhookSettings>, Vec<String>) {
        let sections: Vec<_> =
            sections.into_iter().map(|(name, section)| (name.to_owned(), section)).collect();
        let mut mistakes = Vec::new();
        let folders = (Path::new("/etc/a"), Some(Path::new("/var/a")));
        let settings = settings(&sections, folders, &mut mistakes);
        (settings, mistakes.iter().map(|mistake| mistake.key.clone()).collect())
    }

    fn section(url: &str, agreements: &[&str]) -> WebhookSection {
        let agreements = agreements.iter().map(ToString::to_string).collect();
        WebhookSection { url: url.to_owned(), agreements, ..WebhookSection::default() }
    }

    #[test]
    fn the_one_for_all_leaves_what_others_name() {
        let (settings, mistakes) = check(vec![
            ("a", section("https://a.example/x?k=1", &["E-1"])),
            ("b", section("http://[::1]:9/", &["*"])),
        ]);
        assert_eq!(mistakes, Vec::<String>::new());
        assert!(settings[0].covers.has("E-1") && !settings[0].covers.has("E-2"));
        assert!(!settings[1].covers.has("E-1") && settings[1].covers.has("E-2"));
        assert_eq!(settings[0].secret_file, Path::new("/var/a/webhook-a.secret"));
    }

    #[test]
    fn what_would_leak_or_cannot_be_is_refused() {
        for url in
            ["", "ftp://a/", "https://u:p@a/", "http://a.example/", "http://10.0.0.1/", "/x", "https://a/#b"]
        {
            assert_eq!(check(vec![("a", section(url, &["*"]))]).1, ["webhooks.a.url"], "{url}");
        }
        let open = WebhookSection { allow_http: true, ..section("http://10.0.0.1/", &["*"]) };
        assert_eq!(check(vec![("a", open)]).1, Vec::<String>::new());
        let twice = vec![("a", section("https://a/", &["E"])), ("b", section("https://b/", &["E"]))];
        assert_eq!(check(twice).1, ["webhooks.b.agreements"]);
        let wrong =
            WebhookSection { timeout_s: 0, format: "xml".into(), ..section("https://a/", &["*", "E"]) };
        let keys = ["webhooks.A.agreements", "webhooks.A", "webhooks.A.format", "webhooks.A.timeout_s"];
        let mut found = check(vec![("A", wrong)]).1;
        found.sort();
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        assert_eq!(found, keys);
    }
}
