//! What the gateway must never hold: content, and who it is about. Markers are planted in everything that the sender's
//! agency says of a record, and every file that the gateway and the agents wrote is searched.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use passerelle_agent::client::{InboxQuery, LocalClient, SendOptions};
use passerelle_agent::local::model::InboxRecord;
use passerelle_agent::records::RecordState;
use passerelle_pki::clock::SystemClock;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, codes, draft, today};
use passerelle_tests::network::process::Program;
use tokio::time::sleep;

const BODY: &str = "MARQUEUR-DU-CORPS-7f3a";
const SUBJECT: &str = "TREM94523912";
const CASE: &str = "DOS-MARQUEUR-2291";
const USER: &str = "marqueur.agente@ramq";
const FILE: &str = "marqueur-du-nom.txt";
const KEY: &str = "marqueur-cle-idempotence";

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false if path.is_file() => found.push(path),
            false => {}
        }
    }
}

/// The files that hold a marker in clear.
fn holding(folder: &Path, marker: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    files(folder, &mut all);
    let holds = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        bytes.windows(marker.len()).any(|window| window == marker.as_bytes())
    };
    all.into_iter().filter(holds).collect()
}

/// The sender may hear of a delivery a moment before the recipient's agent may show it.
async fn shown(saaq: &LocalClient, id: &ExchangeId) -> InboxRecord {
    for _ in 0..400 {
        if let Ok(record) = saaq.inbox_entry(id).await {
            return record;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("{id} is not in the inbox")
}

fn options(name: &str) -> SendOptions {
    let mut options = SendOptions::under("ENT-2026-001");
    options.data_categories = vec![codes::IDENTITY.to_owned()];
    options.subjects = vec![SUBJECT.to_owned()];
    options.case_reference = Some(CASE.to_owned());
    options.acting_user = Some(USER.to_owned());
    options.file_name = Some(FILE.to_owned());
    options.content_type = Some("text/plain".to_owned());
    options.idempotency_key = Some(format!("{KEY}-{name}"));
    options
}

/// The privacy officer finds a person in the log by the pseudonym that their own agent tells them, and by no other.
fn pseudonyms_are_found(network: &Network, ramq: &AgentProcess, saaq: &AgentProcess) {
    let logged = |pseudonym: &str| {
        let bytes = hex::decode(pseudonym).unwrap();
        let mut all = Vec::new();
        files(&network.log_folder(), &mut all);
        all.iter().any(|path| fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes))
    };
    let told =
        ramq.command_with_input(&["pseudonym", "subject"], &format!(" {SUBJECT} \n\nAUTRE\n")).unwrap();
    let [found, other] = told.lines().collect::<Vec<_>>()[..] else { panic!("{told}") };
    assert!(logged(found) && !logged(other));
    let user = ramq.command_with_input(&["pseudonym", "acting-user"], USER).unwrap();
    assert!(logged(user.trim()));
    assert_ne!(ramq.command_with_input(&["pseudonym", "subject"], USER).unwrap(), user);
    // Under another agency's key, and without anything to look for.
    let strange = saaq.command_with_input(&["pseudonym", "subject"], SUBJECT).unwrap();
    assert!(!logged(strange.trim()));
    assert!(ramq.command_with_input(&["pseudonym", "subject"], " \n").is_err());
    // Agents that share a key tell the same; a key that is there is not replaced.
    let key = ramq.config().with_file_name("commune.cle");
    let key = key.to_str().unwrap();
    ramq.command(&["pseudonym", "key", key]).unwrap();
    assert!(ramq.command(&["pseudonym", "key", key]).is_err());
    let shared: Vec<String> = [ramq, saaq]
        .map(|agent| {
            let text = fs::read_to_string(agent.config()).unwrap();
            fs::write(agent.config(), format!("{text}\n[pseudonyms]\nkey_file = {key:?}\n")).unwrap();
            agent.command_with_input(&["pseudonym", "subject"], SUBJECT).unwrap()
        })
        .into();
    assert!(shared[0] == shared[1] && shared[0].trim() != found);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_on_the_way_holds_a_body_or_an_identifier() {
    let folder = tempfile::tempdir().unwrap();
    let verbose = "[tracing]\nlevel = \"trace\"\n";
    let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
    let mut network = Network::with_gateway_settings(folder.path(), program, verbose).unwrap();
    for body in [RAMQ, SAAQ] {
        network.register(body).unwrap();
    }
    let mut ramq = network.agent_with_settings(RAMQ, verbose).unwrap();
    let mut saaq = network.agent_with_settings(SAAQ, verbose).unwrap();
    let form = draft("ENT-2026-001", RAMQ, &[SAAQ], today(SystemClock::shared().now()));
    network.conclude_by_agents(&form, &[&ramq, &saaq]).await.unwrap();

    // One in a frame, one in chunks, kept in files of their own.
    let small = Bytes::from(format!("{BODY}, court"));
    let large = Bytes::from(format!("{BODY}, long. ").repeat(150_000));
    for (name, body) in [("court", &small), ("long", &large)] {
        let source = stream::iter([Ok(body.clone())]);
        let sent = ramq.client.send(&options(name), source, Some(body.len() as u64)).await.unwrap();
        let wait = Some(Duration::from_secs(60));
        let mut state = sent.state;
        for _ in 0..6 {
            if !state.is_final() {
                state = ramq.client.record(&sent.exchange_id, wait).await.unwrap().state;
            }
        }
        assert_eq!(state, RecordState::Delivered);
        let received = shown(&saaq.client, &sent.exchange_id).await;
        assert_eq!(received.subjects, [SUBJECT]);
        assert_eq!(
            (received.case_reference.as_deref(), received.acting_user.as_deref()),
            (Some(CASE), Some(USER))
        );
        let chunks: Vec<_> =
            saaq.client.content(&sent.exchange_id).await.unwrap().map(Result::unwrap).collect().await;
        assert!(chunks.concat() == body[..], "the recipient has it");
    }
    assert_eq!(saaq.client.inbox(&InboxQuery::default()).await.unwrap().records.len(), 2);
    network.audit(&[]).unwrap();

    for process in [&mut ramq.process, &mut saaq.process] {
        process.stop().unwrap();
    }
    network.gateway().unwrap().stop().unwrap();
    assert!(
        !holding(&network.gateway_data(), "ENT-2026-001").is_empty(),
        "the search finds what is in clear"
    );
    pseudonyms_are_found(&network, &ramq, &saaq);
    for marker in [BODY, SUBJECT, CASE, USER, FILE, KEY] {
        // Gateway, agents with their records at rest, and every line that any of them wrote.
        assert_eq!(holding(folder.path(), marker), Vec::<PathBuf>::new(), "{marker}");
    }
}
