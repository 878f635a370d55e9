//! Records that are to be delivered in order: numbered by their sender, held back by the gateway, checked by the recipient.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

use std::time::Duration;

use bytes::Bytes;
use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_proto::envelope::{RecipientPublicKey, SealedRecord};
use passerelle_proto::wire::{self, Reason, delivery::Delivery as Item, submit_reply};
use passerelle_tests::network::Network;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, draft, today};
use passerelle_tests::network::process::Program;
use passerelle_tests::probe::frame;
use passerelle_tests::probe::mail::{Mail, Opened};
use passerelle_tests::probe::{Probe, Terms};
use tokio::time::timeout;

const AGREEMENT: &str = "ENT-2026-001";
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
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no connection")
}
