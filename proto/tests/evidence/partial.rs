//! Evidence with less in it, and what the judge may have beside.

use passerelle_proto::evidence::{Outcome, Question, judge};
use prost::Message;

use crate::scene::{PLAINTEXT, SCENE};

#[test]
fn the_plaintext_is_compared_when_the_judge_has_one() {
    let outcome = |evidence: &passerelle_proto::wire::Evidence, given: &[u8]| {
        let verdict = judge(&evidence.encode_to_vec(), &SCENE.trust, Some(given)).unwrap();
        verdict.outcome(Question::Plaintext)
    };
    let mut evidence = SCENE.evidence.clone();
    let mut changed = PLAINTEXT.to_vec();
    changed[3] ^= 1;
    for _ in 0..2 {
        assert_eq!(outcome(&evidence, PLAINTEXT), Outcome::Pass);
        assert_eq!(outcome(&evidence, &changed), Outcome::Fail);
        assert_eq!(outcome(&evidence, &PLAINTEXT[1..]), Outcome::Fail);
        assert_eq!(outcome(&evidence, b""), Outcome::Fail);
        // Without the sealed body the plaintext is sealed again.
        evidence.sealed_body.clear();
    }
    // Without the key, a plaintext that happens to be right shows nothing.
    evidence.content_key.clear();
    assert_eq!(outcome(&evidence, PLAINTEXT), Outcome::NotPresent);
}

#[test]
fn without_the_key_nothing_of_the_plaintext_is_in_the_file_or_the_verdict() {
    let mut evidence = SCENE.evidence.clone();
    evidence.content_key.clear();
    let told = format!("{:?}", SCENE.judge(&evidence));
    assert!(!told.contains("TREM"), "{told}");
    let bytes = evidence.encode_to_vec();
    assert!(!bytes.windows(4).any(|window| window == b"TREM"));
}
