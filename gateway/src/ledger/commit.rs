//! One journal entry: the events that one step adds to the log, with the sealed record that it accepts, if any.
//! Record and event are in one entry, so a torn write loses both or neither. Format: docs/formats/journal.md.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

/// First byte of every entry: the version of this format.
const VERSION: u8 = 1;

/// Events that become durable together, and the record they accept.
#[derive(Clone, PartialEq, Message)]
pub struct Commit {
    /// Leaf index of the first event.
    #[prost(uint64, tag = "1")]
    pub first_leaf: u64,
    /// Exact log entries, in leaf order.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub entries: Vec<Bytes>,
    /// The record that the first event accepts.
    #[prost(message, optional, tag = "3")]
    pub record: Option<StoredRecord>,
}

/// A sealed record as it was submitted.
#[derive(Clone, PartialEq, Message)]
pub struct StoredRecord {
    /// The encoded [`passerelle_proto::wire::Envelope`].
    #[prost(bytes = "bytes", tag = "1")]
    pub envelope: Bytes,
    /// The sealed body; empty when it lies in the spool.
    #[prost(bytes = "bytes", tag = "2")]
    pub body: Bytes,
}

/// Why a journal entry cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Written by a newer version of the gateway, or not by a gateway.
    #[error("journal entry of format {0}, this program knows format 1")]
    Version(u8),
    /// Not the encoding of a commit.
    #[error("journal entry is not a commit")]
    Malformed(#[source] prost::DecodeError),
}

impl Commit {
    /// The journal entry.
    pub fn to_entry(&self) -> Vec<u8> {
        let mut entry = BytesMut::with_capacity(1 + self.encoded_len());
        entry.put_u8(VERSION);
        // A `BytesMut` grows: `encode_raw` cannot run out of room.
        self.encode_raw(&mut entry);
        entry.into()
    }

    /// Reads a journal entry back.
    pub fn from_entry(mut entry: Bytes) -> Result<Self, CommitError> {
        match entry.first() {
            Some(&VERSION) => {
                let body = entry.split_off(1);
                Self::decode(body).map_err(CommitError::Malformed)
            }
            other => Err(CommitError::Version(other.copied().unwrap_or(0))),
        }
    }

    /// Leaf index after the last event.
    pub fn end(&self) -> u64 {
        self.first_leaf + self.entries.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_back() {
        let commit = Commit {
            first_leaf: 7,
            entries: vec![Bytes::from_static(b"a"), Bytes::from_static(b"")],
            record: Some(StoredRecord { envelope: Bytes::from_static(b"e"), body: Bytes::from_static(b"b") }),
        };
        assert_eq!(Commit::from_entry(commit.to_entry().into()).unwrap(), commit);
        assert_eq!(commit.end(), 9);
    }

    #[test]
    fn another_version_is_refused() {
        assert!(matches!(Commit::from_entry(Bytes::from_static(&[2, 8, 7])), Err(CommitError::Version(2))));
        assert!(matches!(Commit::from_entry(Bytes::new()), Err(CommitError::Version(0))));
        assert!(matches!(Commit::from_entry(Bytes::from_static(&[1, 0xff])), Err(CommitError::Malformed(_))));
    }
}
