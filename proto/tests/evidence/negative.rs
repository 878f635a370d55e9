//! Each part altered, missing or swapped, one at a time: the claims that change, and that no other does.

use bytes::Bytes;
use passerelle_proto::acknowledgement::{self, Acknowledged};
use passerelle_proto::evidence::{EvidenceError, Outcome, Question, Trust, judge};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::statement;
use passerelle_proto::wire::{self, Evidence};
use prost::Message;
use ring::digest::{SHA256, digest};

use crate::house::{Agent, noon, signing_day};
use crate::policy::{Witnesses, without_signatures};
use crate::scene::{OTHER, SAMPLE, SCENE};
use Outcome::{Fail, NotPresent};
use Question::{
    Acknowledgement, Agreement, Inclusion, Integrity, NotAfter, NotBefore, Plaintext, Sender,
    Witnesses as Quorum,
};

/// What is done to the evidence or to the judge's policy, and the claims that change by it.
type Row = (&'static str, fn(&mut Evidence, &mut Trust), &'static [(Question, Outcome)]);

fn flip(bytes: &mut Bytes, place: usize) {
    let mut changed = bytes.to_vec();
    let place = place.min(changed.len() - 1);
    changed[place] ^= 1;
    *bytes = changed.into();
}

fn envelope(evidence: &mut Evidence) -> &mut wire::Envelope {
    evidence.envelope.as_mut().unwrap()
}

fn agreement(evidence: &mut Evidence) -> &mut wire::AgreementRecord {
    evidence.agreement.as_mut().unwrap()
}

/// Acknowledges the exchange of the scene.
fn acknowledge(agent: &Agent, evidence: &Evidence) -> wire::Statement {
    let header = &evidence.envelope.as_ref().unwrap().header;
    let exchange = Acknowledged {
        exchange_id: ExchangeId::from_bytes(&evidence.exchange_id).unwrap(),
        header_digest: digest(&SHA256, header).as_ref().try_into().unwrap(),
        refused: None,
    };
    acknowledgement::sign(&agent.id, noon().as_millis(), &[exchange], &agent.key).unwrap()
}

fn check(rows: &[Row]) {
    for (name, change, expected) in rows {
        let (mut evidence, mut trust) = (SCENE.evidence.clone(), SCENE.trust.clone());
        change(&mut evidence, &mut trust);
        let verdict = judge(&evidence.encode_to_vec(), &trust, None).unwrap();
        for claim in &verdict.claims {
            let outcome = expected.iter().find(|(question, _)| *question == claim.question);
            let outcome = outcome.map_or(Outcome::Pass, |(_, outcome)| *outcome);
            assert_eq!(claim.outcome, outcome, "{name}: {} – {}", claim.question.code(), claim.words.en);
            assert!(!claim.words.fr.is_empty() && !claim.words.en.is_empty());
        }
        let failed = expected.iter().any(|(_, outcome)| *outcome == Fail);
        assert_eq!(verdict.holds(), !failed, "{name}");
    }
}

