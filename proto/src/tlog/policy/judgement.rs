//! What a policy says of one checkpoint: who cosigned it and when, and whether that is enough.

use super::{Member, Policy};
use crate::tlog::checkpoint::{CheckpointError, VerifiedCheckpoint};
use crate::tlog::cosignature::CosignatureError;
use crate::tlog::note::Note;
use crate::tlog::vkey::KeyName;

/// What a policy says of one checkpoint.
#[derive(Debug)]
pub struct Judgement {
    /// Every witness of the policy, in its order.
    pub witnesses: Vec<Standing>,
    /// How many count towards the quorum; `None` when the policy has none.
    pub quorum: Option<QuorumCount>,
}

/// One witness of the policy and this checkpoint.
#[derive(Debug)]
pub struct Standing {
    /// What the policy calls it.
    pub name: String,
    /// The name that it signs under.
    pub key_name: KeyName,
    /// What it did.
    pub outcome: Outcome,
}

/// What a witness did with a checkpoint.
#[derive(Debug)]
pub enum Outcome {
    /// It cosigned, last at this time, in seconds since 1970.
    Cosigned {
        /// When, by its own clock.
        time_s: u64,
    },
    /// It has no line in the note.
    Missing,
    /// A line names its key and does not verify: the checkpoint was altered on its way.
    Refused(CosignatureError),
}

/// The quorum of a policy, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumCount {
    /// The witness or group that is the quorum.
    pub name: String,
    /// Members of it that have signed; a group within it counts for one.
    pub have: usize,
    /// How many must have.
    pub need: usize,
    /// How many members there are.
    pub of: usize,
}

impl QuorumCount {
    /// Whether enough have signed.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.have >= self.need
    }
}

impl Judgement {
    /// Whether the checkpoint counts: the quorum is met, or none is asked for, and no line of a known witness is false.
    #[must_use]
    pub fn is_met(&self) -> bool {
        let refused = self.witnesses.iter().any(|standing| matches!(standing.outcome, Outcome::Refused(_)));
        !refused && self.quorum.as_ref().is_none_or(QuorumCount::is_met)
    }

    /// The witnesses that cosigned, with the time in seconds since 1970.
    pub fn cosigned(&self) -> impl Iterator<Item = (&Standing, u64)> {
        self.witnesses.iter().filter_map(|standing| match standing.outcome {
            Outcome::Cosigned { time_s } => Some((standing, time_s)),
            Outcome::Missing | Outcome::Refused(_) => None,
        })
    }
}

impl Policy {
    /// Checks the cosignatures of every witness of the policy in `checkpoint`, and counts. Whether the log is one that
    /// the policy believes was for [`Policy::open`], or for the caller, to check; lines of others are ignored.
    ///
    /// # Errors
    /// [`CheckpointError::Note`] when the note cannot be read, which an opened one always can.
    pub fn judge(&self, checkpoint: &VerifiedCheckpoint) -> Result<Judgement, CheckpointError> {
        Note::parse(checkpoint.note().as_bytes())
            .map(|note| self.judge_note(&note))
            .map_err(CheckpointError::Note)
    }

    /// The same for a note that was read already, whoever signed it.
    #[must_use]
    pub fn judge_note(&self, note: &Note) -> Judgement {
        let witnesses: Vec<Standing> = self
            .witnesses
            .iter()
            .map(|witness| Standing {
                name: witness.name.clone(),
                key_name: witness.key.name().clone(),
                outcome: match witness.key.newest_in(note) {
                    Ok(Some(time_s)) => Outcome::Cosigned { time_s },
                    Ok(None) => Outcome::Missing,
                    Err(error) => Outcome::Refused(error),
                },
            })
            .collect();
        let quorum = self.quorum.map(|member| self.count(member, &witnesses));
        Judgement { witnesses, quorum }
    }

    fn count(&self, quorum: Member, witnesses: &[Standing]) -> QuorumCount {
        let mut groups: Vec<bool> = Vec::new();
        let mut counts: Vec<usize> = Vec::new();
        let has_signed = |member: &Member, groups: &[bool]| match member {
            Member::Witness(n) => {
                witnesses.get(*n).is_some_and(|standing| matches!(standing.outcome, Outcome::Cosigned { .. }))
            }
            Member::Group(n) => groups.get(*n).copied().unwrap_or(false),
        };
        // In the order of the file: the members of a group come before it.
        for group in &self.groups {
            let have = group.members.iter().filter(|member| has_signed(member, &groups)).count();
            counts.push(have);
            groups.push(have >= group.need);
        }
        let name = self.name(quorum).to_owned();
        if let Member::Group(n) = quorum
            && let (Some(group), Some(have)) = (self.groups.get(n), counts.get(n))
        {
            return QuorumCount { name, have: *have, need: group.need, of: group.members.len() };
        }
        QuorumCount { name, have: usize::from(has_signed(&quorum, &groups)), need: 1, of: 1 }
    }
}
