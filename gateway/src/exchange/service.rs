//! The service's parts, and its five calls.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use passerelle_pki::clock::SharedClock;
use passerelle_proto::wire::{self, exchange_server::Exchange};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::checks::ExchangeLimits;
use super::leases::Leases;
use super::rate::Rates;
use crate::bodies::Bodies;
use crate::ledger::Ledger;
use crate::rpc::caller;

/// Bytes of inline bodies that may be under way at a time, over all callers.
const BYTES_UNDER_WAY: usize = 128 << 20;

/// What the service works with.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Where everything is decided and logged.
    pub ledger: Ledger,
    /// The spool.
    pub bodies: Bodies,
    /// What time it is.
    pub clock: SharedClock,
    /// What one caller may ask for.
    pub limits: ExchangeLimits,
    /// Ends every stream when the gateway stops.
    pub stop: CancellationToken,
}

/// The service. Clones share it.
#[derive(Clone, Debug)]
pub struct ExchangeService(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) parts: Parts,
    pub(super) rates: Rates,
    pub(super) leases: Leases,
    /// In KiB of [`BYTES_UNDER_WAY`].
    pub(super) room: Arc<Semaphore>,
    pub(super) uploads: super::upload::UploadSlots,
}

impl ExchangeService {
    /// Over its parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let rates = Rates::new(&parts.limits);
        let uploads = super::upload::UploadSlots::new(parts.limits.uploads_per_agency);
        Self(Arc::new(Inner {
            parts,
            rates,
            leases: Leases::default(),
            room: Arc::new(Semaphore::new(BYTES_UNDER_WAY / 1024)),
            uploads,
        }))
    }
}

/// Answers in any order.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Exchange for ExchangeService {
    type SubmitStream = Answers<wire::SubmitReply>;
    type UploadStream = Answers<wire::UploadReply>;
    type CollectStream = Answers<wire::Delivery>;
    type DownloadStream = Answers<wire::DownloadReply>;

    async fn submit(
        &self,
        request: Request<Streaming<wire::SubmitFrame>>,
    ) -> Result<Response<Self::SubmitStream>, Status> {
        let agent = caller::agent(&request)?;
        Ok(Response::new(Box::pin(self.submit_stream(agent, request.into_inner()))))
    }

    async fn upload(
        &self,
        request: Request<Streaming<wire::UploadFrame>>,
    ) -> Result<Response<Self::UploadStream>, Status> {
        let agent = caller::agent(&request)?;
        Ok(Response::new(Box::pin(self.upload_stream(agent, request.into_inner())?)))
    }

    async fn collect(
        &self,
        request: Request<Streaming<wire::CollectFrame>>,
    ) -> Result<Response<Self::CollectStream>, Status> {
        let agent = caller::agent(&request)?;
        Ok(Response::new(Box::pin(self.collect_stream(agent, request.into_inner()))))
    }

    async fn download(
        &self,
        request: Request<wire::DownloadRequest>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        let agent = caller::agent(&request)?;
        let stream = self.download_stream(&agent, request.into_inner()).await?;
        Ok(Response::new(Box::pin(stream)))
    }

    async fn state(
        &self,
        request: Request<wire::StateRequest>,
    ) -> Result<Response<wire::StateReply>, Status> {
        let agent = caller::agent(&request)?;
        Ok(Response::new(self.state_reply(&agent, &request.into_inner()).await?))
    }
}
