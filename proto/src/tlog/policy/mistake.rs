//! What is wrong with a policy, and in which line.

use super::{PART_LIMIT, POLICY_LIMIT};
use crate::tlog::vkey::VkeyError;

/// Why a policy is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PolicyError {
    /// The line, from 1; `None` when it is of no one line.
    pub line: Option<usize>,
    /// What is wrong.
    #[source]
    pub mistake: PolicyMistake,
}

impl std::fmt::Display for PolicyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line} of the policy is refused"),
            None => f.write_str("the policy is refused"),
        }
    }
}

impl From<PolicyMistake> for PolicyError {
    fn from(mistake: PolicyMistake) -> Self {
        Self { line: None, mistake }
    }
}

/// What can be wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyMistake {
    /// Over [`POLICY_LIMIT`] bytes.
    #[error("a policy has at most {POLICY_LIMIT} bytes")]
    TooLong,
    /// Over [`PART_LIMIT`] logs, witnesses or groups.
    #[error("a policy has at most {PART_LIMIT} logs, {PART_LIMIT} witnesses and {PART_LIMIT} groups")]
    TooMany,
    /// Not UTF-8, or a control character other than tab and newline.
    #[error("a policy is UTF-8 text without control characters other than tab and newline")]
    Characters,
    /// The last line does not end in a newline.
    #[error("the line does not end in a newline")]
    NoNewline,
    /// A line that begins with something else than `log`, `witness`, `group`, `quorum` or `#`.
    #[error("{0} is not log, witness, group or quorum")]
    Keyword(String),
    /// Words are missing, or there are too many.
    #[error("expected: {0}")]
    Words(&'static str),
    /// A log's or a witness's key is refused.
    #[error("the verifier key is refused")]
    Key(#[source] VkeyError),
    /// The same public key twice among the logs, or twice among the witnesses, under whatever names.
    #[error("this public key is there already")]
    SameKey,
    /// A witness or a group has that name.
    #[error("the name {0} is taken")]
    NameTaken(String),
    /// `none` is no name of a witness, of a group or of a group's member.
    #[error("the name none is reserved")]
    Reserved,
    /// A name that no line before this one defines.
    #[error("no witness or group before this line is called {0}")]
    Unknown(String),
    /// A name that is a group's member already: a witness counts in one way only.
    #[error("{0} is a member of a group already")]
    MemberTwice(String),
    /// Not `all`, `any` or a number from 1 to the number of members.
    #[error("how many must sign is all, any or a number from 1 to the number of members")]
    Threshold,
    /// A second line `quorum`.
    #[error("there is a quorum already")]
    SecondQuorum,
    /// No line `quorum`.
    #[error("there is no line quorum")]
    NoQuorum,
}
