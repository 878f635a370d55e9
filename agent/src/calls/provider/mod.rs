//! The side that answers: calls that the gateway offers are verified, opened, held against the agency's own published
//! service and the agreement, and only then passed on to the service.
//!
//! [`session`]: one stream of offers; [`offer`]: what must hold of one; [`request`]: its content; [`upstream`]: the agency's
//! own services; [`release`]: what of their answers may leave; [`answering`]: one call, from its offer to its answer.

mod answering;
mod offer;
mod release;
mod request;
mod seen;
mod session;
mod upstream;

use std::sync::Arc;

use passerelle_proto::reason;
use passerelle_proto::wire::Reason;

use super::belief::Doubted;
use super::{CallSettings, Calls};
use crate::catalogue::OperationError;
use crate::records::{SendError, StartError, StoreError};
use crate::sender::Sender;
use seen::Seen;
use upstream::Upstreams;

/// Answers calls. Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Provider(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    calls: Calls,
    sender: Sender,
    upstreams: Upstreams,
    seen: Seen,
    at_once: u32,
}

/// Why a call has no answer, as its caller reads it. Never personal information.
#[derive(Clone, Debug)]
struct Failure {
    reason: Reason,
    detail: String,
}

impl Failure {
    fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// The agency's own service.
    fn service(detail: impl Into<String>) -> Self {
        Self::new(Reason::ProviderFailed, detail)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", reason::code(self.reason), self.detail)
    }
}

impl From<Doubted> for Failure {
    fn from(doubted: Doubted) -> Self {
        Self { reason: doubted.reason, detail: doubted.detail }
    }
}

/// Not an operation of our published service, or not as its document has it.
impl From<OperationError> for Failure {
    fn from(error: OperationError) -> Self {
        Self::new(error.reason(), error.fact())
    }
}

/// Ours: the disk, or the agent stops.
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %crate::link::chain(&error), "the content of a call could not be taken");
        Self::service("agent=store")
    }
}

/// Why an answer was not sealed.
impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Refused(denial) => Self::new(denial.reason(), denial.detail),
            SendError::TooLarge(limit) => {
                Self::new(Reason::RecordTooLarge, format!("answer=too long; max_record_bytes={limit}"))
            }
            SendError::Body(error) => {
                tracing::warn!(%error, "the answer of a service did not come to its end");
                Self::service("answer=cut short")
            }
            error => {
                tracing::error!(error = %crate::link::chain(&error), "an answer was not sealed");
                Self::service("answer=not sealed")
            }
        }
    }
}

impl Provider {
    /// Before the services of `settings`.
    ///
    /// # Errors
    /// [`StartError::Service`] when the authorities that one is believed by cannot be read.
    pub(crate) fn new(calls: Calls, sender: Sender, settings: &CallSettings) -> Result<Self, StartError> {
        let upstreams = Upstreams::new(&settings.services)?;
        let seen = Seen::since(calls.0.clock.now());
        Ok(Self(Arc::new(Parts { calls, sender, upstreams, seen, at_once: settings.at_once })))
    }

    /// Waits for calls, until stopped. An agent without services waits for none.
    pub(crate) async fn run(self) {
        if self.0.upstreams.is_empty() {
            return;
        }
        self.0.sender.each_connection("calls", |channel| self.serve(channel)).await;
    }
}
