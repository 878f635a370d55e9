//! What the gateway answers to acknowledgements, and how much of it is believed.
//!
//! That this agent was first needs no proof here: its record is shown. That a record is another agent's, or unknown, would
//! make it vanish: it is believed only with the other agent's signed acknowledgement of these very header bytes. What is
//! doubted stays pending, is told to people, and is acknowledged again. Once a record has expired by our own clock the
//! gateway may rightly have ended it, and it goes, whatever is said of it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use passerelle_pki::name::AgentId;
use passerelle_proto::acknowledgement::{Acknowledged, VerifiedAcknowledgement};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{AcknowledgementLogged, EndedElsewhere, Reason, UnknownExchange};
use tokio::time::Instant;
use tonic::Status;

use super::{Receiver, SessionError};
use crate::records::trust::Doubt;

/// How far the gateway's clock may be ahead of ours before we doubt that a record has expired.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(300);

/// What the gateway said of statements.
#[derive(Debug, Default)]
pub(super) struct Answered {
    ours: Vec<ExchangeId>,
    /// What it says to have ended without us, or not to have.
    claimed: Vec<(Acknowledged, Claim)>,
    /// To be acknowledged again, without the others.
    pub(super) again: Vec<Acknowledged>,
}

/// Why a record should not be ours.
#[derive(Clone, Debug)]
enum Claim {
    Elsewhere(EndedElsewhere),
    Unknown(Reason),
}

/// Why a claim is not believed: the gateway is at fault, or lost something.
#[derive(Debug, thiserror::Error)]
enum Unproven {
    #[error(
        "la passerelle dit qu'un autre agent l'a, sans preuve / the gateway says that another agent has it, without proof"
    )]
    Missing,
    #[error("l'accusé montré ne tient pas / the acknowledgement shown does not hold: {0}")]
    Doubt(#[source] Doubt),
    #[error(
        "l'accusé montré n'est pas d'un autre agent de l'organisme, mais de / the acknowledgement shown is not another agent's of the agency, but of {0}"
    )]
    Signer(AgentId),
    #[error("l'accusé montré est d'un autre échange / the acknowledgement shown is of another exchange")]
    OtherExchange,
    #[error("{0} l'a refusé, cet agent l'a reçu / {0} refused it, this agent has received it: {reason}", reason = .1.as_str_name())]
    Refused(AgentId, Reason),
    #[error(
        "la passerelle le dit échu, il ne l'est pas / the gateway says that it has expired, and it has not"
    )]
    NotExpired,
    #[error("la passerelle ne le connaît pas / the gateway does not know it: {reason}", reason = .0.as_str_name())]
    Unknown(Reason),
}

/// What is to be done with a record that should not be ours.
enum Verdict {
    /// It is not, or not any more.
    Ended,
    /// Perhaps in a moment.
    Later,
}

