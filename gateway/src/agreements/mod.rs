//! The service `Agreements`: what agents read, sign and watch.

use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use passerelle_pki::clock::SharedClock;
use passerelle_proto::wire::{self, agreements_server::Agreements};
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::ledger::Ledger;
use crate::rpc::caller;

/// The service.
#[derive(Clone, Debug)]
pub struct AgreementsService {
    ledger: Ledger,
    clock: SharedClock,
    stop: CancellationToken,
}

impl AgreementsService {
    /// Over the ledger; watches end at `stop`.
    #[must_use]
    pub fn new(ledger: Ledger, clock: SharedClock, stop: CancellationToken) -> Self {
        Self { ledger, clock, stop }
    }
}

#[tonic::async_trait]
impl Agreements for AgreementsService {
    async fn list(
        &self,
        request: Request<wire::ListAgreementsRequest>,
    ) -> Result<Response<wire::ListAgreementsReply>, Status> {
        let agent = caller::agent(&request)?;
        let (state, now) = (self.ledger.state(), self.clock.now());
        let own = state.agreements().filter(|agreement| agreement.is_party(agent.id.agency.as_str()));
        let agreements = own.map(|agreement| state.record(agreement, now)).collect();
        Ok(Response::new(wire::ListAgreementsReply { agreements }))
    }

    async fn sign(
        &self,
        request: Request<wire::SignAgreementRequest>,
    ) -> Result<Response<wire::SignAgreementReply>, Status> {
        let agent = caller::agent(&request)?;
        let request = request.into_inner();
        let (number, version) = (request.number.clone(), request.version);
        let actor = agent.actor();
        let id = agent.id.clone();
        self.ledger.decide(move |state, now| state.sign(&request, &id, actor, now)).await?;
        let state = self.ledger.state();
        let standing = state.agreement(&number, version).map(|agreement| agreement.standing().to_wire());
        Ok(Response::new(wire::SignAgreementReply { standing }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<wire::Change, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<wire::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        caller::agent(&request)?;
        let changes = WatchStream::new(self.ledger.changes()).take_until(self.stop.clone().cancelled_owned());
        Ok(Response::new(Box::pin(changes.map(|generation| Ok(wire::Change { generation })))))
    }
}
