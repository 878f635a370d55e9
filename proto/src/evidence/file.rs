//! The file: one protobuf message, in the one encoding, bounded before it is read.
//!
//! Its parts are bytes that were signed or logged as they are; protobuf carries them as they are. The strict decoder
//! of every signed message serves here as well, so that no two files say the same and no reader skips a part that it
//! does not know.

use prost::Message;

use crate::event;
use crate::exchange_id::ExchangeId;
use crate::strict::{self, StrictError};
use crate::tlog::note::NOTE_LIMIT;
use crate::wire::Evidence;

/// The `format` of the files read and written here.
pub const FORMAT: &str = "passerelle-evidence/1";
/// Most bytes of a sealed body in a file (64 MiB). Larger records are proved by their header.
pub const SEALED_BODY_LIMIT: usize = 64 * 1024 * 1024;
/// Most bytes in a file.
pub const EVIDENCE_LIMIT: usize = SEALED_BODY_LIMIT + 24 * 1024 * 1024;
/// Most entries of the log in a file.
pub const ENTRIES_LIMIT: usize = 256;
/// Most acknowledgements in a file.
pub const ACKNOWLEDGEMENTS_LIMIT: usize = 64;
/// Most certificate chains in a file.
pub const CHAINS_LIMIT: usize = 128;
/// Most revocation lists in a file.
pub const LISTS_LIMIT: usize = 8;
/// Most bytes of a time-stamp token.
pub const TOKEN_LIMIT: usize = 64 * 1024;

/// Why a file cannot be judged at all. Whoever made or kept it is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Too long, cut, or not the one encoding: a field is unknown, repeated or out of order.
    #[error("this is not an evidence file, or it was cut or altered")]
    Encoding(#[source] StrictError),
    /// Another format, or a later one.
    #[error("the format is {0:?}, not {FORMAT}")]
    Format(String),
    /// A part breaks its form.
    #[error("the part {0} breaks the form")]
    Part(&'static str),
}

/// Reads a file.
///
/// # Errors
/// [`EvidenceError`] when there is nothing to judge.
pub fn read(bytes: &[u8]) -> Result<Evidence, EvidenceError> {
    let evidence: Evidence = strict::decode(bytes, EVIDENCE_LIMIT).map_err(EvidenceError::Encoding)?;
    if evidence.format != FORMAT {
        return Err(EvidenceError::Format(evidence.format.chars().take(64).collect()));
    }
    check(&evidence)?;
    Ok(evidence)
}

/// Writes a file.
///
/// # Errors
/// [`EvidenceError`] when no reader would take it.
pub fn write(evidence: &Evidence) -> Result<Vec<u8>, EvidenceError> {
    check(evidence)?;
    let (found, limit) = (evidence.encoded_len(), EVIDENCE_LIMIT);
    if found > limit {
        return Err(EvidenceError::Encoding(StrictError::TooLarge { found, limit }));
    }
    Ok(evidence.encode_to_vec())
}

fn check(evidence: &Evidence) -> Result<(), EvidenceError> {
    let earlier = evidence.earlier.clone().unwrap_or_default();
    let hashes = |path: &[bytes::Bytes]| path.len() <= 64 && path.iter().all(|hash| hash.len() == 32);
    let entry = |entry: &crate::wire::EvidenceEntry| {
        (1..=event::ENTRY_LIMIT).contains(&entry.entry.len()) && hashes(&entry.path)
    };
    let rules = [
        ("exchange_id", ExchangeId::from_bytes(&evidence.exchange_id).is_ok()),
        ("sealed_body", evidence.sealed_body.len() <= SEALED_BODY_LIMIT),
        ("acknowledgements", evidence.acknowledgements.len() <= ACKNOWLEDGEMENTS_LIMIT),
        ("entries", evidence.entries.len() <= ENTRIES_LIMIT && evidence.entries.iter().all(entry)),
        ("checkpoint", evidence.checkpoint.len() <= NOTE_LIMIT),
        ("timestamp", evidence.timestamp.len() <= TOKEN_LIMIT),
        (
            "earlier",
            earlier.checkpoint.len() <= NOTE_LIMIT
                && earlier.timestamp.len() <= TOKEN_LIMIT
                && hashes(&earlier.consistency),
        ),
        ("agreement", evidence.agreement.as_ref().is_none_or(|agreement| agreement.standing.is_none())),
        ("chains", evidence.chains.len() <= CHAINS_LIMIT),
        ("revocation_lists", evidence.revocation_lists.len() <= LISTS_LIMIT),
        ("content_key", matches!(evidence.content_key.len(), 0 | 32)),
        ("policy", evidence.policy.len() <= NOTE_LIMIT),
        ("made_by", evidence.made_by.len() <= 256),
    ];
    match rules.iter().find(|(_, holds)| !holds) {
        Some((part, _)) => Err(EvidenceError::Part(part)),
        None => Ok(()),
    }
}
