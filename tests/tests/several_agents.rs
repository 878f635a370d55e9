//! Two agents of one agency: either takes what is sent to the agency, one delivery in all, whichever of them is killed.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use passerelle_agent::client::{ClientError, InboxQuery, LocalClient, RecordsQuery, SendOptions};
use passerelle_agent::records::RecordState;
use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_proto::acknowledgement::Acknowledged;
use passerelle_proto::event;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{self, delivery::Delivery as Item, event::Detail, submit_reply};
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, codes, draft, today};
use passerelle_tests::network::operators::Operator;
use passerelle_tests::network::process::Program;
use passerelle_tests::probe::frame;
use passerelle_tests::probe::mail::Mail;
use passerelle_tests::probe::{Probe, Terms};
use prost::Message;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use tokio::time::{sleep, timeout};

const AGREEMENT: &str = "ENT-2026-001";
const SEED: u64 = 0x5EED_0006;
/// How long a system waits for mail before it looks again.
const WAIT: Duration = Duration::from_secs(1);

/// What the systems of both agents have taken, by exchange: through which agent.
#[derive(Debug, Default)]
struct Taken {
    by: Mutex<BTreeMap<ExchangeId, usize>>,
    twice: Mutex<Vec<ExchangeId>>,
    count: AtomicUsize,
    done: AtomicBool,
}

fn body(number: usize) -> Bytes {
    let repeated = if number.is_multiple_of(50) { 100_000 } else { 1 };
    Bytes::from(format!("dossier {number};").repeat(repeated))
}

async fn send(ramq: &LocalClient, number: usize) -> Result<ExchangeId, ClientError> {
    let mut options = SendOptions::under(AGREEMENT);
    options.data_categories = vec![codes::IDENTITY.to_owned()];
    options.idempotency_key = Some(format!("dossier-{number}"));
    let body = body(number);
    let (length, source) = (body.len() as u64, stream::iter([Ok(body)]));
    Ok(ramq.send(&options, source, Some(length)).await?.exchange_id)
}

/// A system of the agency: takes from one agent what is there, and confirms it. It takes each exchange of that agent once,
/// as the guide tells it to: between taking and confirming, the agent may be killed.
async fn take(client: LocalClient, agent: usize, taken: Arc<Taken>) {
    while !taken.done.load(Ordering::Relaxed) {
        let query = InboxQuery { wait: Some(WAIT), ..InboxQuery::default() };
        let Ok(page) = client.inbox(&query).await else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        for record in page.records {
            let id = record.exchange_id;
            let before = taken.by.lock().unwrap().insert(id, agent);
            match before {
                None => drop(taken.count.fetch_add(1, Ordering::Relaxed)),
                // The other agent has given it before.
                Some(other) if other != agent => taken.twice.lock().unwrap().push(id),
                Some(_) => {}
            }
            if client.confirm(&id).await.is_err() {
                break;
            }
        }
    }
}

struct Scene {
    network: Network,
    ramq: AgentProcess,
    saaq: [AgentProcess; 2],
    _folder: tempfile::TempDir,
}

async fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
    let network = Network::create(folder.path(), program).unwrap();
    for body in [RAMQ, SAAQ] {
        network.register(body).unwrap();
    }
    let (ramq, first) = (network.agent(RAMQ).unwrap(), network.agent(SAAQ).unwrap());
    let second = network.agent_named(SAAQ, "agent-2", "").unwrap();
    // What the sender learns of the agreement, it learns after what it learns of both agents' keys.
    for (agent, other) in [(&first, "saaq/agent-2"), (&second, "saaq/agent-1")] {
        until_async(async || {
            let status = agent.client.status().await.unwrap();
            status.bundle_until.is_some() && status.others.iter().any(|name| name.to_string() == other)
        })
        .await;
    }
    let form = draft(AGREEMENT, RAMQ, &[SAAQ], today(SystemClock::shared().now()));
    network.conclude_by_agents(&form, &[&ramq, &first]).await.unwrap();
    second.knows(&form, "ACTIVE").await.unwrap();
    Scene { network, ramq, saaq: [first, second], _folder: folder }
}

