//! A gateway that attacks with the real certificate and the log's real key: what it shows is consistent and signed, and
//! not what it promised. Each attack is named by an agent, or by `passerelle-verify`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use passerelle_agent::client::{InboxQuery, SendOptions};
use passerelle_agent::inclusion::Missing;
use passerelle_agent::local::model::Status;
use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_proto::event;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{self, EventKind, event::Detail};
use passerelle_tests::attacker::{Attacker, Forged};
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, codes, draft, today};
use passerelle_tests::network::process::Program;
use passerelle_tests::roles::Role;
use tokio::time::{Instant, sleep};

const AGREEMENT: &str = "ENT-2026-001";
/// A promise is an alarm after two seconds, and the log is looked at each second.
const SETTINGS: &str = "[checks]\nlogged_within_s = 2\nlog_every_s = 1\n";
const PATIENCE: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(50);

/// A log that is shown, and when an agent has seen it.
type Show<'a> = (&'a Forged, &'a dyn Fn(&Status) -> bool);

/// Two agencies that exchanged two records, and never saw the log; both agents are stopped.
struct World {
    network: Network,
    attacker: Attacker,
    ramq: AgentProcess,
    saaq: AgentProcess,
    /// The honest log.
    entries: Vec<Vec<u8>>,
    /// The exchanges, with the places of their entries.
    first: (ExchangeId, usize),
    second: (ExchangeId, usize),
    folder: tempfile::TempDir,
}

async fn send(from: &AgentProcess) -> ExchangeId {
    let mut options = SendOptions::under(AGREEMENT);
    options.data_categories = vec![codes::IDENTITY.to_owned()];
    let source = stream::iter([Ok(Bytes::from_static(b"dossier"))]);
    from.client.send(&options, source, Some(7)).await.unwrap().exchange_id
}

impl World {
    async fn create() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let network =
            Network::create(folder.path(), Program::new(env!("CARGO_BIN_EXE_sandbox").into())).unwrap();
        for body in [RAMQ, SAAQ] {
            network.register(body).unwrap();
        }
        let clock: SharedClock = SystemClock::shared();
        let attacker = Attacker::start(&network, &clock).await.unwrap();
        let mut agents = Vec::new();
        for body in [RAMQ, SAAQ] {
            let mut enrolled = network.agent_with_settings(body, SETTINGS).unwrap();
            enrolled.process.stop().unwrap();
            agents.push(enrolled.copied("ailleurs", attacker.address()).unwrap());
        }
        let (mut saaq, mut ramq) = (agents.pop().unwrap(), agents.pop().unwrap());
        let form = draft(AGREEMENT, RAMQ, &[SAAQ], today(clock.now()));
        network.conclude_by_agents(&form, &[&ramq, &saaq]).await.unwrap();
        let mut sent = Vec::new();
        for _ in 0..2 {
            let id = send(&ramq).await;
            let until = Instant::now() + PATIENCE;
            while !saaq
                .client
                .inbox(&InboxQuery::default())
                .await
                .unwrap()
                .records
                .iter()
                .any(|record| record.exchange_id == id)
            {
                assert!(Instant::now() < until, "{id} does not arrive");
                sleep(LOOK).await;
            }
            sent.push(id);
        }
        // The acknowledgement of the last is an event too.
        let until = Instant::now() + PATIENCE;
        while !acknowledged(&network, sent[1]) {
            assert!(Instant::now() < until, "the log is not published");
            sleep(LOOK).await;
        }
        for agent in [&mut ramq, &mut saaq] {
            agent.process.stop().unwrap();
        }
        let entries = network.log_entries().unwrap();
        let place = |id: ExchangeId| (id, place(&entries, id));
        let (first, second) = (place(sent[0]), place(sent[1]));
        Self { network, attacker, ramq, saaq, entries, first, second, folder }
    }

    fn log(&self, entries: &[Vec<u8>]) -> Forged {
        Forged::of(&self.network, entries).unwrap()
    }

    /// The entry at `place`, signed by nobody else, says something else.
    fn rewritten(&self, place: usize) -> Vec<Vec<u8>> {
        let mut entries = self.entries.clone();
        let mut event = event::decode(&entries[place]).unwrap();
        event.nonce = vec![7; 16].into();
        entries[place] = event::encode(&event).unwrap();
        entries
    }

    /// What an agent tells after these logs were shown to it, one after the other; `until` says when each was seen.
    async fn told(&self, name: &str, agent: &AgentProcess, shows: &[Show<'_>]) -> Status {
        let Some(((first, _), rest)) = shows.split_first() else { panic!("nothing to show") };
        self.attacker.show((*first).clone());
        let mut copy = agent.copied(name, self.attacker.address()).unwrap();
        let mut status = wait(name, &copy, shows[0].1).await;
        for (log, until) in rest {
            self.attacker.show((*log).clone());
            // Whatever happens to the log, it is looked at at each start.
            copy.process.stop().unwrap();
            copy.restart().unwrap();
            status = wait(name, &copy, until).await;
        }
        // A person finds it where they look.
        let doctor = copy.command(&["doctor"]);
        copy.process.stop().unwrap();
        if status.receipts.missing > 0 {
            let said = doctor.unwrap_err().to_string();
            let id = status.receipts.named[0].exchange_id.to_string();
            assert!(said.contains(&id), "{name}: {said}");
        }
        status
    }
}