#[test]
fn the_whole_evidence_passes_every_claim() {
    check(&[("unchanged", |_, _| {}, &[])]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table, one row a case")]
fn the_envelope_and_its_sender() {
    let rows: [Row; 14] = [
        (
            "envelope missing",
            |e, _| {
                e.envelope = None;
                e.sealed_body.clear();
            },
            &[(Sender, NotPresent), (Plaintext, NotPresent)],
        ),
        ("body left out", |e, _| e.sealed_body.clear(), &[(Plaintext, NotPresent)]),
        (
            "body without its envelope",
            |e, _| e.envelope = None,
            &[(Integrity, Fail), (Sender, NotPresent), (Plaintext, NotPresent)],
        ),
        (
            "header altered",
            |e, _| flip(&mut envelope(e).header, 700),
            &[(Integrity, Fail), (Sender, Fail), (Acknowledgement, Fail), (Plaintext, Fail)],
        ),
        (
            "header signature altered",
            |e, _| flip(&mut envelope(e).signatures[0].signature, 5),
            &[(Sender, Fail), (Plaintext, Fail)],
        ),
        (
            "header not signed",
            |e, _| envelope(e).signatures.clear(),
            &[(Integrity, Fail), (Sender, Fail), (Plaintext, NotPresent)],
        ),
        ("body altered", |e, _| flip(&mut e.sealed_body, 3), &[(Integrity, Fail), (Plaintext, Fail)]),
        (
            "body cut",
            |e, _| {
                e.sealed_body.truncate(10);
            },
            &[(Integrity, Fail), (Plaintext, Fail)],
        ),
        (
            "envelope and body of another exchange",
            |e, _| {
                e.envelope.clone_from(&SCENE.another.envelope);
                e.sealed_body.clone_from(&SCENE.another.sealed_body);
            },
            &[(Integrity, Fail), (Acknowledgement, Fail), (Plaintext, Fail)],
        ),
        (
            "body of another exchange",
            |e, _| e.sealed_body.clone_from(&SCENE.another.sealed_body),
            &[(Integrity, Fail), (Plaintext, Fail)],
        ),
        (
            "sender's chain missing",
            |e, _| drop(e.chains.remove(0)),
            &[(Sender, NotPresent), (Plaintext, NotPresent)],
        ),
        (
            "sender's certificate revoked before",
            |e, _| {
                e.revocation_lists = vec![revoked_before().into()];
            },
            &[(Sender, Fail), (Plaintext, NotPresent)],
        ),
        (
            "signed by another agent of the log, with its own chain",
            |e, _| {
                let saaq = &SCENE.saaq;
                let header = envelope(e).header.clone();
                let signature =
                    statement::signature(statement::payload_type::HEADER, &header, &saaq.key).unwrap();
                envelope(e).signatures = vec![signature];
            },
            &[(Integrity, Fail), (Sender, Fail)],
        ),
        (
            "content key of another exchange",
            |e, _| e.content_key.clone_from(&SCENE.another.content_key),
            &[(Plaintext, Fail)],
        ),
    ];
    check(&rows);
}

/// The sender's certificate revoked a day before the exchange, by its own issuer, in a list that only this row has.
fn revoked_before() -> Vec<u8> {
    static LIST: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let day_before = noon().minus(std::time::Duration::from_secs(86_400));
        SCENE.house.revoke(&SCENE.ramq, day_before)
    });
    LIST.clone()
}

#[test]
fn acknowledgements() {
    /// Takes the logged acknowledgements away, so that only the part is judged.
    fn unlogged(e: &mut Evidence) {
        e.entries.truncate(4);
    }
    let rows: [Row; 9] = [
        (
            "none, neither in its part nor logged",
            |e, _| {
                unlogged(e);
                e.acknowledgements.clear();
            },
            &[(Acknowledgement, NotPresent)],
        ),
        ("logged only", |e, _| e.acknowledgements.clear(), &[]),
        ("in its part only", |e, _| unlogged(e), &[]),
        (
            "one recipient's missing",
            |e, _| {
                unlogged(e);
                e.acknowledgements.truncate(1);
            },
            &[(Acknowledgement, NotPresent)],
        ),
        (
            "signature altered",
            |e, _| flip(&mut e.acknowledgements[0].signatures[0].signature, 9),
            &[(Acknowledgement, Fail)],
        ),
        (
            "of another exchange",
            |e, _| {
                unlogged(e);
                e.acknowledgements.clone_from(&SCENE.another.acknowledgements);
            },
            &[(Acknowledgement, Fail)],
        ),
        (
            "by an agency that is no recipient",
            |e, _| {
                e.acknowledgements.push(acknowledge(&SCENE.cnesst, &SCENE.evidence));
                e.chains.push(SCENE.cnesst.wire_chain());
            },
            &[(Acknowledgement, Fail)],
        ),
        (
            "by the sender itself",
            |e, _| e.acknowledgements.push(acknowledge(&SCENE.ramq, &SCENE.evidence)),
            &[(Acknowledgement, Fail)],
        ),
        (
            "by an agent of another root",
            |e, _| {
                e.acknowledgements.push(acknowledge(&OTHER.saaq, &SCENE.evidence));
                e.chains.push(OTHER.saaq.wire_chain());
            },
            &[(Acknowledgement, Fail)],
        ),
    ];
    check(&rows);
}

