//! What a monitoring system reads of an agent in a real network: well formed, true, and nothing of anybody.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use passerelle_agent::client::{ClientError, SendOptions};
use passerelle_pki::clock::SystemClock;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_tests::exposition::Scrape;
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, codes, draft, today};
use passerelle_tests::network::process::Program;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

const MARKER: &str = "MARQUEUR-4471";
const PATIENCE: Duration = Duration::from_secs(60);

/// Status and body of one request, with these header lines.
async fn get(address: &str, path: &str, headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    if head.starts_with("HTTP/1.1 200") {
        assert!(head.to_ascii_lowercase().contains("content-type: text/plain; version=0.0.4"), "{head}");
    }
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn scrape(address: SocketAddr) -> Scrape {
    let (status, text) = get(&address.to_string(), "/metrics", &format!("Host: {address}\r\n")).await;
    assert_eq!(status, 200, "{text}");
    assert!(!text.contains(MARKER), "{text}");
    Scrape::parse(&text).unwrap()
}

/// Scrapes until it holds; every scrape on the way is well formed.
async fn until(address: SocketAddr, holds: impl Fn(&Scrape) -> bool) -> Scrape {
    let end = Instant::now() + PATIENCE;
    loop {
        let scraped = scrape(address).await;
        if holds(&scraped) {
            return scraped;
        }
        assert!(Instant::now() < end, "it never came to hold: {scraped:#?}");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn send(agent: &AgentProcess, purpose: Option<&str>) -> Result<ExchangeId, ClientError> {
    let mut options = SendOptions::under("ENT-2026-001");
    options.data_categories = vec![codes::IDENTITY.to_owned()];
    options.purpose = purpose.map(str::to_owned);
    options.subjects = vec![MARKER.to_owned()];
    options.case_reference = Some(MARKER.to_owned());
    options.acting_user = Some(MARKER.to_owned());
    options.file_name = Some(MARKER.to_owned());
    let source = stream::iter([Ok(Bytes::from_static(MARKER.as_bytes()))]);
    Ok(agent.client.send(&options, source, None).await?.exchange_id)
}

fn value(scrape: &Scrape, name: &str) -> f64 {
    scrape.value(&format!("passerelle_agent_{name}")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scraper_reads_queue_ages_checkpoint_and_counters_and_nobodys_name() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
    let mut network = Network::create(folder.path(), program).unwrap();
    for body in [RAMQ, SAAQ] {
        network.register(body).unwrap();
    }
    let address = passerelle_tests::network::free_address().unwrap();
    let settings = format!("[metrics]\nlisten = \"{address}\"\n");
    let (ramq, saaq) = (network.agent_with_settings(RAMQ, &settings).unwrap(), network.agent(SAAQ).unwrap());
    let form = draft("ENT-2026-001", RAMQ, &[SAAQ], today(SystemClock::shared().now()));
    network.conclude_by_agents(&form, &[&ramq, &saaq]).await.unwrap();

    send(&ramq, None).await.unwrap();
    assert!(send(&ramq, Some("QC-INCONNU")).await.is_err());
    let one = until(address, |scrape| value(scrape, "records_delivered_total") == 1.0).await;
    assert_eq!(value(&one, "records_queued_total"), 1.0);
    assert_eq!(value(&one, "records_accepted_total"), 1.0);
    assert_eq!(value(&one, "requests_refused_total{reason=\"PURPOSE_NOT_COVERED\"}"), 1.0);
    assert_eq!(value(&one, "outbox_records"), 0.0);
    assert_eq!(value(&one, "connected"), 1.0);
    assert!(value(&one, "certificate_expiry_timestamp_seconds{certificate=\"key_bundle\"}") > 1.7e9);
    // The published log was seen and verified.
    let seen = until(address, |scrape| scrape.value("passerelle_agent_checkpoint_size").is_ok()).await;
    let size = value(&seen, "checkpoint_size");
    assert!(size > 0.0 && size <= f64::from(u32::try_from(network.log_size().unwrap()).unwrap()));
    assert_eq!(value(&seen, "checkpoint_alarm"), 0.0);

    // Without the gateway, the queue and its age grow.
    network.gateway().unwrap().kill().unwrap();
    send(&ramq, None).await.unwrap();
    let waiting = until(address, |scrape| {
        value(scrape, "connected") == 0.0 && value(scrape, "outbox_oldest_age_seconds") > 0.2
    })
    .await;
    assert_eq!(value(&waiting, "outbox_records"), 1.0);
    assert!(value(&waiting, "outbox_bytes") > 0.0);
    assert!(ramq.command(&["status"]).unwrap().contains("le plus ancien depuis / oldest for"));
    let json: serde_json::Value =
        serde_json::from_str(&ramq.command(&["status", "--json"]).unwrap()).unwrap();
    assert!(json["oldest_queued_at"].is_string() && json["checkpoint"]["size"].is_u64(), "{json}");

    guarded(&ramq, address, &waiting).await;
}

/// The same measures behind the token; none for a web page, in either place.
async fn guarded(ramq: &AgentProcess, address: SocketAddr, scraped: &Scrape) {
    let (host, other) = (format!("Host: {address}\r\n"), address.to_string());
    assert_eq!(get(&other, "/metrics", "Host: attaquant.example\r\n").await.0, 403);
    assert_eq!(get(&other, "/metrics", &format!("{host}Origin: http://{address}\r\n")).await.0, 403);
    assert_eq!(get(&other, "/v1/status", &host).await.0, 404, "only measures are here");
    let ready = ramq.process.ready_line();
    let local = ready.split("local=http://").nth(1).unwrap().split(' ').next().unwrap();
    let host = format!("Host: {local}\r\n");
    assert_eq!(get(local, "/v1/metrics", &host).await.0, 401);
    let token = std::fs::read_to_string(ramq.config().with_file_name("donnees").join("local.token")).unwrap();
    let (status, text) = get(local, "/v1/metrics", &format!("{host}Authorization: Bearer {token}\r\n")).await;
    assert_eq!(status, 200, "{text}");
    let series: Vec<String> = Scrape::parse(&text).unwrap().series().map(str::to_owned).collect();
    assert_eq!(series, scraped.series().map(str::to_owned).collect::<Vec<_>>());
}
