//! The power goes, ten times, at the gateway, at the sender's agent or at the recipient's, each on a disk of its own;
//! the others keep what they were told. Nothing that was acknowledged is lost.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use passerelle_agent::client::{InboxQuery, LocalClient, RecordsQuery, SendOptions};
use passerelle_pki::clock::SystemClock;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, codes, draft, today};
use passerelle_tests::network::disk::Disk;
use passerelle_tests::network::process::Program;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

const ROUNDS: usize = 10;
/// Records taken over in a round before the power goes, about.
const RECORDS: usize = 60;
/// Systems of the agency that send at a time.
const SENDERS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(400);
/// How long what was promised may take to arrive once the power stays on.
const ARRIVING: Duration = Duration::from_secs(90);
const SEED: u64 = 5;

/// What the sender's agent said it has, by id: the number in the body.
type Promised = Arc<Mutex<BTreeMap<ExchangeId, usize>>>;

/// Sends one record after another as places come; a failure only means that nothing was promised.
async fn keep_sending(
    client: LocalClient,
    places: Arc<Semaphore>,
    next: Arc<AtomicUsize>,
    promised: Promised,
) {
    while let Ok(place) = places.acquire().await {
        place.forget();
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
            Err(_down) => {
                places.add_permits(1);
                sleep(Duration::from_millis(20)).await;
            }
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

/// Gateway, sender's agent, recipient's agent, and the disk of each.
struct Site {
    network: Network,
    ramq: AgentProcess,
    saaq: AgentProcess,
    disks: [Disk; 3],
    _folder: tempfile::TempDir,
}

impl Site {
    async fn create() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
        let mut network = Network::create(folder.path(), program).unwrap();
        for body in [RAMQ, SAAQ] {
            network.register(body).unwrap();
        }
        let (mut ramq, mut saaq) = (network.agent(RAMQ).unwrap(), network.agent(SAAQ).unwrap());
        let form = draft("ENT-2026-001", RAMQ, &[SAAQ], today(SystemClock::shared().now()));
        network.conclude_by_agents(&form, &[&ramq, &saaq]).await.unwrap();
        stop(&mut network, [&mut ramq, &mut saaq]);
        let images = folder.path().join("disques");
        std::fs::create_dir(&images).unwrap();
        let data = |code: &str| folder.path().join(code).join("donnees");
        let disk = |data: &Path, name: &str| Disk::under(data, &images.join(name)).unwrap();
        let disks = [
            disk(&network.gateway_data(), "passerelle.img"),
            disk(&data("ramq"), "ramq.img"),
            disk(&data("saaq"), "saaq.img"),
        ];
        network.start_gateway().unwrap();
        ramq.restart().unwrap();
        saaq.restart().unwrap();
        Self { network, ramq, saaq, disks, _folder: folder }
    }

    fn cut_gateway(&mut self) {
        self.network.gateway().unwrap().freeze().unwrap();
        let found = self.disks[0].as_found().unwrap();
        self.network.gateway().unwrap().kill().unwrap();
        self.disks[0].restart(&found).unwrap();
        self.network.start_gateway().unwrap();
    }

    /// What the agent had promised and what it had been promised are there again.
    async fn cut_sender(&mut self, promised: &Promised, placed: &mut BTreeMap<ExchangeId, u64>) {
        placed.extend(receipts(&self.ramq.client).await);
        let kept: Vec<ExchangeId> = promised.lock().unwrap().keys().copied().collect();
        self.ramq.process.freeze().unwrap();
        let found = self.disks[1].as_found().unwrap();
        self.ramq.process.kill().unwrap();
        self.disks[1].restart(&found).unwrap();
        self.ramq.restart().unwrap();
        for id in kept {
            let record = self.ramq.client.record(&id, None).await;
            record.unwrap_or_else(|error| panic!("{id} was promised: {error}"));
        }
    }

    /// What the inbox had shown it shows again, in the same order.
    async fn cut_recipient(&mut self) -> usize {
        let shown = inbox(&self.saaq.client).await;
        self.saaq.process.freeze().unwrap();
        let found = self.disks[2].as_found().unwrap();
        self.saaq.process.kill().unwrap();
        self.disks[2].restart(&found).unwrap();
        self.saaq.restart().unwrap();
        let here = inbox(&self.saaq.client).await;
        assert_eq!(here[..shown.len()], shown, "the inbox lost what it had shown");
        shown.len()
    }

    /// All that was ever promised arrives, once; receipts name the places that they named; the log verifies.
    async fn settle(mut self, promised: &BTreeMap<ExchangeId, usize>, placed: BTreeMap<ExchangeId, u64>) {
        let mut arrived = inbox(&self.saaq.client).await;
        let until = Instant::now() + ARRIVING;
        while let Some((id, number)) = promised.iter().find(|(id, _)| !arrived.contains(id)) {
            if Instant::now() > until {
                let record = self.ramq.client.record(id, None).await;
                panic!("{id}, the {number}th of {}, {} here: {record:?}", promised.len(), arrived.len());
            }
            sleep(Duration::from_millis(200)).await;
            arrived = inbox(&self.saaq.client).await;
        }
        let once: BTreeSet<ExchangeId> = arrived.iter().copied().collect();
        assert_eq!(once.len(), arrived.len(), "a record came twice");
        let now = receipts(&self.ramq.client).await;
        for (id, leaf) in placed {
            assert!(now.get(&id).is_none_or(|place| *place == leaf), "{id}: another place in the log");
        }
        stop(&mut self.network, [&mut self.ramq, &mut self.saaq]);
        self.network.verify_log().unwrap();
    }
}

fn stop(network: &mut Network, agents: [&mut AgentProcess; 2]) {
    for agent in agents {
        assert!(agent.process.stop().unwrap().success());
    }
    assert!(network.gateway().unwrap().stop().unwrap().success());
}

#[ignore = "needs root and a loop device: ./tests/run power"]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_power_goes() {
    let run = async {
        let mut site = Site::create().await;
        let (next, promised) = (Arc::new(AtomicUsize::new(1)), Promised::default());
        let mut random = ChaCha20Rng::seed_from_u64(SEED);
        let (mut senders, places) = (JoinSet::new(), Arc::new(Semaphore::new(0)));
        for _ in 0..SENDERS {
            let (client, places) = (site.ramq.client.clone(), Arc::clone(&places));
            senders.spawn(keep_sending(client, places, Arc::clone(&next), Arc::clone(&promised)));
        }
        let (mut shown, mut placed) = (0, BTreeMap::new());
        for round in 0..ROUNDS {
            // Twice as many are on their way when the power goes.
            places.add_permits(2 * RECORDS);
            let until = promised.lock().unwrap().len() + random.random_range(RECORDS / 2..RECORDS);
            while promised.lock().unwrap().len() < until {
                sleep(Duration::from_millis(1)).await;
            }
            match round % 3 {
                0 => site.cut_gateway(),
                1 => site.cut_sender(&promised, &mut placed).await,
                _ => shown += site.cut_recipient().await,
            }
        }
        senders.shutdown().await;
        let promised = promised.lock().unwrap().clone();
        assert!(promised.len() >= ROUNDS * RECORDS / 2 && shown > 0 && !placed.is_empty());
        site.settle(&promised, placed).await;
    };
    timeout(PATIENCE, run).await.unwrap();
}
