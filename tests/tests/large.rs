//! A large record goes through in constant memory, goes on where it was when the sender, the gateway or the receiver is
//! killed in the middle, and arrives byte for byte.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use passerelle_agent::client::{InboxQuery, SendOptions};
use passerelle_agent::records::{Progress, RecordState};
use passerelle_pki::clock::SystemClock;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, codes, draft, today};
use passerelle_tests::network::process::{Program, Running};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ring::digest::{Context, SHA256};
use serde_json::Value;
use tokio::time::{Instant, sleep};

const NUMBER: &str = "ENT-2026-001";
const SEED: u64 = 50;
/// Bytes of the everyday record.
const EVERYDAY: u64 = 24 << 20;
/// Bytes made at a time.
const BLOCK: usize = 256 << 10;
/// What a process may hold in memory.
const MEMORY: u64 = 100_000_000;
/// Records that are sent until one is caught in the middle.
const ATTEMPTS: usize = 6;

struct World {
    network: Network,
    ramq: AgentProcess,
    saaq: AgentProcess,
    /// Most memory that any process held: sender, gateway, receiver.
    peak: [u64; 3],
    _folder: tempfile::TempDir,
}

/// Who is killed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Party {
    Sender,
    Gateway,
    Receiver,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
        let limits = "[limits]\nrecord_bytes_max = 53687091200\n";
        let network = Network::with_gateway_settings(folder.path(), program, limits).unwrap();
        for body in [RAMQ, SAAQ] {
            network.register(body).unwrap();
        }
        let json = "[tracing]\njson = true\n";
        let ramq = network.agent_with_settings(RAMQ, json).unwrap();
        let saaq = network.agent_with_settings(SAAQ, json).unwrap();
        let mut form = draft(NUMBER, RAMQ, &[SAAQ], today(SystemClock::shared().now()));
        form.limits.max_record_bytes = None;
        network.conclude_by_agents(&form, &[&ramq, &saaq]).await.unwrap();
        Self { network, ramq, saaq, peak: [0; 3], _folder: folder }
    }

    fn process(&mut self, party: Party) -> &mut Running {
        match party {
            Party::Sender => &mut self.ramq.process,
            Party::Gateway => self.network.gateway().unwrap(),
            Party::Receiver => &mut self.saaq.process,
        }
    }

    /// Notes what a process held at most, and whether that was too much.
    fn measure(&mut self, party: Party) {
        let held = self.process(party).peak_memory().unwrap();
        let peak = &mut self.peak[party as usize];
        *peak = held.max(*peak);
        assert!(held < MEMORY, "{party:?} held {held} bytes");
    }

    fn kill(&mut self, party: Party) {
        self.measure(party);
        self.process(party).kill().unwrap();
        match party {
            Party::Sender => self.ramq.restart().unwrap(),
            Party::Gateway => self.network.start_gateway().unwrap(),
            Party::Receiver => self.saaq.restart().unwrap(),
        }
    }

    /// Sends a record that is made as it goes; gives its id and digest.
    async fn send(&self, length: u64, seed: u64) -> (ExchangeId, [u8; 32]) {
        let mut options = SendOptions::under(NUMBER);
        options.data_categories = vec![codes::IDENTITY.to_owned()];
        let expected = digest(length, seed);
        let body = stream::iter(Blocks::new(length, seed).map(|block| Ok(Bytes::from(block))));
        let sent = self.ramq.client.send(&options, body, Some(length)).await.unwrap();
        (sent.exchange_id, expected)
    }

    /// How far the upload has come; nothing before it has begun.
    async fn uploaded(&self, id: ExchangeId) -> Option<Progress> {
        self.ramq.client.record(&id, None).await.unwrap().progress
    }

    async fn downloaded(&self, id: ExchangeId) -> Option<Progress> {
        let incoming = self.saaq.client.incoming().await.unwrap();
        incoming.into_iter().find(|record| record.exchange_id == id).map(|record| record.progress)
    }

    async fn state(&self, id: ExchangeId) -> RecordState {
        self.ramq.client.record(&id, None).await.unwrap().state
    }

    async fn progress(&self, way: Way, id: ExchangeId) -> Option<Progress> {
        match way {
            Way::Up => self.uploaded(id).await,
            Way::Down => self.downloaded(id).await,
        }
    }

    /// Whether that way is behind the record.
    async fn is_over(&self, way: Way, id: ExchangeId) -> bool {
        match way {
            Way::Up => !matches!(self.state(id).await, RecordState::Queued | RecordState::Sent),
            Way::Down => {
                let inbox = self.saaq.client.inbox(&InboxQuery::default()).await.unwrap();
                inbox.records.iter().any(|record| record.exchange_id == id)
            }
        }
    }

    /// Kills `party` once the record has come `part` of a hundred of a way, and waits until it goes on; gives from where.
    /// `None` when it was too quick to be caught.
    async fn kill_in_the_middle(
        &mut self,
        party: Party,
        (way, id, part): (Way, ExchangeId, u64),
        patience: Duration,
    ) -> Option<u64> {
        let until = Instant::now() + patience;
        loop {
            let progress = self.progress(way, id).await.filter(|progress| progress.bytes < progress.of);
            if progress
                .is_some_and(|progress| progress.bytes > 0 && progress.bytes * 100 >= progress.of * part)
            {
                break;
            }
            if self.is_over(way, id).await {
                println!("{way:?}: over before {party:?} could be killed");
                return None;
            }
            assert!(Instant::now() < until, "{way:?} does not move: {progress:?}");
            sleep(Duration::from_millis(2)).await;
        }
        let before = self.resumptions(way, id).len();
        println!("{way:?}: {party:?} is killed at {:?}", self.progress(way, id).await);
        self.kill(party);
        while Instant::now() < until {
            if let Some(from) = self.resumptions(way, id).get(before) {
                let at = self.progress(way, id).await.map_or(0, |progress| progress.bytes);
                println!(
                    "{way:?}: {party:?} killed, gone on from {} MiB, now at {} MiB",
                    from >> 20,
                    at >> 20
                );
                return Some(*from);
            }
            if self.is_over(way, id).await && self.resumptions(way, id).len() == before {
                return None;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("{way:?} does not go on after {party:?} was killed");
    }

    /// From where the transfers of a record that were cut went on, by the log of the agent concerned.
    fn resumptions(&self, way: Way, id: ExchangeId) -> Vec<u64> {
        let (log, word) = match way {
            Way::Up => (self.ramq.log(), "upload"),
            Way::Down => (self.saaq.log(), "download"),
        };
        let text = std::fs::read_to_string(log).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let fields = lines.map(|line| line["fields"].clone());
        fields
            .filter(|fields| fields["way"] == word && fields["id"] == id.to_string())
            .filter_map(|fields| {
                fields["resumed_from"].as_u64().filter(|from| Some(*from) < fields["of"].as_u64())
            })
            .collect()
    }

    /// Takes the record: the digest of its content.
    async fn take(&self, id: ExchangeId, patience: Duration) -> [u8; 32] {
        let until = Instant::now() + patience;
        while !self.is_over(Way::Down, id).await {
            assert!(Instant::now() < until, "{id} does not arrive");
            sleep(Duration::from_millis(50)).await;
        }
        let mut content = self.saaq.client.content(&id).await.unwrap();
        let mut seen = Context::new(&SHA256);
        while let Some(chunk) = content.next().await {
            seen.update(&chunk.unwrap());
        }
        self.saaq.client.confirm(&id).await.unwrap();
        seen.finish().as_ref().try_into().unwrap()
    }

    fn end(mut self) {
        for party in [Party::Sender, Party::Gateway, Party::Receiver] {
            self.measure(party);
            assert!(self.process(party).stop().unwrap().success());
        }
        let [sender, gateway, receiver] = self.peak.map(|bytes| bytes / 1_000_000);
        println!("peak memory: sender {sender} MB, gateway {gateway} MB, receiver {receiver} MB");
        self.network.verify_log().unwrap();
    }
}

/// Towards the gateway, or away from it.
#[derive(Copy, Clone, Debug)]
enum Way {
    Up,
    Down,
}

/// A record made as it goes: a seeded block again and again, each time with its number in front.
struct Blocks {
    block: Vec<u8>,
    number: u64,
    left: u64,
}

impl Blocks {
    fn new(length: u64, seed: u64) -> Self {
        let mut block = vec![0; BLOCK];
        ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut block);
        Self { block, number: 0, left: length }
    }
}

