//! The last answer on disk: the bytes as they came, so that they can be verified again.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::files::{self, PRIVATE};
use passerelle_pki::name::{AgencyCode, AgentId};
use passerelle_proto::wire;
use prost::Message;
use serde::{Deserialize, Serialize};

use super::view::View;
use super::{ANSWER_LIMIT, DirectoryError};

pub(super) const FILE: &str = "directory.json";
const FORMAT: u32 = 1;
/// Base64 of a full answer, and the marks.
const FILE_LIMIT: u64 = (ANSWER_LIMIT as u64) * 2;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    format: u32,
    pub(super) fetched_ms: u64,
    asked: BTreeSet<AgencyCode>,
    /// `LookupReply`, protobuf in base64.
    answer: String,
    pub(super) newest: BTreeMap<AgentId, Timestamp>,
}

impl Stored {
    pub(super) fn of(answer: &wire::LookupReply, asked: &BTreeSet<AgencyCode>, view: &View) -> Self {
        Self {
            format: FORMAT,
            fetched_ms: view.fetched.unwrap_or_default().as_millis(),
            asked: asked.clone(),
            answer: STANDARD.encode(answer.encode_to_vec()),
            newest: view.newest.clone(),
        }
    }

    /// The file's content; `None` when there is no file, or none that this version reads: it is only a copy.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, DirectoryError> {
        let bytes = match files::read_limited(path, FILE_LIMIT) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(DirectoryError::File { path: path.to_owned(), source }),
        };
        let stored = serde_json::from_slice::<Self>(&bytes).ok().filter(|stored| stored.format == FORMAT);
        if stored.is_none() {
            tracing::warn!(file = %path.display(), "the directory kept cannot be read; it will be fetched");
        }
        Ok(stored)
    }

    pub(super) fn answer(&self) -> Option<(wire::LookupReply, BTreeSet<AgencyCode>)> {
        let bytes = STANDARD.decode(&self.answer).ok()?;
        Some((wire::LookupReply::decode(&bytes[..]).ok()?, self.asked.clone()))
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), DirectoryError> {
        let file_error = |source| DirectoryError::File { path: path.to_owned(), source };
        let bytes = serde_json::to_vec(self).map_err(|error| file_error(error.into()))?;
        files::replace(path, &bytes, PRIVATE).map_err(file_error)
    }
}
