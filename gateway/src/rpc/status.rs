//! Errors as callers read them over gRPC: French first, English beside it, and nothing of our insides.

use tonic::Status;

use crate::ledger::{LedgerError, Refused, RefusedKind};

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        let text = refused.to_string();
        match refused.kind {
            RefusedKind::Invalid => Self::invalid_argument(text),
            RefusedKind::NotFound => Self::not_found(text),
            RefusedKind::AlreadyExists => Self::already_exists(text),
            RefusedKind::Forbidden => Self::permission_denied(text),
            RefusedKind::Conflict => Self::failed_precondition(text),
            RefusedKind::Exhausted => Self::resource_exhausted(text),
        }
    }
}

impl From<LedgerError> for Status {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Refused(refused) => refused.into(),
            LedgerError::Busy => Self::unavailable(
                "La passerelle est occupée : réessayez dans un instant. / The gateway is busy: try again in a moment.",
            ),
            LedgerError::LogUnavailable(cause) => {
                tracing::error!(cause, "the log cannot be written");
                Self::unavailable(
                    "Le journal ne peut être écrit : rien n'a été fait. / The log cannot be written: nothing was done.",
                )
            }
            LedgerError::Stopped => Self::unavailable("La passerelle s'arrête. / The gateway is stopping."),
            LedgerError::Internal(cause) => internal(&cause),
        }
    }
}

/// A fault of ours: told to the operator in full, to the caller not at all.
pub fn internal(cause: &dyn std::fmt::Display) -> Status {
    tracing::error!(%cause, "internal error");
    Status::internal("Erreur interne de la passerelle. / Internal error of the gateway.")
}

/// A caller's mistake.
pub fn invalid(fr: &str, en: &str) -> Status {
    Status::invalid_argument(format!("{fr} / {en}"))
}
