//! Why a call has no answer, in words for people: French first, English beside it.

use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::reason;
use passerelle_proto::wire::{Denial, Reason};
use tonic::Status;

use super::belief::Doubted;
use crate::catalogue::OperationError;
use crate::catalogue::openapi::CallMistake;
use crate::records::{SendError, StoreError};

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// By this agent, before anything was sent.
    #[error(transparent)]
    Request(SendError),
    /// By the gateway or the provider's agent; with the request's id when it was logged.
    #[error("{} / {}", .0.message_fr, .0.message_en)]
    Denied(Box<Denial>, Option<ExchangeId>),
    /// The gateway could not be reached, or the connection broke.
    #[error("la passerelle n'a pas répondu / the gateway did not answer")]
    Gateway(#[source] Box<Status>),
    /// The provider, or the gateway, gave an answer that does not hold. Nothing of it is shown.
    #[error(
        "la réponse n'est pas celle de l'organisme fournisseur, ou n'est pas permise : rien n'en est remis / \
         the answer is not the providing agency's, or is not permitted: nothing of it is handed over"
    )]
    NotBelieved(#[source] Box<dyn std::error::Error + Send + Sync>, ExchangeId),
    /// The request lacks what the operation demands. The caller's.
    #[error(transparent)]
    Demands(CallMistake),
    /// The agent stops.
    #[error("l'agent s'arrête / the agent is stopping")]
    Stopping,
}

impl CallError {
    pub(super) fn refused(reason: Reason, detail: impl Into<String>) -> Self {
        Self::Request(SendError::Refused(Box::new(reason::denial(reason, detail, bytes::Bytes::new()))))
    }

    pub(super) fn timed_out(id: Option<ExchangeId>) -> Self {
        let named = id.map(ExchangeId::to_wire).unwrap_or_default();
        Self::Denied(Box::new(reason::denial(Reason::CallTimedOut, "waited_for=the gateway", named)), id)
    }

    pub(super) fn busy() -> Self {
        Self::Denied(Box::new(reason::denial(Reason::Busy, "calls=too many", bytes::Bytes::new())), None)
    }

    pub(super) fn doubted(doubted: Doubted, id: ExchangeId) -> Self {
        Self::NotBelieved(Box::new(doubted), id)
    }
}

impl From<OperationError> for CallError {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Demands(mistake) => Self::Demands(mistake),
            error => Self::refused(error.reason(), error.fact()),
        }
    }
}

impl From<SendError> for CallError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Store(StoreError::Stopping) => Self::Stopping,
            error => Self::Request(error),
        }
    }
}

impl From<StoreError> for CallError {
    fn from(error: StoreError) -> Self {
        SendError::Store(error).into()
    }
}
