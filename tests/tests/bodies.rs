//! Bodies that are not what they say, or that nobody collects: nothing of them is kept, and who sent them is told.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use passerelle_agent::client::{InboxQuery, RecordsQuery, SendOptions};
use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_proto::wire::{self, Reason, submit_reply, upload_reply::Reply};
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, codes, draft, today};
use passerelle_tests::network::process::Program;
use passerelle_tests::probe::{Terms, frame};
use tokio::time::{Instant, sleep};
use tonic::Code;

/// Bytes of a body that goes in chunks.
const LARGE: usize = 3 << 20;

fn network(folder: &Path) -> Network {
    let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
    let network = Network::create(folder, program).unwrap();
    for body in [RAMQ, SAAQ] {
        network.register(body).unwrap();
    }
    network
}

/// Files in a folder and those below it.
fn files(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries.map(|entry| entry.unwrap().path()).map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

/// Posts a record whose head promises more than comes; gives the status line, if any.
fn cut_post(agent: &AgentProcess, framing: &str, body: &[u8]) -> String {
    let ready = agent.process.ready_line().to_owned();
    let address = ready.split("local=http://").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let token = fs::read_to_string(agent.config().with_file_name("donnees").join("local.token")).unwrap();
    let mut stream = TcpStream::connect(&address).unwrap();
    let head = format!(
        "POST /v1/records HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Passerelle-Agreement: ENT-2026-001\r\nPasserelle-Data-Categories: {}\r\n{framing}\r\n\r\n",
        token.trim(),
        codes::IDENTITY
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The agent may close first: that is an answer as well.
    stream.write_all(body).ok();
    stream.shutdown(Shutdown::Write).ok();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_body_that_ends_before_its_length_is_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(folder.path());
    let ramq = network.agent(RAMQ).unwrap();
    let saaq = network.agent_with_settings(SAAQ, "[limits]\ninbox_records_max = 2\n").unwrap();
    let form = draft("ENT-2026-001", RAMQ, &[SAAQ], today(SystemClock::shared().now()));
    network.conclude_by_agents(&form, &[&ramq, &saaq]).await.unwrap();
    let chunk =
        |length: usize| [format!("{length:x}\r\n").into_bytes(), vec![7; length], b"\r\n".to_vec()].concat();
    for (framing, body) in [
        ("Content-Length: 1000000".to_owned(), vec![7; 1_000]),
        (format!("Content-Length: {}", 2 * LARGE), vec![7; LARGE]),
        ("Content-Length: 1".to_owned(), Vec::new()),
        // No last chunk: cut between two, and inside one.
        ("Transfer-Encoding: chunked".to_owned(), chunk(LARGE)),
        ("Transfer-Encoding: chunked".to_owned(), b"fffff\r\nabc".to_vec()),
    ] {
        let answer = cut_post(&ramq, &framing, &body);
        assert!(answer.is_empty() || answer.contains(" 400 "), "{framing}: {answer}");
    }
    let two = cut_post(&ramq, "Content-Length: 5\r\nContent-Length: 6", b"abcdef");
    assert!(two.is_empty() || two.contains(" 400 "), "{two}");
    let until = Instant::now() + Duration::from_secs(20);
    let bodies = folder.path().join("ramq/donnees/outbox/bodies");
    while files(&bodies) > 0 {
        assert!(Instant::now() < until, "half a body stays");
        sleep(Duration::from_millis(20)).await;
    }
    assert!(ramq.client.records(&RecordsQuery::default()).await.unwrap().records.is_empty());
    assert_eq!(ramq.client.status().await.unwrap().queued, 0);
    all_come_through_a_small_inbox(&ramq, &saaq).await;
}

/// An inbox that is full in the middle of a session takes the rest once there is room.
async fn all_come_through_a_small_inbox(ramq: &AgentProcess, saaq: &AgentProcess) {
    let mut sent = BTreeSet::new();
    for length in [10, LARGE, 20, LARGE, 30, 40] {
        let mut options = SendOptions::under("ENT-2026-001");
        options.data_categories = vec![codes::IDENTITY.to_owned()];
        let body = stream::iter([Ok(Bytes::from(vec![7; length]))]);
        assert!(
            sent.insert(ramq.client.send(&options, body, Some(length as u64)).await.unwrap().exchange_id)
        );
    }
    let until = Instant::now() + Duration::from_secs(60);
    while !sent.is_empty() {
        assert!(Instant::now() < until, "{} do not come", sent.len());
        let query = InboxQuery { wait: Some(Duration::from_secs(5)), ..InboxQuery::default() };
        for record in saaq.client.inbox(&query).await.unwrap().records {
            saaq.client.confirm(&record.exchange_id).await.unwrap();
            assert!(sent.remove(&record.exchange_id), "twice");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_lies_or_is_never_collected_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(folder.path());
    let clock: SharedClock = SystemClock::shared();
    let ramq = network.probe("ramq", &clock).await.unwrap();
    let saaq = network.probe("saaq", &clock).await.unwrap();
    let form = draft("ENT-2026-001", RAMQ, &[SAAQ], today(ramq.now()));
    let terms = Terms::of(&network.conclude(&form, &[&ramq, &saaq]).await.unwrap());
    let to = ramq.recipients(&["saaq"]).await.unwrap();
    let bodies = network.gateway_data().join("bodies");
    let large = vec![9; LARGE - 100];

    // One byte less, and one more, than the chunks have.
    let (sealed, chunks) = ramq.seal_large(ramq.draft(&terms, &to), &to, &large).unwrap();
    for wrong in [large.len() as u64 - 1, large.len() as u64 + 1] {
        let lied = ramq.resigned(&sealed, |header| header.plaintext_length = wrong).unwrap();
        let answer = ramq.upload(lied.envelope.unwrap(), &sealed.chunk_hashes, &chunks).await.unwrap();
        let Reply::Denial(denial) = answer else { unreachable!("{answer:?}") };
        assert_eq!(denial.reason(), Reason::BodyMismatch);
        assert_eq!(files(&bodies), 0, "nothing of it stays");
    }
    // Inline, the same.
    let small = ramq.seal(ramq.draft(&terms, &to), &to, b"petit").unwrap();
    let lied = ramq.resigned(&small, |header| header.plaintext_length += 1).unwrap();
    assert_eq!(ramq.denied(lied).await.unwrap().reason(), Reason::BodyMismatch);

    // Uploaded and accepted, never collected.
    let expires = ramq.now().plus(Duration::from_secs(6));
    let brief = passerelle_proto::envelope::HeaderDraft { expires, ..ramq.draft(&terms, &to) };
    let (sealed, chunks) = ramq.seal_large(brief, &to, &large).unwrap();
    let answer = ramq.upload(sealed.envelope.clone(), &sealed.chunk_hashes, &chunks).await.unwrap();
    assert!(matches!(answer, Reply::Complete(true)), "{answer:?}");
    let reply = ramq.submit(frame(&sealed)).await.unwrap();
    assert!(matches!(reply.result, Some(submit_reply::Result::Receipt(_))), "{:?}", reply.result);
    assert!(files(&bodies) > 0);
    let until = Instant::now() + Duration::from_secs(40);
    while files(&bodies) > 0 {
        assert!(Instant::now() < until, "an expired body stays");
        sleep(Duration::from_millis(100)).await;
    }
    let request = wire::StateRequest { exchange_id: sealed.exchange_id.to_wire() };
    let state = ramq.exchange().state(request).await.unwrap().into_inner();
    assert!(state.recipients.iter().all(|recipient| recipient.expired), "the sender is told");
    let request = wire::DownloadRequest { exchange_id: sealed.exchange_id.to_wire(), from_chunk: 0 };
    assert_eq!(saaq.exchange().download(request).await.unwrap_err().code(), Code::NotFound);
}
