//! Trust policies (C2SP tlog-policy): which logs are believed, which witnesses are known, and how many of them must have
//! cosigned a checkpoint before it counts.
//!
//! A policy comes from whoever trusts it, never from the log or from the gateway that it is to check. `FromStr` reads it
//! strictly; `Display` writes it in one form, with thresholds as numbers. Stricter than the specification in one thing:
//! the file is UTF-8.

mod judgement;
mod mistake;
mod read;

use std::fmt;

use super::checkpoint::{CheckpointError, VerifiedCheckpoint};
use super::cosignature::WitnessKey;
use super::note::NoteError;
use super::vkey::NoteVerifier;

pub use judgement::{Judgement, Outcome, QuorumCount, Standing};
pub use mistake::{PolicyError, PolicyMistake};

/// Most bytes in a policy.
pub const POLICY_LIMIT: usize = 1024 * 1024;
/// Most logs, witnesses and groups, each.
pub const PART_LIMIT: usize = 256;
/// The name that stands for no quorum at all.
const NONE: &str = "none";

/// A policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

/// A log that is believed. Its key's name is its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyLog {
    /// Its key.
    pub key: NoteVerifier,
    /// Where it is found, when the policy says so.
    pub url: Option<String>,
}

/// A witness that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWitness {
    /// What this policy calls it; it means nothing elsewhere.
    pub name: String,
    /// Its key, with the name that it signs under.
    pub key: WitnessKey,
    /// Submission prefix of the witness (tlog-witness), when the policy says so.
    pub url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    name: String,
    need: usize,
    members: Vec<Member>,
}

/// A witness or a group, by its place. A group's members come before it, so that there are no circles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

impl Policy {
    /// A policy without logs, witnesses or quorum: any checkpoint counts. What is then added is checked as a file is.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The policy that is met when `need` of `witnesses` have cosigned, each called by the name of its key; no quorum
    /// for 0.
    ///
    /// # Errors
    /// [`PolicyError`] when one key is there twice, there are too many, or `need` is more than there are.
    pub fn some_of(
        logs: Vec<NoteVerifier>,
        witnesses: Vec<WitnessKey>,
        need: usize,
    ) -> Result<Self, PolicyError> {
        const GROUP: &str = "quorum-group";
        let mut policy = Self::none();
        for key in logs {
            policy.add_log(PolicyLog { key, url: None })?;
        }
        for key in witnesses {
            policy.add_witness(PolicyWitness { name: key.name().to_string(), key, url: None })?;
        }
        if need > 0 {
            let names: Vec<String> = policy.witnesses.iter().map(|witness| witness.name.clone()).collect();
            policy.add_group(GROUP, need, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
            policy.quorum = policy.member(GROUP);
        }
        Ok(policy)
    }

    /// The logs that are believed.
    #[must_use]
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses that are known.
    #[must_use]
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// Whether cosignatures are asked for at all.
    #[must_use]
    pub fn has_quorum(&self) -> bool {
        self.quorum.is_some()
    }

    /// Opens a signed checkpoint that one of the policy's logs signed. Cosignatures are not looked at:
    /// [`Policy::judge`] does that.
    ///
    /// # Errors
    /// [`CheckpointError`] when none of them did, or what they signed is not a checkpoint of theirs.
    pub fn open(&self, bytes: &[u8]) -> Result<VerifiedCheckpoint, CheckpointError> {
        let names: Vec<_> = self.logs.iter().map(|log| log.key.name().as_str()).collect();
        let mut refusal = CheckpointError::Note(NoteError::Unsigned(names.join(", ")));
        for log in &self.logs {
            match VerifiedCheckpoint::open(bytes, &log.key) {
                Ok(checkpoint) => return Ok(checkpoint),
                Err(CheckpointError::Note(NoteError::Unsigned(_))) => {}
                // A signature that is wrong says more than one that is missing.
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    fn member(&self, name: &str) -> Option<Member> {
        let witness = self.witnesses.iter().position(|witness| witness.name == name);
        let group = || self.groups.iter().position(|group| group.name == name);
        witness.map(Member::Witness).or_else(|| group().map(Member::Group))
    }

    fn name(&self, member: Member) -> &str {
        match member {
            Member::Witness(n) => self.witnesses.get(n).map_or("", |witness| witness.name.as_str()),
            Member::Group(n) => self.groups.get(n).map_or("", |group| group.name.as_str()),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = |url: &Option<String>| url.as_ref().map(|url| format!(" {url}")).unwrap_or_default();
        for log in &self.logs {
            writeln!(f, "log {}{}", log.key, url(&log.url))?;
        }
        for witness in &self.witnesses {
            writeln!(f, "witness {} {}{}", witness.name, witness.key, url(&witness.url))?;
        }
        for group in &self.groups {
            let members: Vec<_> = group.members.iter().map(|member| self.name(*member)).collect();
            writeln!(f, "group {} {} {}", group.name, group.need, members.join(" "))?;
        }
        writeln!(f, "quorum {}", self.quorum.map_or(NONE, |member| self.name(member)))
    }
}