#[test]
fn certificates_and_roots() {
    let rows: [Row; 5] = [
        (
            "no chain at all",
            |e, _| e.chains.clear(),
            &[(Sender, NotPresent), (Acknowledgement, NotPresent), (Plaintext, NotPresent)],
        ),
        (
            "no revocation list",
            |e, _| e.revocation_lists.clear(),
            &[
                (Sender, NotPresent),
                (Acknowledgement, NotPresent),
                (Agreement, NotPresent),
                (Plaintext, NotPresent),
            ],
        ),
        (
            "a list that was stale by then",
            |e, _| {
                e.revocation_lists = vec![old_list().into()];
            },
            &[(Sender, NotPresent), (Acknowledgement, NotPresent), (Plaintext, NotPresent)],
        ),
        (
            "a list of another authority",
            |e, _| e.revocation_lists.clone_from(&OTHER.evidence.revocation_lists),
            &[
                (Sender, NotPresent),
                (Acknowledgement, NotPresent),
                (Agreement, NotPresent),
                (Plaintext, NotPresent),
            ],
        ),
        (
            "the judge trusts another root",
            |_, t| t.roots.clone_from(&OTHER.trust.roots),
            &[(Sender, Fail), (Acknowledgement, Fail), (Agreement, Fail), (Plaintext, NotPresent)],
        ),
    ];
    check(&rows);
}

/// Good for the day of signing, and stale at the exchange.
fn old_list() -> Vec<u8> {
    static LIST: std::sync::LazyLock<Vec<u8>> =
        std::sync::LazyLock::new(|| SCENE.house.list(signing_day().plus(std::time::Duration::from_secs(60))));
    LIST.clone()
}

#[test]
fn the_agreement() {
    let rows: [Row; 9] = [
        ("missing", |e, _| e.agreement = None, &[(Agreement, NotPresent)]),
        (
            "document altered",
            |e, _| agreement(e).document = edited("\"per_day\": 200000", "\"per_day\": 200001"),
            &[(Agreement, Fail)],
        ),
        (
            "a party's signature missing",
            |e, _| drop(agreement(e).signatures.pop()),
            &[(Agreement, NotPresent)],
        ),
        (
            "a party's signature altered",
            |e, _| {
                flip(&mut agreement(e).signatures[1].signature.as_mut().unwrap().signature, 1);
            },
            &[(Agreement, Fail)],
        ),
        (
            "a signature of another party in its place",
            |e, _| {
                let record = agreement(e);
                record.signatures[2] = record.signatures[1].clone();
            },
            &[(Agreement, Fail)],
        ),
        ("another version, signed by all", |e, _| *agreement(e) = another_version(), &[(Agreement, Fail)]),
        ("activation not shown", |e, _| drop(e.entries.remove(2)), &[(Agreement, NotPresent)]),
        ("the Commission's receipt not shown", |e, _| drop(e.entries.remove(1)), &[(Agreement, Fail)]),
        (
            "signatures of another root's agents",
            |e, _| {
                agreement(e).signatures = OTHER.evidence.agreement.clone().unwrap().signatures;
            },
            &[(Agreement, Fail)],
        ),
    ];
    check(&rows);
}

fn edited(from: &str, to: &str) -> Bytes {
    let text = String::from_utf8(SAMPLE.to_vec()).unwrap();
    assert!(text.contains(from));
    text.replace(from, to).into_bytes().into()
}

