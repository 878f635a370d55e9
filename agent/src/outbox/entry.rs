//! What the outbox's journal holds: a record whole, or what has become of one. What has become of it only ever adds.

use bytes::Bytes;
use passerelle_pki::clock::Timestamp;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{self, Reason};
use prost::Message;

use super::streams::StreamMark;
use crate::metrics::Counted;
use crate::records::digest::sha256;
use crate::records::{
    AgreementView, DenialView, OrderView, ReceiptView, RecipientState, RecipientView, RecordState, RecordView,
};

/// The format written here. Later ones are refused, not guessed.
pub(super) const FORMAT: u32 = 1;

/// One entry: a record with everything known of it, or a change.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Entry {
    #[prost(uint32, tag = "1")]
    pub(super) format: u32,
    #[prost(message, optional, tag = "2")]
    pub(super) record: Option<Record>,
    /// As long as the record is in the history; absent where it was written before it was kept.
    #[prost(message, optional, tag = "3")]
    pub(super) envelope: Option<wire::Envelope>,
    /// Sealed; empty when it lies in the spool.
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) body: Bytes,
    #[prost(message, optional, tag = "5")]
    pub(super) change: Option<Change>,
    /// A stream whose last record is gone from the journal.
    #[prost(message, optional, tag = "6")]
    pub(super) stream: Option<StreamMark>,
}

