//! The gateway is killed again and again while records come in and go out; its view is deleted and damaged meanwhile.
//! What it gave a receipt for is in the log once, at the place that the receipt says, and reaches its recipient.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_proto::envelope::SealedRecord;
use passerelle_proto::event;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::tlog::leaf_hash;
use passerelle_proto::wire::{self, delivery::Delivery as Item, event::Detail, submit_reply};
use passerelle_tests::network::Network;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, draft, today};
use passerelle_tests::network::operators::Operator;
use passerelle_tests::network::process::Program;
use passerelle_tests::probe::mail::{Opened, noticed};
use passerelle_tests::probe::{Probe, Terms, frame};
use prost::Message;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use tokio::time::timeout;

/// How often the gateway is killed while records come in.
const KILLS: usize = 50;
const RECORDS: usize = 3_000;
/// Records under way when a gateway is killed, at most.
const AT_ONCE: usize = 60;
const SEED: u64 = 11;
const PATIENCE: Duration = Duration::from_secs(280);

type Receipts = BTreeMap<ExchangeId, wire::ReceiptBody>;

/// What happens to the gateway's view while it is down.
#[derive(Clone, Copy, Debug)]
enum Damage {
    None,
    Deleted,
    Overwritten,
    Truncated,
}

impl Damage {
    const ALL: [Self; 4] = [Self::None, Self::Deleted, Self::Overwritten, Self::Truncated];

    fn strike(self, view: &Path) {
        match self {
            Self::None => {}
            Self::Deleted => fs::remove_dir_all(view).unwrap(),
            Self::Overwritten | Self::Truncated => {
                for file in fs::read_dir(view).unwrap().map(|entry| entry.unwrap().path()) {
                    if file.is_file() {
                        let mut bytes = fs::read(&file).unwrap();
                        let half = bytes.len() / 2;
                        match self {
                            Self::Truncated => bytes.truncate(half),
                            _ => bytes[half..].fill(0xA5),
                        }
                        fs::write(&file, bytes).unwrap();
                    }
                }
            }
        }
    }
}

struct World {
    network: Network,
    ramq: Probe,
    saaq: Probe,
    terms: Terms,
    _folder: tempfile::TempDir,
}

impl World {
    async fn create() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
        let network = Network::create(folder.path(), program).unwrap();
        for body in [RAMQ, SAAQ] {
            network.register(body).unwrap();
        }
        let clock: SharedClock = SystemClock::shared();
        let ramq = network.probe("ramq", &clock).await.unwrap();
        let saaq = network.probe("saaq", &clock).await.unwrap();
        let form = draft("ENT-2026-001", RAMQ, &[SAAQ], today(ramq.now()));
        let terms = Terms::of(&network.conclude(&form, &[&ramq, &saaq]).await.unwrap());
        Self { network, ramq, saaq, terms, _folder: folder }
    }

    async fn seal(&self, count: usize) -> Vec<SealedRecord> {
        let to = self.ramq.recipients(&["saaq"]).await.unwrap();
        let one = |number: usize| {
            let draft = self.ramq.draft(&self.terms, &to);
            self.ramq.seal(draft, &to, format!("dossier {number}").as_bytes()).unwrap()
        };
        (0..count).map(one).collect()
    }

    fn kill_and_restart(&mut self, damage: Damage) {
        self.network.gateway().unwrap().kill().unwrap();
        self.restart(damage);
    }

    fn restart(&mut self, damage: Damage) {
        damage.strike(&self.network.gateway_data().join("view.sled"));
        self.network.start_gateway().unwrap_or_else(|error| panic!("after {damage:?}: {error:#}"));
    }
}

/// Submits all that has no receipt yet, and some that have one; ends when every answer came or the stream broke.
/// Calls `enough` with the receipts so far after each.
async fn submit(
    ramq: &Probe,
    records: &[SealedRecord],
    receipts: &mut Receipts,
    mut enough: impl FnMut(&Receipts),
) {
    let known = records.iter().filter(|record| receipts.contains_key(&record.exchange_id)).rev().take(8);
    let missing = records.iter().filter(|record| !receipts.contains_key(&record.exchange_id)).take(AT_ONCE);
    let frames: Vec<_> = known.chain(missing).map(frame).collect();
    let count = frames.len();
    let Ok(answers) = ramq.exchange().submit(tokio_stream::iter(frames)).await else { return };
    let mut answers = answers.into_inner();
    for _ in 0..count {
        let Ok(Some(answer)) = answers.message().await else { return };
        let Some(submit_reply::Result::Receipt(receipt)) = answer.result else {
            panic!("denied: {:?}", answer.result);
        };
        let body = wire::ReceiptBody::decode(receipt.body).unwrap();
        let id = ExchangeId::from_bytes(&body.exchange_id).unwrap();
        if let Some(before) = receipts.insert(id, body.clone()) {
            assert_eq!(before, body, "another receipt for the same bytes");
        }
        enough(receipts);
    }
}

