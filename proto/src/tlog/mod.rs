//! The Merkle log: hashes, trees, tiles, signed notes, checkpoints and proofs.
//!
//! Owns the formats by which anybody can check the gateway's log: the tree of RFC 6962, and the C2SP formats
//! `signed-note`, `tlog-checkpoint`, `tlog-tiles`, `tlog-proof`, `tlog-cosignature` and `tlog-policy`. Written down in
//! `docs/formats/log.md` and `docs/formats/witness.md`.
//!
//! Invariants: nothing here reads or writes a file, opens a socket or reads a clock; every parser is bounded before it
//! allocates and refuses a second encoding of the same value; a [`VerifiedCheckpoint`] is only made by checking a
//! signature against a key that the caller already trusts.

pub mod bundle;
pub mod checkpoint;
pub mod cosignature;
pub mod frontier;
pub mod hash;
pub mod inclusion;
pub mod note;
pub mod policy;
pub mod proof;
pub mod tile;
pub mod tlog_proof;
pub mod tree;
pub mod vkey;
pub mod writer;

mod text;

pub use checkpoint::{Checkpoint, VerifiedCheckpoint};
pub use cosignature::{CosignatureError, Cosigner, WitnessKey};
pub use frontier::Frontier;
pub use hash::{HASH_SIZE, Hash, empty_root, leaf_hash, node_hash};
pub use inclusion::{Inclusion, InclusionError, Place};
pub use note::{Note, NoteSignature, NoteSigner};
pub use policy::{Judgement, Policy, PolicyError};
pub use proof::{ConsistencyProof, InclusionProof};
pub use tile::{TilePath, TileSource};
pub use tlog_proof::TlogProof;
pub use vkey::NoteVerifier;
pub use writer::{AppendError, FileWrite, LogWriter, ResumeError};

/// The largest tree this crate works with: 2^63 - 1 entries, so that no arithmetic on sizes can overflow (and what
/// implementations with signed 64-bit sizes accept).
pub const SIZE_LIMIT: u64 = i64::MAX as u64;
