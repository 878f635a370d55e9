//! Events as a system of the agency reads them: nothing of what waits is missed, whoever stops; and a record that is
//! published to every recipient of an agreement, one of whom refuses it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use passerelle_agent::client::{Endpoint, InboxQuery, SendOptions};
use passerelle_agent::records::RecordState;
use passerelle_pki::clock::SystemClock;
use passerelle_proto::acknowledgement::Acknowledged;
use passerelle_proto::envelope::danger;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{self, delivery::Delivery as Item};
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, REVENU, SAAQ, codes, draft, today};
use passerelle_tests::network::operators::Operator;
use passerelle_tests::network::process::Program;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

const NUMBER: &str = "ENT-2026-001";
/// Uploaded by itself: above 1 MiB.
const LARGE: usize = 64 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);

/// One event.
#[derive(Clone, Debug)]
struct Event {
    kind: String,
    id: String,
    data: Value,
}

/// A system that listens.
struct Listener(BufReader<TcpStream>);

impl Listener {
    async fn open(agent: &AgentProcess, last: Option<&str>) -> Self {
        let Endpoint::Tcp { addr, token } = agent.client.endpoint().clone() else { panic!("over TCP") };
        let mut stream = TcpStream::connect(&addr).await.unwrap();
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let head =
            format!("GET /v1/events HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {token}\r\n{last}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        Self(BufReader::new(stream))
    }

    /// The next event; chunk sizes and comments stand on lines of their own. `None`: the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        let mut event = Event { kind: String::new(), id: String::new(), data: Value::Null };
        loop {
            let mut line = String::new();
            let read = timeout(PATIENCE, self.0.read_line(&mut line)).await.unwrap();
            if read.unwrap_or(0) == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("event", kind)) => kind.clone_into(&mut event.kind),
                Some(("id", id)) => id.clone_into(&mut event.id),
                Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                _ if line == "\n" && !event.kind.is_empty() => return Some(event),
                _ => {}
            }
        }
    }

    /// The next event of a kind.
    async fn next_of(&mut self, kind: &str) -> Event {
        loop {
            let event = self.next().await.unwrap();
            if event.kind == kind {
                return event;
            }
        }
    }
}

/// A body of several chunks, which is uploaded by itself.
async fn send_large(ramq: &AgentProcess, length: usize) -> ExchangeId {
    let mut options = SendOptions::under(NUMBER);
    options.data_categories = vec![codes::IDENTITY.to_owned()];
    let source = stream::iter([Ok(Bytes::from(vec![7_u8; length]))]);
    ramq.client.send(&options, source, Some(length as u64)).await.unwrap().exchange_id
}

async fn send(ramq: &AgentProcess, body: &str) -> ExchangeId {
    let mut options = SendOptions::under(NUMBER);
    options.data_categories = vec![codes::IDENTITY.to_owned()];
    let body = Bytes::from(body.to_owned());
    let (length, source) = (body.len() as u64, stream::iter([Ok(body)]));
    ramq.client.send(&options, source, Some(length)).await.unwrap().exchange_id
}