/// Sends `records` while agents of the recipient are killed `kills` times, and holds what arrived against what was sent.
async fn load(records: usize, kills: usize) {
    let Scene { mut network, mut ramq, mut saaq, _folder } = scene().await;
    let taken = Arc::new(Taken::default());
    let systems: Vec<_> = saaq
        .iter()
        .enumerate()
        .map(|(agent, process)| tokio::spawn(take(process.client.clone(), agent, Arc::clone(&taken))))
        .collect();
    let sender = ramq.client.clone();
    let sending = tokio::spawn(async move {
        let mut sent = BTreeSet::new();
        for number in 0..records {
            assert!(sent.insert(send(&sender, number).await.unwrap()));
        }
        sent
    });

    let mut random = ChaCha20Rng::seed_from_u64(SEED);
    for kill in 0..kills {
        // At some moment of the next part of the load, one after the other.
        let reached = (records * (kill + 1)) / (kills + 2) + random.random_range(0..records / (kills + 2));
        until(|| taken.count.load(Ordering::Relaxed) >= reached).await;
        sleep(Duration::from_millis(random.random_range(0..30))).await;
        saaq[kill % 2].process.kill().unwrap();
        sleep(Duration::from_millis(random.random_range(0..200))).await;
        saaq[kill % 2].restart().unwrap();
    }
    let sent = sending.await.unwrap();
    until(|| taken.count.load(Ordering::Relaxed) >= records).await;
    // Nothing is left, and nothing comes after.
    for agent in &saaq {
        until_async(async || {
            let status = agent.client.status().await.unwrap();
            status.connected && status.inbox == 0 && status.inbox_pending == 0
        })
        .await;
    }
    taken.done.store(true, Ordering::Relaxed);
    for system in systems {
        system.await.unwrap();
    }
    let by = std::mem::take(&mut *taken.by.lock().unwrap());
    assert_eq!(*taken.twice.lock().unwrap(), []);
    assert!(by.keys().eq(sent.iter()), "sent {}, taken {}", sent.len(), by.len());
    let of_first = by.values().filter(|agent| **agent == 0).count();
    println!(
        "{records} records, {kills} kills: {of_first} by the first agent, {} by the second",
        records - of_first
    );
    assert!(of_first > 0 && of_first < records, "both took some");

    // The sender has heard of each, and the log has one acknowledgement of each.
    until_async(async || ramq.client.status().await.unwrap().on_the_way == 0).await;
    let query = RecordsQuery { limit: Some(10), ..RecordsQuery::default() };
    for record in ramq.client.records(&query).await.unwrap().records {
        assert_eq!(record.state, RecordState::Delivered);
    }
    for agent in saaq.iter_mut().chain([&mut ramq]) {
        assert!(agent.process.stop().unwrap().success());
    }
    assert!(network.gateway().unwrap().stop().unwrap().success());
    network.verify_log().unwrap();
    let acknowledged = acknowledgements(&network);
    assert!(acknowledged.iter().map(|(id, _)| id).collect::<BTreeSet<_>>().len() == acknowledged.len());
    let by_log: BTreeMap<_, _> = acknowledged.into_iter().collect();
    assert!(by_log.len() == records);
    for (id, agent) in by {
        assert_eq!(by_log[&id], ["agent-1", "agent-2"][agent], "{id}");
    }
}

/// Every acknowledgement in the log: exchange and agent.
fn acknowledgements(network: &Network) -> Vec<(ExchangeId, String)> {
    let mut found = Vec::new();
    for entry in network.log_entries().unwrap() {
        if let Some(Detail::Acknowledgement(detail)) = event::decode(&entry).unwrap().detail {
            let body = wire::Acknowledgement::decode(detail.statement.unwrap().payload).unwrap();
            let id = |exchange: &wire::AcknowledgedExchange| {
                ExchangeId::from_bytes(&exchange.exchange_id).unwrap()
            };
            found.extend(body.exchanges.iter().map(|exchange| (id(exchange), body.agent.clone())));
        }
    }
    found
}

async fn until(holds: impl Fn() -> bool) {
    until_async(async || holds()).await;
}

