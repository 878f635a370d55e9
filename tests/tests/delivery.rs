//! How received records reach the agency's systems, with real agents: webhooks that answer, that fail, that never answer.
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

#[path = "delivery/system.rs"]
mod system;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use passerelle_agent::client::{InboxQuery, LocalClient, SendOptions};
use passerelle_agent::records::RecordState;
use passerelle_pki::clock::SystemClock;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, codes, draft, today};
use passerelle_tests::network::process::Program;
use ring::hmac;
use system::{Behaviour, Posted, System};
use tokio::time::{sleep, timeout};

const GOOD: &str = "ENT-2026-001";
const SILENT: &str = "ENT-2026-002";
const FAILING: &str = "ENT-2026-003";
const SURE: &str = "ENT-2026-004";
const IMPOSTOR: &str = "ENT-2026-005";
const PATIENCE: Duration = Duration::from_secs(120);

async fn send(ramq: &AgentProcess, agreement: &str, body: &str) -> ExchangeId {
    let mut options = SendOptions::under(agreement);
    options.data_categories = vec![codes::IDENTITY.to_owned()];
    options.case_reference = Some("D-1042 é".to_owned());
    options.content_type = Some("text/plain".to_owned());
    let body = Bytes::from(body.to_owned());
    let (length, source) = (body.len() as u64, stream::iter([Ok(body)]));
    ramq.client.send(&options, source, Some(length)).await.unwrap().exchange_id
}

async fn until(holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap();
}

async fn in_inbox(saaq: &LocalClient, id: &ExchangeId) -> bool {
    let page = saaq.inbox(&InboxQuery::default()).await.unwrap().records;
    page.iter().any(|record| record.exchange_id == *id)
}

fn webhook(name: &str, system: &System, agreement: &str, more: &str) -> String {
    format!(
        "[webhooks.{name}]\nurl = \"{}\"\nagreements = [\"{agreement}\"]\ntimeout_s = 2\n{more}\n\n",
        system.url()
    )
}

/// As a receiver checks it: HMAC-SHA-256 over id, time and body, under the secret of the file.
fn assert_signed(posted: &Posted, secret: &str) {
    let key = STANDARD.decode(secret.trim().strip_prefix("whsec_").unwrap()).unwrap();
    let (id, time) = (posted.header("webhook-id"), posted.header("webhook-timestamp"));
    let mut signed = format!("{id}.{time}.").into_bytes();
    signed.extend_from_slice(&posted.body);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed);
    assert_eq!(posted.header("webhook-signature"), format!("v1,{}", STANDARD.encode(tag)));
}

struct Scene {
    ramq: AgentProcess,
    saaq: AgentProcess,
    good: System,
    silent: System,
    failing: System,
    /// Over TLS, with a certificate that the agent's file lets it believe.
    sure: System,
    /// Over TLS, with another authority's.
    impostor: System,
    _network: Network,
    folder: tempfile::TempDir,
}

impl Scene {
    fn secret(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("saaq/donnees/webhook-bon.secret")).unwrap()
    }
}

async fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
    let network = Network::create(folder.path(), program).unwrap();
    for body in [RAMQ, SAAQ] {
        network.register(body).unwrap();
    }
    let (good, silent, failing) = (
        System::start(Behaviour::Status(204)).await,
        System::start(Behaviour::Silent).await,
        System::start(Behaviour::Status(503)).await,
    );
    let (sure, authority) = System::start_tls(Behaviour::Status(204)).await;
    let (impostor, _) = System::start_tls(Behaviour::Status(204)).await;
    let file = folder.path().join("autorite.pem");
    std::fs::write(&file, authority).unwrap();
    let believed = format!("ca_file = {file:?}\nattempts_max = 1");
    let settings = webhook("bon", &good, GOOD, "content_bytes_max = 100000")
        + &webhook("muet", &silent, SILENT, "at_once = 1\nattempts_max = 1000")
        + &webhook("fautif", &failing, FAILING, "attempts_max = 2")
        + &webhook("sur", &sure, SURE, &believed)
        + &webhook("imposteur", &impostor, IMPOSTOR, &believed);
    let ramq = network.agent(RAMQ).unwrap();
    let saaq = network.agent_with_settings(SAAQ, &settings).unwrap();
    for number in [GOOD, SILENT, FAILING, SURE, IMPOSTOR] {
        let form = draft(number, RAMQ, &[SAAQ], today(SystemClock::shared().now()));
        network.conclude_by_agents(&form, &[&ramq, &saaq]).await.unwrap();
    }
    Scene { ramq, saaq, good, silent, failing, sure, impostor, _network: network, folder }
}

#[tokio::test(flavor = "multi_thread")]
async fn systems_are_posted_what_came_and_one_that_is_away_holds_up_no_other() {
    let mut scene = scene().await;
    what_came_is_posted_signed_and_confirmed(&scene).await;
    what_is_too_long_is_told_of(&scene).await;
    what_is_refused_is_given_up_and_tried_anew(&mut scene).await;
    answers_that_are_none_are_failures(&scene).await;
    a_system_over_tls_is_believed_by_the_authorities_of_its_file_only(&scene).await;
}

