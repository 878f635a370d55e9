//! Every system call that the gateway's journal and its published log make on files is failed once (EIO), and the
//! gateway is killed once at exactly that call. After each restart the whole log verifies, and what had a receipt stands
//! where the receipt says.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_proto::tlog::leaf_hash;
use passerelle_proto::wire::{self, submit_reply};
use passerelle_tests::network::Network;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, draft, today};
use passerelle_tests::network::process::Program;
use passerelle_tests::probe::{Probe, Terms, frame};
use prost::Message;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep, timeout};

/// The calls of the two threads that write: what changes files, and what opens and reads them.
const CALLS: &str = "openat,read,pread64,write,pwrite64,fsync,fdatasync,fallocate,ftruncate,rename,mkdir,unlink,unlinkat,close,lseek,statx,newfstatat";
/// Records of one round, each a batch of its own.
const BATCHES: usize = 2;
/// How long one record's answer, and the publication of all that is durable, may take.
const ANSWER: Duration = Duration::from_secs(20);
const PUBLICATION: Duration = Duration::from_secs(30);
/// Calls of one name at a start that are tried, at each end.
const EDGE: usize = 6;
/// Faults in all, at most: a bound for the whole test, far above what there is.
const FAULTS: usize = 1_200;

/// What befalls a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Refused,
    Killed,
}

impl Fault {
    fn rule(self, call: &str, number: usize) -> String {
        match self {
            Self::Refused => format!("inject={call}:error=EIO:when={number}"),
            Self::Killed => format!("inject={call}:signal=KILL:when={number}"),
        }
    }
}

/// One call of a thread: its name, and the how manieth of that name it is.
type Place = (String, usize);

struct World {
    network: Network,
    ramq: Probe,
    _saaq: Probe,
    terms: Terms,
    receipts: BTreeMap<u64, Vec<u8>>,
    sealed: usize,
    folder: tempfile::TempDir,
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
        Self { network, ramq, _saaq: saaq, terms, receipts: BTreeMap::new(), sealed: 0, folder }
    }

    /// Submits records one after another, and remembers every receipt. A gateway that is gone or that refuses is what
    /// some rounds are for.
    async fn submit(&mut self) {
        let to = self.ramq.recipients(&["saaq"]).await;
        let Ok(to) = to else { return };
        for _ in 0..BATCHES {
            self.sealed += 1;
            let draft = self.ramq.draft(&self.terms, &to);
            let record = self.ramq.seal(draft, &to, format!("dossier {}", self.sealed).as_bytes()).unwrap();
            let Ok(Ok(reply)) = timeout(ANSWER, self.ramq.submit(frame(&record))).await else { return };
            if let Some(submit_reply::Result::Receipt(receipt)) = reply.result {
                let body = wire::ReceiptBody::decode(receipt.body).unwrap();
                self.receipts.insert(body.leaf_index, body.leaf_hash.to_vec());
            }
        }
    }

    /// Waits until the published log holds every receipt.
    async fn published(&self) {
        let wanted = self.receipts.last_key_value().map_or(0, |(leaf, _)| leaf + 1);
        let end = Instant::now() + PUBLICATION;
        while self.network.log_size().unwrap_or(0) < wanted {
            assert!(Instant::now() < end, "{wanted} entries have receipts and are not published");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// After a restart: the log verifies, and every receipt holds.
    async fn check(&self, what: &str) {
        self.published().await;
        self.network.verify_log().unwrap_or_else(|error| panic!("{what}: {error:#}"));
        let entries = self.network.log_entries().unwrap();
        for (leaf, hash) in &self.receipts {
            let entry = &entries[usize::try_from(*leaf).unwrap()];
            assert_eq!(&leaf_hash(entry).as_bytes()[..], &hash[..], "{what}: entry {leaf}");
        }
    }

    fn trace(&self) -> PathBuf {
        self.folder.path().join("strace.out")
    }

    /// The id of the gateway's thread of that name, which a thread gives itself a moment after it began.
    async fn thread(&mut self, name: &str) -> String {
        let tasks = format!("/proc/{}/task", self.network.gateway().unwrap().id());
        let end = Instant::now() + ANSWER;
        while Instant::now() < end {
            let named =
                |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name);
            let mut threads = fs::read_dir(&tasks).unwrap().map(|task| task.unwrap().path());
            if let Some(task) = threads.find(named) {
                return task.file_name().unwrap().to_str().unwrap().to_owned();
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("no thread {name}");
    }

    /// Follows one thread of the gateway; gives the tracer once it is attached.
    async fn attach(&mut self, thread: &str, rule: Option<&str>) -> Tracer {
        let id = self.thread(thread).await;
        let mut command = Command::new("strace");
        command.args(["-y", "-e", &format!("trace={CALLS}"), "-p", &id, "-o"]).arg(self.trace());
        if let Some(rule) = rule {
            command.args(["-e", rule]);
        }
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = said.next().unwrap().unwrap();
        assert!(first.contains("attached"), "{first}");
        Tracer(child)
    }

    fn restart(&mut self) {
        // It may be gone already: that is what some faults do.
        self.network.gateway().unwrap().kill().ok();
        self.network.start_gateway().unwrap();
    }
}

/// A tracer; ends, and lets its thread go, when dropped.
struct Tracer(Child);

impl Drop for Tracer {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).ok();
        self.0.wait().ok();
    }
}

