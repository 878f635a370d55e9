//! A process that takes records over until it is killed: whatever it said was durable is there.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_proto::exchange_id::ExchangeId;
use tokio::sync::watch;

use super::Limits;
use super::fixtures::{sealed, verified};
use crate::identity::house::House;
use crate::inbox::{Arrived, Inbox};
use crate::outbox::Outbox;

/// The folder of the process; its presence makes the test `taking_process` one.
const FOLDER: &str = "PASSERELLE_AGENT_TAKES";
/// Records after which a process that nobody killed ends by itself.
const RECORDS_MAX: usize = 100_000;
/// Processes that are killed one after another, and after how many records each.
const ROUNDS: [usize; 4] = [1, 40, 7, 150];

fn open(folder: &Path) -> (Outbox, Inbox) {
    let clock: SharedClock = SystemClock::shared();
    let told = watch::Sender::new(0);
    let outbox =
        Outbox::open(&folder.join("outbox"), Limits::default(), clock.clone(), told.clone()).unwrap();
    (outbox, Inbox::open(&folder.join("inbox"), Limits::default(), clock, told).unwrap())
}

#[tokio::test]
async fn taking_process() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let (outbox, inbox) = open(Path::new(&folder));
    let house = House::new();
    let (ramq, saaq) = (house.member("ramq/agent-1"), house.member("saaq/agent-1"));
    let mut out = std::io::stdout().lock();
    for round in 0..RECORDS_MAX {
        let now = SystemClock::shared().now();
        let text = vec![1; round % 5 * 30_000];
        let id = outbox.add(sealed(&ramq, &saaq, &text, now), None).await.unwrap().exchange_id;
        let record = sealed(&ramq, &saaq, &text, now);
        let (key, envelope) = verified(&ramq, &record);
        let (received, digest) = (record.exchange_id, hex::encode(envelope.header_digest()));
        let arrived = Arrived { envelope, key, body: record.body, leaf_index: 0 };
        inbox.receive(arrived, &saaq.id.agency).await.unwrap();
        if round % 2 == 0 {
            inbox.acknowledged(&[received], &[]).await.unwrap();
        }
        if round % 6 == 0 {
            inbox.confirm(received).await.unwrap();
        }
        writeln!(out, "durable {id} {received} {digest}").and_then(|()| out.flush()).unwrap();
    }
}

#[tokio::test]
async fn what_was_durable_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    for store in ["outbox", "inbox"] {
        std::fs::create_dir(folder.path().join(store)).unwrap();
    }
    let mut durable: Vec<(ExchangeId, ExchangeId, [u8; 32])> = Vec::new();
    for records in ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "records::kill::taking_process", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut told = lines.filter_map(|line| {
            let (_, told) = line.split_once("durable ")?;
            let mut words = told.split(' ');
            let (sent, received) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            Some((sent, received, hex::decode(words.next()?).ok()?.try_into().ok()?))
        });
        let before = durable.len();
        durable.extend(told.by_ref().take(records));
        // SIGKILL, at whatever it is doing then.
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(durable.len(), before + records, "the process ended before it was killed");

        let (outbox, inbox) = open(folder.path());
        for (sent, received, digest) in &durable {
            let load = outbox.load(*sent).await.unwrap().expect("it waits to be sent");
            assert!(outbox.header_digest(sent) == Some(load.header_digest) && !load.body.is_empty());
            assert_eq!(inbox.known(*received, *digest).map(|known| known.refused), Some(None));
        }
    }
}
