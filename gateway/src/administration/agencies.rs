//! Agencies and their agents: register, approve, suspend, list; issue enrolment tokens; revoke.

use std::time::Duration;

use passerelle_pki::authority::Reason;
use passerelle_pki::name::AgentId;
use passerelle_pki::revocation::RevocationList;
use passerelle_proto::wire::{self, agency::State as Standing};
use ring::rand::{SecureRandom, SystemRandom};
use tonic::Status;

use super::service::AdministrationService;
use crate::operators::enrolment_token::{self, EnrolmentGrant};
use crate::operators::{Operator, Rpc};
use crate::rpc::status;
use crate::state::AgencyStanding;

impl AdministrationService {
    pub(super) async fn register(
        &self,
        operator: Operator,
        request: wire::RegisterAgencyRequest,
    ) -> Result<wire::Done, Status> {
        let agency = request
            .agency
            .ok_or_else(|| status::invalid("Il manque l'organisme.", "The agency is missing."))?;
        let logged =
            self.ledger.decide(move |state, _now| state.register_agency(&agency, operator.actor())).await?;
        Ok(wire::Done { leaf_index: logged.leaf_index })
    }

    pub(super) async fn approve(
        &self,
        operator: Operator,
        request: wire::ApproveAgencyRequest,
    ) -> Result<wire::Done, Status> {
        let logged = self
            .ledger
            .decide(move |state, _now| state.approve_agency(&request.code, operator.actor()))
            .await?;
        Ok(wire::Done { leaf_index: logged.leaf_index })
    }

    pub(super) async fn suspend(
        &self,
        operator: Operator,
        request: wire::SuspendAgencyRequest,
    ) -> Result<wire::Done, Status> {
        let logged = self
            .ledger
            .decide(move |state, _now| state.suspend_agency(&request.code, &request.note, operator.actor()))
            .await?;
        Ok(wire::Done { leaf_index: logged.leaf_index })
    }

    pub(super) fn agencies(&self) -> wire::ListAgenciesReply {
        let state = self.ledger.state();
        let agencies = state
            .agencies()
            .map(|(code, agency)| wire::Agency {
                code: code.to_string(),
                name_fr: agency.name_fr.clone(),
                name_en: agency.name_en.clone(),
                jurisdiction: agency.jurisdiction.clone(),
                state: match agency.standing {
                    AgencyStanding::Registered => Standing::Registered,
                    AgencyStanding::Active => Standing::Active,
                    AgencyStanding::Suspended => Standing::Suspended,
                }
                .into(),
                agents: state.agents_of(code.as_str()).map(|(id, _)| id.agent.to_string()).collect(),
            })
            .collect();
        wire::ListAgenciesReply { agencies }
    }

    pub(super) async fn issue_token(
        &self,
        operator: Operator,
        request: wire::IssueEnrolmentTokenRequest,
    ) -> Result<wire::IssueEnrolmentTokenReply, Status> {
        let agent = agent_id(&request.agency, &request.agent)?;
        self.guard.reach(&operator, Rpc::IssueEnrolmentToken, &[&agent.agency]).await?;
        let lifetime = match request.lifetime_s {
            0 => enrolment_token::LIFETIME,
            seconds => Duration::from_secs(seconds.into()),
        };
        if lifetime > enrolment_token::LIFETIME_MAX {
            return Err(status::invalid("La durée va jusqu'à 3600 s.", "The lifetime goes up to 3,600 s."));
        }
        let mut id = [0; 16];
        SystemRandom::new().fill(&mut id).map_err(|_error| status::internal(&"no randomness"))?;
        let grant = EnrolmentGrant { agent, id: hex::encode(id) };
        let (agent, id) = (grant.agent.clone(), grant.id.clone());
        self.ledger.decide(move |state, _now| state.issue_token(&agent, &id, operator.actor())).await?;
        let now = self.clock.now();
        let token = enrolment_token::issue(&self.token_key, &self.token_issuer, &grant, lifetime, now)
            .map_err(|error| status::internal(&error))?;
        Ok(wire::IssueEnrolmentTokenReply { token, expires_ms: now.plus(lifetime).as_millis() })
    }

    pub(super) async fn revoke(
        &self,
        operator: Operator,
        request: wire::RevokeAgentRequest,
    ) -> Result<wire::RevokeAgentReply, Status> {
        let agent = agent_id(&request.agency, &request.agent)?;
        self.guard.reach(&operator, Rpc::RevokeAgent, &[&agent.agency]).await?;
        let serials = self.ledger.state().serials(&agent)?;
        // The event first: from then on nobody accepts the keys; the list for TLS follows, and a repeat completes it.
        let (id, logged) = (agent.clone(), serials.clone());
        let reason = request.reason.clone();
        self.ledger
            .decide(move |state, _now| state.revoke_agent(&id, logged, &reason, operator.actor()))
            .await?;
        self.publish_revocation(serials.clone()).await?;
        tracing::warn!(%agent, "agent revoked");
        Ok(wire::RevokeAgentReply { serials: serials.into_iter().map(Into::into).collect() })
    }

    async fn publish_revocation(&self, serials: Vec<Vec<u8>>) -> Result<(), Status> {
        let (authority, clock) = (self.authority.clone(), self.clock.clone());
        let revoked = tokio::task::spawn_blocking(move || {
            for serial in &serials {
                authority.revoke(serial, Reason::Unspecified, clock.now())?;
            }
            authority.revocation_list(clock.now())
        });
        let list = revoked.await.map_err(|error| status::internal(&error))?;
        let list = list.map_err(|error| status::internal(&error))?;
        let list = RevocationList::verify(&list, self.authority.issuer())
            .map_err(|error| status::internal(&error))?;
        // The watch on the file may have been faster.
        if let Err(error) = self.revocations.replace(list) {
            tracing::debug!(%error, "a newer revocation list is in force");
        }
        Ok(())
    }
}

fn agent_id(agency: &str, agent: &str) -> Result<AgentId, Status> {
    format!("{agency}/{agent}").parse().map_err(|_error| {
        status::invalid(
            "Organisme et agent : 2 à 40 lettres minuscules, chiffres et traits d'union.",
            "Agency and agent: 2 to 40 lower-case letters, digits and hyphens.",
        )
    })
}
