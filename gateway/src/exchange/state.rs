//! `State`: what became of an exchange, for its sender.

use passerelle_proto::wire::{self, StateReply, StateRequest};
use tonic::Status;

use super::service::ExchangeService;
use crate::rpc::caller::AgentCaller;

impl ExchangeService {
    pub(super) async fn state_reply(
        &self,
        agent: &AgentCaller,
        request: &StateRequest,
    ) -> Result<StateReply, Status> {
        let agency = agent.id.agency.as_str();
        let known = self.0.parts.ledger.exchange_state(&request.exchange_id).await?;
        let own = known.filter(|known| known.sender_agency == agency).ok_or_else(|| {
            Status::not_found(
                "Votre organisme n'a transmis aucun échange de cet identifiant. / \
                 Your agency has sent no exchange with this id.",
            )
        })?;
        let recipients = own.recipients.into_iter().map(|recipient| wire::RecipientState {
            agency: recipient.agency,
            acknowledgement: recipient.acknowledgement,
            expired: recipient.expired,
        });
        Ok(StateReply { receipt: Some(own.receipt), recipients: recipients.collect() })
    }
}
