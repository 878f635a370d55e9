//! What was seen of the log, on disk: the signed notes as they came, so that they can be verified again.

use std::io;
use std::path::Path;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::files::{self, PRIVATE};
use passerelle_proto::tlog::checkpoint::VerifiedCheckpoint;
use serde::{Deserialize, Serialize};

use super::CheckpointsError;

pub(super) const FILE: &str = "checkpoint.json";
const FORMAT: u32 = 1;
/// Two notes, and the marks.
const FILE_LIMIT: u64 = 2 * 1024 * 1024;

/// A signed note and when it was seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    pub(super) note: String,
    pub(super) seen_ms: u64,
}

impl Kept {
    pub(super) fn of(checkpoint: &VerifiedCheckpoint, seen: Timestamp) -> Self {
        Self { note: checkpoint.note().to_owned(), seen_ms: seen.as_millis() }
    }
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    format: u32,
    pub(super) largest: Kept,
    /// Two trees of one size: proof against the log's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) forked: Option<[Kept; 2]>,
}

impl Stored {
    pub(super) fn new(largest: Kept, forked: Option<[Kept; 2]>) -> Self {
        Self { format: FORMAT, largest, forked }
    }

    /// The file's content; `None` when there is no file, or none that this version reads.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, CheckpointsError> {
        let bytes = match files::read_limited(path, FILE_LIMIT) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CheckpointsError::File { path: path.to_owned(), source }),
        };
        let stored = serde_json::from_slice::<Self>(&bytes).ok().filter(|stored| stored.format == FORMAT);
        if stored.is_none() {
            tracing::warn!(file = %path.display(), "the checkpoint kept cannot be read; beginning anew");
        }
        Ok(stored)
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), CheckpointsError> {
        let file_error = |source| CheckpointsError::File { path: path.to_owned(), source };
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| file_error(error.into()))?;
        files::replace(path, &bytes, PRIVATE).map_err(file_error)
    }
}
