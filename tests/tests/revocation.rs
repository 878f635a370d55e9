//! What was revoked or suspended is over within five seconds: on open connections, on new ones, at the next exchange.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

use std::time::Duration;

use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_proto::wire::directory_client::DirectoryClient;
use passerelle_proto::wire::{LookupRequest, Reason, submit_reply};
use passerelle_tests::network::Network;
use passerelle_tests::network::agreements::{RAMQ, REVENU, SAAQ, draft, today};
use passerelle_tests::network::operators::Operator;
use passerelle_tests::network::process::Program;
use passerelle_tests::probe::mail::Mail;
use passerelle_tests::probe::{Probe, Terms, connect, frame};
use tokio::time::{Instant, sleep, timeout_at};

const LIMIT: Duration = Duration::from_secs(5);

async fn ends(mut mail: Mail, until: Instant) {
    let ended = async { while mail.next().await.is_ok() {} };
    timeout_at(until, ended).await.expect("the open connection goes on");
}

/// Whether a new connection with this probe's certificate gets an answer.
async fn is_let_in(network: &Network, probe: &Probe, clock: &SharedClock) -> bool {
    let agents = network.addresses().agents;
    let Ok(channel) = connect(agents, &network.anchor().unwrap(), Some(probe.credential()), clock).await
    else {
        return false;
    };
    let request = LookupRequest { agencies: vec![probe.id.agency.to_string()] };
    DirectoryClient::new(channel).lookup(request).await.is_ok()
}

async fn is_kept_out(network: &Network, probe: &Probe, clock: &SharedClock, until: Instant) {
    while is_let_in(network, probe, clock).await {
        assert!(Instant::now() < until, "a new connection is let in");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn result(from: &Probe, terms: &Terms, to: &str) -> submit_reply::Result {
    let keys = from.recipients(&[to]).await.unwrap();
    let sealed = from.seal(from.draft(terms, &keys), &keys, b"{}").unwrap();
    from.submit(frame(&sealed)).await.unwrap().result.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_or_suspended_is_over_within_five_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
    let network = Network::create(folder.path(), program).unwrap();
    let clock: SharedClock = SystemClock::shared();
    let mut probes = Vec::new();
    for body in [RAMQ, SAAQ, REVENU] {
        network.register(body).unwrap();
        probes.push(network.probe(body.code, &clock).await.unwrap());
    }
    let [ramq, saaq, revenu] = &probes[..] else { panic!("three") };
    let form = draft("ENT-2026-001", RAMQ, &[SAAQ], today(ramq.now()));
    let terms = Terms::of(&network.conclude(&form, &[ramq, saaq]).await.unwrap());
    let (of_saaq, of_revenu) = (saaq.collect(1).await.unwrap(), revenu.collect(1).await.unwrap());
    assert!(matches!(result(ramq, &terms, "saaq").await, submit_reply::Result::Receipt(_)));
    assert!(is_let_in(&network, saaq, &clock).await && is_let_in(&network, revenu, &clock).await);

    // An agreement: the next exchange, on the connection that is open.
    network.step(Operator::Security, "suspend", &form).unwrap();
    match result(ramq, &terms, "saaq").await {
        submit_reply::Result::Denial(denial) => assert_eq!(denial.reason(), Reason::AgreementSuspended),
        submit_reply::Result::Receipt(_) => panic!("accepted under a suspended agreement"),
    }
    network.step(Operator::SecondSecurity, "resume", &form).unwrap();
    assert!(matches!(result(ramq, &terms, "saaq").await, submit_reply::Result::Receipt(_)));

    // An agent's certificates.
    network
        .operate(Operator::Security, &["agency", "revoke-agent", "saaq", "sonde", "--reason", "vol"])
        .unwrap();
    let until = Instant::now() + LIMIT;
    ends(of_saaq, until).await;
    is_kept_out(&network, saaq, &clock, until).await;

    // An agency.
    network
        .operate(Operator::Security, &["agency", "suspend", "revenu-quebec", "--note", "enquête"])
        .unwrap();
    let until = Instant::now() + LIMIT;
    ends(of_revenu, until).await;
    is_kept_out(&network, revenu, &clock, until).await;

    // Nobody else noticed.
    assert!(is_let_in(&network, ramq, &clock).await);
    ramq.recipients(&["saaq"]).await.unwrap();
}
