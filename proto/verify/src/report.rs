//! What the command says: French first, then English; with `--json`, one object on the last line.

use std::io::{self, Write};

use passerelle_proto::tlog::VerifiedCheckpoint;
use passerelle_proto::tlog::tlog_proof::TlogProofError;
use serde_json::{Value, json};

use crate::fault::{Fault, chain};
use crate::french;
use crate::verify::Verdict;

/// Where the command says things.
pub(crate) struct Report<'a> {
    pub(crate) out: &'a mut dyn Write,
    pub(crate) json: bool,
}

impl Report<'_> {
    fn say(&mut self, lines: &[String], object: &Value) -> io::Result<()> {
        for line in lines {
            writeln!(self.out, "{line}")?;
        }
        if self.json {
            writeln!(self.out, "{object}")?;
        }
        self.out.flush()
    }

    /// The log is good.
    pub(crate) fn good(&mut self, verdict: &Verdict) -> io::Result<()> {
        let Verdict { origin, size, root, files, .. } = verdict;
        let mut lines = vec![
            format!(
                "BON : le journal {origin} de {size} entrées est intact ({files} fichiers vérifiés, racine {root})"
            ),
            format!(
                "GOOD: the log {origin} of {size} entries is intact ({files} files checked, root {root})"
            ),
        ];
        if let Some(old_size) = verdict.old_size {
            lines.push(format!("Il prolonge le point de contrôle antérieur de {old_size} entrées."));
            lines.push(format!("It extends the earlier checkpoint of {old_size} entries."));
        }
        let erased = &verdict.erased;
        if erased.events > 0 {
            lines.push(format!(
                "Contenus effacés : {} entrées, à la fin de leur délai selon {} événements du journal ; {} restent à effacer.",
                erased.entries, erased.events, erased.pending
            ));
            lines.push(format!(
                "Contents erased: {} entries, at the end of their period by {} events of the log; {} are still to be erased.",
                erased.entries, erased.events, erased.pending
            ));
        }
        let strays = verdict.strays.as_ref();
        if let Some(strays) = strays.filter(|strays| strays.count > 0) {
            lines.push(format!(
                "Attention : {} fichiers hors du point de contrôle / {0} files beyond the checkpoint:",
                strays.count
            ));
            lines.extend(strays.named.iter().map(|path| format!("  {path}")));
        }
        let object = json!({
            "result": "good",
            "origin": origin,
            "size": size,
            "root": root.to_string(),
            "files": files,
            "entry_bytes": verdict.entry_bytes,
            "erased": { "entries": erased.entries, "pending": erased.pending, "events": erased.events },
            "old_size": verdict.old_size,
            "strays": strays.map(|strays| json!({ "count": strays.count, "first": strays.named })),
        });
        self.say(&lines, &object)
    }

    /// The log is bad.
    pub(crate) fn bad(&mut self, fault: &Fault) -> io::Result<()> {
        let (french, english) = (fault.message_fr(), fault.message_en());
        let object = json!({
            "result": "bad",
            "kind": fault.kind(),
            "entry": fault.entry(),
            "path": fault.path(),
            "line": fault.line(),
            "message_fr": french,
            "message_en": english,
        });
        self.say(&[format!("MAUVAIS : {french}"), format!("BAD: {english}")], &object)
    }

    /// The proof is good.
    pub(crate) fn proof_good(&mut self, index: u64, checkpoint: &VerifiedCheckpoint) -> io::Result<()> {
        let (origin, size) = (&checkpoint.checkpoint().origin, checkpoint.size());
        let lines = [
            format!("BON : c'est l'entrée {index} du journal {origin} de {size} entrées"),
            format!("GOOD: this is entry {index} of the log {origin} of {size} entries"),
        ];
        let root = checkpoint.root().to_string();
        let object =
            json!({ "result": "good", "origin": origin, "index": index, "size": size, "root": root });
        self.say(&lines, &object)
    }

    /// The proof is bad.
    pub(crate) fn proof_bad(&mut self, error: &TlogProofError) -> io::Result<()> {
        let (french, english) = (french::proof(error), chain(error));
        let object = json!({ "result": "bad", "kind": "proof", "message_fr": french, "message_en": english });
        self.say(&[format!("MAUVAIS : {french}"), format!("BAD: {english}")], &object)
    }

    /// Nothing could be checked.
    pub(crate) fn unknown(&mut self, what: &dyn std::error::Error, hint: &str) -> io::Result<()> {
        let message = chain(what);
        let object = json!({ "result": "unknown", "message_fr": message, "message_en": message });
        let lines = [
            format!("INCONNU : rien n'a pu être vérifié / UNKNOWN: nothing could be checked: {message}"),
            hint.to_owned(),
        ];
        self.say(&lines, &object)
    }
}
