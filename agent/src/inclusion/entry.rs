//! What the journal of receipts holds: a receipt, what was found in the log, or the proof that the log contradicts itself.

use bytes::Bytes;
use passerelle_proto::wire;
use prost::Message;
use serde::{Deserialize, Serialize};

use crate::records::StoreError;

/// The format written here. Later ones are refused, not guessed.
const FORMAT: u32 = 1;

/// Whose receipt it is, as this agent sees the exchange.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u32)]
pub enum Side {
    /// A record that the agency sent.
    Sent = 1,
    /// A record that it received.
    Received = 2,
    /// A call that it made, or its answer.
    Called = 3,
    /// A call that it was offered, or its answer.
    Answered = 4,
}

impl Side {
    pub(super) fn read(number: u32) -> Option<Self> {
        [Self::Sent, Self::Received, Self::Called, Self::Answered]
            .into_iter()
            .find(|side| *side as u32 == number)
    }
}

/// One entry: one of these.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Entry {
    #[prost(uint32, tag = "1")]
    format: u32,
    #[prost(message, optional, tag = "2")]
    pub(super) promised: Option<Promised>,
    #[prost(message, optional, tag = "3")]
    pub(super) checked: Option<Checked>,
    #[prost(message, optional, tag = "4")]
    pub(super) contradicted: Option<Contradicted>,
}

/// A receipt that was verified.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Promised {
    #[prost(uint32, tag = "1")]
    pub(super) side: u32,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) exchange_id: Bytes,
    #[prost(uint64, tag = "3")]
    pub(super) leaf_index: u64,
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) leaf_hash: Bytes,
    #[prost(uint64, tag = "5")]
    pub(super) noted_ms: u64,
    /// As the gateway signed it: the proof, should the log not have it.
    #[prost(message, optional, tag = "6")]
    pub(super) receipt: Option<wire::Receipt>,
}

/// Which receipt.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Key {
    #[prost(uint64, tag = "1")]
    pub(super) leaf_index: u64,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) exchange_id: Bytes,
}

/// Receipts that were found in the log, and the checkpoint under which they were.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Checked {
    #[prost(message, repeated, tag = "1")]
    pub(super) keys: Vec<Key>,
    #[prost(uint64, tag = "2")]
    pub(super) size: u64,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) root: Bytes,
    #[prost(string, tag = "4")]
    pub(super) note: String,
    #[prost(uint64, tag = "5")]
    pub(super) at_ms: u64,
}

/// Two signed notes of which neither continues the other.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Contradicted {
    #[prost(string, tag = "1")]
    pub(super) first: String,
    #[prost(string, tag = "2")]
    pub(super) second: String,
}

impl Entry {
    pub(super) fn of_promise(promised: Promised) -> Self {
        Self { format: FORMAT, promised: Some(promised), ..Self::default() }
    }

    pub(super) fn of_check(checked: Checked) -> Self {
        Self { format: FORMAT, checked: Some(checked), ..Self::default() }
    }

    pub(super) fn of_contradiction(contradicted: Contradicted) -> Self {
        Self { format: FORMAT, contradicted: Some(contradicted), ..Self::default() }
    }
}

pub(super) fn read(payload: Bytes) -> Result<Entry, StoreError> {
    let entry = Entry::decode(payload).map_err(|_| StoreError::Damaged("an entry of the receipts"))?;
    if entry.format > FORMAT { Err(StoreError::Newer) } else { Ok(entry) }
}
