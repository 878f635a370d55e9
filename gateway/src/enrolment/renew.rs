//! The service `Renewal`: a certificate in force is the credential for the next one.

use passerelle_proto::wire::{self, renewal_server::Renewal};
use tonic::{Request, Response, Status};

use super::{Certifier, ders};
use crate::ledger::Ledger;
use crate::rpc::caller;

/// The service.
#[derive(Clone, Debug)]
pub struct RenewalService {
    /// Where certificates are logged.
    pub ledger: Ledger,
    /// Who certifies.
    pub certifier: Certifier,
}

#[tonic::async_trait]
impl Renewal for RenewalService {
    async fn renew(
        &self,
        request: Request<wire::RenewRequest>,
    ) -> Result<Response<wire::RenewReply>, Status> {
        let agent = caller::agent(&request)?;
        let request = request.into_inner();
        let chains = self.certifier.certify(&agent.id, request.tls_request, request.signing_request).await?;
        let (leaves, actor, id) = (chains.leaves(), agent.actor(), agent.id.clone());
        self.ledger.decide(move |state, _now| state.certificates_issued(&id, "", leaves, actor)).await?;
        tracing::info!(agent = %agent.id, "certificates renewed");
        Ok(Response::new(wire::RenewReply {
            tls_chain: ders(&chains.tls),
            signing_chain: ders(&chains.signing),
        }))
    }
}