/// The content, signed, with what is said of it; confirmed when it was taken, while another system never answers.
async fn what_came_is_posted_signed_and_confirmed(scene: &Scene) {
    let Scene { ramq, saaq, good, silent, .. } = scene;
    let silenced = send(ramq, SILENT, "personne ne répond").await;
    until(async || silent.count() > 0).await;
    let mut sent = Vec::new();
    for number in 0..20 {
        sent.push(send(ramq, GOOD, &format!("dossier {number}")).await);
    }
    until(async || good.count() == sent.len()).await;
    let secret = scene.secret();
    let posted = good.take();
    for (number, id) in sent.iter().enumerate() {
        let one = posted.iter().find(|one| one.header("webhook-id") == id.to_string()).unwrap();
        assert_eq!(one.body, format!("dossier {number}").as_bytes());
        assert_signed(one, &secret);
        let said =
            ["passerelle-event", "passerelle-from", "passerelle-agreement", "passerelle-case-reference"];
        let said: Vec<String> = said.iter().map(|name| one.header(name)).collect();
        assert_eq!(said, ["record.received", "ramq", GOOD, "D-1042%20%C3%A9"]);
        assert_eq!(
            (one.header("content-type"), one.header("passerelle-exchange-id")),
            ("text/plain".into(), id.to_string())
        );
    }
    until(async || {
        let page = saaq.client.inbox(&InboxQuery::default()).await.unwrap().records;
        page.len() == 1 && page[0].exchange_id == silenced
    })
    .await;
    let state = ramq.client.record(&sent[0], None).await.unwrap().state;
    assert!(matches!(state, RecordState::Delivered | RecordState::Accepted), "{state:?}");
}

/// Signed too, and left for the system to fetch and confirm.
async fn what_is_too_long_is_told_of(scene: &Scene) {
    let Scene { ramq, saaq, good, .. } = scene;
    let long = send(ramq, GOOD, &"x".repeat(150_000)).await;
    until(async || good.count() == 1).await;
    let told = good.take().remove(0);
    assert_signed(&told, &scene.secret());
    let json: serde_json::Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!(
        (json["type"].as_str(), json["data"]["length"].as_u64()),
        (Some("record.waiting"), Some(150_000))
    );
    assert_eq!(json["data"]["content_path"], format!("/v1/inbox/{long}/content"));
    assert!(in_inbox(&saaq.client, &long).await);
}

/// Given up after two attempts, kept over a kill, and tried anew when somebody asks: then the system takes it.
async fn what_is_refused_is_given_up_and_tried_anew(scene: &mut Scene) {
    let Scene { ramq, saaq, good, silent, failing, .. } = scene;
    let given_up = send(ramq, FAILING, "refusé deux fois").await;
    until(async || !saaq.client.dead_letters("fautif").await.unwrap().is_empty()).await;
    assert_eq!(failing.count(), 2);
    let letter = saaq.client.dead_letters("fautif").await.unwrap().remove(0);
    assert_eq!((letter.exchange_id, letter.attempts, letter.status), (given_up, 2, Some(503)));
    assert!(in_inbox(&saaq.client, &given_up).await);
    let listed = saaq.command(&["webhook", "list"]).unwrap();
    assert!(listed.contains("fautif") && listed.contains("HTTP 503"), "{listed}");
    // What was told of and what was given up stays so after a kill.
    sleep(Duration::from_millis(1_500)).await;
    saaq.process.kill().unwrap();
    saaq.restart().unwrap();
    until(async || silent.count() > 1).await;
    assert_eq!(saaq.client.dead_letters("fautif").await.unwrap().len(), 1);
    assert_eq!((failing.count(), good.count()), (2, 0));
    failing.behave(Behaviour::Status(200));
    saaq.command(&["webhook", "retry", "fautif"]).unwrap();
    until(async || failing.count() == 3).await;
    until(async || !in_inbox(&saaq.client, &given_up).await).await;
    assert_eq!(saaq.client.dead_letters("fautif").await.unwrap(), []);
    let ids: Vec<String> = failing.take().iter().map(|one| one.header("webhook-id")).collect();
    assert!(ids.iter().all(|id| *id == given_up.to_string()), "the same id each time");
}

/// Each is a failure within its time, and the record is taken as soon as the system answers well.
async fn answers_that_are_none_are_failures(scene: &Scene) {
    let Scene { ramq, saaq, good, .. } = scene;
    for behaviour in [Behaviour::Redirect, Behaviour::Garbage, Behaviour::Drip, Behaviour::Cut] {
        good.behave(behaviour);
        let id = send(ramq, GOOD, "réponse impossible").await;
        until(async || good.count() > 0).await;
        until(async || {
            let webhooks = saaq.client.webhooks().await.unwrap();
            webhooks.iter().any(|webhook| webhook.name == "bon" && webhook.last_failure.is_some())
        })
        .await;
        assert!(in_inbox(&saaq.client, &id).await);
        assert_eq!(good.followed(), 0, "a redirect is not followed");
        good.behave(Behaviour::Status(204));
        until(async || !in_inbox(&saaq.client, &id).await).await;
        good.take();
    }
    // An answer without end is success at its head, and costs nothing.
    good.behave(Behaviour::Endless);
    let id = send(ramq, GOOD, "réponse sans fin").await;
    until(async || !in_inbox(&saaq.client, &id).await).await;
    assert!(saaq.process.peak_memory().unwrap() < 200 << 20);
}

/// What is for a system goes to it alone: another server at its place is told nothing, and the record stays.
async fn a_system_over_tls_is_believed_by_the_authorities_of_its_file_only(scene: &Scene) {
    let Scene { ramq, saaq, sure, impostor, .. } = scene;
    let id = send(ramq, SURE, "par TLS").await;
    until(async || !in_inbox(&saaq.client, &id).await && sure.count() == 1).await;
    assert_eq!(sure.take()[0].body, b"par TLS");
    let id = send(ramq, IMPOSTOR, "pour un autre").await;
    until(async || {
        let webhooks = saaq.client.webhooks().await.unwrap();
        webhooks.iter().any(|webhook| webhook.name == "imposteur" && webhook.dead == 1)
    })
    .await;
    assert_eq!(impostor.count(), 0);
    assert!(in_inbox(&saaq.client, &id).await);
}
