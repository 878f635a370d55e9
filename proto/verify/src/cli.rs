//! The command line of `passerelle-verify`.

use std::cell::Cell;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use passerelle_proto::tlog::note::NOTE_LIMIT;
use passerelle_proto::tlog::tlog_proof::{PROOF_FILE_LIMIT, TlogProof};
use passerelle_proto::tlog::{NoteVerifier, VerifiedCheckpoint, leaf_hash};

use crate::evidence::{self, EvidenceArgs};
use crate::fault::{EntryFault, Which};
use crate::folder::Folder;
use crate::remote::{Remote, RemoteOptions};
use crate::report::Report;
use crate::source::{Fetched, LogSource, SourceError};
use crate::verify::{Checks, VerifyError, open_checkpoint, verify_log};

/// The log or the proof is bad.
pub(crate) const BAD: u8 = 1;
/// Nothing could be checked: usage, or a file or server that could not be read.
pub(crate) const UNKNOWN: u8 = 2;
/// Most bytes of a file with a verifier key, a token or root certificates.
pub(crate) const SMALL_FILE: usize = 1024 * 1024;

const EXAMPLES: &str = "\
Exemples / Examples:
  passerelle-verify log /var/lib/passerelle/log --vkey-file journal.vkey
  passerelle-verify log https://passerelle.example.qc.ca:8444 --vkey-file journal.vkey \\
      --ca racine.pem --token-file jeton.txt --old point-de-controle-de-janvier
  passerelle-verify proof preuve.tlog-proof --entry entree.bin --vkey-file journal.vkey --json
  passerelle-verify evidence echange.evidence --policy politique/ --lang fr

Code de retour / Exit status: 0 bon / good, 1 mauvais / bad, 2 rien vérifié / nothing checked.
La clé (--vkey) vient de vous, jamais du journal. / The key (--vkey) comes from you, never from the log.";

/// Vérifie un journal de Passerelle, ou une preuve / Checks a Passerelle log, or one proof.
#[derive(Debug, Parser)]
#[command(name = "passerelle-verify", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tout le journal : chaque entrée, chaque tuile / The whole log: every entry, every tile.
    Log(LogArgs),
    /// Une preuve d'inclusion (C2SP tlog-proof) et son entrée / One inclusion proof and its entry.
    Proof(ProofArgs),
    /// La preuve d'un échange, hors ligne / The evidence of one exchange, off-line.
    Evidence(EvidenceArgs),
}

#[derive(Debug, Args)]
struct Key {
    /// Clé de vérification du journal (nom+id+clé) / The log's verifier key.
    #[arg(long, value_name = "VKEY", required_unless_present = "vkey_file", conflicts_with = "vkey_file")]
    vkey: Option<String>,
    /// Fichier avec cette clé / A file with that key.
    #[arg(long, value_name = "FILE")]
    vkey_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct LogArgs {
    /// Dossier ou adresse du journal / Folder or address of the log.
    #[arg(value_name = "DIR|URL")]
    source: String,
    #[command(flatten)]
    key: Key,
    /// Point de contrôle antérieur que le journal doit prolonger / Earlier checkpoint that the log must extend.
    #[arg(long, value_name = "CHECKPOINT")]
    old: Option<PathBuf>,
    /// Lire aussi chaque entrée comme un événement / Also read every entry as an event.
    #[arg(long)]
    events: bool,
    /// Jeton de lecture des entrées / Bearer token for the entries.
    #[arg(long, value_name = "TOKEN", env = "PASSERELLE_READING_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Fichier avec ce jeton / A file with that token.
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// Certificat racine du serveur, PEM / Root certificate of the server.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Un objet JSON sur la dernière ligne / One JSON object on the last line.
    #[arg(long)]
    json: bool,
    /// Sans barre de progression / No progress bar.
    #[arg(long)]
    quiet: bool,
}

#[derive(Debug, Args)]
struct ProofArgs {
    /// Fichier de preuve / Proof file.
    #[arg(value_name = "FILE")]
    proof: PathBuf,
    /// Fichier avec les octets exacts de l'entrée / File with the exact bytes of the entry.
    #[arg(long, value_name = "FILE")]
    entry: PathBuf,
    #[command(flatten)]
    key: Key,
    /// Un objet JSON sur la dernière ligne / One JSON object on the last line.
    #[arg(long)]
    json: bool,
}

/// Runs the command, says its outcome on standard output, and returns its exit status.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    run_with(args, &mut io::stdout().lock())
}

/// As [`run`], with another place for what it says.
pub fn run_with(args: impl Iterator<Item = OsString>, out: &mut dyn Write) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let written = error.print();
            let code = if written.is_ok() { error.exit_code() } else { UNKNOWN.into() };
            return ExitCode::from(u8::try_from(code).unwrap_or(UNKNOWN));
        }
    };
    let code = match cli.command {
        Command::Log(args) => log(&args, &mut Report { out, json: args.json }),
        Command::Proof(args) => proof(&args, &mut Report { out, json: args.json }),
        Command::Evidence(args) => evidence::run(&args, out),
    };
    // When even the outcome cannot be said, the status must not be « good ».
    ExitCode::from(code.unwrap_or(UNKNOWN))
}

