//! The proof file (C2SP tlog-proof, version 1): one entry's inclusion, checked without the log.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::{CheckpointError, VerifiedCheckpoint};
use super::hash::{Hash, HashError};
use super::note::NOTE_LIMIT;
use super::proof::{INCLUSION_LIMIT, InclusionProof, ProofError};
use super::text::{decimal, line};
use super::vkey::NoteVerifier;

/// First line of the file.
pub const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Most bytes of `extra`, decoded.
pub const EXTRA_LIMIT: usize = 64 * 1024;
/// Most bytes in a proof file.
pub const PROOF_FILE_LIMIT: usize = NOTE_LIMIT + EXTRA_LIMIT * 2;

/// A proof file as read: nothing of it is verified. `Display` is the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Bytes for the application. Nothing vouches for them.
    pub extra: Option<Vec<u8>>,
    /// Index of the entry in the log, from 0.
    pub index: u64,
    /// The hashes from the entry's leaf to the root.
    pub proof: InclusionProof,
    /// The signed checkpoint, as the log published it.
    pub checkpoint: String,
}

/// Why a proof file is refused.
#[derive(Debug, thiserror::Error)]
pub enum TlogProofError {
    /// Over [`PROOF_FILE_LIMIT`] bytes, or `extra` over [`EXTRA_LIMIT`].
    #[error("the proof file is too long")]
    TooLong,
    /// Not UTF-8.
    #[error("the proof file is not UTF-8 text")]
    Characters,
    /// The first line is not [`HEADER`].
    #[error("line 1 is not {HEADER}")]
    Header,
    /// `extra` is not canonical base64.
    #[error("the line `extra` is not canonical base64")]
    Extra,
    /// There is no line `index` with a decimal without leading zeros.
    #[error("there is no line `index` with a decimal number")]
    Index,
    /// A line of the proof is not the base64 of 32 bytes.
    #[error("hash {number} of the proof is not a hash")]
    Hash {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        #[source]
        error: HashError,
    },
    /// No empty line before the checkpoint, or nothing after it.
    #[error("the empty line and the checkpoint are missing")]
    Missing,
    /// The checkpoint is refused.
    #[error("the checkpoint of the proof is refused")]
    Checkpoint(#[source] CheckpointError),
    /// The hashes do not prove that the entry is in that log.
    #[error("the entry is not shown to be in the log")]
    Proof(#[source] ProofError),
}

impl TlogProof {
    /// Reads a proof file. The checkpoint inside is only taken apart by [`TlogProof::verify`].
    ///
    /// # Errors
    /// [`TlogProofError`] naming what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        if bytes.len() > PROOF_FILE_LIMIT {
            return Err(TlogProofError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| TlogProofError::Characters)?;
        let (header, mut rest) = line(text).ok_or(TlogProofError::Header)?;
        if header != HEADER {
            return Err(TlogProofError::Header);
        }
        let mut extra = None;
        if let Some(after) = rest.strip_prefix("extra ") {
            let (encoded, after) = line(after).ok_or(TlogProofError::Extra)?;
            extra = Some(STANDARD.decode(encoded).map_err(|_| TlogProofError::Extra)?);
            rest = after;
        }
        if extra.as_ref().is_some_and(|extra| extra.len() > EXTRA_LIMIT) {
            return Err(TlogProofError::TooLong);
        }
        let (index, mut rest) = rest.strip_prefix("index ").and_then(line).ok_or(TlogProofError::Index)?;
        let index = decimal(index).ok_or(TlogProofError::Index)?;
        let mut hashes = Vec::new();
        loop {
            let (text, after) = line(rest).ok_or(TlogProofError::Missing)?;
            rest = after;
            if text.is_empty() {
                break;
            }
            let number = hashes.len() + 1;
            if number > INCLUSION_LIMIT {
                let error = ProofError::TooLong { found: number, limit: INCLUSION_LIMIT };
                return Err(TlogProofError::Proof(error));
            }
            hashes.push(Hash::from_base64(text).map_err(|error| TlogProofError::Hash { number, error })?);
        }
        if rest.is_empty() {
            return Err(TlogProofError::Missing);
        }
        let proof = InclusionProof::new(hashes).map_err(TlogProofError::Proof)?;
        Ok(Self { extra, index, proof, checkpoint: rest.to_owned() })
    }

    /// Checks that the entry with this leaf hash ([`super::leaf_hash`]) is in the log whose key is `log`, at
    /// [`TlogProof::index`], and returns the checkpoint that says so.
    ///
    /// # Errors
    /// [`TlogProofError::Checkpoint`] or [`TlogProofError::Proof`].
    pub fn verify(&self, leaf: Hash, log: &NoteVerifier) -> Result<VerifiedCheckpoint, TlogProofError> {
        let checkpoint =
            VerifiedCheckpoint::open(self.checkpoint.as_bytes(), log).map_err(TlogProofError::Checkpoint)?;
        self.proof
            .verify(leaf, self.index, checkpoint.size(), checkpoint.root())
            .map_err(TlogProofError::Proof)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.proof.hashes().iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}
