//! The service `Enrolment`: a one-time token is the credential.

use std::sync::Arc;

use passerelle_pki::clock::SharedClock;
use passerelle_pki::key::Ed25519Key;
use passerelle_pki::request;
use passerelle_proto::wire::{self, enrolment_server::Enrolment};
use tonic::{Request, Response, Status};

use super::{Certifier, ders};
use crate::ledger::Ledger;
use crate::operators::enrolment_token::{self, EnrolmentGrant};
use crate::rpc::caller::gateway_actor;

/// The service.
#[derive(Clone, Debug)]
pub struct EnrolmentService {
    /// Where tokens are known and certificates are logged.
    pub ledger: Ledger,
    /// Who certifies.
    pub certifier: Certifier,
    /// Key of the tokens.
    pub token_key: Arc<Ed25519Key>,
    /// `iss` and `aud` of the tokens.
    pub token_issuer: String,
    /// The log's verifier key, which the agent keeps.
    pub log_vkey: String,
    /// The trust domain.
    pub trust_domain: String,
    /// What time it is.
    pub clock: SharedClock,
}

impl EnrolmentService {
    /// Whether this token was used for this very signing key: the answer was lost on its way, and the agent asks again.
    /// Only who holds the key can make such a request, and it gets no more than it has.
    fn was_answered(&self, grant: &EnrolmentGrant, signing_request: &[u8]) -> bool {
        let state = self.ledger.state();
        let used = state.token(&grant.id).is_some_and(|token| token.used && token.agent == grant.agent);
        let newest = state.agent(&grant.agent).and_then(|agent| agent.signing.last());
        used && request::check(signing_request)
            .is_ok_and(|checked| newest.is_some_and(|newest| newest.key_id == checked.public_key().key_id()))
    }
}

#[tonic::async_trait]
impl Enrolment for EnrolmentService {
    async fn enrol(
        &self,
        request: Request<wire::EnrolRequest>,
    ) -> Result<Response<wire::EnrolReply>, Status> {
        let request = request.into_inner();
        let grant =
            enrolment_token::verify(&request.token, &self.token_key, &self.token_issuer, self.clock.now())
                .map_err(|error| {
                    Status::unauthenticated(format!(
                        "Le jeton d'enrôlement n'est pas valide : demandez-en un autre. / \
                     The enrolment token is not valid: ask for another. ({error})"
                    ))
                })?;
        // Looked at before the authority is troubled; decided again with the event.
        let answered = self.was_answered(&grant, &request.signing_request);
        if !answered {
            self.ledger.state().usable_token(&grant.id, &grant.agent)?;
        }
        let chains =
            self.certifier.certify(&grant.agent, request.tls_request, request.signing_request).await?;
        let (leaves, actor) = (chains.leaves(), gateway_actor(&self.ledger.origin().gateway));
        let (agent, id) = (grant.agent.clone(), if answered { String::new() } else { grant.id });
        self.ledger.decide(move |state, _now| state.certificates_issued(&agent, &id, leaves, actor)).await?;
        tracing::info!(agent = %grant.agent, "enrolled");
        Ok(Response::new(wire::EnrolReply {
            tls_chain: ders(&chains.tls),
            signing_chain: ders(&chains.signing),
            trust_domain: self.trust_domain.clone(),
            log_vkey: self.log_vkey.clone(),
        }))
    }
}
