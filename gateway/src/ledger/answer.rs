//! Answers that wait for the batch to be durable.

use bytes::Bytes;
use passerelle_proto::{reason, wire};
use tokio::sync::oneshot;

use super::accept::Outcome;
use super::request::{Accepted, Request, Settled, Tidied};
use super::{DenialNote, LedgerError, Logged};

/// What was decided, and whom to tell.
pub(super) enum Answer {
    /// Of a decision.
    Logged { result: Result<Logged, LedgerError>, reply: oneshot::Sender<Result<Logged, LedgerError>> },
    /// Of a submission.
    Accepted { result: Result<Outcome, LedgerError>, reply: oneshot::Sender<Accepted>, kept: Kept },
    /// Of an acknowledgement.
    Acknowledged {
        result: Result<Settled, LedgerError>,
        reply: oneshot::Sender<Result<Settled, wire::Denial>>,
    },
    /// Of a denial.
    Denied { result: Result<wire::Denial, LedgerError>, reply: oneshot::Sender<wire::Denial>, kept: Kept },
    /// Of a tidying.
    Tidied { result: Result<Tidied, LedgerError>, reply: oneshot::Sender<Result<Tidied, LedgerError>> },
    /// Of a stop.
    Stopped { reply: oneshot::Sender<()> },
}

/// What is needed of a request to refuse it.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    exchange_id: Bytes,
    denied: Option<(wire::Reason, String)>,
}

impl Kept {
    /// Of the exchange with this id.
    pub(super) fn of(exchange_id: Bytes) -> Self {
        Self { exchange_id, denied: None }
    }

    /// Of a denial, which stands even when it cannot be logged.
    pub(super) fn denial(note: &DenialNote) -> Self {
        Self { exchange_id: note.exchange_id.clone(), denied: Some((note.reason, note.detail.clone())) }
    }

    fn unlogged(self) -> wire::Denial {
        let (reason, detail) = self.denied.unwrap_or((wire::Reason::LogUnavailable, String::new()));
        reason::denial(reason, detail, self.exchange_id)
    }
}

impl Answer {
    /// The batch is durable.
    pub(super) fn give(self, receipts: &[wire::Receipt]) {
        // A caller that stopped waiting has dropped its end; what was logged stays logged.
        match self {
            Self::Logged { result, reply } => drop(reply.send(result)),
            Self::Accepted { result, reply, kept } => {
                let accepted = match result {
                    Ok(Outcome::Receipt(index)) => {
                        receipts.get(index).cloned().ok_or_else(|| kept.unlogged())
                    }
                    Ok(Outcome::Denied(denial)) => Err(denial),
                    Err(error) => {
                        tracing::error!(%error, "a submission could not be decided");
                        Err(kept.unlogged())
                    }
                };
                drop(reply.send(accepted));
            }
            Self::Acknowledged { result, reply } => {
                let settled = result.map_err(|error| {
                    tracing::error!(%error, "an acknowledgement could not be decided");
                    unavailable(Bytes::new())
                });
                drop(reply.send(settled));
            }
            Self::Denied { result, reply, kept } => {
                drop(reply.send(result.unwrap_or_else(|_error| kept.unlogged())));
            }
            Self::Tidied { result, reply } => drop(reply.send(result)),
            Self::Stopped { reply } => stopped(reply),
        }
    }

    /// The batch is not durable: nothing was done.
    pub(super) fn refuse(self, why: &str) {
        match self {
            // What the rules refuse stays refused: it asked for nothing to be done.
            Self::Logged { result: Err(LedgerError::Refused(refused)), reply } => {
                drop(reply.send(Err(LedgerError::Refused(refused))));
            }
            Self::Logged { reply, .. } => drop(reply.send(Err(LedgerError::LogUnavailable(why.to_owned())))),
            Self::Accepted { reply, kept, .. } => drop(reply.send(Err(unavailable(kept.exchange_id)))),
            Self::Acknowledged { reply, .. } => drop(reply.send(Err(unavailable(Bytes::new())))),
            Self::Denied { reply, kept, .. } => drop(reply.send(kept.unlogged())),
            Self::Tidied { reply, .. } => drop(reply.send(Err(LedgerError::LogUnavailable(why.to_owned())))),
            Self::Stopped { reply } => stopped(reply),
        }
    }
}

impl Request {
    /// Refuses without deciding: the log cannot be written.
    pub(super) fn refuse(self, why: &str) {
        match self {
            Self::Decide { reply, .. } => drop(reply.send(Err(LedgerError::LogUnavailable(why.to_owned())))),
            Self::Accept { submission, reply } => {
                drop(reply.send(Err(unavailable(submission.envelope.header().exchange_id.clone()))));
            }
            Self::Acknowledge { reply, .. } => drop(reply.send(Err(unavailable(Bytes::new())))),
            Self::Deny { note, reply } => drop(reply.send(Kept::denial(&note).unlogged())),
            Self::Tidy { reply } | Self::Summarise { reply } => {
                drop(reply.send(Err(LedgerError::LogUnavailable(why.to_owned()))));
            }
            Self::Stop { reply } => stopped(reply),
        }
    }

    /// Bytes that it adds to a batch, roughly.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Accept { submission, .. } => {
                submission.record.body.len() + submission.record.envelope.len()
            }
            _ => 0,
        }
    }
}

fn stopped(reply: oneshot::Sender<()>) {
    if reply.send(()).is_err() {
        tracing::debug!("whoever asked for the stop has gone");
    }
}

fn unavailable(exchange_id: Bytes) -> wire::Denial {
    reason::denial(wire::Reason::LogUnavailable, String::new(), exchange_id)
}
