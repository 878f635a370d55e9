//! Evidence of one exchange for a third party: one file, and the verdict on it (`docs/formats/evidence.md`).
//!
//! A file holds what others signed, byte for byte, and nothing that has to be taken on trust. [`judge`] is a pure
//! function of the file and of the judge's own [`Trust`]: log keys, witnesses and their quorum, root certificates,
//! time-stamp authorities. It answers with one [`Claim`] a question, each passed, failed or not present, since one
//! single « good » would hide what is missing.
//!
//! - [`file`](mod@file): reading and writing; `case`: what is read once for all claims; `signers`: certificates as of a moment;
//! - one file a claim: `integrity`, `sender`, `acknowledged`, `in_force`, `inclusion`, `witnesses`, `time`, `plaintext`.
//!
//! Invariant: nothing in a file widens what the judge trusts; its `policy` is there to be read by people only.

mod acknowledged;
mod case;
pub mod claim;
pub mod file;
mod in_force;
mod inclusion;
mod integrity;
mod plaintext;
mod sender;
mod signers;
mod time;
mod trust;
mod verdict;
mod witnesses;

pub use claim::{Claim, Outcome, Question, Words};
pub use file::{EVIDENCE_LIMIT, EvidenceError, FORMAT, SEALED_BODY_LIMIT};
pub use trust::Trust;
pub use verdict::{Verdict, judge};
