//! Cosignatures and trust policies: public vectors, the project's own (most of which must fail, each for the reason it
//! names), and what a policy says of a checkpoint that some have cosigned.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod tlog_support;

use std::sync::Arc;

use passerelle_pki::key::Ed25519Key;
use passerelle_proto::tlog::note::{NoteError, SIGNATURE_LIMIT};
use passerelle_proto::tlog::policy::{Outcome, POLICY_LIMIT, PolicyMistake, QuorumCount};
use passerelle_proto::tlog::{
    Checkpoint, CosignatureError, Cosigner, Hash, Note, NoteSigner, NoteVerifier, Policy, VerifiedCheckpoint,
    WitnessKey,
};
use tlog_support::{cases, expect, number, text, vectors};

const TIME_S: u64 = 1_790_000_000;

#[test]
fn checkpoints_that_public_witnesses_cosigned() {
    let file = vectors("public/cosignature.json");
    let (mut signed, mut missing) = (0, 0);
    for case in cases(&file, 2) {
        let log: NoteVerifier = text(case, "log").parse().unwrap();
        let checkpoint = VerifiedCheckpoint::open(text(case, "note").as_bytes(), &log).unwrap();
        let keys: Vec<(WitnessKey, Option<u64>)> = case["witnesses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|witness| (text(witness, "vkey").parse().unwrap(), witness["time"].as_u64()))
            .collect();
        let due = keys.iter().filter(|(_, time)| time.is_some()).count();
        let names: Vec<WitnessKey> = keys.iter().map(|(key, _)| key.clone()).collect();
        for need in 0..=names.len() {
            let policy = Policy::some_of(vec![log.clone()], names.clone(), need).unwrap();
            let judgement = policy.judge(&policy.open(text(case, "note").as_bytes()).unwrap()).unwrap();
            assert_eq!(judgement.is_met(), need <= due, "{need} of {}", names.len());
            assert_eq!(judgement.cosigned().count(), due);
        }
        let note = Note::parse(checkpoint.note().as_bytes()).unwrap();
        for (key, time) in keys {
            assert_eq!(key.newest_in(&note).unwrap(), time, "{key}");
            assert_eq!(key.to_string().parse::<WitnessKey>().unwrap(), key);
            signed += usize::from(time.is_some());
            missing += usize::from(time.is_none());
            // The same cosignature over another size does not hold.
            let altered = text(case, "note").replacen(&checkpoint.size().to_string(), "42", 1);
            let altered = key.newest_in(&Note::parse(altered.as_bytes()).unwrap());
            assert!(time.is_none() || matches!(altered, Err(CosignatureError::Signature(_))));
        }
    }
    assert_eq!((signed, missing), (3, 1));
}

#[test]
fn the_form_of_the_specification() {
    let form = &vectors("public/cosignature.json")["form"];
    let note = Note::parse(text(form, "note").as_bytes()).unwrap();
    let line = &note.signatures()[1];
    assert_eq!(line.name.as_str(), text(form, "name"));
    assert_eq!(hex::encode(line.id), text(form, "id"));
    assert_eq!(line.signature.len(), 72);
    assert_eq!(line.signature[..8], number(form, "time").to_be_bytes());
}

#[test]
fn cosignatures() {
    let file = vectors("cosignatures.json");
    let log: NoteVerifier = text(&file, "vkey").parse().unwrap();
    for case in cases(&file, 24) {
        let checkpoint = VerifiedCheckpoint::open(text(case, "note").as_bytes(), &log).unwrap();
        let witness: WitnessKey = text(case, "witness").parse().unwrap();
        let note = Note::parse(checkpoint.note().as_bytes()).unwrap();
        let outcome = witness.newest_in(&note);
        let refused = outcome.is_err();
        if let Some(time) = expect(case, outcome) {
            assert_eq!(time, case["time"].as_u64(), "{}", case["desc"]);
        }
        // Whatever is refused also keeps the policy from being met, even with no quorum.
        let policy = Policy::some_of(vec![log.clone()], vec![witness], 0).unwrap();
        assert_eq!(policy.judge(&checkpoint).unwrap().is_met(), !refused, "{}", case["desc"]);
    }
}

#[test]
fn policies() {
    let file = vectors("policies.json");
    for case in cases(&file, 50) {
        let outcome = Policy::parse(text(case, "text").as_bytes());
        if let Err(error) = &outcome {
            assert_eq!(
                error.line,
                case["line"].as_u64().map(|line| usize::try_from(line).unwrap()),
                "{case}"
            );
        }
        if let Some(policy) = expect(case, outcome.map_err(|error| error.mistake)) {
            let printed = case["printed"].as_str().unwrap_or_else(|| text(case, "text"));
            assert_eq!(policy.to_string(), printed, "{}", case["desc"]);
            assert_eq!(printed.parse::<Policy>().unwrap(), policy);
        }
    }
}

#[test]
fn a_policy_is_text_within_its_limit() {
    let long = "#".repeat(POLICY_LIMIT) + "\nquorum none\n";
    assert_eq!(Policy::parse(long.as_bytes()).unwrap_err().mistake, PolicyMistake::TooLong);
    assert_eq!(Policy::parse(b"# \xff\nquorum none\n").unwrap_err().mistake, PolicyMistake::Characters);
}

fn signed(log: &NoteSigner) -> VerifiedCheckpoint {
    Checkpoint::new(log.verifier().name().to_string(), 3, Hash::from_bytes([7; 32])).sign(log).unwrap()
}

fn log() -> NoteSigner {
    NoteSigner::new("journal.essai".parse().unwrap(), Arc::new(Ed25519Key::generate().unwrap())).unwrap()
}

fn witness(name: &str) -> Cosigner {
    Cosigner::new(name.parse().unwrap(), Arc::new(Ed25519Key::generate().unwrap())).unwrap()
}

#[test]
fn a_quorum_of_groups_is_counted_with_names_and_times() {
    let log = log();
    let witnesses: Vec<Cosigner> = (1..=4).map(|n| witness(&format!("temoin-{n}"))).collect();
    let mut file = format!("log {}\n", log.verifier());
    for witness in &witnesses {
        file.push_str(&format!("witness {} {}\n", witness.verifier().name(), witness.verifier()));
    }
    file.push_str("group A 2 temoin-1 temoin-2 temoin-3\ngroup B all A temoin-4\nquorum B\n");
    let policy: Policy = file.parse().unwrap();
    let mut checkpoint = signed(&log);
    // Who signs, and how many members of B have then: A counts for one, and once, however many of it sign.
    for (n, have) in [(0, 0), (1, 1), (2, 1), (3, 2)] {
        let line = witnesses[n].cosign(&checkpoint, TIME_S + u64::try_from(n).unwrap()).unwrap();
        checkpoint = witnesses[n].verifier().add_to(&checkpoint, line).unwrap();
        let judgement = policy.judge(&policy.open(checkpoint.note().as_bytes()).unwrap()).unwrap();
        assert_eq!(judgement.quorum, Some(QuorumCount { name: "B".to_owned(), have, need: 2, of: 2 }));
        assert_eq!(judgement.is_met(), have == 2);
        let last = judgement.cosigned().last().map(|(standing, time)| (standing.name.clone(), time));
        assert_eq!(last, Some((format!("temoin-{}", n + 1), TIME_S + u64::try_from(n).unwrap())));
    }
}

#[test]
fn another_log_witness_or_checkpoint_does_not_count() {
    let (ours, foreign) = (log(), log());
    let (known, stranger) = (witness("connu"), witness("connu"));
    let policy = Policy::some_of(vec![ours.verifier().clone()], vec![known.verifier().clone()], 1).unwrap();
    let checkpoint = signed(&ours);

    let refusal = policy.open(signed(&foreign).note().as_bytes()).unwrap_err();
    assert!(format!("{refusal:?}").contains("Unsigned"), "same origin, another key: {refusal:?}");
    assert!(policy.open(signed(&ours).note().replace("\n3\n", "\n4\n").as_bytes()).is_err());

    let line = stranger.cosign(&checkpoint, TIME_S).unwrap();
    assert!(matches!(known.verifier().add_to(&checkpoint, line.clone()), Err(CosignatureError::OtherKey(_))));
    let cosigned = stranger.verifier().add_to(&checkpoint, line).unwrap();
    let judgement = policy.judge(&cosigned).unwrap();
    assert!(!judgement.is_met() && matches!(judgement.witnesses[0].outcome, Outcome::Missing));

    let elsewhere =
        Checkpoint::new("journal.essai".to_owned(), 3, Hash::from_bytes([8; 32])).sign(&ours).unwrap();
    let line = known.cosign(&elsewhere, TIME_S).unwrap();
    assert!(matches!(known.verifier().add_to(&checkpoint, line), Err(CosignatureError::Signature(_))));
}

#[test]
fn a_time_that_is_not_one_is_never_signed() {
    let checkpoint = signed(&log());
    for time in [0, 1 << 63, u64::MAX] {
        assert!(matches!(witness("temoin").cosign(&checkpoint, time), Err(CosignatureError::Time(_))));
    }
}

#[test]
fn a_checkpoint_has_room_for_a_hundred_agencies_and_no_more_than_its_limit() {
    let log = log();
    let witness = witness("ministere.gouv.qc.ca/agence/une-agence-au-nom-long/agent/principal");
    let mut checkpoint = signed(&log);
    for n in 1..u64::try_from(SIGNATURE_LIMIT).unwrap() {
        let line = witness.cosign(&checkpoint, n).unwrap();
        checkpoint = witness.verifier().add_to(&checkpoint, line.clone()).unwrap();
        // The same line again changes nothing.
        assert_eq!(witness.verifier().add_to(&checkpoint, line).unwrap(), checkpoint);
    }
    let line = witness.cosign(&checkpoint, TIME_S).unwrap();
    let error = witness.verifier().add_to(&checkpoint, line).unwrap_err();
    assert!(matches!(error, CosignatureError::Note(NoteError::TooManySignatures)), "{error:?}");
    assert_eq!(
        VerifiedCheckpoint::open(checkpoint.note().as_bytes(), log.verifier()).unwrap().note(),
        checkpoint.note()
    );
}
