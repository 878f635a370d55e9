//! What the inbox's journal holds: a received record whole, a refused one's trace, what became of acknowledgements, or a
//! confirmation.

use bytes::Bytes;
use passerelle_proto::wire;
use prost::Message;

use super::order::StreamMark;
use crate::systems::Caller;

/// The format written here. Later ones are refused, not guessed.
pub(super) const FORMAT: u32 = 2;

/// One entry.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Entry {
    #[prost(uint32, tag = "1")]
    pub(super) format: u32,
    #[prost(message, optional, tag = "2")]
    pub(super) known: Option<Known>,
    /// As long as a received record is remembered; absent for one that was refused.
    #[prost(message, optional, tag = "3")]
    pub(super) envelope: Option<wire::Envelope>,
    /// Sealed; empty when it lies in the spool.
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) body: Bytes,
    /// The id of a record that was taken by the agency's system.
    #[prost(bytes = "bytes", tag = "5")]
    pub(super) confirmed: Bytes,
    /// Records whose acknowledgement by this agent is the agency's first: systems may have them from now on.
    #[prost(message, repeated, tag = "6")]
    pub(super) ours: Vec<Ours>,
    /// Ids of records that another agent of the agency has, or that expired undelivered.
    #[prost(bytes = "bytes", repeated, tag = "7")]
    pub(super) elsewhere: Vec<Bytes>,
    /// A stream whose last record is gone from the journal.
    #[prost(message, optional, tag = "8")]
    pub(super) stream: Option<StreamMark>,
}

/// A record that became the agency's through this agent.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Ours {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) exchange_id: Bytes,
    /// Its place in the order that systems see.
    #[prost(uint64, tag = "2")]
    pub(super) sequence: u64,
}

/// What is remembered of an exchange, so that it enters once.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Known {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) exchange_id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) header_digest: Bytes,
    /// Why it was refused; 0 when it was received.
    #[prost(int32, tag = "3")]
    pub(super) refused: i32,
    #[prost(uint64, tag = "4")]
    pub(super) expires_ms: u64,
    /// Order of arrival; once it is not pending any more, the order in which systems see it.
    #[prost(uint64, tag = "5")]
    pub(super) sequence: u64,
    /// It is kept: pending, or until its confirmation.
    #[prost(bool, tag = "6")]
    pub(super) waiting: bool,
    #[prost(bool, tag = "7")]
    pub(super) spooled: bool,
    #[prost(uint64, tag = "8")]
    pub(super) sealed_bytes: u64,
    #[prost(uint64, tag = "9")]
    pub(super) received_ms: u64,
    #[prost(uint64, tag = "10")]
    pub(super) leaf_index: u64,
    /// The sender's signing key by which it was verified, raw: the directory may not have it any more when it is read.
    #[prost(bytes = "bytes", tag = "11")]
    pub(super) signing_key: Bytes,
    /// Ids of our agency's keys that it is sealed to.
    #[prost(bytes = "bytes", repeated, tag = "12")]
    pub(super) recipient_keys: Vec<Bytes>,
    /// Bytes of the header, which the journal holds beside this.
    #[prost(uint64, tag = "13")]
    pub(super) header_bytes: u64,
    /// Number of the agreement and code of the purpose: to whom it may be shown.
    #[prost(string, tag = "14")]
    pub(super) agreement: String,
    #[prost(string, tag = "15")]
    pub(super) purpose: String,
    /// The gateway has not said yet that this agent's acknowledgement is the agency's first. Never set in format 1.
    #[prost(bool, tag = "16")]
    pub(super) pending: bool,
    /// It went to another agent of the agency, or expired.
    #[prost(bool, tag = "17")]
    pub(super) elsewhere: bool,
    /// Its place, when it is ordered: sender (`agency/agent`), stream, number there, and until when an earlier one could come.
    #[prost(string, tag = "20")]
    pub(super) sender: String,
    #[prost(bytes = "bytes", tag = "21")]
    pub(super) stream: Bytes,
    #[prost(uint64, tag = "22")]
    pub(super) number: u64,
    #[prost(uint64, tag = "23")]
    pub(super) stream_until_ms: u64,
}

impl Entry {
    pub(super) fn of_known(known: Known, envelope: Option<wire::Envelope>, body: Bytes) -> Self {
        Self { format: FORMAT, known: Some(known), envelope, body, ..Self::default() }
    }

    pub(super) fn of_stream(stream: StreamMark) -> Self {
        Self { format: FORMAT, stream: Some(stream), ..Self::default() }
    }

    pub(super) fn of_acknowledgement(ours: Vec<Ours>, elsewhere: Vec<Bytes>) -> Self {
        Self { format: FORMAT, ours, elsewhere, ..Self::default() }
    }

    pub(super) fn of_confirmation(confirmed: Bytes) -> Self {
        Self { format: FORMAT, confirmed, ..Self::default() }
    }
}

impl Known {
    /// Bytes that the journal must hold for it.
    pub(super) fn live_bytes(&self) -> u64 {
        let sealed = match self.waiting {
            true if self.spooled => self.header_bytes,
            true => self.header_bytes + self.sealed_bytes,
            false => self.header_bytes,
        };
        self.encoded_len() as u64 + sealed
    }

    /// Notes to whom it may be shown.
    pub(super) fn under(&mut self, header: &wire::Header) {
        self.agreement =
            header.agreement.as_ref().map(|agreement| agreement.number.clone()).unwrap_or_default();
        self.purpose.clone_from(&header.purpose);
    }

    /// Whether the caller is bound to what it came under.
    pub(super) fn is_shown_to(&self, caller: &Caller) -> bool {
        caller.is_local() || caller.may_use(&self.agreement, &self.purpose)
    }

    /// Systems may see it.
    pub(super) fn is_shown(&self) -> bool {
        self.waiting && !self.pending
    }

    /// It is kept no more: only what keeps it from entering again.
    pub(super) fn let_go(&mut self) {
        (self.waiting, self.pending) = (false, false);
        self.signing_key = Bytes::new();
        self.recipient_keys.clear();
    }
}