/// Whether a line of a trace is about a file of the journal or of the published log.
fn concerns(line: &str, data: &Path) -> bool {
    ["journal", "log"].iter().any(|folder| line.contains(data.join(folder).to_str().unwrap()))
}

/// The calls on those files in a trace, each with its number among those of its name.
fn places(trace: &Path, data: &Path) -> Vec<Place> {
    let (mut counts, mut places) = (BTreeMap::<String, usize>::new(), Vec::new());
    for line in fs::read_to_string(trace).unwrap().lines() {
        let Some((call, rest)) = line.split_once('(') else { continue };
        if !CALLS.split(',').any(|known| known == call) {
            continue;
        }
        let count = counts.entry(call.to_owned()).or_default();
        *count += 1;
        if concerns(rest, data) {
            places.push((call.to_owned(), *count));
        }
    }
    places
}

/// Whether the fault was met, by a call on a file: a number may fall on another call when threads wake differently.
fn met(trace: &Path, data: &Path, fault: Fault) -> bool {
    let text = fs::read_to_string(trace).unwrap_or_default();
    match fault {
        Fault::Killed => text.contains("killed by SIGKILL"),
        Fault::Refused => text.lines().any(|line| line.contains("(INJECTED)") && concerns(line, data)),
    }
}

async fn writers(world: &mut World, data: &Path) -> (usize, usize) {
    let (mut done, mut hit) = (0, 0);
    for thread in ["sequencer", "publisher"] {
        let tracer = world.attach(thread, None).await;
        world.submit().await;
        world.published().await;
        drop(tracer);
        let places = places(&world.trace(), data);
        println!("{thread}: {} calls on files in {BATCHES} batches", places.len());
        assert!(places.iter().any(|(call, _)| call.contains("sync")), "{thread} syncs nothing");
        for (call, number) in places {
            for fault in [Fault::Refused, Fault::Killed] {
                let what = format!("{thread}: {call} {number} {fault:?}");
                done += 1;
                assert!(done <= FAULTS, "more calls than this test is made for");
                world.restart();
                fs::remove_file(world.trace()).ok();
                let tracer = world.attach(thread, Some(&fault.rule(&call, number))).await;
                world.submit().await;
                // The publisher works after the answer: it ends its work, or meets its fault.
                let end = Instant::now() + Duration::from_secs(3);
                let wanted = world.receipts.last_key_value().map_or(0, |(leaf, _)| leaf + 1);
                while !met(&world.trace(), data, fault)
                    && world.network.log_size().unwrap_or(0) < wanted
                    && Instant::now() < end
                {
                    sleep(Duration::from_millis(5)).await;
                }
                drop(tracer);
                hit += usize::from(met(&world.trace(), data, fault));
                world.restart();
                world.check(&what).await;
            }
        }
    }
    (done, hit)
}

