//! The service's parts, and its calls.

use std::sync::Arc;

use passerelle_pki::authority::Authority;
use passerelle_pki::clock::SharedClock;
use passerelle_pki::key::Ed25519Key;
use passerelle_pki::revocation::Revocations;
use passerelle_proto::wire::{self, administration_server::Administration};
use tonic::{Request, Response, Status};

use crate::ledger::Ledger;
use crate::operators::Rpc;
use crate::operators::guard::Guard;
use crate::state::agreements::Move;

/// The service.
#[derive(Clone, Debug)]
pub struct AdministrationService {
    /// Who may call.
    pub guard: Guard,
    /// Where everything is decided and logged.
    pub ledger: Ledger,
    /// Revokes certificates.
    pub authority: Arc<Authority>,
    /// The lists that connections are held against.
    pub revocations: Revocations,
    /// Signs enrolment tokens.
    pub token_key: Arc<Ed25519Key>,
    /// `iss` and `aud` of enrolment tokens.
    pub token_issuer: String,
    /// What time it is.
    pub clock: SharedClock,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Administration for AdministrationService {
    async fn register_agency(&self, request: Request<wire::RegisterAgencyRequest>) -> Answer<wire::Done> {
        let operator = self.guard.admit(&request, Rpc::RegisterAgency).await?;
        self.register(operator, request.into_inner()).await.map(Response::new)
    }

    async fn approve_agency(&self, request: Request<wire::ApproveAgencyRequest>) -> Answer<wire::Done> {
        let operator = self.guard.admit(&request, Rpc::ApproveAgency).await?;
        self.approve(operator, request.into_inner()).await.map(Response::new)
    }

    async fn suspend_agency(&self, request: Request<wire::SuspendAgencyRequest>) -> Answer<wire::Done> {
        let operator = self.guard.admit(&request, Rpc::SuspendAgency).await?;
        self.suspend(operator, request.into_inner()).await.map(Response::new)
    }

    async fn list_agencies(
        &self,
        request: Request<wire::ListAgenciesRequest>,
    ) -> Answer<wire::ListAgenciesReply> {
        self.guard.admit(&request, Rpc::ListAgencies).await?;
        Ok(Response::new(self.agencies()))
    }

    async fn issue_enrolment_token(
        &self,
        request: Request<wire::IssueEnrolmentTokenRequest>,
    ) -> Answer<wire::IssueEnrolmentTokenReply> {
        let operator = self.guard.admit(&request, Rpc::IssueEnrolmentToken).await?;
        self.issue_token(operator, request.into_inner()).await.map(Response::new)
    }

    async fn revoke_agent(
        &self,
        request: Request<wire::RevokeAgentRequest>,
    ) -> Answer<wire::RevokeAgentReply> {
        let operator = self.guard.admit(&request, Rpc::RevokeAgent).await?;
        self.revoke(operator, request.into_inner()).await.map(Response::new)
    }

    async fn propose_agreement(
        &self,
        request: Request<wire::ProposeAgreementRequest>,
    ) -> Answer<wire::AgreementReply> {
        let operator = self.guard.admit(&request, Rpc::ProposeAgreement).await?;
        self.propose(operator, request.into_inner()).await.map(Response::new)
    }

    async fn activate_agreement(
        &self,
        request: Request<wire::AgreementStep>,
    ) -> Answer<wire::AgreementReply> {
        self.step(request, Rpc::ActivateAgreement, Move::Activate).await
    }

    async fn reject_agreement(&self, request: Request<wire::AgreementStep>) -> Answer<wire::AgreementReply> {
        self.step(request, Rpc::RejectAgreement, Move::Reject).await
    }

    async fn record_sent_to_cai(
        &self,
        request: Request<wire::AgreementStep>,
    ) -> Answer<wire::AgreementReply> {
        self.step(request, Rpc::RecordSentToCai, Move::SentToCai).await
    }

    async fn record_received_by_cai(
        &self,
        request: Request<wire::AgreementStep>,
    ) -> Answer<wire::AgreementReply> {
        self.step(request, Rpc::RecordReceivedByCai, Move::ReceivedByCai).await
    }

    async fn suspend_agreement(&self, request: Request<wire::AgreementStep>) -> Answer<wire::AgreementReply> {
        self.step(request, Rpc::SuspendAgreement, Move::Suspend).await
    }

    async fn resume_agreement(&self, request: Request<wire::AgreementStep>) -> Answer<wire::AgreementReply> {
        self.step(request, Rpc::ResumeAgreement, Move::Resume).await
    }

    async fn revoke_agreement(&self, request: Request<wire::AgreementStep>) -> Answer<wire::AgreementReply> {
        self.step(request, Rpc::RevokeAgreement, Move::Revoke).await
    }

    async fn list_agreements(
        &self,
        request: Request<wire::ListAllAgreementsRequest>,
    ) -> Answer<wire::ListAllAgreementsReply> {
        let operator = self.guard.admit(&request, Rpc::ListAgreements).await?;
        Ok(Response::new(self.agreements(&operator)))
    }
}