fn network(folder: &std::path::Path) -> Network {
    let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
    let network = Network::create(folder, program).unwrap();
    for body in [RAMQ, SAAQ, REVENU] {
        network.register(body).unwrap();
    }
    network
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_with_the_last_id_misses_nothing_and_who_comes_without_is_told_of_all_that_waits() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(folder.path());
    let (mut ramq, mut saaq) = (network.agent(RAMQ).unwrap(), network.agent(SAAQ).unwrap());
    let form = draft(NUMBER, RAMQ, &[SAAQ], today(SystemClock::shared().now()));
    network.conclude_by_agents(&form, &[&ramq, &saaq]).await.unwrap();
    let (mut sender, mut listener) = (Listener::open(&ramq, None).await, Listener::open(&saaq, None).await);

    let first = send(&ramq, "un").await;
    let told = listener.next_of("inbox").await;
    assert_eq!(told.data["exchange_id"], first.to_string());
    assert_eq!(
        (told.data["state"].as_str(), told.data["agreement"].as_str()),
        (Some("waiting"), Some(NUMBER))
    );
    let mut states = Vec::new();
    let mut last = String::new();
    while states.last().is_none_or(|state| state != "delivered") {
        let event = sender.next_of("record").await;
        assert_eq!(event.data["exchange_id"], first.to_string());
        states.push(event.data["state"].as_str().unwrap().to_owned());
        last = event.id;
    }
    assert!(states.len() >= 2, "{states:?}");

    // A large body comes further before it is there, at both ends; and the command shows the same.
    let mut large = (Listener::open(&ramq, Some(&last)).await, Listener::open(&saaq, Some(&told.id)).await);
    let third = send_large(&ramq, LARGE).await;
    for (listener, direction) in [(&mut large.0, "out"), (&mut large.1, "in")] {
        let progress = listener.next_of("progress").await.data;
        assert_eq!(progress["exchange_id"], third.to_string());
        assert_eq!(
            (progress["direction"].as_str(), progress["of"].as_u64()),
            (Some(direction), Some(LARGE as u64))
        );
        assert!(progress["bytes"].as_u64() < Some(LARGE as u64), "{progress}");
    }
    let arrived = large.1.next_of("inbox").await;
    assert_eq!(arrived.data["exchange_id"], third.to_string());
    let events = saaq.client.events(Some(&told.id)).await.unwrap();
    tokio::pin!(events);
    let event = timeout(PATIENCE, events.next()).await.unwrap().unwrap().unwrap();
    assert_eq!((event.kind, event.id, event.data), ("inbox".to_owned(), arrived.id, arrived.data));
    saaq.client.confirm(&third).await.unwrap();

    // Both are killed; what changes while nobody listens is told to who comes back.
    saaq.process.kill().unwrap();
    while let Some(event) = listener.next().await {
        assert_eq!(event.data["exchange_id"], third.to_string(), "the large one's are the last");
    }
    let second = send(&ramq, "deux").await;
    ramq.process.kill().unwrap();
    ramq.restart().unwrap();
    saaq.restart().unwrap();
    let mut listener = Listener::open(&saaq, Some(&told.id)).await;
    let next = listener.next_of("inbox").await;
    assert_eq!(next.data["exchange_id"], second.to_string(), "the first was told before");
    let mut sender = Listener::open(&ramq, Some(&last)).await;
    loop {
        let event = sender.next_of("record").await;
        if event.data["exchange_id"] == second.to_string() && event.data["state"] == "delivered" {
            break;
        }
    }
    // Without an id: everything that waits, until it is confirmed. With the id of another agent's life: the same.
    for id in [None, Some("18446744073709551615.18446744073709551615")] {
        let mut anew = Listener::open(&saaq, id).await;
        for waiting in [first, second] {
            assert_eq!(anew.next_of("inbox").await.data["exchange_id"], waiting.to_string());
        }
    }
    saaq.client.confirm(&first).await.unwrap();
    let mut anew = Listener::open(&saaq, None).await;
    assert_eq!(anew.next_of("inbox").await.data["exchange_id"], second.to_string());
    // A stop says so, in a last event.
    assert!(saaq.process.stop().unwrap().success());
    assert_eq!(anew.next_of("end").await.data["reason"], "stopping");
    assert!(anew.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_post_reaches_every_recipient_of_the_agreement_and_tells_who_refused() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(folder.path());
    let clock = SystemClock::shared();
    let refusing = network.probe(REVENU.code, &clock).await.unwrap();
    let (ramq, saaq) = (network.agent(RAMQ).unwrap(), network.agent(SAAQ).unwrap());
    let form = draft(NUMBER, RAMQ, &[SAAQ, REVENU], today(clock.now()));
    let document = network.propose(&form).unwrap();
    for agent in [&ramq, &saaq] {
        agent.knows(&form, "PROPOSED").await.unwrap();
        agent.command(&["agreement", "sign", NUMBER, "1", "--yes"]).unwrap();
    }
    refusing.sign_agreement(&document).await.unwrap();
    network.step(Operator::SigningAuthority, "activate", &form).unwrap();
    for agent in [&ramq, &saaq] {
        agent.knows(&form, "ACTIVE").await.unwrap();
    }

    // No recipient is named: all of the agreement's.
    let id = send(&ramq, "à tous").await;
    let mut mail = refusing.collect(4).await.unwrap();
    let Item::Record(record) = mail.next().await.unwrap() else { panic!("a record") };
    let envelope = record.envelope.unwrap();
    assert_eq!(danger::peek(&envelope).unwrap().recipients, [REVENU.code, SAAQ.code]);
    let header_digest = digest(&SHA256, &envelope.header).as_ref().try_into().unwrap();
    let refused = Some(wire::Reason::PurposeNotCovered);
    let refusal = Acknowledged { exchange_id: id, header_digest, refused };
    mail.acknowledge(refusing.acknowledgement(&[refusal]).unwrap()).await.unwrap();

    let query = InboxQuery { wait: Some(PATIENCE), ..InboxQuery::default() };
    assert_eq!(saaq.client.inbox(&query).await.unwrap().records[0].exchange_id, id);
    let mut record = ramq.client.record(&id, None).await.unwrap();
    for _ in 0..10 {
        if !record.state.is_final() {
            record = ramq.client.record(&id, Some(PATIENCE)).await.unwrap();
        }
    }
    assert_eq!(record.state, RecordState::Refused);
    let outcomes: Vec<String> = record
        .recipients
        .iter()
        .map(|one| format!("{} {} {}", one.agency, one.state, one.reason.clone().unwrap_or_default()))
        .collect();
    assert_eq!(outcomes, ["revenu-quebec refused PURPOSE_NOT_COVERED", "saaq delivered "]);
}
