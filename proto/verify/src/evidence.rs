//! `passerelle-verify evidence`: the verdict on one exchange, claim by claim.
//!
//! Exit status: 0 when nothing that is present fails, 1 when something fails, 2 when the file or the policy could not be
//! read. What is absent does not change the status: the reader must look at it.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use passerelle_proto::evidence::{self, Claim, EVIDENCE_LIMIT, EvidenceError, Outcome, Verdict, Words};
use serde_json::{Value, json};

use crate::cli::{BAD, UNKNOWN, hint, read};
use crate::report::Report;
use crate::source::SourceError;
use crate::trust;

/// Most bytes of a plaintext to compare (1 GiB).
const PLAINTEXT_LIMIT: usize = 1024 * 1024 * 1024;

#[derive(Debug, Args)]
pub(crate) struct EvidenceArgs {
    /// Fichier de preuve d'un échange / Evidence file of an exchange.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Votre dossier de confiance : log.policy, roots.pem, tsa.pem / Your folder of what you trust.
    #[arg(long, value_name = "DIR")]
    policy: PathBuf,
    /// Contenu à comparer avec celui qui a été scellé / Content to compare with what was sealed.
    #[arg(long, value_name = "FILE")]
    plaintext: Option<PathBuf>,
    /// Un objet JSON sur la dernière ligne / One JSON object on the last line.
    #[arg(long)]
    json: bool,
    /// Une seule langue / One language only.
    #[arg(long, value_name = "LANG")]
    lang: Option<Language>,
}

/// A language of the report.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    /// French.
    Fr,
    /// English.
    En,
}

pub(crate) fn run(args: &EvidenceArgs, out: &mut dyn Write) -> io::Result<u8> {
    match judge(args) {
        Ok(Ok(verdict)) => {
            say(&verdict, args, out)?;
            Ok(if verdict.holds() { 0 } else { BAD })
        }
        Ok(Err(unreadable)) => {
            let hint = "Redemandez le fichier à qui l'a produit. / Ask whoever made the file for it again.";
            Report { out, json: args.json }.unknown(&unreadable, hint).map(|()| UNKNOWN)
        }
        Err(error) => Report { out, json: args.json }.unknown(&error, hint(&error)).map(|()| UNKNOWN),
    }
}

fn judge(args: &EvidenceArgs) -> Result<Result<Verdict, EvidenceError>, SourceError> {
    let trust = trust::load(&args.policy)?;
    let plaintext = args.plaintext.as_deref().map(|path| read(path, PLAINTEXT_LIMIT)).transpose()?;
    let bytes = read(&args.file, EVIDENCE_LIMIT)?;
    Ok(evidence::judge(&bytes, &trust, plaintext.as_deref()))
}

fn say(verdict: &Verdict, args: &EvidenceArgs, out: &mut dyn Write) -> io::Result<()> {
    for language in [Language::Fr, Language::En] {
        if args.lang.is_none_or(|only| only == language) {
            in_language(verdict, language, out)?;
        }
    }
    if args.json {
        writeln!(out, "{}", object(verdict))?;
    }
    out.flush()
}

fn in_language(verdict: &Verdict, language: Language, out: &mut dyn Write) -> io::Result<()> {
    let id = verdict.exchange_id;
    let french = language == Language::Fr;
    let pick = |words: Words| if french { words.fr } else { words.en };
    writeln!(out, "{} {id}", if french { "Échange" } else { "Exchange" })?;
    for Claim { question, outcome, words } in &verdict.claims {
        let (fr, en) = outcome.label();
        let (label, colon) = if french { (fr, " :") } else { (en, ":") };
        writeln!(out, "  {label:<11}  {}{colon} {}", pick(question.title()), pick(words.clone()))?;
    }
    let count = |wanted| verdict.claims.iter().filter(|claim| claim.outcome == wanted).count();
    let (shown, failed, missing) = (count(Outcome::Pass), count(Outcome::Fail), count(Outcome::NotPresent));
    if french {
        let head = if verdict.holds() { "BON" } else { "MAUVAIS" };
        writeln!(out, "{head} : {shown} démontrés, {failed} en échec, {missing} absents")
    } else {
        let head = if verdict.holds() { "GOOD" } else { "BAD" };
        writeln!(out, "{head}: {shown} shown, {failed} failed, {missing} not present")
    }
}

fn object(verdict: &Verdict) -> Value {
    let claim = |claim: &Claim| {
        json!({
            "claim": claim.question.code(),
            "outcome": claim.outcome.code(),
            "message_fr": claim.words.fr,
            "message_en": claim.words.en,
        })
    };
    json!({
        "result": if verdict.holds() { "good" } else { "bad" },
        "exchange_id": verdict.exchange_id.to_string(),
        "claims": verdict.claims.iter().map(claim).collect::<Vec<_>>(),
    })
}