async fn wait(name: &str, agent: &AgentProcess, until: &dyn Fn(&Status) -> bool) -> Status {
    let end = Instant::now() + PATIENCE;
    loop {
        let status = agent.client.status().await.unwrap();
        if until(&status) {
            return status;
        }
        assert!(Instant::now() < end, "{name}: {:?} {:?}", status.receipts, status.checkpoint_alarm);
        sleep(LOOK).await;
    }
}

fn place(entries: &[Vec<u8>], id: ExchangeId) -> usize {
    let is_it = |entry: &Vec<u8>| {
        let event = event::decode(entry).unwrap();
        event.kind() == EventKind::ExchangeAccepted
            && matches!(&event.detail, Some(Detail::Exchange(detail)) if detail.exchange_id == id.as_bytes()[..])
    };
    entries.iter().position(is_it).unwrap()
}

fn acknowledged(network: &Network, id: ExchangeId) -> bool {
    let Ok(entries) = network.log_entries() else { return false };
    entries.iter().any(|entry| {
        let Ok(event) = event::decode(entry) else { return false };
        let Some(Detail::Acknowledgement(detail)) = event.detail else { return false };
        let payload = detail.statement.unwrap_or_default().payload;
        let said = <wire::Acknowledgement as prost::Message>::decode(payload).unwrap_or_default();
        said.exchanges.iter().any(|exchange| exchange.exchange_id == id.as_bytes()[..])
    })
}

fn reason(status: &Status, id: ExchangeId) -> Option<Missing> {
    status.receipts.named.iter().find(|missing| missing.exchange_id == id).map(|missing| missing.reason)
}

fn all_found(status: &Status) -> bool {
    status.receipts.found == 2 && status.receipts.unchecked == 0
}

fn missing(status: &Status) -> bool {
    status.receipts.missing > 0
}

fn alarmed(status: &Status) -> bool {
    status.checkpoint_alarm.is_some() || status.receipts.log_alarm.is_some()
}