/// Version 2 with the same terms, signed by every party.
fn another_version() -> wire::AgreementRecord {
    let document = passerelle_proto::agreement::Document::parse(edited(
        "\"version\": 1",
        "\"version\": 2, \"supersedes\": {\"number\": \"ENT-2026-001\", \"version\": 1}",
    ))
    .unwrap();
    let old = SCENE.evidence.agreement.clone().unwrap();
    let agents = [&SCENE.ramq, &SCENE.saaq, &SCENE.revenu];
    let sign = |agent: &Agent| wire::PartySignature {
        received_ms: signing_day().as_millis(),
        ..passerelle_proto::agreement::sign_document(&document, &agent.key, &agent.chain, &agent.id.agency)
            .unwrap()
    };
    wire::AgreementRecord { document: document.bytes().clone(), signatures: agents.map(sign).to_vec(), ..old }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table, one row a case")]
fn the_log() {
    let rows: [Row; 14] = [
        (
            "no entries",
            |e, _| e.entries.clear(),
            &[
                (Agreement, NotPresent),
                (Inclusion, NotPresent),
                (NotBefore, NotPresent),
                (NotAfter, NotPresent),
            ],
        ),
        ("entry altered", |e, _| flip(&mut e.entries[3].entry, 5), &[(Inclusion, Fail)]),
        (
            "entry that is no event",
            |e, _| {
                e.entries[0].entry.truncate(9);
            },
            &[(Integrity, Fail), (Inclusion, Fail), (Agreement, Fail)],
        ),
        ("path altered", |e, _| flip(&mut e.entries[3].path[1], 0), &[(Inclusion, Fail)]),
        ("path cut", |e, _| drop(e.entries[3].path.pop()), &[(Inclusion, Fail)]),
        (
            "path of another entry",
            |e, _| {
                let path = SCENE.another.entries[3].path.clone();
                e.entries[3].path = path;
            },
            &[(Inclusion, Fail)],
        ),
        ("another place claimed", |e, _| e.entries[3].leaf_index += 1, &[(Inclusion, Fail)]),
        ("entries out of order", |e, _| e.entries.swap(3, 4), &[(Integrity, Fail)]),
        (
            "entry twice",
            |e, _| {
                let entry = e.entries[3].clone();
                e.entries.insert(4, entry);
            },
            &[(Integrity, Fail)],
        ),
        (
            "an entry of another exchange beside",
            |e, _| {
                e.entries.push(SCENE.another.entries[3].clone());
                e.entries.sort_by_key(|entry| entry.leaf_index);
            },
            &[(Integrity, Fail)],
        ),
        (
            "entries of another exchange in their place",
            |e, _| e.entries.clone_from(&SCENE.another.entries),
            &[
                (Integrity, Fail),
                (Acknowledgement, Fail),
                (Inclusion, NotPresent),
                (NotBefore, NotPresent),
                (NotAfter, NotPresent),
            ],
        ),
        (
            "decision not shown",
            |e, _| drop(e.entries.remove(3)),
            &[(Inclusion, NotPresent), (NotBefore, NotPresent), (NotAfter, NotPresent)],
        ),
        (
            "checkpoint missing",
            |e, _| e.checkpoint.clear(),
            &[(Inclusion, NotPresent), (Quorum, NotPresent), (NotBefore, Fail), (NotAfter, NotPresent)],
        ),
        (
            "another log in the judge's policy",
            |_, t| t.log = SCENE.witnesses.policy(&OTHER.log, 3),
            &[(Inclusion, Fail), (NotBefore, Fail), (NotAfter, Fail)],
        ),
    ];
    check(&rows);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table, one row a case")]
fn witnesses_and_times() {
    let rows: [Row; 12] = [
        (
            "quorum short by one",
            |e, _| {
                e.checkpoint = recosigned(2);
                restamp(e);
            },
            &[(Quorum, Fail)],
        ),
        (
            "no cosignature",
            |e, _| {
                e.checkpoint = recosigned(0);
                restamp(e);
            },
            &[(Quorum, NotPresent)],
        ),
        (
            "a stranger's in the place of one",
            |e, _| {
                let strangers = Witnesses::build();
                let note = String::from_utf8(recosigned(2).to_vec()).unwrap();
                e.checkpoint = strangers.cosign(&note, noon(), 1).into();
                restamp(e);
            },
            &[(Quorum, Fail)],
        ),
        (
            "the judge names no witness",
            |_, t| t.log = SCENE.witnesses.policy(&SCENE.log, 0),
            &[(Quorum, NotPresent)],
        ),
        (
            "the judge asks for all four",
            |_, t| t.log = SCENE.witnesses.policy(&SCENE.log, 4),
            &[(Quorum, Fail)],
        ),
        ("no time-stamp: the witnesses' times", |e, _| e.timestamp.clear(), &[]),
        (
            "neither time-stamp nor quorum",
            |e, _| {
                e.timestamp.clear();
                e.checkpoint = recosigned(2);
            },
            &[(Quorum, Fail), (NotAfter, NotPresent)],
        ),
        ("time-stamp altered", |e, _| flip(&mut e.timestamp, 120), &[(NotAfter, Fail)]),
        (
            "time-stamp of the earlier checkpoint",
            |e, _| e.timestamp = e.earlier.clone().unwrap().timestamp,
            &[(NotAfter, Fail)],
        ),
        (
            "time-stamp by an authority that the judge does not trust",
            |e, _| {
                e.timestamp = OTHER.stamps.stamp(&e.checkpoint, noon()).into();
            },
            &[(NotAfter, Fail)],
        ),
        (
            "time-stamp from before the exchange",
            |e, _| {
                e.timestamp = SCENE
                    .stamps
                    .stamp(&e.checkpoint, noon().minus(std::time::Duration::from_secs(300)))
                    .into();
            },
            &[(NotAfter, Fail)],
        ),
        ("the judge trusts no authority", |_, t| t.authorities = Default::default(), &[]),
    ];
    check(&rows);
}

/// The last checkpoint with so many cosignatures.
fn recosigned(count: usize) -> Bytes {
    let note = without_signatures(&SCENE.evidence.checkpoint, &SCENE.log);
    SCENE.witnesses.cosign(&note, noon().plus(std::time::Duration::from_secs(600)), count).into()
}

/// The time-stamp is over the note as it is.
fn restamp(evidence: &mut Evidence) {
    let at = noon().plus(std::time::Duration::from_secs(600));
    evidence.timestamp = SCENE.stamps.stamp(&evidence.checkpoint, at).into();
}

#[test]
fn the_earlier_checkpoint() {
    fn earlier(evidence: &mut Evidence) -> &mut wire::EarlierCheckpoint {
        evidence.earlier.as_mut().unwrap()
    }
    let rows: [Row; 6] = [
        ("missing", |e, _| e.earlier = None, &[(NotBefore, NotPresent)]),
        ("consistency altered", |e, _| flip(&mut earlier(e).consistency[0], 0), &[(NotBefore, Fail)]),
        (
            "of another log",
            |e, _| *earlier(e) = OTHER.evidence.earlier.clone().unwrap(),
            &[(NotBefore, Fail)],
        ),
        (
            "the last one, which has the exchange",
            |e, _| {
                let (checkpoint, timestamp) = (e.checkpoint.clone(), e.timestamp.clone());
                *earlier(e) = wire::EarlierCheckpoint { checkpoint, timestamp, consistency: Vec::new() };
            },
            &[(NotBefore, Fail)],
        ),
        (
            "stamped after the entry's own time",
            |e, _| {
                let late = noon().plus(std::time::Duration::from_secs(300));
                let checkpoint = earlier(e).checkpoint.clone();
                earlier(e).timestamp = SCENE.stamps.stamp(&checkpoint, late).into();
            },
            &[(NotBefore, Fail)],
        ),
        ("its time-stamp missing: the witnesses' times", |e, _| earlier(e).timestamp.clear(), &[]),
    ];
    check(&rows);
}

#[test]
fn what_is_no_evidence_at_all() {
    let bytes = SCENE.evidence.encode_to_vec();
    let unreadable = |bytes: &[u8]| judge(bytes, &SCENE.trust, None).unwrap_err();
    assert!(matches!(unreadable(&bytes[..bytes.len() - 1]), EvidenceError::Encoding(_)));
    assert!(matches!(unreadable(b"PK\x03\x04"), EvidenceError::Encoding(_)));
    // Field 16, which nobody knows.
    let unknown = [bytes.as_slice(), &[0x82, 0x01, 0x01, 0x78]].concat();
    assert!(matches!(unreadable(&unknown), EvidenceError::Encoding(_)));
    let changed = |change: fn(&mut Evidence)| {
        let mut evidence = SCENE.evidence.clone();
        change(&mut evidence);
        unreadable(&evidence.encode_to_vec())
    };
    assert_eq!(changed(|e| e.format.push('0')), EvidenceError::Format("passerelle-evidence/10".to_owned()));
    assert_eq!(changed(|e| e.format.clear()), EvidenceError::Format(String::new()));
    assert_eq!(changed(|e| e.exchange_id.truncate(15)), EvidenceError::Part("exchange_id"));
    assert_eq!(changed(|e| e.content_key.truncate(31)), EvidenceError::Part("content_key"));
    assert_eq!(changed(|e| e.entries[0].path[0].truncate(31)), EvidenceError::Part("entries"));
    let standing = |e: &mut Evidence| agreement(e).standing = Some(wire::AgreementStanding::default());
    assert_eq!(changed(standing), EvidenceError::Part("agreement"));
    // Whole, but told to be about another exchange: nothing of it is.
    let mut evidence = SCENE.evidence.clone();
    evidence.exchange_id.clone_from(&SCENE.another.exchange_id);
    let verdict = SCENE.judge(&evidence);
    assert_eq!(verdict.outcome(Integrity), Fail);
    assert_eq!(verdict.outcome(Acknowledgement), Fail);
    assert_eq!(verdict.outcome(Inclusion), NotPresent);
}
