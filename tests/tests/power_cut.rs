//! The power goes, ten times, at the gateway, at the sender's agent or at the recipient's, each on a disk of its own;
//! the others keep what they were told. Nothing that was acknowledged is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use passerelle_agent::client::{InboxQuery, LocalClient, RecordsQuery, SendOptions};
use passerelle_pki::clock::SystemClock;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_tests::network::Network;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, codes, draft, today};
use passerelle_tests::network::disk::Disk;
use passerelle_tests::network::process::Program;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const ROUNDS: usize = 10;
/// Records taken over in a round before the power goes, at least.
const RECORDS: usize = 60;
/// Systems of the agency that send at a time.
const SENDERS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(400);
const SEED: u64 = 5;

/// What the sender's agent said it has, by id: the number in the body.
type Promised = Arc<Mutex<BTreeMap<ExchangeId, usize>>>;

/// Sends one record after another; a failure only means that nothing was promised.
async fn keep_sending(client: LocalClient, next: Arc<AtomicUsize>, promised: Promised) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let mut options = SendOptions::under("ENT-2026-001");
        options.data_categories = vec![codes::IDENTITY.to_owned()];
        // Each fifteenth in chunks, in files of its own.
        let repeated = if number.is_multiple_of(15) { 150_000 } else { 1 };
        let body = Bytes::from(format!("dossier {number};").repeat(repeated));
        let (length, source) = (body.len() as u64, stream::iter([Ok(body)]));
        match client.send(&options, source, Some(length)).await {
            Ok(accepted) => {
                promised.lock().unwrap().insert(accepted.exchange_id, number);
            }
            Err(_down) => sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Every id that a listing of the agent's gives, page by page.
async fn inbox(client: &LocalClient) -> Vec<ExchangeId> {
    let mut ids: Vec<ExchangeId> = Vec::new();
    loop {
        let query = InboxQuery { limit: Some(1_000), after: ids.last().copied(), wait: None };
        let page = client.inbox(&query).await.unwrap().records;
        if page.is_empty() {
            return ids;
        }
        ids.extend(page.iter().map(|record| record.exchange_id));
    }
}

/// The places in the log that the sender's agent holds receipts for.
async fn receipts(client: &LocalClient) -> BTreeMap<ExchangeId, u64> {
    let query = RecordsQuery { limit: Some(1_000), ..RecordsQuery::default() };
    let records = client.records(&query).await.unwrap().records;
    records
        .into_iter()
        .filter_map(|record| record.receipt.map(|receipt| (record.exchange_id, receipt.leaf_index)))
        .collect()
}

#[ignore = "needs root and a loop device: ./tests/run power"]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_power_goes() {
    let run = async {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
        let mut network = Network::create(folder.path(), program).unwrap();
        for body in [RAMQ, SAAQ] {
            network.register(body).unwrap();
        }
        let (mut ramq, mut saaq) = (network.agent(RAMQ).unwrap(), network.agent(SAAQ).unwrap());
        let form = draft("ENT-2026-001", RAMQ, &[SAAQ], today(SystemClock::shared().now()));
        network.conclude_by_agents(&form, &[&ramq, &saaq]).await.unwrap();

        let disks = folder.path().join("disques");
        std::fs::create_dir(&disks).unwrap();
        for process in [&mut ramq.process, &mut saaq.process] {
            assert!(process.stop().unwrap().success());
        }
        assert!(network.gateway().unwrap().stop().unwrap().success());
        let data = |code: &str| folder.path().join(code).join("donnees");
        let mut of_gateway = Disk::under(&network.gateway_data(), &disks.join("passerelle.img")).unwrap();
        let mut of_ramq = Disk::under(&data("ramq"), &disks.join("ramq.img")).unwrap();
        let mut of_saaq = Disk::under(&data("saaq"), &disks.join("saaq.img")).unwrap();
        network.start_gateway().unwrap();
        ramq.restart().unwrap();
        saaq.restart().unwrap();

        let (next, promised) = (Arc::new(AtomicUsize::new(1)), Promised::default());
        let mut random = ChaCha20Rng::seed_from_u64(SEED);
        let mut senders = JoinSet::new();
        for _ in 0..SENDERS {
            senders.spawn(keep_sending(ramq.client.clone(), Arc::clone(&next), Arc::clone(&promised)));
        }
        let (mut received, mut placed) = (Vec::new(), BTreeMap::new());
        for round in 0..ROUNDS {
            let until = promised.lock().unwrap().len() + RECORDS + random.random_range(0..RECORDS);
            while promised.lock().unwrap().len() < until {
                sleep(Duration::from_millis(1)).await;
            }
            match round % 3 {
                0 => {
                    network.gateway().unwrap().freeze().unwrap();
                    let found = of_gateway.as_found().unwrap();
                    network.gateway().unwrap().kill().unwrap();
                    of_gateway.restart(&found).unwrap();
                    network.start_gateway().unwrap();
                }
                1 => {
                    placed.extend(receipts(&ramq.client).await);
                    ramq.process.freeze().unwrap();
                    let kept: Vec<ExchangeId> = promised.lock().unwrap().keys().copied().collect();
                    let found = of_ramq.as_found().unwrap();
                    ramq.process.kill().unwrap();
                    of_ramq.restart(&found).unwrap();
                    ramq.restart().unwrap();
                    for id in kept {
                        ramq.client.record(&id, None).await.unwrap_or_else(|error| panic!("{id}: {error}"));
                    }
                }
                _ => {
                    received = inbox(&saaq.client).await;
                    saaq.process.freeze().unwrap();
                    let found = of_saaq.as_found().unwrap();
                    saaq.process.kill().unwrap();
                    of_saaq.restart(&found).unwrap();
                    saaq.restart().unwrap();
                    let here = inbox(&saaq.client).await;
                    assert_eq!(here[..received.len()], received, "the inbox lost what it had shown");
                }
            }
        }
        senders.shutdown().await;

        // All that was ever promised arrives, once.
        let promised = promised.lock().unwrap().clone();
        assert!(promised.len() >= ROUNDS * RECORDS && !received.is_empty());
        let mut arrived = inbox(&saaq.client).await;
        while !promised.keys().all(|id| arrived.contains(id)) {
            sleep(Duration::from_millis(200)).await;
            arrived = inbox(&saaq.client).await;
        }
        let mut once = arrived.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), arrived.len(), "a record came twice");
        let now = receipts(&ramq.client).await;
        for (id, leaf) in placed {
            assert!(now.get(&id).is_none_or(|place| *place == leaf), "{id}: another place in the log");
        }
        for process in [&mut ramq.process, &mut saaq.process] {
            assert!(process.stop().unwrap().success());
        }
        assert!(network.gateway().unwrap().stop().unwrap().success());
        network.verify_log().unwrap();
    };
    timeout(PATIENCE, run).await.unwrap();
}