fn log(args: &LogArgs, report: &mut Report<'_>) -> io::Result<u8> {
    match check_log(args) {
        Ok(verdict) => report.good(&verdict).map(|()| 0),
        Err(VerifyError::Bad(fault)) => report.bad(&fault).map(|()| BAD),
        Err(VerifyError::Unreadable(error)) => report.unknown(&error, hint(&error)).map(|()| UNKNOWN),
    }
}

fn check_log(args: &LogArgs) -> Result<crate::Verdict, VerifyError> {
    let verifier = args.key.load().map_err(VerifyError::Unreadable)?;
    let source = open_source(args).map_err(VerifyError::Unreadable)?;
    let old = match &args.old {
        None => None,
        Some(path) => {
            let bytes = read(path, NOTE_LIMIT).map_err(VerifyError::Unreadable)?;
            Some(open_checkpoint(&bytes, &verifier, Which::Old)?)
        }
    };
    let bar = if args.quiet { ProgressBar::hidden() } else { progress_bar() };
    let in_order = events_in_order();
    let mut checks = Checks {
        log: &verifier,
        old: old.as_ref(),
        entry: args.events.then_some(&in_order),
        progress: &mut |done, size| {
            bar.set_length(size);
            bar.set_position(done);
        },
    };
    let outcome = verify_log(source.as_ref(), &mut checks);
    bar.finish_and_clear();
    outcome
}

/// Whether entry after entry is an event, and none is older than the one before it: a log only grows.
fn events_in_order() -> impl Fn(&[u8]) -> Result<(), EntryFault> {
    let last_ms = Cell::new(0);
    move |entry| {
        let event = passerelle_proto::event::decode(entry)
            .map_err(|error| EntryFault::Undecodable(crate::fault::chain(&error)))?;
        let (time_ms, before_ms) = (event.time_ms, last_ms.replace(event.time_ms));
        if time_ms < before_ms { Err(EntryFault::BackDated { time_ms, before_ms }) } else { Ok(()) }
    }
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} entrées, {per_sec}, {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn open_source(args: &LogArgs) -> Result<Box<dyn LogSource>, SourceError> {
    if !args.source.starts_with("https://") && !args.source.starts_with("http://") {
        return Ok(Box::new(Folder::open(Path::new(&args.source))?));
    }
    let token = match &args.token_file {
        Some(path) => Some(read_line(path)?),
        None => args.token.clone(),
    };
    let roots_pem = args.ca.as_deref().map(|path| read(path, SMALL_FILE)).transpose()?;
    Ok(Box::new(Remote::new(&args.source, RemoteOptions { token, roots_pem, first_wait: None })?))
}

fn proof(args: &ProofArgs, report: &mut Report<'_>) -> io::Result<u8> {
    let read = || {
        let entry = read(&args.entry, passerelle_proto::tlog::bundle::ENTRY_LIMIT)?;
        Ok((args.key.load()?, entry, read(&args.proof, PROOF_FILE_LIMIT)?))
    };
    let (verifier, entry, file) = match read() {
        Ok(read) => read,
        Err(error) => return report.unknown(&error, hint(&error)).map(|()| UNKNOWN),
    };
    let checked = TlogProof::parse(&file).and_then(|proof| {
        let checkpoint: VerifiedCheckpoint = proof.verify(leaf_hash(&entry), &verifier)?;
        Ok((proof.index, checkpoint))
    });
    match checked {
        Ok((index, checkpoint)) => report.proof_good(index, &checkpoint).map(|()| 0),
        Err(error) => report.proof_bad(&error).map(|()| BAD),
    }
}

impl Key {
    fn load(&self) -> Result<NoteVerifier, SourceError> {
        let text = match (&self.vkey, &self.vkey_file) {
            (Some(vkey), _) => vkey.clone(),
            (None, Some(path)) => read_line(path)?,
            (None, None) => String::new(),
        };
        text.trim().parse().map_err(|error| SourceError::Usage(format!("--vkey: {error}")))
    }
}

/// The one line of a small file.
fn read_line(path: &Path) -> Result<String, SourceError> {
    let text = String::from_utf8(read(path, SMALL_FILE)?)
        .map_err(|_| SourceError::Usage(format!("{}: UTF-8", path.display())))?;
    Ok(text.trim().to_owned())
}

pub(crate) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, SourceError> {
    let folder = Folder::open(Path::new("."))?;
    // An absolute path replaces the folder.
    match folder.fetch(&path.to_string_lossy(), limit)? {
        Fetched::Bytes(bytes) => Ok(bytes),
        Fetched::Missing => {
            Err(SourceError::Io { path: path.display().to_string(), error: io::ErrorKind::NotFound.into() })
        }
        Fetched::TooLong => Err(SourceError::Usage(format!(
            "{}: plus de {limit} octets / over {limit} bytes",
            path.display()
        ))),
    }
}

pub(crate) fn hint(error: &SourceError) -> &'static str {
    match error {
        SourceError::Io { .. } => {
            "Vérifiez le chemin et les droits de lecture. / Check the path and that you may read it."
        }
        SourceError::Usage(_) => "Voir passerelle-verify --help. / See passerelle-verify --help.",
        SourceError::Refused { .. } => {
            "Demandez une lecture (jeton) à l'exploitant. / Ask the operator for a reading (token)."
        }
        SourceError::Unreachable { .. } => {
            "Vérifiez l'adresse, --ca et le réseau, puis recommencez. / Check the address, --ca and the network, then try again."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
