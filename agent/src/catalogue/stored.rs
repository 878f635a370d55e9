//! The catalogue on disk: statements and certificates as they came, to be verified again when read.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::files::{self, PRIVATE};
use passerelle_pki::name::AgencyCode;
use passerelle_proto::wire;
use prost::Message;
use serde::{Deserialize, Serialize};

use super::view::{Key, View};
use super::{ANSWER_LIMIT, CatalogueError};

pub(super) const FILE: &str = "catalogue.json";
const FORMAT: u32 = 1;
/// Base64 of a full answer, and the marks.
const FILE_LIMIT: u64 = (ANSWER_LIMIT as u64) * 2;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    fetched_ms: u64,
    /// `ServiceEntry`, protobuf in base64.
    entries: Vec<String>,
    newest: Vec<Newest>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Newest {
    agency: AgencyCode,
    service: String,
    created_ms: u64,
}

/// What is kept.
pub(super) struct Kept {
    pub(super) fetched: Timestamp,
    pub(super) entries: Vec<wire::ServiceEntry>,
    pub(super) newest: BTreeMap<Key, Timestamp>,
}

/// What is kept; `None` when nothing is, or nothing that this version reads.
pub(super) fn read(path: &Path) -> Result<Option<Kept>, CatalogueError> {
    let bytes = match files::read_limited(path, FILE_LIMIT) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CatalogueError::File { path: path.to_owned(), source }),
    };
    let stored = serde_json::from_slice::<Stored>(&bytes).ok().filter(|stored| stored.format == FORMAT);
    let kept = stored.and_then(|stored| {
        let entries: Option<Vec<_>> = stored.entries.iter().map(|entry| decode(entry)).collect();
        let newest = stored.newest.into_iter();
        Some(Kept {
            fetched: Timestamp::from_millis(stored.fetched_ms),
            entries: entries?,
            newest: newest
                .map(|known| ((known.agency, known.service), Timestamp::from_millis(known.created_ms)))
                .collect(),
        })
    });
    if kept.is_none() {
        tracing::warn!(file = %path.display(), "the catalogue kept cannot be read; it will be fetched");
    }
    Ok(kept)
}

fn decode(entry: &str) -> Option<wire::ServiceEntry> {
    wire::ServiceEntry::decode(&STANDARD.decode(entry).ok()?[..]).ok()
}

pub(super) fn write(path: &Path, view: &View) -> Result<(), CatalogueError> {
    let failed = |source| CatalogueError::File { path: path.to_owned(), source };
    let newest = view.newest.iter().map(|((agency, service), created)| Newest {
        agency: agency.clone(),
        service: service.clone(),
        created_ms: created.as_millis(),
    });
    let stored = Stored {
        format: FORMAT,
        fetched_ms: view.fetched.unwrap_or_default().as_millis(),
        entries: view
            .services
            .values()
            .map(|listed| STANDARD.encode(listed.entry().encode_to_vec()))
            .collect(),
        newest: newest.collect(),
    };
    let bytes = serde_json::to_vec(&stored).map_err(|error| failed(error.into()))?;
    files::replace(path, &bytes, PRIVATE).map_err(failed)
}
