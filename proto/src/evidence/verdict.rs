//! The verdict: every question, answered for itself.

use super::case::Case;
use super::claim::{Answer, Claim, Outcome, Question, Words};
use super::file::EvidenceError;
use super::trust::Trust;
use super::{acknowledged, file, in_force, inclusion, integrity, plaintext, sender, time, witnesses};
use crate::exchange_id::ExchangeId;

/// What a file shows, question by question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The exchange that the file says it is about.
    pub exchange_id: ExchangeId,
    /// One claim a question, in the order of [`Question::ALL`].
    pub claims: Vec<Claim>,
}

impl Verdict {
    /// Whether nothing is contradicted. What is not present does not count against it.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.claims.iter().all(|claim| claim.outcome != Outcome::Fail)
    }

    /// The answer to one question.
    #[must_use]
    pub fn outcome(&self, question: Question) -> Outcome {
        let claim = self.claims.iter().find(|claim| claim.question == question);
        claim.map_or(Outcome::NotPresent, |claim| claim.outcome)
    }
}

/// Judges a file by what the judge trusts, and compares it with a plaintext that the judge may have.
///
/// # Errors
/// [`EvidenceError`] when the file cannot be read, so that nothing can be said.
pub fn judge(bytes: &[u8], trust: &Trust, given: Option<&[u8]>) -> Result<Verdict, EvidenceError> {
    let evidence = file::read(bytes)?;
    let exchange_id =
        ExchangeId::from_bytes(&evidence.exchange_id).map_err(|_| EvidenceError::Part("exchange_id"))?;
    let case = Case::new(&evidence, exchange_id, trust);
    let answer = |question| -> Answer {
        match question {
            Question::Integrity => integrity::answer(&case),
            Question::Sender => sender::answer(&case),
            Question::Acknowledgement => acknowledged::answer(&case),
            Question::Agreement => in_force::answer(&case),
            Question::Inclusion => inclusion::answer(&case),
            Question::Witnesses => witnesses::answer(&case),
            Question::NotBefore => time::not_before(&case),
            Question::NotAfter => time::not_after(&case),
            Question::Plaintext => plaintext::answer(&case, given),
        }
    };
    let claim = |question| {
        let (outcome, words) = answer(question);
        Claim { question, outcome, words: Words { fr: printable(&words.fr), en: printable(&words.en) } }
    };
    Ok(Verdict { exchange_id, claims: Question::ALL.into_iter().map(claim).collect() })
}

/// Names in a sentence may come from bytes that nobody signed: nothing of them may steer a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(2_000).collect()
}
