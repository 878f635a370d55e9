//! Every reason to refuse a submission, had from a gateway that runs as a process: each case is right in all but one
//! thing, is refused for that thing, and leaves its trace in a log that verifies.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_proto::envelope::{KemKey, RecipientPublicKey};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{self, Reason};
use passerelle_tests::network::Network;
use passerelle_tests::network::agreements::{RAMQ, REVENU, SAAQ};
use passerelle_tests::network::process::Program;
use passerelle_tests::probe::refusals::{Case, Cases};
use passerelle_tests::probe::{Probe, frame};
use ring::rand::SystemRandom;

/// Reasons that this test does not provoke, and where they are.
const ELSEWHERE: [(Reason, &str); 13] = [
    (Reason::Unspecified, "no reason"),
    (Reason::CertificateRevoked, "the connection is closed: gateway/tests/revocation.rs"),
    (Reason::LogUnavailable, "gateway/tests/full_disk.rs"),
    (Reason::Busy, "too much under way: no one submission is wrong"),
    (Reason::Unreadable, "a recipient's word, not a gateway's"),
    (Reason::OperationNotCovered, "a call: tests/calls.rs"),
    (Reason::FieldNotCovered, "agents decide, before sealing and after: tests/catalogue.rs"),
    (Reason::ProviderAway, "a call: tests/calls.rs"),
    (Reason::ServiceUnknown, "a call: tests/calls.rs"),
    (Reason::ProviderFailed, "a call: tests/calls.rs"),
    (Reason::CallTimedOut, "a call: tests/calls.rs"),
    (Reason::CallCancelled, "a call: tests/calls.rs"),
    (Reason::SequencePassed, "a stream of ordered records: tests/ordering.rs"),
];

/// A recipient that is registered, and that nobody has approved.
fn to_inactive_agency(probe: &Probe, cases: &Cases) -> Case {
    let stranger = KemKey::generate(&SystemRandom::new()).unwrap();
    let to = [RecipientPublicKey::new(REVENU.code.parse().unwrap(), stranger.public_key().clone())];
    let sealed = probe.seal(probe.draft(&cases.in_force, &to), &to, b"{}").unwrap();
    Case { expected: Reason::MemberNotActive, frame: frame(&sealed) }
}

fn check_words(denial: &wire::Denial) {
    for text in [&denial.message_fr, &denial.message_en] {
        assert!(text.len() > 40, "{:?} must say what to do: {text:?}", denial.reason());
    }
    assert_ne!(denial.message_fr, denial.message_en);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_has_its_reason_its_words_and_its_trace() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
    let network = Network::create(folder.path(), program).unwrap();
    for body in [RAMQ, SAAQ] {
        network.register(body).unwrap();
    }
    network.register_only(REVENU).unwrap();
    let clock: SharedClock = SystemClock::shared();
    let (ramq, saaq) =
        (network.probe("ramq", &clock).await.unwrap(), network.probe("saaq", &clock).await.unwrap());
    let cases = Cases::conclude(&network, &ramq, &saaq).await.unwrap();
    let to = ramq.recipients(&["saaq"]).await.unwrap();

    let honest = ramq.seal(ramq.draft(&cases.in_force, &to), &to, b"{}").unwrap();
    let reply = ramq.submit(frame(&honest)).await.unwrap();
    let Some(wire::submit_reply::Result::Receipt(receipt)) = reply.result else {
        panic!("what nothing is wrong with was refused: {:?}", reply.result);
    };
    let again = ramq.submit(frame(&honest)).await.unwrap();
    assert_eq!(again.result, Some(wire::submit_reply::Result::Receipt(receipt)), "the same bytes again");

    let mut all = ramq.refusals(&cases, &to).unwrap();
    all.push(to_inactive_agency(&ramq, &cases));
    all.extend(ramq.refusals_after_acceptance(&cases, &to).await.unwrap());
    let mut told = BTreeMap::new();
    for Case { expected, frame } in all {
        let denial = ramq.denied(frame).await.unwrap();
        assert_eq!(denial.reason(), expected, "{}", denial.detail);
        check_words(&denial);
        let id = ExchangeId::from_bytes(&denial.exchange_id).ok().map(|id| id.to_string());
        assert!(told.insert(expected.as_str_name(), id).is_none(), "{expected:?} twice");
    }

    let covered: BTreeSet<&str> =
        told.keys().copied().chain(ELSEWHERE.map(|(reason, _)| reason.as_str_name())).collect();
    let known: BTreeSet<&str> = (0..=100)
        .filter_map(|number| Reason::try_from(number).ok())
        .map(|reason| reason.as_str_name())
        .collect();
    assert_eq!(covered, known, "a reason without a case");

    let logged = network.audit(&["--outcome", "denied"]).unwrap();
    for (reason, id) in told {
        let found = logged.iter().find(|event| event["reason"] == reason);
        let found = found.unwrap_or_else(|| panic!("{reason} is not in the log"));
        if let Some(id) = id.filter(|_| found.get("exchange").is_some()) {
            assert_eq!(found["exchange"], id, "{reason}");
        }
    }
}
