//! The command as a person uses it: each step a process of its own.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const PASSPHRASE: &str = "phrase de passe des essais";

fn pki(folder: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_passerelle-pki"))
        .current_dir(folder)
        .env("PASSERELLE_PASSPHRASE", PASSPHRASE)
        .env("PASSERELLE_ROOT_PASSPHRASE", PASSPHRASE)
        .args(arguments.split_whitespace())
        .output()
        .unwrap()
}

fn done(folder: &Path, arguments: &str) -> String {
    let output = pki(folder, arguments);
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A refused step says so in both languages, with what to do, and fails.
fn refused(folder: &Path, arguments: &str) -> String {
    let output = pki(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments}");
    let text = String::from_utf8(output.stderr).unwrap();
    for part in ["Erreur : ", "Que faire : ", "Error: ", "What to do: "] {
        assert!(text.contains(part), "{arguments}: {text}");
    }
    assert!(!text.contains(PASSPHRASE));
    text
}

fn authorities(folder: &Path) {
    done(folder, "root create --dir root --trust-domain qc.example");
    done(folder, "issuing create --dir issuing --root root");
}

#[test]
fn from_a_root_to_a_revoked_agent() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    authorities(folder);
    done(folder, "request --new-key tls.key.pem --as ramq/agent-1 --trust-domain qc.example --out tls.csr");
    done(folder, "sign --dir issuing --request tls.csr --as ramq/agent-1 --usage tls --out tls.pem");
    let shown = done(folder, "show tls.pem --root root/root.cert.pem");
    assert!(shown.contains("spiffe://qc.example/agency/ramq/agent/agent-1"), "{shown}");
    assert!(shown.contains("clientAuth"), "{shown}");
    assert!(shown.contains("Chaîne valide / Chain valid: ramq/agent-1, tls, qc.example"), "{shown}");

    done(folder, "request --new-key next.key.pem --as ramq/agent-1 --trust-domain qc.example --out next.csr");
    done(folder, "renew --dir issuing --request next.csr --certificate tls.pem --out next.pem");
    done(folder, "revoke --dir issuing --certificate tls.pem --reason key-compromise");
    let text = refused(folder, "renew --dir issuing --request next.csr --certificate tls.pem");
    assert!(text.contains("révoqué"), "{text}");
    done(folder, "crl --dir issuing --out liste.pem");
    assert!(done(folder, "show liste.pem").contains("Révoqué / Revoked"));
    done(folder, "revoke --dir issuing --as ramq/agent-1");
    let list = done(folder, "show issuing/crl.pem");
    assert_eq!(list.matches("Révoqué / Revoked").count(), 2, "{list}");
}

#[test]
fn a_gateway_gets_its_host_names() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    authorities(folder);
    done(
        folder,
        "request --new-key gw.key.pem --as gateway:principale --trust-domain qc.example --out gw.csr",
    );
    // Without --out, the chain alone is on the standard output.
    let chain = done(
        folder,
        "sign --dir issuing --request gw.csr --as gateway:principale --usage tls --host localhost --host 127.0.0.1",
    );
    assert!(chain.starts_with("-----BEGIN CERTIFICATE-----"), "{chain}");
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2);
    fs::write(folder.join("gw.pem"), chain).unwrap();
    assert!(done(folder, "show gw.pem").contains("localhost"));
}

#[test]
fn nothing_is_written_over_anything() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    authorities(folder);
    refused(folder, "root create --dir root --trust-domain qc.example");
    refused(folder, "root create --dir issuing --trust-domain qc.example");
    refused(folder, "issuing create --dir root --root root");
    refused(folder, "issuing create --dir issuing --root root");

    let request = "request --new-key a.key.pem --as ramq/agent-1 --trust-domain qc.example";
    done(folder, &format!("{request} --out a.csr"));
    let key = fs::read(folder.join("a.key.pem")).unwrap();
    refused(folder, &format!("{request} --out b.csr"));
    assert_eq!(fs::read(folder.join("a.key.pem")).unwrap(), key);
    let sign = "sign --dir issuing --request a.csr --as ramq/agent-1 --usage tls --out a.pem";
    done(folder, sign);
    refused(folder, sign);
}

#[test]
fn what_should_be_refused_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    authorities(folder);
    done(folder, "request --new-key a.key.pem --as ramq/agent-1 --trust-domain qc.example --out a.csr");
    for arguments in [
        "sign --dir issuing --request a.csr --as saaq/agent-1 --usage tls",
        "sign --dir issuing --request a.csr --as ramq/agent-1 --usage tls --host qc.example",
        "sign --dir root --request a.csr --as ramq/agent-1 --usage tls",
        "sign --dir nowhere --request a.csr --as ramq/agent-1 --usage tls",
        "sign --dir issuing --request none.csr --as ramq/agent-1 --usage tls",
        "sign --dir issuing --request a.key.pem --as ramq/agent-1 --usage tls",
        "revoke --dir issuing --serial 00",
        "revoke --dir issuing --serial zz",
        "revoke --dir issuing --as ramq/agent-1",
        "show none.pem",
        "show issuing/issued.jsonl",
        "show issuing/ca.cert.pem --root root/ca.key.pem",
    ] {
        refused(folder, arguments);
    }
    fs::write(folder.join("wrong.txt"), "une phrase de passe erronée\n").unwrap();
    let text = refused(folder, "crl --dir issuing --passphrase-file wrong.txt");
    assert!(text.contains("phrase de passe erronée, ou fichier endommagé"), "{text}");
    fs::write(folder.join("short.txt"), "court\n").unwrap();
    refused(folder, "root create --dir other --trust-domain qc.example --passphrase-file short.txt");
    assert!(!folder.join("other").exists());
}

#[test]
fn wrong_usage_is_told_apart_from_refusal() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        "",
        "sign",
        "root create --dir x --trust-domain QC.example",
        "sign --dir d --request r --as RAMQ/agent-1 --usage tls",
        "sign --dir d --request r --as ramq/agent-1 --usage email",
        "sign --dir d --request r --as ramq/agent-1 --usage tls --days 0",
        "sign --dir d --request r --as ramq/agent-1 --usage tls --days 398",
        "revoke --dir d",
        "revoke --dir d --serial 00 --as ramq/agent-1",
        "request --as ramq/agent-1 --trust-domain qc.example",
    ] {
        assert_eq!(pki(folder.path(), arguments).status.code(), Some(2), "{arguments}");
    }
    let help = done(folder.path(), "--help");
    assert!(help.contains("Exemples / Examples"), "{help}");
}