impl Answered {
    /// Reads the answer to the statement that named `asked`.
    pub(super) fn take(
        &mut self,
        asked: Vec<Acknowledged>,
        answer: AcknowledgementLogged,
    ) -> Result<(), Status> {
        let ours: HashSet<&[u8]> = answer.exchange_ids.iter().map(|id| &id[..]).collect();
        let ended =
            answer.elsewhere.into_iter().map(|ended| (ended.exchange_id.clone(), Claim::Elsewhere(ended)));
        let unknown = answer.unknown.into_iter().map(|unknown: UnknownExchange| {
            let reason = unknown.reason();
            (unknown.exchange_id, Claim::Unknown(reason))
        });
        let mut claims: HashMap<bytes::Bytes, Claim> = ended.chain(unknown).collect();
        let (asked_for, before) = (asked.len(), self.again.len());
        for exchange in asked {
            let id = exchange.exchange_id;
            match claims.remove(&id.as_bytes()[..]) {
                _ if ours.contains(&id.as_bytes()[..]) => self.ours.push(id),
                Some(claim) => self.claimed.push((exchange, claim)),
                None => self.again.push(exchange),
            }
        }
        // Otherwise the same would be asked for ever.
        if self.again.len() == before + asked_for { Err(unasked()) } else { Ok(()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ours.is_empty() && self.claimed.is_empty()
    }
}

impl Receiver {
    /// Does what was answered, as far as it is believed; what is to be acknowledged again later comes back.
    pub(super) async fn settle(&self, answered: Answered) -> Result<Vec<Acknowledged>, SessionError> {
        let (asked, mut elsewhere, mut later) = (Instant::now(), Vec::new(), Vec::new());
        for (exchange, claim) in answered.claimed {
            let id = exchange.exchange_id;
            match self.weigh(&exchange, &claim, asked).await {
                Ok(Verdict::Ended) => elsewhere.push(id),
                Ok(Verdict::Later) => later.push(exchange),
                Err(unproven) => {
                    if self.inbox.contest(id, &unproven.to_string()) {
                        tracing::error!(%id, error = %unproven, "a record is neither shown nor dropped: the gateway proves not that it is another agent's");
                    }
                    later.push(exchange);
                }
            }
        }
        self.inbox.acknowledged(&answered.ours, &elsewhere).await?;
        Ok(later)
    }

    async fn weigh(
        &self,
        exchange: &Acknowledged,
        claim: &Claim,
        asked: Instant,
    ) -> Result<Verdict, Unproven> {
        let id = exchange.exchange_id;
        // What is shown, refused or gone, no answer changes.
        let Some(until) = self.inbox.pending_until(&id) else { return Ok(Verdict::Ended) };
        let now = self.clock.now();
        if now >= until {
            tracing::warn!(%id, "a record has expired before it was this agent's; it is dropped");
            return Ok(Verdict::Ended);
        }
        let ended = match claim {
            Claim::Unknown(reason) => return Err(Unproven::Unknown(*reason)),
            Claim::Elsewhere(ended) => ended,
        };
        let Some(signed) = &ended.acknowledgement else {
            return match ended.agent.is_empty() {
                true if until.since(now) <= CLOCK_TOLERANCE => Ok(Verdict::Later),
                true => Err(Unproven::NotExpired),
                false => Err(Unproven::Missing),
            };
        };
        let verified = self.sender.verify_acknowledgement(signed, asked).await.map_err(Unproven::Doubt)?;
        is_anothers(&verified, self.identity.agent(), exchange)?;
        tracing::info!(%id, agent = %verified.agent(), "a record is another agent's of the agency; it is dropped");
        Ok(Verdict::Ended)
    }
}

/// Whether another agent of our agency has received this very record.
fn is_anothers(
    verified: &VerifiedAcknowledgement,
    us: &AgentId,
    exchange: &Acknowledged,
) -> Result<(), Unproven> {
    let agent = verified.agent();
    if agent.agency != us.agency || agent.agent == us.agent {
        return Err(Unproven::Signer(agent.clone()));
    }
    let same = |other: &&Acknowledged| {
        other.exchange_id == exchange.exchange_id && other.header_digest == exchange.header_digest
    };
    match verified.exchanges().iter().find(same).map(|other| other.refused) {
        Some(None) => Ok(()),
        Some(Some(reason)) => Err(Unproven::Refused(agent.clone(), reason)),
        None => Err(Unproven::OtherExchange),
    }
}

pub(super) fn unasked() -> Status {
    Status::internal("the gateway's answer is to another acknowledgement")
}

#[cfg(test)]
mod tests {
    use passerelle_pki::clock::Timestamp;
    use ring::rand::SystemRandom;

    use super::*;

    #[test]
    fn an_answer_sorts_what_was_asked_and_one_that_settles_nothing_is_refused() {
        let asked: Vec<_> = (1..5)
            .map(|byte| Acknowledged {
                exchange_id: ExchangeId::draw(Timestamp::from_millis(byte), &SystemRandom::new()).unwrap(),
                header_digest: [1; 32],
                refused: None,
            })
            .collect();
        let id = |at: usize| asked[at].exchange_id;
        let elsewhere = EndedElsewhere {
            exchange_id: id(0).to_wire(),
            agent: "agent-2".to_owned(),
            acknowledgement: None,
        };
        let unknown =
            UnknownExchange { exchange_id: id(3).to_wire(), reason: Reason::RecipientUnknown.into() };
        let answer = AcknowledgementLogged {
            exchange_ids: vec![id(1).to_wire()],
            leaf_index: 7,
            elsewhere: vec![elsewhere],
            unknown: vec![unknown],
        };
        let mut answered = Answered::default();
        answered.take(asked.clone(), answer).unwrap();
        assert!(Answered::default().take(asked.clone(), AcknowledgementLogged::default()).is_err());
        assert_eq!(answered.ours, [id(1)]);
        assert_eq!(
            answered.claimed.iter().map(|(one, _)| one.exchange_id).collect::<Vec<_>>(),
            [id(0), id(3)]
        );
        assert!(matches!(answered.claimed[1].1, Claim::Unknown(Reason::RecipientUnknown)));
        assert_eq!(answered.again, [asked[2]]);
    }
}
