//! Records that are to be delivered in order: numbered by their sender, held back by the gateway, checked by the recipient.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

#[path = "delivery/system.rs"]
#[expect(dead_code, reason = "shared with the tests of webhooks")]
mod system;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use passerelle_agent::client::{InboxQuery, LocalClient, SendOptions};
use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_proto::envelope::{RecipientPublicKey, SealedRecord};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{self, Reason, delivery::Delivery as Item, submit_reply};
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, codes, draft, today};
use passerelle_tests::network::process::Program;
use passerelle_tests::probe::frame;
use passerelle_tests::probe::mail::{Mail, Opened};
use passerelle_tests::probe::{Probe, Terms};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use system::{Behaviour, System};
use tokio::time::{sleep, timeout};

const AGREEMENT: &str = "ENT-2026-001";
const SEED: u64 = 0x5EED_0033;
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(150);
/// How long something may take to come.
const SOON: Duration = Duration::from_secs(20);

/// A sender that says what it wants of the order.
struct Hostile<'a> {
    probe: &'a Probe,
    terms: &'a Terms,
    to: &'a [RecipientPublicKey],
}

impl Hostile<'_> {
    fn seal(&self, stream: u8, sequence: u64) -> SealedRecord {
        let mut draft = self.probe.draft(self.terms, self.to);
        draft.order =
            (sequence > 0).then(|| wire::Order { stream: Bytes::copy_from_slice(&[stream; 16]), sequence });
        self.probe.seal(draft, self.to, format!("{stream}/{sequence}").as_bytes()).unwrap()
    }

    async fn submit(&self, sealed: &SealedRecord) -> Option<(Reason, String)> {
        match self.probe.submit(frame(sealed)).await.unwrap().result.unwrap() {
            submit_reply::Result::Receipt(_) => None,
            submit_reply::Result::Denial(denial) => Some((denial.reason(), denial.detail)),
        }
    }

    async fn send(&self, stream: u8, sequence: u64) -> Option<(Reason, String)> {
        self.submit(&self.seal(stream, sequence)).await
    }
}

