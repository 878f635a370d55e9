//! Entries of the audit log (`docs/formats/event.md`).
//!
//! An event is what the gateway decided, in at most 65,535 bytes, with a random nonce so that its leaf hash tells
//! nothing. What the entry's bytes are is what was logged: [`encode`] and [`decode`] take and give one form only, and
//! both demand that the detail belongs to the kind.

mod detail;
pub mod erasure;

use prost::Message;

use crate::strict::{self, StrictError};
use crate::wire::event::Detail;
use crate::wire::{self, EventKind};

pub use detail::{denied_detail, exchange_detail};

/// Most bytes in an entry: what the 2-byte length of an entry bundle can say (C2SP tlog-tiles).
pub const ENTRY_LIMIT: usize = 65_535;
/// Bytes of an event's nonce.
pub const NONCE_SIZE: usize = 16;

/// Why an event is not an entry, or an entry not an event. When encoding, ours; when decoding, the log's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The entry is not the one encoding of an event, or over [`ENTRY_LIMIT`].
    #[error("the entry cannot be read")]
    Encoding(#[source] StrictError),
    /// The nonce is not 16 bytes.
    #[error("an event's nonce has 16 bytes, not {0}")]
    Nonce(usize),
    /// Not a kind of event that this version knows.
    #[error("unknown kind of event {0}")]
    Kind(i32),
    /// Nobody is named as the one who caused it.
    #[error("the event names nobody who caused it")]
    NoActor,
    /// The actor's certificate thumbprint is neither absent nor 32 bytes.
    #[error("a certificate's thumbprint has 32 bytes, not {0}")]
    Thumbprint(usize),
    /// The detail is missing, or belongs to another kind of event.
    #[error("the detail does not belong to an event of kind {0}")]
    Detail(&'static str),
    /// The erasure it tells of is not one that the rules allow.
    #[error("the erasure is not one that the rules allow")]
    Erasure(#[source] erasure::ErasureError),
}

/// The entry of an event.
///
/// # Errors
/// [`EventError`] when a field breaks the form, or the entry would be over [`ENTRY_LIMIT`].
pub fn encode(event: &wire::Event) -> Result<Vec<u8>, EventError> {
    check(event)?;
    let found = event.encoded_len();
    if found > ENTRY_LIMIT {
        return Err(EventError::Encoding(StrictError::TooLarge { found, limit: ENTRY_LIMIT }));
    }
    Ok(event.encode_to_vec())
}

/// The event in an entry.
///
/// # Errors
/// [`EventError`] when the bytes are not the one encoding of an event, or break its form.
pub fn decode(entry: &[u8]) -> Result<wire::Event, EventError> {
    let event: wire::Event = strict::decode(entry, ENTRY_LIMIT).map_err(EventError::Encoding)?;
    check(&event)?;
    Ok(event)
}

fn check(event: &wire::Event) -> Result<(), EventError> {
    if event.nonce.len() != NONCE_SIZE {
        return Err(EventError::Nonce(event.nonce.len()));
    }
    let actor = event.actor.as_ref().ok_or(EventError::NoActor)?;
    if actor.actor.is_none() {
        return Err(EventError::NoActor);
    }
    if !matches!(actor.tls_certificate.len(), 0 | 32) {
        return Err(EventError::Thumbprint(actor.tls_certificate.len()));
    }
    let kind = EventKind::try_from(event.kind).map_err(|_| EventError::Kind(event.kind))?;
    if !belongs(kind, event.detail.as_ref())? {
        return Err(EventError::Detail(kind.as_str_name()));
    }
    match &event.detail {
        Some(Detail::Erasure(detail)) => erasure::check(detail, event.time_ms).map_err(EventError::Erasure),
        _ => Ok(()),
    }
}

/// Which detail each kind of event carries.
fn belongs(kind: EventKind, detail: Option<&Detail>) -> Result<bool, EventError> {
    Ok(match kind {
        EventKind::Unspecified => return Err(EventError::Kind(kind.into())),
        EventKind::ExchangeAccepted
        | EventKind::ExchangeDenied
        | EventKind::ExchangeExpired
        | EventKind::CallFailed => matches!(detail, Some(Detail::Exchange(_))),
        EventKind::ExchangeAcknowledged => matches!(detail, Some(Detail::Acknowledgement(_))),
        EventKind::AgencyRegistered | EventKind::AgencyApproved | EventKind::AgencySuspended => {
            matches!(detail, Some(Detail::Agency(_)))
        }
        EventKind::EnrolmentTokenIssued | EventKind::CertificatesIssued | EventKind::CertificateRevoked => {
            matches!(detail, Some(Detail::Certificate(_)))
        }
        EventKind::KeyBundlePublished => matches!(detail, Some(Detail::KeyBundle(_))),
        EventKind::ServicePublished => matches!(detail, Some(Detail::Service(_))),
        EventKind::AgreementProposed
        | EventKind::AgreementSigned
        | EventKind::AgreementActivated
        | EventKind::AgreementSentToCai
        | EventKind::AgreementReceivedByCai
        | EventKind::AgreementSuspended
        | EventKind::AgreementResumed
        | EventKind::AgreementRevoked
        | EventKind::AgreementRejected => matches!(detail, Some(Detail::Agreement(_))),
        EventKind::LogRead | EventKind::OperatorDenied => matches!(detail, Some(Detail::Access(_))),
        EventKind::ContentsErased => matches!(detail, Some(Detail::Erasure(_))),
        EventKind::GatewayStarted | EventKind::GatewayStopped => matches!(detail, Some(Detail::Gateway(_))),
    })
}