/// Starts a gateway under the tracer, until it says where it listens or is gone; then it is killed.
fn start_traced(world: &World, rule: Option<&str>) {
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-e", &format!("trace={CALLS}"), "-o"]).arg(world.trace());
    if let Some(rule) = rule {
        command.args(["-e", rule]);
    }
    command.arg(env!("CARGO_BIN_EXE_sandbox")).args(["as", "gateway", "serve", "--config"]);
    command.arg(world.network.gateway_config()).stdin(Stdio::null()).stderr(Stdio::null());
    // Its own group, so that the gateway goes with its tracer.
    let mut child = command.stdout(Stdio::piped()).process_group(0).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    rustix::process::kill_process_group(Pid::from_child(&child), Signal::KILL).ok();
    child.wait().unwrap();
}

/// The calls of a start, by thread: `strace -f` counts for each thread of its own.
fn places_of_start(trace: &Path, data: &Path) -> Vec<Place> {
    let text = fs::read_to_string(trace).unwrap();
    let (mut counts, mut places) = (BTreeMap::<(String, String), usize>::new(), Vec::new());
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, rest)) = rest.trim_start().split_once('(') else { continue };
        if !CALLS.split(',').any(|known| known == call) {
            continue;
        }
        let count = counts.entry((thread.to_owned(), call.to_owned())).or_default();
        *count += 1;
        if concerns(rest, data) {
            places.push((call.to_owned(), *count));
        }
    }
    places.sort();
    places.dedup();
    // A start reads the log in many calls that are alike: the first and the last ones of each name.
    let (all, mut rank) = (places.clone(), BTreeMap::<String, usize>::new());
    places.retain(|(call, _)| {
        let rank = rank.entry(call.clone()).or_default();
        *rank += 1;
        let of_name = all.iter().filter(|(other, _)| other == call).count();
        *rank <= EDGE || *rank + EDGE > of_name
    });
    places
}

async fn starts(world: &mut World, data: &Path) -> usize {
    let mut done = 0;
    world.network.gateway().unwrap().kill().unwrap();
    start_traced(world, None);
    let places = places_of_start(&world.trace(), data);
    println!("a start: {} calls on files of the journal and the log", places.len());
    assert!(!places.is_empty(), "a start opens nothing");
    for (call, number) in places {
        for fault in [Fault::Refused, Fault::Killed] {
            start_traced(world, Some(&fault.rule(&call, number)));
            world
                .network
                .start_gateway()
                .unwrap_or_else(|error| panic!("{call} {number} {fault:?}: {error:#}"));
            if done % 8 == 0 {
                world.submit().await;
            }
            world.check(&format!("a start: {call} {number} {fault:?}")).await;
            world.network.gateway().unwrap().kill().unwrap();
            done += 1;
            assert!(done <= FAULTS, "more calls than this test is made for");
        }
    }
    done
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "traces processes, minutes long: ./tests/run syscalls"]
async fn every_call_on_files_fails_once_and_is_killed_once() {
    let mut world = World::create().await;
    let data = world.network.gateway_data();
    let started = starts(&mut world, &data).await;
    world.network.start_gateway().unwrap();
    let (done, hit) = writers(&mut world, &data).await;
    println!(
        "{done} faults at the writers ({hit} met on a file), {started} at starts; {} receipts, all in the log",
        world.receipts.len()
    );
    // A few numbers fall on another call; if most did, nothing would have been tested.
    assert!(hit * 10 >= done * 8, "{hit} of {done} faults were met");
}
