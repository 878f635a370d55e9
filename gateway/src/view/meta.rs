//! How far the view has come: written in the same batch as what it speaks of.

use bytes::Bytes;
use passerelle_journal::Position;
use prost::Message;

use super::keys;
use super::store::{View, ViewError};
use crate::log::Mark;

/// Format of the view. Another one is deleted and rebuilt.
pub(super) const FORMAT: u32 = 2;

/// How far the view has come.
#[derive(Clone, PartialEq, Message)]
pub struct Meta {
    /// Format of the rows.
    #[prost(uint32, tag = "1")]
    pub format: u32,
    /// Events applied: leaves 0 to `applied` - 1.
    #[prost(uint64, tag = "2")]
    pub applied: u64,
    /// Journal position after the last commit applied, 16 bytes; empty before the first.
    #[prost(bytes = "bytes", tag = "3")]
    pub position: Bytes,
    /// RFC 6962 leaf hash of the last event applied, 32 bytes: tells another log's view from ours.
    #[prost(bytes = "bytes", tag = "4")]
    pub last_leaf_hash: Bytes,
    /// The log's origin.
    #[prost(string, tag = "5")]
    pub origin: String,
    /// Time of the last event applied, milliseconds since the UNIX epoch.
    #[prost(uint64, tag = "6")]
    pub last_ms: u64,
    /// Rows of governance: tells when some are gone.
    #[prost(uint64, tag = "7")]
    pub governance: u64,
    /// Erased entries were passed over, and it was not yet seen whether events name them all: such a view is of no use
    /// to another start.
    #[prost(bool, tag = "8")]
    pub unsettled: bool,
}

/// How far the log was published when this was written, and where the journal goes on from there. May be older than
/// the truth, never newer.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PublishedRow {
    /// Leaf index after the last event before `position`.
    #[prost(uint64, tag = "1")]
    pub(super) end: u64,
    /// Journal position, 16 bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) position: Bytes,
}

impl Meta {
    /// Where the journal goes on after the last commit applied.
    pub fn journal_position(&self) -> Option<Position> {
        <[u8; 16]>::try_from(self.position.as_ref()).ok().map(Position::from_bytes)
    }
}

impl View {
    /// Remembers how far the log is published.
    pub(crate) fn set_published(&self, mark: Mark) -> Result<(), ViewError> {
        let row = PublishedRow { end: mark.end, position: Bytes::copy_from_slice(&mark.position.to_bytes()) };
        self.put(keys::PUBLISHED, &row.encode_to_vec())
    }

    /// How far the log was published when it was last remembered.
    pub(crate) fn published(&self) -> Result<Option<Mark>, ViewError> {
        let row: Option<PublishedRow> = self.row(keys::PUBLISHED)?;
        Ok(row.and_then(|row| {
            let position = <[u8; 16]>::try_from(row.position.as_ref()).ok().map(Position::from_bytes)?;
            Some(Mark { end: row.end, position })
        }))
    }
}