async fn until_async(holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(240), waiting).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_delivery_in_all_whichever_agent_is_killed() {
    load(300, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes of load; a step of tests/run"]
async fn one_delivery_in_all_over_thousands_of_records() {
    load(2_500, 14).await;
}

/// What a session is answered to an acknowledgement of these.
async fn answer(agent: &Probe, mail: &mut Mail, records: &[Acknowledged]) -> wire::AcknowledgementLogged {
    mail.acknowledge(agent.acknowledgement(records).unwrap()).await.unwrap();
    loop {
        if let Item::Acknowledged(answer) = mail.next().await.unwrap() {
            return answer;
        }
    }
}

/// Of an answer: ours, the others with their agent, the leaf. Each of the others comes with what its agent signed.
async fn acknowledge(
    agent: &Probe,
    mail: &mut Mail,
    records: &[Acknowledged],
) -> (Vec<Bytes>, Vec<(Bytes, String)>, u64) {
    let answer = answer(agent, mail, records).await;
    assert_eq!(answer.unknown, []);
    for ended in &answer.elsewhere {
        let payload = ended.acknowledgement.clone().unwrap().payload;
        let signed = wire::Acknowledgement::decode(payload).unwrap();
        assert_eq!((&signed.agency[..], &signed.agent), ("saaq", &ended.agent));
        assert!(signed.exchanges.iter().any(|exchange| exchange.exchange_id == ended.exchange_id));
    }
    let elsewhere = answer.elsewhere.into_iter().map(|ended| (ended.exchange_id, ended.agent));
    (answer.exchange_ids, elsewhere.collect(), answer.leaf_index)
}

/// What the gateway does not have is named, and holds nothing up.
async fn unknown_among_good(agent: &Probe, mail: &mut Mail, good: Acknowledged) {
    let id = ExchangeId::draw(agent.now(), &ring::rand::SystemRandom::new()).unwrap();
    let none = Acknowledged { exchange_id: id, ..good };
    let other = Acknowledged { header_digest: [7; 32], ..good };
    for (named, reason) in [(none, wire::Reason::RecipientUnknown), (other, wire::Reason::BodyMismatch)] {
        let unknown =
            wire::UnknownExchange { exchange_id: named.exchange_id.to_wire(), reason: reason.into() };
        let records = if named.exchange_id == good.exchange_id { vec![named] } else { vec![named, good] };
        let answer = answer(agent, mail, &records).await;
        assert_eq!(
            (answer.unknown, answer.exchange_ids.len(), answer.elsewhere.len()),
            (vec![unknown], 0, 0)
        );
    }
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

async fn record(mail: &mut Mail) -> wire::DeliveredRecord {
    match timeout(Duration::from_secs(20), mail.next()).await.unwrap().unwrap() {
        Item::Record(record) => record,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_acknowledgement_decides_and_only_agents_with_a_key_are_asked() {
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
    assert_eq!(to.len(), 2);
    let late = network.probe_named("saaq", "tard", &clock).await.unwrap();
    // It waits before anything comes, and takes nothing that it cannot open: the first gets all three.
    let _of_late = late.collect(8).await.unwrap();
    for number in 0..3 {
        let sealed = ramq.seal(ramq.draft(&terms, &to), &to, &[number]).unwrap();
        let reply = ramq.submit(frame(&sealed)).await.unwrap();
        assert!(matches!(reply.result, Some(submit_reply::Result::Receipt(_))), "{reply:?}");
    }

    let mut of_first = first.collect(8).await.unwrap();
    let mut opened = Vec::new();
    for _ in 0..3 {
        opened.push(first.open(&record(&mut of_first).await, &ramq).unwrap().acknowledged);
    }
    let [one, two, three] = opened[..] else { panic!("three") };
    let id = |record: Acknowledged| record.exchange_id.to_wire();
    let mut of_second = second.collect(8).await.unwrap();
    let by = |agent: &str, record| vec![(id(record), agent.to_owned())];
    // The second had the first record from before, and is quicker.
    let (ours, elsewhere, leaf) = acknowledge(&second, &mut of_second, &[one]).await;
    assert_eq!((ours, elsewhere), (vec![id(one)], vec![]));
    for _ in 0..2 {
        let (ours, elsewhere, again) = acknowledge(&second, &mut of_second, &[one]).await;
        assert_eq!((ours, elsewhere, again), (vec![id(one)], vec![], leaf));
        let (ours, elsewhere, _) = acknowledge(&first, &mut of_first, &[one]).await;
        assert_eq!((ours, elsewhere), (vec![], by("deux", one)));
    }
    // Together with what has ended before, nothing is logged: what still waits is to be said again.
    let (ours, elsewhere, _) = acknowledge(&first, &mut of_first, &[two, one]).await;
    assert_eq!((ours, elsewhere), (vec![], by("deux", one)));
    unknown_among_good(&first, &mut of_first, two).await;
    let (ours, elsewhere, _) = acknowledge(&first, &mut of_first, &[two]).await;
    assert_eq!((ours, elsewhere), (vec![id(two)], vec![]));
    // It survives the gateway, whose view may be gone.
    network.gateway().unwrap().kill().unwrap();
    std::fs::remove_dir_all(network.gateway_data().join("view.sled")).unwrap();
    network.start_gateway().unwrap();
    let mut of_second = collect(&second).await;
    assert_eq!(second.open(&record(&mut of_second).await, &ramq).unwrap().acknowledged, three);
    let (ours, elsewhere, _) = acknowledge(&second, &mut of_second, &[two, one]).await;
    assert_eq!((ours, elsewhere), (vec![id(one)], by("un", two)));
    drop(of_second);

    // Once nobody is left who could open the last one, somebody else is asked, and tells the sender.
    let mut of_late = collect(&late).await;
    for name in ["un", "deux"] {
        let command = ["agency", "revoke-agent", "saaq", name, "--reason", "perte"];
        network.operate(Operator::Security, &command).unwrap();
    }
    let refused = Acknowledged { refused: Some(wire::Reason::Unreadable), ..three };
    let delivered = record(&mut of_late).await;
    assert!(late.open(&delivered, &ramq).is_err());
    let (ours, elsewhere, _) = acknowledge(&late, &mut of_late, &[refused]).await;
    assert_eq!((ours, elsewhere), (vec![id(three)], vec![]));

    network.gateway().unwrap().stop().unwrap();
    let logged: Vec<_> =
        acknowledgements(&network).into_iter().map(|(id, agent)| (id.to_wire(), agent)).collect();
    let by = |record, agent: &str| (id(record), agent.to_owned());
    assert_eq!(logged, [by(one, "deux"), by(two, "un"), by(three, "tard")]);
}