async fn record(agent: &Probe, mail: &mut Mail, sender: &Probe) -> Opened {
    match timeout(SOON, mail.next()).await.unwrap().unwrap() {
        Item::Record(record) => agent.open(&record, sender).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn text(opened: &Opened) -> String {
    String::from_utf8(opened.body.clone()).unwrap()
}

/// Acknowledges, and gives what is delivered until a certain record came; the acknowledgement has been answered by then.
async fn acknowledge(agent: &Probe, mail: &mut Mail, records: &[&Opened]) {
    let named: Vec<_> = records.iter().map(|opened| opened.acknowledged).collect();
    mail.acknowledge(agent.acknowledgement(&named).unwrap()).await.unwrap();
    match timeout(SOON, mail.next()).await.unwrap().unwrap() {
        Item::Acknowledged(answer) => assert_eq!(answer.exchange_ids.len(), named.len()),
        other => panic!("{other:?}"),
    }
}

/// Nothing else is on its way to this session.
async fn nothing_more(mail: &mut Mail) {
    assert!(timeout(Duration::from_millis(300), mail.next()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_takes_no_number_twice_and_holds_back_what_comes_after_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
    let mut network = Network::create(folder.path(), program).unwrap();
    for body in [RAMQ, SAAQ] {
        network.register(body).unwrap();
    }
    let clock: SharedClock = SystemClock::shared();
    let ramq = network.probe("ramq", &clock).await.unwrap();
    let first = network.probe_named("saaq", "un", &clock).await.unwrap();
    let second = network.probe_named("saaq", "deux", &clock).await.unwrap();
    let form = draft(AGREEMENT, RAMQ, &[SAAQ], today(ramq.now()));
    let terms = Terms::of(&network.conclude(&form, &[&ramq, &first]).await.unwrap());
    let to = ramq.recipients(&["saaq"]).await.unwrap();
    let sender = Hostile { probe: &ramq, terms: &terms, to: &to };

    // A number is taken once, and none below it any more; a gap is the sender's affair.
    let two = sender.seal(1, 2);
    assert_eq!(sender.submit(&two).await, None);
    let passed = |detail: &str| Some((Reason::SequencePassed, detail.to_owned()));
    assert_eq!(sender.send(1, 1).await, passed("sequence=1; last=2"));
    assert_eq!(sender.send(1, 2).await, passed("sequence=2; last=2"));
    assert_eq!(sender.submit(&two).await, None, "the same record again");
    for (stream, sequence) in [(1, 3), (2, 1), (1, 7), (0, 0), (1, 8)] {
        assert_eq!(sender.send(stream, sequence).await, None, "{stream}/{sequence}");
    }
    assert_eq!(sender.send(1, 5).await, passed("sequence=5; last=8"));

    // One of each stream at a time, whoever asks, and what is not ordered beside them.
    let mut of_first = first.collect(8).await.unwrap();
    let mut got = Vec::new();
    for _ in 0..3 {
        got.push(record(&first, &mut of_first, &ramq).await);
    }
    assert_eq!(got.iter().map(text).collect::<Vec<_>>(), ["1/2", "2/1", "0/0"]);
    let mut of_second = second.collect(8).await.unwrap();
    nothing_more(&mut of_first).await;
    acknowledge(&first, &mut of_first, &[&got[0], &got[2]]).await;
    let three = record(&first, &mut of_first, &ramq).await;
    assert_eq!(text(&three), "1/3");
    nothing_more(&mut of_second).await;

    // A newer session of the same agent ends the older, and has what that did not acknowledge.
    drop(of_second);
    let mut again = first.collect(8).await.unwrap();
    let ended = timeout(SOON, of_first.next()).await.unwrap().unwrap_err();
    assert!(format!("{ended:#}").contains("newer session"), "{ended:#}");
    let mut waiting =
        vec![text(&record(&first, &mut again, &ramq).await), text(&record(&first, &mut again, &ramq).await)];
    waiting.sort();
    assert_eq!(waiting, ["1/3", "2/1"]);

    // The other agent is not given what comes after, while the first may come back; what nobody has begun, it is.
    drop(again);
    let mut of_second = collect(&second).await;
    let other = record(&second, &mut of_second, &ramq).await;
    assert_eq!(text(&other), "2/1");
    nothing_more(&mut of_second).await;
    acknowledge(&second, &mut of_second, &[&other]).await;

    // It is all in the log: the gateway is killed and its view lost.
    network.gateway().unwrap().kill().unwrap();
    std::fs::remove_dir_all(network.gateway_data().join("view.sled")).unwrap();
    network.start_gateway().unwrap();
    let mut of_first = collect(&first).await;
    for expected in ["1/3", "1/7", "1/8"] {
        let opened = record(&first, &mut of_first, &ramq).await;
        assert_eq!(text(&opened), expected);
        nothing_more(&mut of_first).await;
        acknowledge(&first, &mut of_first, &[&opened]).await;
    }
    assert_eq!(sender.send(1, 8).await, passed("sequence=8; last=8"));
    assert_eq!(sender.send(1, 9).await, None);
    assert_eq!(text(&record(&first, &mut of_first, &ramq).await), "1/9");
    network.gateway().unwrap().stop().unwrap();
    network.verify_log().unwrap();
}

/// Begins to collect, on a connection that may be the one to the gateway before it was killed.
async fn collect(agent: &Probe) -> Mail {
    for _ in 0..100 {
        if let Ok(mail) = agent.collect(8).await {
            return mail;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("no connection")
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(timeout(PATIENCE, waiting).await.is_ok(), "{what}");
}

/// Sends one record, again under its key while the agent is away.
async fn send(client: &LocalClient, number: usize, ordered: bool) {
    let mut options = SendOptions::under(AGREEMENT);
    options.data_categories = vec![codes::IDENTITY.to_owned()];
    options.ordered = ordered;
    options.idempotency_key = Some(format!("{number}-{ordered}"));
    // Some go by an upload of their own.
    let repeated = if number.is_multiple_of(60) { 120_000 } else { 1 };
    let body = Bytes::from(format!("dossier {number};").repeat(repeated));
    for _ in 0..2_000 {
        let (length, source) = (body.len() as u64, stream::iter([Ok(body.clone())]));
        if client.send(&options, source, Some(length)).await.is_ok() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("record {number} cannot be sent")
}

/// What the systems of both agents have taken: of the ordered ones their stream and number, in the order of taking.
#[derive(Debug, Default)]
struct Taken {
    seen: Mutex<HashSet<ExchangeId>>,
    order: Mutex<Vec<(String, u64)>>,
    count: AtomicUsize,
    done: AtomicBool,
}

/// A system of the agency: takes from one agent what is there, each once, and confirms it.
async fn take(client: LocalClient, taken: Arc<Taken>) {
    while !taken.done.load(Ordering::Relaxed) {
        let query = InboxQuery { wait: Some(Duration::from_secs(1)), ..InboxQuery::default() };
        let Ok(page) = client.inbox(&query).await else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        for record in page.records {
            if taken.seen.lock().unwrap().insert(record.exchange_id) {
                if let Some(order) = record.order {
                    taken.order.lock().unwrap().push((order.stream, order.sequence));
                }
                taken.count.fetch_add(1, Ordering::Relaxed);
            }
            if client.confirm(&record.exchange_id).await.is_err() {
                break;
            }
        }
    }
}

/// A network with these agents of the recipient.
async fn network(
    names: &[&str],
    settings: &str,
) -> (Network, AgentProcess, Vec<AgentProcess>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
    let network = Network::create(folder.path(), program).unwrap();
    for body in [RAMQ, SAAQ] {
        network.register(body).unwrap();
    }
    let ramq = network.agent(RAMQ).unwrap();
    let mut saaq = vec![network.agent_with_settings(SAAQ, settings).unwrap()];
    for name in names {
        saaq.push(network.agent_named(SAAQ, name, "").unwrap());
    }
    // What the sender learns of the agreement, it learns after what it learns of every agent's keys.
    for agent in &saaq {
        let waiting = async {
            while agent
                .client
                .status()
                .await
                .is_ok_and(|status| status.bundle_until.is_none() || status.others.len() < names.len())
            {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, waiting).await.unwrap();
    }
    let form = draft(AGREEMENT, RAMQ, &[SAAQ], today(SystemClock::shared().now()));
    network.conclude_by_agents(&form, &[&ramq, &saaq[0]]).await.unwrap();
    for agent in &saaq[1..] {
        agent.knows(&form, "ACTIVE").await.unwrap();
    }
    (network, ramq, saaq, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_posted_in_order_is_taken_in_order_whoever_is_killed() {
    const RECORDS: usize = 300;
    const KILLS: usize = 8;
    let (mut network, mut ramq, mut saaq, _folder) = network(&["agent-2"], "").await;
    let taken = Arc::new(Taken::default());
    let systems: Vec<_> =
        saaq.iter().map(|agent| tokio::spawn(take(agent.client.clone(), Arc::clone(&taken)))).collect();
    let (sender, begun) = (ramq.client.clone(), Instant::now());
    let sending = tokio::spawn(async move {
        for number in 0..RECORDS {
            send(&sender, number, true).await;
            send(&sender, number, false).await;
        }
    });
    let mut random = ChaCha20Rng::seed_from_u64(SEED);
    for kill in 0..KILLS {
        let reached = 2 * RECORDS * (kill + 1) / (KILLS + 2) + random.random_range(0..20);
        until("records are taken", || taken.count.load(Ordering::Relaxed) >= reached).await;
        sleep(Duration::from_millis(random.random_range(0..30))).await;
        let away = Duration::from_millis(random.random_range(0..150));
        match kill % 4 {
            0 => {
                ramq.process.kill().unwrap();
                sleep(away).await;
                ramq.restart().unwrap();
            }
            2 => {
                network.gateway().unwrap().kill().unwrap();
                sleep(away).await;
                network.start_gateway().unwrap();
            }
            other => {
                let agent = &mut saaq[other / 2];
                agent.process.kill().unwrap();
                sleep(away).await;
                agent.restart().unwrap();
            }
        }
    }
    sending.await.unwrap();
    until("all is taken", || taken.count.load(Ordering::Relaxed) >= 2 * RECORDS).await;
    println!("{RECORDS} ordered records and as many others, {KILLS} kills: {:?}", begun.elapsed());
    taken.done.store(true, Ordering::Relaxed);
    for system in systems {
        system.await.unwrap();
    }
    let order = std::mem::take(&mut *taken.order.lock().unwrap());
    let stream = order[0].0.clone();
    let expected: Vec<_> = (1..=RECORDS as u64).map(|sequence| (stream.clone(), sequence)).collect();
    assert_eq!(order, expected);
    for agent in saaq.iter_mut().chain([&mut ramq]) {
        assert!(agent.process.stop().unwrap().success());
    }
    assert!(network.gateway().unwrap().stop().unwrap().success());
    network.verify_log().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_posted_a_stream_in_its_order_however_often_its_system_fails() {
    const RECORDS: usize = 40;
    let system = System::start(Behaviour::Status(503)).await;
    let settings =
        format!("[webhooks.suite]\nurl = \"{}\"\nagreements = [\"*\"]\ntimeout_s = 2\n\n", system.url());
    let (_network, ramq, saaq, _folder) = network(&[], &settings).await;
    for number in 1..=RECORDS {
        send(&ramq.client, number, true).await;
    }
    let mut posted = Vec::new();
    let mut collect = async |least: usize| {
        let enough = || system.count() >= least;
        until("the system is posted to", enough).await;
        posted.extend(
            system
                .take()
                .into_iter()
                .map(|post| post.header("passerelle-sequence").parse::<usize>().unwrap()),
        );
    };
    collect(1).await;
    for _ in 0..2 {
        system.behave(Behaviour::Status(204));
        collect(10).await;
        system.behave(Behaviour::Status(503));
        collect(1).await;
    }
    system.behave(Behaviour::Status(204));
    let emptied = async {
        while saaq[0].client.status().await.unwrap().inbox > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, emptied).await.unwrap();
    collect(1).await;
    assert!(posted.is_sorted(), "{posted:?}");
    let each: HashSet<usize> = posted.iter().copied().collect();
    assert_eq!(each.len(), RECORDS);
    assert!(posted.len() > RECORDS, "some were posted again");
}