/// Takes mail until `wanted` records came that were not known; acknowledges all but the last `keep` of them.
async fn take(world: &World, wanted: usize, keep: usize, taken: &mut BTreeMap<ExchangeId, Vec<u8>>) {
    let mut mail = world.saaq.collect(64).await.unwrap();
    let mut logged = BTreeSet::new();
    let (before, mut acknowledged) = (taken.len(), BTreeSet::new());
    while taken.len() < before + wanted || !acknowledged.is_subset(&logged) {
        match mail.next().await.unwrap() {
            Item::Record(record) => {
                let Opened { acknowledged: this, body } = world.saaq.open(&record, &world.ramq).unwrap();
                if let Some(known) = taken.insert(this.exchange_id, body.clone()) {
                    assert_eq!(known, body);
                }
                if taken.len() <= before + wanted - keep {
                    mail.acknowledge(world.saaq.acknowledgement(&[this]).unwrap()).await.unwrap();
                    acknowledged.insert(this.exchange_id.to_wire());
                }
            }
            Item::Acknowledged(reply) => logged.extend(reply.exchange_ids),
            Item::Notice(_) => panic!("a notice for a recipient"),
        }
    }
}

/// Every accepted exchange stands in the log once, where its receipt says, with the hash that its receipt says.
fn check_log(network: &mut Network, receipts: &Receipts) {
    network.gateway().unwrap().stop().unwrap();
    let mut places = BTreeMap::new();
    for (leaf, entry) in network.log_entries().unwrap().into_iter().enumerate() {
        if let Some(Detail::Exchange(exchange)) = event::decode(&entry).unwrap().detail {
            let id = ExchangeId::from_bytes(&exchange.exchange_id).unwrap();
            assert!(places.insert(id, (leaf as u64, leaf_hash(&entry))).is_none(), "{id} twice");
        }
    }
    assert_eq!(places.len(), receipts.len(), "accepted in the log, and receipts");
    for (id, body) in receipts {
        let (leaf, hash) = places[id];
        assert_eq!((leaf, &hash.as_bytes()[..]), (body.leaf_index, &body.leaf_hash[..]), "{id}");
    }
    network.verify_log().unwrap();
}

/// What operators and agents are told of agencies and agreements.
fn told(network: &Network) -> [String; 2] {
    [["agency", "list", "--json"], ["agreement", "list", "--json"]]
        .map(|command| network.operate(Operator::Auditor, &command).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_outlives_every_kill_and_every_damage_to_the_view() {
    let run = async {
        let mut world = World::create().await;
        let records = world.seal(RECORDS).await;
        let (mut receipts, before) = (Receipts::new(), told(&world.network));
        let mut random = ChaCha20Rng::seed_from_u64(SEED);
        for round in 0..KILLS {
            let kill_at = receipts.len() + random.random_range(0..AT_ONCE / 2);
            let gateway = world.network.gateway().unwrap();
            let mut killed = false;
            submit(&world.ramq, &records[..(round + 1) * AT_ONCE], &mut receipts, |so_far| {
                if !killed && so_far.len() >= kill_at {
                    gateway.kill().unwrap();
                    killed = true;
                }
            })
            .await;
            gateway.kill().unwrap();
            world.restart(Damage::ALL[round % Damage::ALL.len()]);
        }
        while receipts.len() < RECORDS {
            submit(&world.ramq, &records, &mut receipts, |_| {}).await;
        }
        assert_eq!(receipts.len(), RECORDS, "every record was accepted at last");

        let mut taken = BTreeMap::new();
        take(&world, RECORDS / 2, 10, &mut taken).await;
        world.kill_and_restart(Damage::Deleted);
        let rest = RECORDS - taken.len();
        take(&world, rest, 0, &mut taken).await;
        for (number, record) in records.iter().enumerate() {
            let body = taken.get(&record.exchange_id).map(Vec::as_slice);
            assert_eq!(body, Some(format!("dossier {number}").as_bytes()));
        }

        // What was kept back came again and is acknowledged now: the sender is told of every one.
        let mut noticed_by_sender = BTreeSet::new();
        let mut mail = world.ramq.collect(1).await.unwrap();
        while noticed_by_sender.len() < RECORDS {
            let Item::Notice(notice) = mail.next().await.unwrap() else { panic!("only notices wait") };
            noticed_by_sender.extend(noticed(&notice).unwrap());
        }
        assert_eq!(told(&world.network), before, "the view was rebuilt as it was");
        check_log(&mut world.network, &receipts);
    };
    timeout(PATIENCE, run).await.unwrap();
}
