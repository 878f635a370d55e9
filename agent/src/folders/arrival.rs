//! One received record, written to the working folder of `inbox`: content and sidecar, whole and durable, not yet seen.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use futures_util::StreamExt;
use passerelle_proto::exchange_id::ExchangeId;
use ring::digest::{Context, SHA256};
use serde::Serialize;

use super::layout::InboxFolder;
use super::names::SIDECAR;
use crate::agent::{Agent, InboxBody};
use crate::link;
use crate::records::blocking::blocking;
use crate::records::{InboxError, InboxView, StoreError};

/// Bytes that are written at a time.
const BLOCK: usize = 1 << 20;

/// What stands beside a received file, `NAME.meta.json`.
#[derive(Serialize)]
struct Sidecar<'a> {
    /// The file's name here; `file_name` is what its sender called it.
    file: &'a str,
    sha256: String,
    #[serde(flatten)]
    record: &'a InboxView,
}

/// A record that is written and not placed.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) view: InboxView,
    sha256: String,
}

/// Why a record was not written.
#[derive(Debug)]
pub(super) enum Missed {
    /// Somebody else has taken it.
    Gone,
    /// It does not open any more.
    Unreadable(String),
    /// The folder, or the inbox.
    Failed(io::Error),
}

impl From<io::Error> for Missed {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// The hidden name of a record's content, and of its sidecar.
pub(super) fn hidden(id: ExchangeId) -> [String; 2] {
    [format!("{id}.part"), format!("{id}.part{SIDECAR}")]
}

/// Writes the content of a record, in constant memory.
pub(super) async fn write(
    agent: &Agent,
    folder: &Arc<InboxFolder>,
    id: ExchangeId,
) -> Result<Written, Missed> {
    let mut body = agent.inbox_open(&id).await.map_err(missed)?;
    let view = body.view().clone();
    let [name, _] = hidden(id);
    let (mut target, mut digest, mut length) = (None::<File>, Context::new(&SHA256), 0);
    loop {
        let block = gather(&mut body).await.map_err(missed)?;
        let last = block.len() < BLOCK;
        length += block.len() as u64;
        digest.update(&block);
        let (here, name) = (Arc::clone(folder), name.clone());
        let written = blocking(move || put(&here, &name, target, &block, last)).await;
        target = Some(written.map_err(io::Error::other)??);
        if last {
            break;
        }
    }
    if length != view.length {
        return Err(Missed::Unreadable(format!("{length} ≠ {}", view.length)));
    }
    Ok(Written { view, sha256: hex::encode(digest.finish()) })
}

/// The next bytes of a body: fewer than a block at its end only.
async fn gather(body: &mut InboxBody) -> Result<Vec<u8>, InboxError> {
    let mut block = Vec::new();
    while block.len() < BLOCK {
        match body.next().await.transpose()? {
            Some(chunk) => block.extend_from_slice(&chunk),
            None => break,
        }
    }
    Ok(block)
}

fn put(folder: &InboxFolder, name: &str, target: Option<File>, block: &[u8], last: bool) -> io::Result<File> {
    let mut file = match target {
        Some(file) => file,
        None => folder.work.create(name)?,
    };
    file.write_all(block)?;
    if last {
        file.sync_all()?;
    }
    Ok(file)
}

impl Written {
    /// Writes the sidecar for the name that the file will have.
    pub(super) fn put_sidecar(&self, folder: &InboxFolder, file: &str) -> io::Result<()> {
        let sidecar = Sidecar { file, sha256: self.sha256.clone(), record: &self.view };
        let [_, name] = hidden(self.view.exchange_id);
        let mut written = folder.work.create(&name)?;
        written.write_all(&serde_json::to_vec_pretty(&sidecar)?)?;
        written.sync_all()
    }
}

fn missed(error: InboxError) -> Missed {
    match error {
        InboxError::NotFound(_) => Missed::Gone,
        InboxError::Open(_) => Missed::Unreadable(link::chain(&error)),
        InboxError::Store(StoreError::Stopping) => Missed::Failed(io::Error::other(error)),
        // One record's damage must not stop those behind it.
        InboxError::Store(_) => Missed::Unreadable(link::chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_damaged_record_is_left_alone_and_a_stopping_agent_is_a_failure() {
        let gone = io::Error::from(io::ErrorKind::NotFound);
        for damage in [StoreError::Damaged("a record"), StoreError::file("bodies/1")(gone), StoreError::Newer]
        {
            assert!(matches!(missed(InboxError::Store(damage)), Missed::Unreadable(_)));
        }
        assert!(matches!(missed(InboxError::Store(StoreError::Stopping)), Missed::Failed(_)));
    }
}
