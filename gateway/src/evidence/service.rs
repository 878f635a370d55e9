//! The service `ExchangeEvidence`: for the parties of an exchange, by their agents.

use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::exchange_evidence_server::ExchangeEvidence;
use passerelle_proto::wire::{AssembleEvidenceReply, AssembleEvidenceRequest, ExchangeDetail};
use tonic::{Request, Response, Status};

use super::{EvidenceFault, Sources};
use crate::rpc::{caller, status};

/// The service.
#[derive(Clone, Debug)]
pub struct EvidenceService {
    sources: Sources,
}

impl EvidenceService {
    /// Over what evidence is made from.
    #[must_use]
    pub fn new(sources: Sources) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl ExchangeEvidence for EvidenceService {
    async fn assemble(
        &self,
        request: Request<AssembleEvidenceRequest>,
    ) -> Result<Response<AssembleEvidenceReply>, Status> {
        let agent = caller::agent(&request)?;
        let id = exchange_id(&request.into_inner().exchange_id)?;
        let agency = agent.id.agency.as_str();
        let evidence = self.sources.assemble(id, |detail| is_party(detail, agency)).await?;
        Ok(Response::new(AssembleEvidenceReply { evidence: Some(evidence) }))
    }
}

/// Whether an agency sent the exchange or was to receive it.
pub(crate) fn is_party(detail: &ExchangeDetail, agency: &str) -> bool {
    detail.sender_agency == agency || detail.recipients.iter().any(|recipient| recipient == agency)
}

/// The id of a request.
pub(crate) fn exchange_id(bytes: &[u8]) -> Result<ExchangeId, Status> {
    ExchangeId::from_bytes(bytes)
        .map_err(|_| status::invalid("Ce n'est pas un identifiant d'échange.", "This is not an exchange id."))
}

impl From<EvidenceFault> for Status {
    fn from(fault: EvidenceFault) -> Self {
        match fault {
            EvidenceFault::NotFound => Self::not_found(
                "Aucun échange de cet identifiant ne vous concerne. / No exchange with this id concerns you.",
            ),
            EvidenceFault::Ledger(error) => error.into(),
            EvidenceFault::Log(cause) => status::internal(&cause),
        }
    }
}
