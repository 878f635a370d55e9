//! The agreements on disk: documents, signatures and standings, to be verified again when read.

use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::files::{self, PRIVATE};
use passerelle_proto::wire;
use prost::Message;
use serde::{Deserialize, Serialize};

use super::{ANSWER_LIMIT, AgreementsError};

pub(super) const FILE: &str = "agreements.json";
const FORMAT: u32 = 1;
/// Base64 of a full answer.
const FILE_LIMIT: u64 = (ANSWER_LIMIT as u64) * 2;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    fetched_ms: u64,
    /// `AgreementRecord`, protobuf in base64.
    records: Vec<String>,
}

/// What is kept, and when it was fetched; `None` when nothing is, or nothing that this version reads.
pub(super) fn read(path: &Path) -> Result<Option<(Timestamp, Vec<wire::AgreementRecord>)>, AgreementsError> {
    let bytes = match files::read_limited(path, FILE_LIMIT) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(AgreementsError::File { path: path.to_owned(), source }),
    };
    let kept = serde_json::from_slice::<Stored>(&bytes).ok().filter(|stored| stored.format == FORMAT);
    let kept = kept.and_then(|stored| {
        let records: Option<Vec<_>> = stored.records.iter().map(|record| decode(record)).collect();
        Some((Timestamp::from_millis(stored.fetched_ms), records?))
    });
    if kept.is_none() {
        tracing::warn!(file = %path.display(), "the agreements kept cannot be read; they will be fetched");
    }
    Ok(kept)
}

fn decode(record: &str) -> Option<wire::AgreementRecord> {
    wire::AgreementRecord::decode(&STANDARD.decode(record).ok()?[..]).ok()
}

pub(super) fn write(
    path: &Path,
    fetched: Timestamp,
    records: &[wire::AgreementRecord],
) -> Result<(), AgreementsError> {
    let file_error = |source| AgreementsError::File { path: path.to_owned(), source };
    let records = records.iter().map(|record| STANDARD.encode(record.encode_to_vec())).collect();
    let stored = Stored { format: FORMAT, fetched_ms: fetched.as_millis(), records };
    let bytes = serde_json::to_vec(&stored).map_err(|error| file_error(error.into()))?;
    files::replace(path, &bytes, PRIVATE).map_err(file_error)
}
