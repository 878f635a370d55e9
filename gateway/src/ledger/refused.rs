//! Why a decision was not made: by the rules ([`Refused`]) or because the ledger cannot work ([`LedgerError`]).

use super::NewEvent;

/// What kind of refusal, which decides the gRPC status (`rpc::status`).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum RefusedKind {
    /// The request is malformed or breaks a rule of form: the caller's mistake.
    Invalid,
    /// What it is about does not exist, or the caller may not know that it does.
    NotFound,
    /// It exists already.
    AlreadyExists,
    /// The caller may not do this.
    Forbidden,
    /// Not in this state: another step has to come first.
    Conflict,
    /// A limit is reached; later may work.
    Exhausted,
}

/// A refusal by the rules, as the caller reads it.
#[derive(Debug)]
pub struct Refused {
    /// Which kind.
    pub kind: RefusedKind,
    /// What is wrong and what to do, in French.
    pub message_fr: String,
    /// The same in English.
    pub message_en: String,
    /// An event that records the attempt, when it must be logged.
    pub log: Option<Box<NewEvent>>,
}

impl Refused {
    /// A refusal of `kind`, that leaves no event.
    pub fn new(kind: RefusedKind, message_fr: impl Into<String>, message_en: impl Into<String>) -> Self {
        Self { kind, message_fr: message_fr.into(), message_en: message_en.into(), log: None }
    }

    /// The same refusal, and `event` is logged with it.
    #[must_use]
    pub fn logged(mut self, event: NewEvent) -> Self {
        self.log = Some(Box::new(event));
        self
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} / {}", self.message_fr, self.message_en)
    }
}

impl std::error::Error for Refused {}

/// Why the ledger gave no result.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The rules refuse it.
    #[error("refused: {0}")]
    Refused(Refused),
    /// More waits than the queue holds. Ours: try again later.
    #[error("the ledger's queue is full")]
    Busy,
    /// The log cannot be written (disk full, failed disk). Ours: nothing was done.
    #[error("the log cannot be written: {0}")]
    LogUnavailable(String),
    /// The gateway is stopping, or the sequencer has ended. Ours.
    #[error("the ledger has stopped")]
    Stopped,
    /// A rule of ours was broken; the text is for the operator, never for the caller.
    #[error("internal error of the ledger: {0}")]
    Internal(String),
}

impl From<Refused> for LedgerError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}
