//! Signing keys in SoftHSM, in a real network: enrolment, agreement, records and acknowledgements are signed in the tokens, no
//! signing key is ever in a file, and what goes wrong with a token is told.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use passerelle_agent::client::{ClientError, SendOptions};
use passerelle_agent::local::model::{Accepted, Problem};
use passerelle_agent::records::RecordState;
use passerelle_pki::clock::SystemClock;
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{Body, RAMQ, SAAQ, codes, draft, today};
use passerelle_tests::network::process::Program;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "739155";

/// A token called as the agency, and the lines of the configuration that name it.
fn token(folder: &Path, body: Body) -> String {
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", body.code, "--so-pin", "000000", "--pin", PIN])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let pin_file = pin_file(folder, body);
    fs::write(&pin_file, PIN).unwrap();
    fs::set_permissions(&pin_file, fs::Permissions::from_mode(0o600)).unwrap();
    format!(
        "[signing]\npkcs11_module = {MODULE:?}\npkcs11_token = {:?}\npkcs11_pin_file = {pin_file:?}\n",
        body.code
    )
}

fn pin_file(folder: &Path, body: Body) -> PathBuf {
    folder.join(format!("{}.nip", body.code))
}

async fn send(from: &AgentProcess, case: &str) -> Result<Accepted, ClientError> {
    let mut options = SendOptions::under("ENT-2026-001");
    options.data_categories = vec![codes::IDENTITY.to_owned()];
    options.idempotency_key = Some(case.to_owned());
    let source = stream::iter([Ok(Bytes::copy_from_slice(case.as_bytes()))]);
    from.client.send(&options, source, None).await
}

async fn exchange(from: &AgentProcess, case: &str) {
    let sent = send(from, case).await.unwrap();
    let mut state = sent.state;
    for _ in 0..6 {
        if !state.is_final() {
            state = from.client.record(&sent.exchange_id, Some(Duration::from_secs(20))).await.unwrap().state;
        }
    }
    assert_eq!(state, RecordState::Delivered, "{case}");
}

/// Names of the key files.
fn key_files(agent: &AgentProcess) -> Vec<String> {
    let keys = agent.config().with_file_name("donnees").join("identity/keys");
    let names = fs::read_dir(keys).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs SoftHSM and a SOFTHSM2_CONF of its own: ./tests/run pkcs11"]
async fn the_signing_keys_stay_in_their_tokens() {
    assert!(std::env::var_os("SOFTHSM2_CONF").is_some(), "run it by ./tests/run pkcs11");
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
    let network = Network::create(folder.path(), program).unwrap();
    let mut agents = Vec::new();
    for body in [RAMQ, SAAQ] {
        network.register(body).unwrap();
        agents.push(network.agent_with_settings(body, &token(folder.path(), body)).unwrap());
    }
    let (mut ramq, mut saaq) = (agents.remove(0), agents.remove(0));
    let form = draft("ENT-2026-001", RAMQ, &[SAAQ], today(SystemClock::shared().now()));
    network.conclude_by_agents(&form, &[&ramq, &saaq]).await.unwrap();
    exchange(&ramq, "un").await;

    for agent in [&ramq, &saaq] {
        let files = key_files(agent);
        assert!(files.iter().any(|name| name.starts_with("tls-")), "{files:?}");
        assert!(!files.iter().any(|name| name.starts_with("signing-")), "{files:?}");
    }
    // After a kill of both, the same keys sign on.
    for agent in [&mut ramq, &mut saaq] {
        agent.process.kill().unwrap();
        agent.restart().unwrap();
    }
    exchange(&ramq, "deux").await;

    pulled(&ramq).await;
    wrong_pin(folder.path(), &mut ramq).await;
    assert!(ramq.process.stop().unwrap().success(), "ends well with the module loaded");
    network.verify_log().unwrap();
}

/// A token that is away while the agent runs: records are refused with what to do, nothing panics, and signing goes on when it
/// is back.
async fn pulled(ramq: &AgentProcess) {
    let tokens = tokens();
    let away = tokens.with_extension("away");
    fs::rename(&tokens, &away).unwrap();
    let refused = send(ramq, "sans jeton").await.unwrap_err();
    fs::rename(&away, &tokens).unwrap();
    let unavailable =
        |problem: &Problem| (problem.status, problem.code.as_str()) == (503, "SIGNING_KEY_UNAVAILABLE");
    assert!(matches!(&refused, ClientError::Refused(problem) if unavailable(problem)), "{refused:?}");
    exchange(ramq, "sans jeton").await;
}

/// Where SoftHSM keeps its tokens.
fn tokens() -> PathBuf {
    let configuration = fs::read_to_string(std::env::var_os("SOFTHSM2_CONF").unwrap()).unwrap();
    let line = configuration.lines().find_map(|line| line.strip_prefix("directories.tokendir = "));
    line.unwrap().into()
}

/// A wrong PIN is told in French, then English, with what to do; the right one serves again.
async fn wrong_pin(folder: &Path, ramq: &mut AgentProcess) {
    ramq.process.stop().unwrap();
    let path = pin_file(folder, RAMQ);
    fs::write(&path, "111111").unwrap();
    let refused = ramq.restart().unwrap_err().to_string();
    let (french, english) = (refused.find("refuse le NIP"), refused.find("refuses the PIN"));
    assert!(french.is_some() && french < english, "{refused}");
    assert!(refused.contains("signing.pkcs11_pin_file") && !refused.contains("111111"), "{refused}");
    fs::write(&path, PIN).unwrap();
    ramq.restart().unwrap();
    exchange(ramq, "trois").await;
}
