//! The service's parts, and its four calls.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use passerelle_pki::clock::SharedClock;
use passerelle_proto::envelope::{self, INLINE_BODY_LIMIT, VerifiedEnvelope};
use passerelle_proto::wire::{self, Reason, calls_server::Calls};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::desk::Desk;
use crate::exchange::{ExchangeService, Refusal};
use crate::ledger::Ledger;
use crate::rpc::caller;

/// What one caller may ask for.
#[derive(Copy, Clone, Debug)]
pub struct CallLimits {
    /// Longest time between a request's creation and its deadline.
    pub deadline: Duration,
    /// Calls of one agency under way at a time.
    pub per_agency: usize,
}

/// What the service works with.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What every exchange must pass.
    pub exchange: ExchangeService,
    /// Where everything is decided and logged.
    pub ledger: Ledger,
    /// What time it is.
    pub clock: SharedClock,
    /// What one caller may ask for.
    pub limits: CallLimits,
    /// Name of this gateway, as the log has it.
    pub gateway: String,
    /// Ends every stream when the gateway stops.
    pub stop: CancellationToken,
}

/// The service. Clones share it.
#[derive(Clone, Debug)]
pub struct CallsService(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) parts: Parts,
    pub(super) desk: Desk,
}

impl CallsService {
    /// Over its parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, desk: Desk::default() }))
    }
}

/// Whether the body comes apart from the envelope: true above 1 MiB, when `body` must be empty.
pub(super) fn comes_apart(verified: &VerifiedEnvelope, body: &[u8]) -> Result<bool, Refusal> {
    if verified.sealed_length() <= INLINE_BODY_LIMIT {
        return match envelope::verify_body(verified, body) {
            Ok(()) => Ok(false),
            Err(error) => Err(Refusal::of(verified, Reason::BodyMismatch, error.to_string())),
        };
    }
    if body.is_empty() {
        return Ok(true);
    }
    Err(Refusal::of(verified, Reason::BodyMismatch, format!("inline_limit={INLINE_BODY_LIMIT}")))
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Calls for CallsService {
    type CallStream = Answers<wire::CallReply>;
    type ServeStream = Answers<wire::ServeEvent>;
    type TakeBodyStream = Answers<wire::BodyPart>;

    async fn call(
        &self,
        request: Request<Streaming<wire::CallFrame>>,
    ) -> Result<Response<Self::CallStream>, Status> {
        let agent = caller::agent(&request)?;
        Ok(Response::new(Box::pin(self.call_stream(agent, request.into_inner())?)))
    }

    async fn serve(
        &self,
        request: Request<Streaming<wire::ServeFrame>>,
    ) -> Result<Response<Self::ServeStream>, Status> {
        let agent = caller::agent(&request)?;
        Ok(Response::new(Box::pin(self.serve_stream(agent, request.into_inner()))))
    }

    async fn take_body(
        &self,
        request: Request<wire::TakeBodyRequest>,
    ) -> Result<Response<Self::TakeBodyStream>, Status> {
        let agent = caller::agent(&request)?;
        Ok(Response::new(Box::pin(self.take_body_stream(&agent, &request.into_inner())?)))
    }

    async fn give_body(
        &self,
        request: Request<Streaming<wire::GiveBodyFrame>>,
    ) -> Result<Response<wire::GiveBodyReply>, Status> {
        let agent = caller::agent(&request)?;
        self.receive_body(&agent, request.into_inner()).await?;
        Ok(Response::new(wire::GiveBodyReply {}))
    }
}
