//! The gateway's disk is full: what cannot be made durable is refused and said so, nothing that has a receipt is lost,
//! and once there is room again the same gateway goes on.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::time::Duration;

use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_proto::tlog::leaf_hash;
use passerelle_proto::wire::{self, Reason, submit_reply};
use passerelle_tests::network::Network;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, draft, today};
use passerelle_tests::network::disk::Disk;
use passerelle_tests::network::process::Program;
use passerelle_tests::probe::{Probe, Terms, frame};
use prost::Message;
use rustix::fs::{FallocateFlags, fallocate};
use tokio::time::{Instant, sleep, timeout};

/// Bytes of a record: a segment of the journal holds some seventy.
const RECORD: usize = 900_000;
const PATIENCE: Duration = Duration::from_secs(200);
/// How long the gateway may take to go on once there is room.
const RECOVERY: Duration = Duration::from_secs(60);

type Receipts = BTreeMap<u64, wire::ReceiptBody>;

async fn submit(ramq: &Probe, terms: &Terms, receipts: &mut Receipts) -> Result<(), Option<Reason>> {
    let to = ramq.recipients(&["saaq"]).await.unwrap();
    let sealed = ramq.seal(ramq.draft(terms, &to), &to, &vec![7; RECORD]).unwrap();
    // A broken stream gives no reason: nothing was promised.
    match ramq.submit(frame(&sealed)).await.map_err(|_| None)?.result.unwrap() {
        submit_reply::Result::Receipt(receipt) => {
            let body = wire::ReceiptBody::decode(receipt.body).unwrap();
            assert!(receipts.insert(body.leaf_index, body).is_none(), "one place twice");
            Ok(())
        }
        submit_reply::Result::Denial(denial) => Err(Some(denial.reason())),
    }
}

/// Takes every byte that is left.
fn fill(path: &std::path::Path) {
    let file = File::create_new(path).unwrap();
    let mut offset = 0;
    for step in [1 << 28, 1 << 24, 1 << 20, 1 << 12_u64] {
        while fallocate(&file, FallocateFlags::empty(), offset, step).is_ok() {
            offset += step;
        }
    }
}

#[ignore = "needs root and a loop device: ./tests/run power"]
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_loses_nothing() {
    let run = async {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
        let mut network = Network::create(folder.path(), program).unwrap();
        for body in [RAMQ, SAAQ] {
            network.register(body).unwrap();
        }
        let clock: SharedClock = SystemClock::shared();
        let ramq = network.probe("ramq", &clock).await.unwrap();
        let saaq = network.probe("saaq", &clock).await.unwrap();
        let form = draft("ENT-2026-001", RAMQ, &[SAAQ], today(ramq.now()));
        let terms = Terms::of(&network.conclude(&form, &[&ramq, &saaq]).await.unwrap());
        assert!(network.gateway().unwrap().stop().unwrap().success());
        let _disk = Disk::under(&network.gateway_data(), &folder.path().join("passerelle.img")).unwrap();
        network.start_gateway().unwrap();

        let mut receipts = Receipts::new();
        submit(&ramq, &terms, &mut receipts).await.unwrap();
        let filler = network.gateway_data().join("rempli");
        fill(&filler);
        let mut refused = None;
        for _ in 0..400 {
            if let Err(reason) = submit(&ramq, &terms, &mut receipts).await {
                refused = Some(reason);
                break;
            }
        }
        assert_eq!(refused, Some(Some(Reason::LogUnavailable)), "after {} records", receipts.len());

        fs::remove_file(&filler).unwrap();
        let (until, before) = (Instant::now() + RECOVERY, receipts.len());
        while receipts.len() < before + 10 {
            let done = submit(&ramq, &terms, &mut receipts).await;
            assert!(done.is_ok() || Instant::now() < until, "it does not go on: {done:?}");
            if done.is_err() {
                sleep(Duration::from_millis(100)).await;
            }
        }
        // The log is published again too.
        let last = receipts.keys().next_back().copied().unwrap();
        while network.log_size().unwrap() <= last {
            assert!(Instant::now() < until, "the log is not published");
            sleep(Duration::from_millis(50)).await;
        }
        assert!(network.gateway().unwrap().stop().unwrap().success());
        let entries = network.log_entries().unwrap();
        for (leaf, body) in receipts {
            let entry = &entries[usize::try_from(leaf).unwrap()];
            assert_eq!(leaf_hash(entry).as_bytes()[..], body.leaf_hash);
        }
        network.verify_log().unwrap();
    };
    timeout(PATIENCE, run).await.unwrap();
}
