//! What can be asked of the sequencer, and how it answers.

use bytes::Bytes;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::AgentId;
use passerelle_proto::acknowledgement::Acknowledged;
use passerelle_proto::wire;
use tokio::sync::oneshot;

use super::{LedgerError, Logged, NewEvent, Refused, Submission};
use crate::state::State;

/// A decision taken in the sequencer.
pub(super) type Decide = Box<dyn FnOnce(&State, Timestamp) -> Result<NewEvent, Refused> + Send>;

/// The answer to a submission.
pub type Accepted = Result<wire::Receipt, wire::Denial>;

/// A refusal made before the sequencer: its facts, for the denial's event.
#[derive(Clone, Debug)]
pub struct DenialNote {
    /// Who was refused, from the verified certificate.
    pub caller: AgentId,
    /// SHA-256 of the TLS client certificate.
    pub tls_certificate: [u8; 32],
    /// Why.
    pub reason: wire::Reason,
    /// The fact behind it: a date, a limit, a field. Never personal information.
    pub detail: String,
    /// Exchange id, 16 bytes, or empty when it could not be read.
    pub exchange_id: Bytes,
    /// SHA-256 of the header bytes as received.
    pub header_digest: [u8; 32],
    /// The header, only when its signature was verified.
    pub header: Option<Box<wire::Header>>,
}

/// An acknowledgement whose signature was verified as one of `agent`'s.
#[derive(Clone, Debug)]
pub struct Acknowledging {
    /// Who sent it, from the verified certificate.
    pub caller: AgentId,
    /// SHA-256 of the TLS client certificate.
    pub tls_certificate: [u8; 32],
    /// The signed statement as received.
    pub statement: wire::Statement,
    /// What it says, as verified.
    pub body: Vec<Acknowledged>,
}

/// What became of an acknowledgement.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled {
    /// The answer, without what other agents signed.
    pub(super) answer: wire::AcknowledgementLogged,
    /// For each that ended elsewhere, the leaf of what the other agent signed; none when it expired.
    pub(super) proofs: Vec<Option<u64>>,
}

/// One thing asked of the sequencer.
pub(super) enum Request {
    /// Decide and log.
    Decide { decide: Decide, reply: oneshot::Sender<Result<Logged, LedgerError>> },
    /// Accept or deny an exchange.
    Accept { submission: Box<Submission>, reply: oneshot::Sender<Accepted> },
    /// Log an acknowledgement.
    Acknowledge { acknowledging: Box<Acknowledging>, reply: oneshot::Sender<Result<Settled, wire::Denial>> },
    /// Log a denial made before the sequencer.
    Deny { note: Box<DenialNote>, reply: oneshot::Sender<wire::Denial> },
    /// Expire what is due, and write the summaries of denials that are due.
    Tidy { reply: oneshot::Sender<Result<Tidied, LedgerError>> },
    /// Write the summaries of all denials that were counted.
    Summarise { reply: oneshot::Sender<Result<Tidied, LedgerError>> },
    /// Log the stop and end the thread.
    Stop { reply: oneshot::Sender<()> },
}

/// What a tidying did.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Exchanges that expired undelivered.
    pub expired: usize,
    /// Journal segments dropped.
    pub dropped: usize,
    /// More is due to expire.
    pub more: bool,
}
