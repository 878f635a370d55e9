//! Exchanges by id: what answers a repeat, a state request and a delivery.

use bytes::Bytes;
use passerelle_journal::Position;
use passerelle_proto::wire;
use prost::Message;

use super::keys;
use super::store::{View, ViewError};

/// Where one recipient stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum RecipientStatus {
    /// Not acknowledged yet.
    Waiting = 0,
    /// Acknowledged: received, or refused by its agent.
    Acknowledged = 1,
    /// Expired undelivered.
    Expired = 2,
}

/// One recipient of an exchange.
#[derive(Clone, PartialEq, Message)]
pub struct RecipientRow {
    /// Agency code.
    #[prost(string, tag = "1")]
    pub agency: String,
    /// Where it stands.
    #[prost(enumeration = "RecipientStatus", tag = "2")]
    pub status: i32,
    /// Leaf of the acknowledgement or of the expiry, when not waiting.
    #[prost(uint64, tag = "3")]
    pub leaf_index: u64,
    /// The agent whose acknowledgement was the first.
    #[prost(string, tag = "4")]
    pub agent: String,
}

/// An accepted exchange.
#[derive(Clone, PartialEq, Message)]
pub struct ExchangeRow {
    /// SHA-256 of the header bytes, 32 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub header_digest: Bytes,
    /// Leaf of the acceptance.
    #[prost(uint64, tag = "2")]
    pub leaf_index: u64,
    /// RFC 6962 leaf hash of the acceptance, 32 bytes.
    #[prost(bytes = "bytes", tag = "3")]
    pub leaf_hash: Bytes,
    /// When it was accepted, milliseconds since the UNIX epoch.
    #[prost(uint64, tag = "4")]
    pub accepted_ms: u64,
    /// Who sent it.
    #[prost(string, tag = "5")]
    pub sender_agency: String,
    /// When it expires, milliseconds since the UNIX epoch.
    #[prost(uint64, tag = "6")]
    pub expires_ms: u64,
    /// Recipient agencies.
    #[prost(message, repeated, tag = "7")]
    pub recipients: Vec<RecipientRow>,
    /// Where the journal has the record, 16 bytes; empty when no longer kept.
    #[prost(bytes = "bytes", tag = "8")]
    pub position: Bytes,
    /// The body lies in the spool.
    #[prost(bool, tag = "9")]
    pub spooled: bool,
    /// Which of the sender's agents sent it: the one that is told of acknowledgements.
    #[prost(string, tag = "10")]
    pub sender_agent: String,
    /// Stream of ordered records that it belongs to, 16 bytes; empty when it belongs to none.
    #[prost(bytes = "bytes", tag = "11")]
    pub stream: Bytes,
    /// Its number there; 0 when it belongs to none.
    #[prost(uint64, tag = "12")]
    pub sequence: u64,
}

impl ExchangeRow {
    /// Whether some recipient still waits for it.
    pub fn waiting(&self) -> bool {
        self.recipients.iter().any(|recipient| recipient.status() == RecipientStatus::Waiting)
    }

    /// The row of one recipient agency.
    pub fn recipient(&self, agency: &str) -> Option<&RecipientRow> {
        self.recipients.iter().find(|recipient| recipient.agency == agency)
    }

    /// Where the journal has the record, while it is kept.
    pub fn journal_position(&self) -> Option<Position> {
        <[u8; 16]>::try_from(self.position.as_ref()).ok().map(Position::from_bytes)
    }

    /// The receipt's body: the same at every repeat.
    pub fn receipt_body(&self, exchange_id: &[u8], log_origin: &str) -> wire::ReceiptBody {
        wire::ReceiptBody {
            exchange_id: Bytes::copy_from_slice(exchange_id),
            header_digest: self.header_digest.clone(),
            log_origin: log_origin.to_owned(),
            leaf_index: self.leaf_index,
            leaf_hash: self.leaf_hash.clone(),
            accepted_ms: self.accepted_ms,
        }
    }
}

impl View {
    /// The exchange with this id, if it was accepted.
    pub fn exchange(&self, id: &[u8]) -> Result<Option<ExchangeRow>, ViewError> {
        self.row(&keys::exchange(id))
    }

    /// Every exchange that some recipient still waits for: id and row, in expiry order.
    pub fn waiting(&self) -> impl Iterator<Item = Result<(Bytes, ExchangeRow), ViewError>> + '_ {
        self.db().scan_prefix([keys::EXPIRY]).values().filter_map(|id| match id {
            Ok(id) => match self.exchange(&id) {
                Ok(row) => row.map(|row| Ok((Bytes::copy_from_slice(&id), row))),
                Err(error) => Some(Err(error)),
            },
            Err(error) => Some(Err(error.into())),
        })
    }
}
