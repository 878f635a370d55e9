//! Agreements: propose, move on, list.

use passerelle_pki::name::AgencyCode;
use passerelle_proto::agreement::{Document, FieldError};
use passerelle_proto::wire;
use tonic::{Request, Response, Status};

use super::service::AdministrationService;
use crate::operators::{Operator, Rpc};
use crate::state::agreements::{Agreement, Move};

impl AdministrationService {
    pub(super) async fn propose(
        &self,
        operator: Operator,
        request: wire::ProposeAgreementRequest,
    ) -> Result<wire::AgreementReply, Status> {
        let document = Document::parse(request.document).map_err(|mistakes| listed(&mistakes))?;
        let terms = document.agreement();
        let parties: Vec<&AgencyCode> = terms.parties().map(|party| &party.agency).collect();
        self.guard.reach(&operator, Rpc::ProposeAgreement, &parties).await?;
        let (number, version) = (terms.number.clone(), terms.version);
        let logged =
            self.ledger.decide(move |state, _now| state.propose(&document, operator.actor())).await?;
        self.reply(&number, version, logged.leaf_index)
    }

    pub(super) async fn step(
        &self,
        request: Request<wire::AgreementStep>,
        rpc: Rpc,
        step: Move,
    ) -> Result<Response<wire::AgreementReply>, Status> {
        let operator = self.guard.admit(&request, rpc).await?;
        let request = request.into_inner();
        let (number, version) = (request.number.clone(), request.version);
        let state = self.ledger.state();
        let agreement = state.known_agreement(&number, version, None)?;
        self.guard.reach(&operator, rpc, &parties(agreement)).await?;
        let logged = self
            .ledger
            .decide(move |state, now| state.move_agreement(step, &request, operator.actor(), now))
            .await?;
        self.reply(&number, version, logged.leaf_index).map(Response::new)
    }

    /// The agreements that the operator's agency is a party to; all of them for the staff of the platform.
    pub(super) fn agreements(&self, operator: &Operator) -> wire::ListAllAgreementsReply {
        let (state, now) = (self.ledger.state(), self.clock.now());
        let visible = state
            .agreements()
            .filter(|agreement| operator.reaches(Rpc::ListAgreements.roles(), &parties(agreement)));
        wire::ListAllAgreementsReply {
            agreements: visible.map(|agreement| state.record(agreement, now)).collect(),
        }
    }

    fn reply(&self, number: &str, version: u32, leaf_index: u64) -> Result<wire::AgreementReply, Status> {
        let state = self.ledger.state();
        let agreement = state.known_agreement(number, version, None)?;
        let record = state.record(agreement, self.clock.now());
        Ok(wire::AgreementReply { agreement: Some(record), leaf_index })
    }
}

fn parties(agreement: &Agreement) -> Vec<&AgencyCode> {
    agreement.document().agreement().parties().map(|party| &party.agency).collect()
}

/// Every mistake of a document, one a line.
fn listed(mistakes: &[FieldError]) -> Status {
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    Status::invalid_argument(format!(
        "Le document de l'entente contient {count} erreur(s). / The agreement's document has {count} mistake(s).\n{}",
        lines.join("\n"),
        count = mistakes.len(),
    ))
}