impl Iterator for Blocks {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let size = usize::try_from(self.left.min(BLOCK as u64)).unwrap();
        self.block[..8].copy_from_slice(&self.number.to_le_bytes());
        self.number += 1;
        self.left -= size as u64;
        (size > 0).then(|| self.block[..size].to_vec())
    }
}

fn digest(length: u64, seed: u64) -> [u8; 32] {
    let mut seen = Context::new(&SHA256);
    Blocks::new(length, seed).for_each(|block| seen.update(&block));
    seen.finish().as_ref().try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_record_goes_on_after_each_kill() {
    let mut world = World::new().await;
    let patience = Duration::from_secs(60);
    for (party, way) in [
        (Party::Sender, Way::Up),
        (Party::Gateway, Way::Up),
        (Party::Receiver, Way::Down),
        (Party::Gateway, Way::Down),
    ] {
        let mut caught = false;
        for attempt in 0..ATTEMPTS {
            let (id, expected) = world.send(EVERYDAY, SEED + attempt as u64).await;
            caught = world.kill_in_the_middle(party, (way, id, 20), patience).await.is_some();
            assert_eq!(world.take(id, patience).await, expected, "byte for byte");
            if caught {
                break;
            }
        }
        assert!(caught, "{party:?} was never caught in the middle of {way:?}");
    }
    world.end();
}

#[ignore = "takes minutes and eight times its size on the disk: ./tests/run heavy"]
#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_gigabytes_goes_on_after_every_kill() {
    let given = std::env::var("PASSERELLE_LARGE_BYTES").map(|text| text.parse::<u64>().unwrap());
    let length = given.unwrap_or(5 << 30);
    let patience = Duration::from_secs(60 + length / 1_000_000);
    let mut world = World::new().await;
    let begun = Instant::now();
    let (id, expected) = world.send(length, SEED).await;
    println!("sealed {} MiB in {:.1} s", length >> 20, begun.elapsed().as_secs_f64());
    let mut caught = 0;
    for (party, way, part) in [
        (Party::Sender, Way::Up, 25),
        (Party::Gateway, Way::Up, 60),
        (Party::Receiver, Way::Down, 25),
        (Party::Gateway, Way::Down, 60),
    ] {
        let gone_on = world.kill_in_the_middle(party, (way, id, part), patience).await;
        let gone_on = gone_on.unwrap_or_else(|| panic!("{party:?} was not caught in the middle of {way:?}"));
        assert!(gone_on * 100 >= length * (part / 2), "{gone_on}: most was kept");
        caught += 1;
    }
    assert_eq!(caught, 4);
    assert!(world.take(id, patience).await == expected, "byte for byte");
    println!(
        "{} MiB with 4 kills, SHA-256 identical, in {:.1} s",
        length >> 20,
        begun.elapsed().as_secs_f64()
    );
    world.end();
}
