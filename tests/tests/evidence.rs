//! Evidence of a real exchange: made by sender, recipient and auditor, checked from files alone.
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use passerelle_agent::client::{InboxQuery, SendOptions};
use passerelle_agent::records::RecordState;
use passerelle_pki::clock::SystemClock;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, REVENU, SAAQ, codes, draft, today};
use passerelle_tests::network::operators::Operator;
use passerelle_tests::network::process::Program;
use serde_json::Value;

const NUMBER: &str = "ENT-2026-001";
const CONTENT: &[u8] = b"{\"dossier\":\"contenu du dossier\"}";
const PATIENCE: Duration = Duration::from_secs(60);

/// What the judge trusts, and the files to judge.
struct Court {
    folder: PathBuf,
}

impl Court {
    fn new(network: &Network, folder: &Path) -> Self {
        let policy = folder.join("confiance");
        fs::create_dir_all(&policy).unwrap();
        let vkey = fs::read_to_string(network.log_key_file()).unwrap();
        fs::write(policy.join("log.policy"), format!("log {}\nquorum none\n", vkey.trim())).unwrap();
        fs::copy(network.root_certificate(), policy.join("roots.pem")).unwrap();
        Self { folder: folder.to_owned() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// Result, and the outcome of each claim.
    fn judge(&self, file: &str, more: &[&str]) -> (String, BTreeMap<String, String>) {
        let (file, policy) = (self.path(file), self.path("confiance"));
        let arguments = ["passerelle-verify", "evidence", &file, "--policy", &policy, "--json"];
        let arguments = arguments.iter().chain(more).map(OsString::from);
        let mut out = Vec::new();
        passerelle_verify::run_with(arguments, &mut out);
        let out = String::from_utf8(out).unwrap();
        let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
        let claims = last["claims"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let claims = claims.iter().map(|claim| (text(&claim["claim"]), text(&claim["outcome"]))).collect();
        (text(&last["result"]), claims)
    }
}

/// The claims of an outcome, by name.
fn of(claims: &BTreeMap<String, String>, outcome: &str) -> Vec<String> {
    claims.iter().filter(|(_, found)| *found == outcome).map(|(claim, _)| claim.clone()).collect()
}

async fn delivered(ramq: &AgentProcess, saaq: &AgentProcess) -> ExchangeId {
    let mut options = SendOptions::under(NUMBER);
    options.data_categories = vec![codes::IDENTITY.to_owned()];
    let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(CONTENT))]);
    let id = ramq.client.send(&options, body, None).await.unwrap().exchange_id;
    let query = InboxQuery { wait: Some(PATIENCE), ..InboxQuery::default() };
    assert_eq!(saaq.client.inbox(&query).await.unwrap().records[0].exchange_id, id);
    let mut record = ramq.client.record(&id, None).await.unwrap();
    for _ in 0..10 {
        if !record.state.is_final() {
            record = ramq.client.record(&id, Some(PATIENCE)).await.unwrap();
        }
    }
    assert_eq!(record.state, RecordState::Delivered);
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sender_recipient_and_auditor_can_show() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
    let network = Network::create(folder.path(), program).unwrap();
    for body in [RAMQ, SAAQ, REVENU] {
        network.register(body).unwrap();
    }
    let (ramq, saaq) = (network.agent(RAMQ).unwrap(), network.agent(SAAQ).unwrap());
    let stranger = network.agent(REVENU).unwrap();
    let form = draft(NUMBER, RAMQ, &[SAAQ], today(SystemClock::shared().now()));
    network.conclude_by_agents(&form, &[&ramq, &saaq]).await.unwrap();
    let id = delivered(&ramq, &saaq).await;
    let (id, court) = (id.to_string(), Court::new(&network, folder.path()));

    // The sender: everything but the content.
    ramq.command(&["evidence", &id, "--output", &court.path("ramq.evidence")]).unwrap();
    let (result, claims) = court.judge("ramq.evidence", &[]);
    assert_eq!(result, "good", "{claims:?}");
    assert_eq!(of(&claims, "pass"), ["acknowledgement", "agreement", "inclusion", "integrity", "sender"]);
    assert_eq!(of(&claims, "fail"), [""; 0]);
    assert!(ramq.command(&["evidence", &id, "--disclose-key", "--output", &court.path("x")]).is_err());

    // The recipient: with the key, the content too; without the body, by comparison.
    saaq.command(&["evidence", &id, "--output", &court.path("saaq.evidence"), "--disclose-key"]).unwrap();
    fs::write(court.path("contenu"), CONTENT).unwrap();
    let plaintext = court.path("contenu");
    assert_eq!(court.judge("saaq.evidence", &[]).1["plaintext"], "pass");
    assert_eq!(court.judge("saaq.evidence", &["--plaintext", &plaintext]).1["plaintext"], "pass");
    let bare = ["evidence", &id, "--output", &court.path("nu"), "--disclose-key", "--without-body"];
    saaq.command(&bare).unwrap();
    assert_eq!(court.judge("nu", &["--plaintext", &plaintext]).1["plaintext"], "pass");
    fs::write(court.path("contenu"), b"autre chose").unwrap();
    let (result, claims) = court.judge("nu", &["--plaintext", &plaintext]);
    assert_eq!((result.as_str(), of(&claims, "fail")), ("bad", vec!["plaintext".to_owned()]));

    // Confirmed, and over a restart: the envelope stays.
    fs::create_dir(court.path("recus")).unwrap();
    saaq.command(&["take", &id, "--into", &court.path("recus")]).unwrap();
    saaq.command(&["evidence", &id, "--output", &court.path("apres")]).unwrap();
    assert_eq!(court.judge("apres", &[]).1["sender"], "pass");

    // An agency that has no part in it learns nothing.
    let refused = stranger.command(&["evidence", &id, "--output", &court.path("x")]).unwrap_err();
    assert!(format!("{refused:#}").contains("RECORD_NOT_FOUND") || format!("{refused:#}").contains(&id));
    assert!(!Path::new(&court.path("x")).exists());

    // The auditor: what the log has; and the log has the reading.
    let command = ["audit", "evidence", &id, "--reason", "demande 2026-114", "--output", &court.path("hugo")];
    network.operate(Operator::Auditor, &command).unwrap();
    let (result, claims) = court.judge("hugo", &[]);
    assert_eq!(result, "good", "{claims:?}");
    assert_eq!(of(&claims, "pass"), ["acknowledgement", "agreement", "inclusion", "integrity"]);
    let readings = network.audit(&[]).unwrap();
    let reading = readings.iter().find(|event| event.to_string().contains("demande 2026-114"));
    assert!(reading.unwrap().to_string().contains("Audit/ProveExchange"));

    // One bit of a file, and no file.
    let mut bytes = fs::read(court.path("ramq.evidence")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(court.path("touche"), bytes).unwrap();
    assert_ne!(court.judge("touche", &[]).0, "good");
    assert_eq!(court.judge("absent", &[]).0, "unknown");
}