fn alarms(status: &Status) -> String {
    [&status.checkpoint_alarm, &status.receipts.log_alarm].into_iter().flatten().cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_log_that_is_not_the_promised_one_is_named() {
    let world = World::create().await;
    let honest = world.log(&world.entries);
    let ((first, at), (second, later)) = (world.first, world.second);

    // An honest one, so that the attacks below are what is told.
    for agent in [&world.ramq, &world.saaq] {
        let status = world.told("honnete", agent, &[(&honest, &all_found)]).await;
        assert!(!alarmed(&status) && !missing(&status), "{status:?}");
    }

    // An entry that a receipt was given for, and that was never logged: what came after stands in its place. Sender and
    // recipient each find out by themselves.
    let mut omitted = world.entries.clone();
    omitted.remove(later);
    let omitted = world.log(&omitted);
    for agent in [&world.ramq, &world.saaq] {
        let status = world.told("omis", agent, &[(&omitted, &missing)]).await;
        assert_eq!((reason(&status, second), reason(&status, first)), (Some(Missing::OtherEntry), None));
    }

    // The log ends before it, and nothing comes.
    let short = world.log(&world.entries[..later]);
    let status = world.told("jamais", &world.ramq, &[(&short, &missing)]).await;
    assert_eq!((reason(&status, second), reason(&status, first)), (Some(Missing::NotLogged), None));

    // An entry rewritten before anybody looked, and signed.
    let rewritten = world.log(&world.rewritten(at));
    let status = world.told("reecrit", &world.ramq, &[(&rewritten, &missing)]).await;
    assert_eq!((reason(&status, first), reason(&status, second)), (Some(Missing::OtherEntry), None));

    // The same after the first was found in an honest beginning: two signed notes that prove it.
    let begun = world.log(&world.entries[..=at]);
    let found_one = |status: &Status| status.receipts.found == 1;
    let status =
        world.told("reecrit-apres", &world.ramq, &[(&begun, &found_one), (&rewritten, &alarmed)]).await;
    assert!(
        alarms(&status).contains("rewritten") || alarms(&status).contains("réécrit"),
        "{}",
        alarms(&status)
    );

    // Two trees of one size.
    let status = world.told("fourche", &world.ramq, &[(&honest, &all_found), (&rewritten, &alarmed)]).await;
    assert!(alarms(&status).contains("signed two different trees"), "{}", alarms(&status));

    // A log cut after it was seen, and an old checkpoint shown again: the same for who looks.
    let status = world.told("tronque", &world.ramq, &[(&honest, &all_found), (&short, &alarmed)]).await;
    let told = format!("the log shows {later} entries after it signed {}", world.entries.len());
    assert!(alarms(&status).contains(&told), "{}", alarms(&status));
    let replayed = honest.clone().under(&begun);
    let status = world.told("rejoue", &world.saaq, &[(&honest, &all_found), (&replayed, &alarmed)]).await;
    assert!(alarms(&status).contains(&format!("the log shows {} entries", at + 1)), "{}", alarms(&status));

    // Tiles that are not those of the honest checkpoint.
    let tile = format!("tile/0/000.p/{}", world.entries.len());
    let wrong = honest.clone().with_flipped(&tile, 32 * at);
    let status = world.told("tuile", &world.ramq, &[(&wrong, &alarmed)]).await;
    assert!(alarms(&status).contains("does not lead to the root"), "{}", alarms(&status));

    // An entry put in with an earlier date: agents find theirs moved, and whoever reads the log is told its place.
    let mut back_dated = world.entries.clone();
    let mut event = event::decode(&back_dated[at]).unwrap();
    (event.time_ms, event.nonce) = (event.time_ms - 3_600_000, vec![9; 16].into());
    back_dated.insert(at, event::encode(&event).unwrap());
    let back_dated = world.log(&back_dated);
    let status = world.told("antidate", &world.ramq, &[(&back_dated, &missing)]).await;
    assert_eq!(reason(&status, first), Some(Missing::OtherEntry));
    let folder = world.folder.path().join("antidate");
    back_dated.write_to(&folder).unwrap();
    let arguments = [
        "log".into(),
        folder.into_os_string(),
        "--vkey-file".into(),
        world.network.log_key_file().into_os_string(),
        "--events".into(),
    ];
    let said = world.network.program().run(Role::Verify, &arguments).unwrap_err().to_string();
    assert!(said.contains(&format!("entry {at} (")) && said.contains("is back-dated"), "{said}");
}
