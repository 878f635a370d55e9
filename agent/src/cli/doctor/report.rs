//! What the doctor found, and how it is told.

use std::fmt::Write as _;

use serde::Serialize;

use super::super::text::harmless;

/// How a check ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// As it should be.
    Ok,
    /// Something is to be done.
    Failed,
    /// Could not be looked at, because of an earlier failure.
    Skipped,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// Stable name.
    pub(super) name: &'static str,
    /// How it ended.
    pub(super) outcome: Outcome,
    /// What was found.
    pub(super) found: String,
    /// What to do, French.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice_fr: Option<String>,
    /// What to do, English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice_en: Option<String>,
}

/// All checks, in order.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    checks: Vec<Check>,
}

impl Report {
    pub(super) fn ok(&mut self, name: &'static str, found: impl Into<String>) {
        self.add(name, Outcome::Ok, found.into(), None);
    }

    pub(super) fn failed(&mut self, name: &'static str, found: impl Into<String>, (fr, en): (&str, &str)) {
        self.add(name, Outcome::Failed, found.into(), Some((fr.to_owned(), en.to_owned())));
    }

    pub(super) fn skipped(&mut self, name: &'static str, after: &str) {
        self.add(name, Outcome::Skipped, format!("après / after: {after}"), None);
    }

    fn add(&mut self, name: &'static str, outcome: Outcome, found: String, advice: Option<(String, String)>) {
        let (advice_fr, advice_en) = advice.unzip();
        self.checks.push(Check { name, outcome, found, advice_fr, advice_en });
    }

    pub(super) fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Checks that failed.
    pub(super) fn failures(&self) -> usize {
        self.checks.iter().filter(|check| check.outcome == Outcome::Failed).count()
    }

    /// One line a check; under a failed one, what to do.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for check in &self.checks {
            let mark = match check.outcome {
                Outcome::Ok => '✓',
                Outcome::Failed => '✗',
                Outcome::Skipped => '–',
            };
            let found: Vec<String> = check.found.lines().map(harmless).collect();
            // Writing to a string does not fail.
            writeln!(text, "{mark} {:<14} {}", title(check.name), found.join("\n    ")).ok();
            for advice in [&check.advice_fr, &check.advice_en].into_iter().flatten() {
                writeln!(text, "    → {advice}").ok();
            }
        }
        text
    }
}

fn title(name: &'static str) -> &'static str {
    match name {
        "configuration" => "configuration",
        "data_folder" => "dossier/folder",
        "identity" => "identité",
        "local_token" => "jeton local",
        "certificates" => "certificats",
        "signing_key" => "signature",
        "revocation" => "révocation",
        "key_bundle" => "trousseau",
        "queue" => "file/queue",
        "held" => "retenus/held",
        "log" => "journal/log",
        "receipts" => "reçus/receipts",
        "gateway_agents" => "passerelle",
        "gateway_public" => "écoute publique",
        "clock" => "horloge/clock",
        "local_api" => "agent (serve)",
        "connected" => "connexion",
        "agreements" => "ententes",
        other => other,
    }
}
