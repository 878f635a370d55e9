//! What a verdict says: one answer a question.

/// What is asked of evidence. The order is that of the report.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// Do the parts belong together, and to this exchange?
    Integrity,
    /// Did the sender named in the header sign it?
    Sender,
    /// Did the recipients acknowledge it?
    Acknowledgement,
    /// Did an agreement that every party signed permit it at that time?
    Agreement,
    /// Are the events in the log?
    Inclusion,
    /// Did enough witnesses see that log?
    Witnesses,
    /// Since when at the earliest can it exist?
    NotBefore,
    /// Until when at the latest did it exist?
    NotAfter,
    /// What did the record say?
    Plaintext,
}

/// The answer to a question.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Shown.
    Pass,
    /// Contradicted by what is in the file, or by what the judge trusts.
    Fail,
    /// The file, or the judge's policy, has not what it takes to answer.
    NotPresent,
}

/// The same in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// French.
    pub fr: String,
    /// English.
    pub en: String,
}

/// One question answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which question.
    pub question: Question,
    /// The answer.
    pub outcome: Outcome,
    /// Why, in a sentence.
    pub words: Words,
}

/// An answer without its question yet.
pub(super) type Answer = (Outcome, Words);

impl Question {
    /// Every question, in order.
    pub const ALL: [Self; 9] = [
        Self::Integrity,
        Self::Sender,
        Self::Acknowledgement,
        Self::Agreement,
        Self::Inclusion,
        Self::Witnesses,
        Self::NotBefore,
        Self::NotAfter,
        Self::Plaintext,
    ];

    /// Stable name for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Integrity => "integrity",
            Self::Sender => "sender",
            Self::Acknowledgement => "acknowledgement",
            Self::Agreement => "agreement",
            Self::Inclusion => "inclusion",
            Self::Witnesses => "witnesses",
            Self::NotBefore => "not_before",
            Self::NotAfter => "not_after",
            Self::Plaintext => "plaintext",
        }
    }

    /// What people call it.
    #[must_use]
    pub fn title(self) -> Words {
        match self {
            Self::Integrity => words("intégrité", "integrity"),
            Self::Sender => words("expéditeur", "sender"),
            Self::Acknowledgement => words("accusé de réception", "acknowledgement"),
            Self::Agreement => words("entente en vigueur", "agreement in force"),
            Self::Inclusion => words("inscription au journal", "inclusion in the log"),
            Self::Witnesses => words("témoins", "witnesses"),
            Self::NotBefore => words("pas avant", "not before"),
            Self::NotAfter => words("pas après", "not after"),
            Self::Plaintext => words("contenu", "plaintext"),
        }
    }
}

impl Outcome {
    /// Stable name for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotPresent => "not_present",
        }
    }

    /// What people read.
    #[must_use]
    pub const fn label(self) -> (&'static str, &'static str) {
        match self {
            Self::Pass => ("RÉUSSI", "PASS"),
            Self::Fail => ("ÉCHEC", "FAIL"),
            Self::NotPresent => ("ABSENT", "NOT PRESENT"),
        }
    }
}

pub(super) fn words(fr: impl Into<String>, en: impl Into<String>) -> Words {
    Words { fr: fr.into(), en: en.into() }
}

pub(super) fn pass(fr: impl Into<String>, en: impl Into<String>) -> Answer {
    (Outcome::Pass, words(fr, en))
}

pub(super) fn fail(fr: impl Into<String>, en: impl Into<String>) -> Answer {
    (Outcome::Fail, words(fr, en))
}

pub(super) fn absent(fr: impl Into<String>, en: impl Into<String>) -> Answer {
    (Outcome::NotPresent, words(fr, en))
}
