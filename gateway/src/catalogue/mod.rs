//! The service `Catalogue`: what agencies offer to be called, for those whom an agreement lets see it.
//!
//! A description is an event; the OpenAPI document that it names is too large for one, and lies in a folder of its own,
//! durable before the event ([`Documents`]).

mod documents;
mod page;

use std::sync::Arc;

use passerelle_pki::clock::SharedClock;
use passerelle_proto::catalogue::OPENAPI_LIMIT;
use passerelle_proto::wire::{self, catalogue_server::Catalogue};
use tokio::sync::Mutex;
use tonic::{Request, Response, Status};

use crate::ledger::{Ledger, LedgerError, Refused, RefusedKind};
use crate::rpc::{caller, status};

pub use documents::Documents;

/// The service.
#[derive(Clone, Debug)]
pub struct CatalogueService {
    ledger: Ledger,
    documents: Documents,
    clock: SharedClock,
    /// One publication at a time: what a document is needed by must not change while another is written or removed.
    publishing: Arc<Mutex<()>>,
}

impl CatalogueService {
    /// Over the ledger and the folder of documents.
    #[must_use]
    pub fn new(ledger: Ledger, documents: Documents, clock: SharedClock) -> Self {
        Self { ledger, documents, clock, publishing: Arc::default() }
    }

    /// Makes the document durable, logs the description, and removes documents that nothing names any more.
    async fn take(
        &self,
        caller: &caller::AgentCaller,
        (statement, openapi): (wire::Statement, bytes::Bytes),
    ) -> Result<u64, Status> {
        let _publishing = self.publishing.lock().await;
        let id = caller.id.clone();
        let service = self.ledger.state().publishable(&statement, &id, self.clock.now())?;
        let (documents, agency) = (self.documents.clone(), id.agency.clone());
        let stored = if openapi.is_empty() {
            let digest = service.openapi_digest();
            blocking(move || Ok(documents.holds(&agency, &digest))).await?
        } else if service.is_document(&openapi) {
            blocking(move || documents.put(&agency, &service.openapi_digest(), &openapi).map(|()| true))
                .await?
        } else {
            return Err(status::invalid(
                "Le document OpenAPI n'est pas celui que la description annonce.",
                "The OpenAPI document is not the one that the description announces.",
            ));
        };
        if !stored {
            return Err(status::invalid(
                "La passerelle n'a pas ce document OpenAPI : joignez-le.",
                "The gateway does not have this OpenAPI document: send it along.",
            ));
        }
        let actor = caller.actor();
        let logged =
            self.ledger.decide(move |state, now| state.publish_service(statement, &id, actor, now)).await;
        self.sweep(&caller.id.agency).await;
        Ok(logged?.leaf_index)
    }

    /// Removes the agency's documents that none of its services names. What cannot be removed does no harm.
    async fn sweep(&self, agency: &passerelle_pki::name::AgencyCode) {
        let state = self.ledger.state();
        let needed = state.services_of(agency).map(|service| service.verified.openapi_digest()).collect();
        let (documents, agency) = (self.documents.clone(), agency.clone());
        if let Err(error) = blocking(move || documents.keep_only(&agency, &needed)).await {
            tracing::warn!(%error, "documents of services cannot be removed");
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Status> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done
            .map_err(|error| LedgerError::LogUnavailable(format!("the folder of documents: {error}")).into()),
        Err(error) => Err(status::internal(&error)),
    }
}

#[tonic::async_trait]
impl Catalogue for CatalogueService {
    async fn publish(
        &self,
        request: Request<wire::PublishServiceRequest>,
    ) -> Result<Response<wire::PublishServiceReply>, Status> {
        let agent = caller::agent(&request)?;
        let wire::PublishServiceRequest { service, openapi } = request.into_inner();
        let statement = service.ok_or_else(|| {
            status::invalid("Il manque la description du service.", "The service's description is missing.")
        })?;
        if openapi.len() > OPENAPI_LIMIT {
            return Err(status::invalid(
                "Le document OpenAPI dépasse 1 Mio.",
                "The OpenAPI document has more than 1 MiB.",
            ));
        }
        let leaf_index = self.take(&agent, (statement, openapi)).await?;
        tracing::info!(agent = %agent.id, leaf = leaf_index, "service published");
        Ok(Response::new(wire::PublishServiceReply { leaf_index }))
    }

    async fn list(
        &self,
        request: Request<wire::ListServicesRequest>,
    ) -> Result<Response<wire::ListServicesReply>, Status> {
        let agent = caller::agent(&request)?;
        let (state, after) = (self.ledger.state(), request.into_inner().after);
        let services = state.services_for(&agent.id.agency, self.clock.now()).map(|service| {
            let name = format!("{}/{}", service.verified.agent().agency, service.verified.service());
            let entry = wire::ServiceEntry {
                service: Some(service.statement.clone()),
                signing_chain: state.service_chain(service),
            };
            (name, entry)
        });
        Ok(Response::new(page::page(services, &after)))
    }

    async fn document(
        &self,
        request: Request<wire::ServiceDocumentRequest>,
    ) -> Result<Response<wire::ServiceDocumentReply>, Status> {
        let agent = caller::agent(&request)?;
        let asked = request.into_inner();
        let state = self.ledger.state();
        let visible = state.services_for(&agent.id.agency, self.clock.now()).find(|service| {
            let (id, service) = (service.verified.agent(), &service.verified);
            id.agency.as_str() == asked.agency
                && service.service() == asked.service
                && service.openapi_digest()[..] == asked.openapi_digest
        });
        // Whether it exists for others is not told.
        let Some(service) = visible else {
            return Err(Refused::new(
                RefusedKind::NotFound,
                "Aucun service de ce nom ne vous est offert avec ce document. Relisez le catalogue.",
                "No service of this name is offered to you with this document. Read the catalogue again.",
            )
            .into());
        };
        let (documents, agency) = (self.documents.clone(), service.verified.agent().agency.clone());
        let digest = service.verified.openapi_digest();
        let openapi = blocking(move || documents.read(&agency, &digest)).await?;
        if !service.verified.is_document(&openapi) {
            return Err(status::internal(&"a document of a service is not the one that was published"));
        }
        Ok(Response::new(wire::ServiceDocumentReply { openapi: openapi.into() }))
    }
}
