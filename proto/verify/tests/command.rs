//! The command: its exit statuses, its last line, and a log behind HTTP.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod support;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use passerelle_proto::tlog::tree::{self, Leaves};
use passerelle_proto::tlog::{TlogProof, leaf_hash};
use passerelle_verify::{Remote, RemoteOptions, SourceError, VerifyError, run_with};
use serde_json::Value;
use support::server::serve;
use support::{Log, entry, verify};

/// Runs the command with `--json`; its exit status and its last line.
fn run(args: &[&str]) -> (ExitCode, Value, String) {
    let args = ["passerelle-verify"].iter().chain(args).chain(&["--json"]).map(OsString::from);
    let mut out = Vec::new();
    let code = run_with(args, &mut out);
    let out = String::from_utf8(out).unwrap();
    let last = out.lines().last().map_or(Value::Null, |line| serde_json::from_str(line).unwrap());
    (code, last, out)
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_good_log_a_bad_one_and_none() {
    let mut log = Log::of(300, 300);
    let (folder, vkey) = (text(&log.path("")), log.verifier().to_string());
    let old = log.published();
    let outside = tempfile::tempdir().unwrap();
    let (old_file, vkey_file) = (outside.path().join("ancien"), outside.path().join("vkey"));
    std::fs::write(&old_file, old.note()).unwrap();
    std::fs::write(&vkey_file, format!("{vkey}\n")).unwrap();
    log.append((300..400).map(entry));

    let (old_file, vkey_file) = (text(&old_file), text(&vkey_file));
    let (code, last, out) = run(&["log", &folder, "--vkey-file", &vkey_file, "--old", &old_file, "--quiet"]);
    assert_eq!(code, ExitCode::from(0), "{out}");
    assert_eq!(
        (&last["result"], &last["size"], &last["old_size"]),
        (&"good".into(), &400.into(), &300.into())
    );
    assert!(out.starts_with("BON"), "French first: {out}");
    assert!(out.contains("\nGOOD"), "{out}");

    // Our entries are no events.
    let (code, last, _) = run(&["log", &folder, "--vkey", &vkey, "--events"]);
    assert_eq!((code, &last["kind"], &last["entry"]), (ExitCode::from(1), &"entry".into(), &0.into()));

    log.edit_bundle("tile/entries/000", 256, |entries| entries[9] = b"autre".to_vec());
    let (code, last, out) = run(&["log", &folder, "--vkey", &vkey]);
    assert_eq!(code, ExitCode::from(1), "{out}");
    assert_eq!(
        (&last["result"], &last["kind"], &last["entry"], &last["path"]),
        (&"bad".into(), &"entry".into(), &9.into(), &"tile/entries/000".into())
    );
    assert!(out.starts_with("MAUVAIS : l'entrée 9"), "{out}");

    let (code, last, _) = run(&["log", "/nulle/part", "--vkey", &vkey]);
    assert_eq!((code, &last["result"]), (ExitCode::from(2), &"unknown".into()));
    let (code, last, _) = run(&["log", &folder, "--vkey", "pas une clé"]);
    assert_eq!((code, &last["result"]), (ExitCode::from(2), &"unknown".into()));
    assert_eq!(run(&["log", &folder]).0, ExitCode::from(2), "the key has to be given");
}

#[test]
fn an_earlier_checkpoint_that_the_log_does_not_extend() {
    let log = Log::of(20, 20);
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("ancien");
    let (folder, vkey) = (text(&log.path("")), log.verifier().to_string());
    let verdict = |note: &str| {
        std::fs::write(&file, note).unwrap();
        let (code, last, _) = run(&["log", &folder, "--vkey", &vkey, "--old", &text(&file)]);
        assert_eq!(code, ExitCode::from(1));
        last["kind"].as_str().unwrap().to_owned()
    };
    assert_eq!(verdict(log.checkpoint(30, leaf_hash(b"")).note()), "rolled_back");
    assert_eq!(verdict(log.checkpoint(10, leaf_hash(b"")).note()), "forked");
    assert_eq!(verdict(Log::of(10, 10).published().note()), "checkpoint");
}

#[test]
fn one_proof() {
    let log = Log::of(20, 20);
    let leaves: Vec<_> = (0..20).map(|index| leaf_hash(&entry(index))).collect();
    let proof = tree::inclusion_proof(&mut Leaves(&leaves), 7, 20).unwrap();
    let checkpoint = log.published().note().to_owned();
    let file = TlogProof { extra: None, index: 7, proof, checkpoint }.to_string();
    let folder = tempfile::tempdir().unwrap();
    let (proof_file, entry_file) = (folder.path().join("preuve"), folder.path().join("entree"));
    std::fs::write(&proof_file, &file).unwrap();
    std::fs::write(&entry_file, entry(7)).unwrap();
    let (proof_text, entry_text) = (text(&proof_file), text(&entry_file));
    let vkey = log.verifier().to_string();
    let check = || run(&["proof", &proof_text, "--entry", &entry_text, "--vkey", &vkey]);

    let (code, last, _) = check();
    assert_eq!((code, &last["result"], &last["index"]), (ExitCode::from(0), &"good".into(), &7.into()));
    std::fs::write(&entry_file, entry(8)).unwrap();
    let (code, last, _) = check();
    assert_eq!((code, &last["result"], &last["kind"]), (ExitCode::from(1), &"bad".into(), &"proof".into()));
    std::fs::write(&entry_file, entry(7)).unwrap();
    std::fs::write(&proof_file, file.replace("\n20\n", "\n21\n")).unwrap();
    assert_eq!(check().0, ExitCode::from(1));
    std::fs::remove_file(&proof_file).unwrap();
    assert_eq!(check().0, ExitCode::from(2));
}

fn remote(address: &str, token: Option<&str>) -> Remote {
    let first_wait = Some(Duration::from_millis(1));
    Remote::new(address, RemoteOptions { token: token.map(str::to_owned), roots_pem: None, first_wait })
        .unwrap()
}

#[test]
fn a_log_behind_http() {
    let log = Log::of(600, 600);
    let address = serve(&log, 0);
    let verdict = verify(&remote(&address, Some("jeton")), log.verifier(), None).unwrap();
    assert_eq!((verdict.size, verdict.strays), (600, None));
    // The entries without, or with another, token: nothing is known about the log.
    for token in [None, Some("autre")] {
        match verify(&remote(&address, token), log.verifier(), None) {
            Err(VerifyError::Unreadable(SourceError::Refused { status, .. })) => assert_eq!(status, 403),
            other => panic!("{other:?}"),
        }
    }
    log.flip("tile/0/001", 0);
    let fault = support::fault(verify(&remote(&address, Some("jeton")), log.verifier(), None));
    assert_eq!(fault.path().as_deref(), Some("tile/0/001"));
    log.remove("tile/0/001");
    let fault = support::fault(verify(&remote(&address, Some("jeton")), log.verifier(), None));
    assert_eq!(fault.path().as_deref(), Some("tile/0/001"));
}

#[test]
fn passing_failures_of_a_server_are_borne_and_lasting_ones_are_not() {
    let log = Log::of(20, 20);
    verify(&remote(&serve(&log, 4), Some("jeton")), log.verifier(), None).unwrap();
    match verify(&remote(&serve(&log, 5), Some("jeton")), log.verifier(), None) {
        Err(VerifyError::Unreadable(SourceError::Unreachable { attempts, .. })) => assert_eq!(attempts, 5),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_does_not_go_over_plain_http_and_https_needs_a_root() {
    let options =
        |token: Option<&str>| RemoteOptions { token: token.map(str::to_owned), ..RemoteOptions::default() };
    assert!(matches!(
        Remote::new("http://journal.example.qc.ca", options(Some("jeton"))),
        Err(SourceError::Usage(_))
    ));
    assert!(Remote::new("http://journal.example.qc.ca", options(None)).is_ok());
    assert!(matches!(
        Remote::new("https://journal.example.qc.ca", options(None)),
        Err(SourceError::Usage(_))
    ));
    let pem = Some(b"pas un certificat".to_vec());
    let options = RemoteOptions { roots_pem: pem, ..RemoteOptions::default() };
    assert!(matches!(Remote::new("https://journal.example.qc.ca", options), Err(SourceError::Usage(_))));
    let shown =
        format!("{:?}", RemoteOptions { token: Some("secret".to_owned()), ..RemoteOptions::default() });
    assert!(!shown.contains("secret"));
}
