//! The examples of `docs/agency/examples` against a real network, each as an agency would run it: a file sent arrives byte
//! for byte, is confirmed, and a refusal says why.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use passerelle_agent::client::InboxQuery;
use passerelle_agent::config::{Config, Listen};
use passerelle_pki::clock::SystemClock;
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, draft, today};
use passerelle_tests::network::process::Program;

const AGREEMENT: &str = "ENT-2026-001";

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/agency/examples").join(name)
}

/// Runs an example for an agency.
fn run(program: &[&Path], agent: &AgentProcess, arguments: &[&str]) -> Output {
    let config = Config::load(&agent.config()).unwrap();
    let api = match config.local.listen {
        Listen::Tcp(address) => format!("http://{address}"),
        Listen::Unix(path) => path.display().to_string(),
    };
    Command::new(program[0])
        .args(&program[1..])
        .args(arguments)
        .env("PASSERELLE_API", api)
        .env("PASSERELLE_TOKEN_FILE", config.local.token_file)
        .output()
        .unwrap()
}

async fn exchange(program: &[&Path]) {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::create(folder.path(), Program::new(env!("CARGO_BIN_EXE_sandbox").into())).unwrap();
    for body in [RAMQ, SAAQ] {
        network.register(body).unwrap();
    }
    let (ramq, saaq) = (network.agent(RAMQ).unwrap(), network.agent(SAAQ).unwrap());
    let form = draft(AGREEMENT, RAMQ, &[SAAQ], today(SystemClock::shared().now()));
    network.conclude_by_agents(&form, &[&ramq, &saaq]).await.unwrap();

    let sent = folder.path().join("relevé 1.bin");
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&sent, &bytes).unwrap();
    let received = folder.path().join("recus");
    fs::create_dir(&received).unwrap();
    let (sent, into) = (sent.to_str().unwrap(), received.to_str().unwrap());

    let first = run(program, &ramq, &["send", sent, AGREEMENT]);
    let told = String::from_utf8_lossy(&first.stdout).into_owned();
    assert!(first.status.success() && told.trim().ends_with("delivered"), "{first:?}");
    let id = told.split(' ').next().unwrap().to_owned();
    // The same again is the same record.
    let again = run(program, &ramq, &["send", sent, AGREEMENT]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), told);
    let taken = run(program, &saaq, &["receive", into]);
    assert!(taken.status.success(), "{taken:?}");
    assert_eq!(String::from_utf8_lossy(&taken.stdout).trim(), id);
    assert!(fs::read(received.join(&id)).unwrap() == bytes, "byte for byte");
    assert_eq!(fs::read_dir(&received).unwrap().count(), 1, "nothing half");
    assert!(saaq.client.inbox(&InboxQuery::default()).await.unwrap().records.is_empty(), "confirmed");

    let refused = run(program, &ramq, &["send", sent, "ENT-INCONNUE"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("AGREEMENT_NOT_FOUND"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs curl; run by tests/run examples"]
async fn curl() {
    exchange(&[Path::new("bash"), &example("exchange.sh")]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs EXAMPLES_PYTHON, a Python with requests; run by tests/run examples"]
async fn python() {
    let python = PathBuf::from(std::env::var_os("EXAMPLES_PYTHON").unwrap());
    exchange(&[&python, &example("exchange.py")]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a JDK; run by tests/run examples"]
async fn java() {
    exchange(&[Path::new("java"), &example("Exchange.java")]).await;
}