/// A record, without what is for its recipients only.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Record {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) exchange_id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) header_digest: Bytes,
    #[prost(string, tag = "3")]
    pub(super) number: String,
    #[prost(uint32, tag = "4")]
    version: u32,
    #[prost(string, tag = "5")]
    service: String,
    #[prost(string, tag = "6")]
    purpose: String,
    #[prost(string, tag = "7")]
    content_type: String,
    #[prost(uint64, tag = "8")]
    pub(super) length: u64,
    #[prost(uint64, tag = "9")]
    pub(super) created_ms: u64,
    #[prost(uint64, tag = "10")]
    pub(super) expires_ms: u64,
    #[prost(message, repeated, tag = "11")]
    pub(super) recipients: Vec<Recipient>,
    #[prost(message, optional, tag = "12")]
    receipt: Option<Receipt>,
    #[prost(message, optional, tag = "13")]
    denial: Option<Denial>,
    /// Under what the idempotency key is remembered; empty without one.
    #[prost(bytes = "bytes", tag = "14")]
    pub(super) key: Bytes,
    /// What was asked for, as a keyed digest.
    #[prost(bytes = "bytes", tag = "15")]
    pub(super) request: Bytes,
    /// 0 until nothing changes any more.
    #[prost(uint64, tag = "16")]
    pub(super) finished_ms: u64,
    #[prost(bool, tag = "17")]
    pub(super) spooled: bool,
    #[prost(uint64, tag = "18")]
    pub(super) sealed_bytes: u64,
    /// Bytes of the header, which the journal holds beside this.
    #[prost(uint64, tag = "19")]
    pub(super) header_bytes: u64,
    /// Its last change, in the order of [`super::table::Table::changed_after`]; 0 when it was written before there was one.
    #[prost(uint64, tag = "20")]
    pub(super) changed: u64,
    /// Shapes of the fields that were removed before it was sealed.
    #[prost(string, repeated, tag = "21")]
    pub(super) removed_fields: Vec<String>,
    /// Its place in a stream of ordered records; empty and 0 without one.
    #[prost(bytes = "bytes", tag = "22")]
    stream: Bytes,
    #[prost(uint64, tag = "23")]
    sequence: u64,
    /// Which of its key's streams that is.
    #[prost(uint64, tag = "24")]
    pub(super) generation: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Recipient {
    #[prost(string, tag = "1")]
    pub(super) agency: String,
    /// 0 waiting, 1 delivered, 2 refused, 3 expired.
    #[prost(uint32, tag = "2")]
    pub(super) state: u32,
    #[prost(int32, tag = "3")]
    pub(super) reason: i32,
    #[prost(uint64, tag = "4")]
    pub(super) at_ms: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Receipt {
    #[prost(uint64, tag = "1")]
    pub(super) leaf_index: u64,
    #[prost(uint64, tag = "2")]
    pub(super) accepted_ms: u64,
    #[prost(string, tag = "3")]
    pub(super) log_origin: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Denial {
    #[prost(int32, tag = "1")]
    pub(super) reason: i32,
    #[prost(string, tag = "2")]
    pub(super) detail: String,
    #[prost(uint64, optional, tag = "3")]
    pub(super) leaf_index: Option<u64>,
}

/// What has become of a record.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Change {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) exchange_id: Bytes,
    #[prost(message, optional, tag = "2")]
    pub(super) receipt: Option<Receipt>,
    #[prost(message, optional, tag = "3")]
    pub(super) denial: Option<Denial>,
    #[prost(message, optional, tag = "4")]
    pub(super) recipient: Option<Recipient>,
    #[prost(uint64, tag = "5")]
    pub(super) at_ms: u64,
}

pub(super) const DELIVERED: u32 = 1;
pub(super) const REFUSED: u32 = 2;
pub(super) const EXPIRED: u32 = 3;

impl Entry {
    pub(super) fn of_record(record: Record, envelope: Option<wire::Envelope>, body: Bytes) -> Self {
        Self { format: FORMAT, record: Some(record), envelope, body, ..Self::default() }
    }

    pub(super) fn of_stream(stream: StreamMark) -> Self {
        Self { format: FORMAT, stream: Some(stream), ..Self::default() }
    }

    pub(super) fn of_change(change: Change) -> Self {
        Self { format: FORMAT, change: Some(change), ..Self::default() }
    }
}

impl Change {
    /// As what it is counted.
    pub(super) fn counted(&self) -> (Counted, Reason) {
        let reason = |reason: i32| Reason::try_from(reason).unwrap_or(Reason::Unspecified);
        match (&self.denial, &self.recipient) {
            (Some(denial), _) => (Counted::Denied, reason(denial.reason)),
            (None, Some(recipient)) => match recipient.state {
                DELIVERED => (Counted::Delivered, Reason::Unspecified),
                REFUSED => (Counted::Refused, reason(recipient.reason)),
                _ => (Counted::Expired, Reason::Unspecified),
            },
            (None, None) => (Counted::Accepted, Reason::Unspecified),
        }
    }
}

impl Record {
    pub(super) fn new(header: &wire::Header, header_bytes: &[u8], sealed_bytes: u64, spooled: bool) -> Self {
        let agreement = header.agreement.clone().unwrap_or_default();
        let order = header.order.clone().unwrap_or_default();
        let recipient = |agency: &String| Recipient { agency: agency.clone(), ..Recipient::default() };
        Self {
            exchange_id: header.exchange_id.clone(),
            header_digest: sha256(header_bytes).to_vec().into(),
            number: agreement.number,
            version: agreement.version,
            service: header.service.clone(),
            purpose: header.purpose.clone(),
            content_type: header.content_type.clone(),
            length: header.plaintext_length,
            created_ms: header.created_ms,
            expires_ms: header.expires_ms,
            recipients: header.recipients.iter().map(recipient).collect(),
            spooled,
            sealed_bytes,
            header_bytes: header_bytes.len() as u64,
            stream: order.stream,
            sequence: order.sequence,
            ..Self::default()
        }
    }

    /// Neither accepted nor denied yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.receipt.is_none() && self.denial.is_none()
    }

    /// Its stream and its number there.
    pub(super) fn place(&self) -> Option<(&Bytes, u64)> {
        (!self.stream.is_empty()).then_some((&self.stream, self.sequence))
    }

    /// Whether the gateway refused it for this.
    pub(super) fn denied_for(&self, reason: Reason) -> bool {
        self.denial.as_ref().is_some_and(|denial| denial.reason == i32::from(reason))
    }

    /// Takes a change over; false when it tells nothing new. What is settled stays.
    pub(super) fn merge(&mut self, change: &Change) -> bool {
        let mut news = false;
        if self.is_waiting() && (change.receipt.is_some() || change.denial.is_some()) {
            self.receipt.clone_from(&change.receipt);
            self.denial = change.denial.clone().filter(|_| change.receipt.is_none());
            news = true;
        }
        if let Some(told) = &change.recipient {
            let open = |recipient: &&mut Recipient| recipient.state == 0 && recipient.agency == told.agency;
            if let Some(recipient) = self.recipients.iter_mut().find(open) {
                recipient.clone_from(told);
                news = true;
            }
        }
        if self.finished_ms == 0 && self.state(false).is_final() {
            self.finished_ms = change.at_ms.max(1);
        }
        news
    }

    pub(super) fn state(&self, sent: bool) -> RecordState {
        if self.denial.is_some() {
            return RecordState::Denied;
        }
        if self.receipt.is_none() {
            return if sent { RecordState::Sent } else { RecordState::Queued };
        }
        let any = |state| self.recipients.iter().any(|recipient| recipient.state == state);
        match () {
            () if any(0) => RecordState::Accepted,
            () if any(REFUSED) => RecordState::Refused,
            () if any(EXPIRED) => RecordState::Expired,
            () => RecordState::Delivered,
        }
    }

    pub(super) fn view(&self, exchange_id: ExchangeId, sent: bool) -> RecordView {
        let receipt = self.receipt.as_ref().map(|receipt| ReceiptView {
            leaf_index: receipt.leaf_index,
            accepted_at: Timestamp::from_millis(receipt.accepted_ms),
            log_origin: receipt.log_origin.clone(),
        });
        let denial = self.denial.as_ref().map(|denial| {
            let reason = Reason::try_from(denial.reason).unwrap_or(Reason::Unspecified);
            DenialView::of(reason, denial.detail.clone(), denial.leaf_index)
        });
        RecordView {
            exchange_id,
            state: self.state(sent),
            agreement: AgreementView { number: self.number.clone(), version: self.version },
            service: self.service.clone(),
            purpose: self.purpose.clone(),
            content_type: self.content_type.clone(),
            length: self.length,
            removed_fields: self.removed_fields.clone(),
            order: OrderView::of(&self.stream, self.sequence),
            created_at: Timestamp::from_millis(self.created_ms),
            expires_at: Timestamp::from_millis(self.expires_ms),
            receipt,
            denial,
            recipients: self.recipients.iter().filter_map(Recipient::view).collect(),
            progress: None,
        }
    }

    /// Bytes that the journal must hold for it.
    pub(super) fn live_bytes(&self) -> u64 {
        let sealed = match self.is_waiting() {
            true if self.spooled => self.header_bytes,
            true => self.header_bytes + self.sealed_bytes,
            false => self.header_bytes,
        };
        self.encoded_len() as u64 + sealed
    }
}

impl Recipient {
    fn view(&self) -> Option<RecipientView> {
        let state = match self.state {
            DELIVERED => RecipientState::Delivered,
            REFUSED => RecipientState::Refused,
            EXPIRED => RecipientState::Expired,
            _ => RecipientState::Waiting,
        };
        let reason = Reason::try_from(self.reason).ok().filter(|_| self.state == REFUSED);
        Some(RecipientView {
            agency: self.agency.parse().ok()?,
            state,
            reason: reason.map(passerelle_proto::reason::code),
            at: (self.at_ms > 0).then(|| Timestamp::from_millis(self.at_ms)),
        })
    }
}
