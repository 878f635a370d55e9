//! Acknowledgements: what a recipient's agent confirms or refuses, signed.
//!
//! One statement names 1 to 256 exchanges, so that one signature serves a batch. It ends the gateway's duty to
//! deliver, and it goes to the sender as it was signed.

use std::collections::HashSet;

use passerelle_pki::key::{PublicKey, Signer};
use passerelle_pki::name::AgentId;
use prost::Message;

use crate::exchange_id::ExchangeId;
use crate::statement::{self, StatementError, payload_type};
use crate::strict::{self, StrictError};
use crate::wire::{self, AcknowledgementOutcome, Reason};

/// Most exchanges in one acknowledgement.
pub const EXCHANGES_LIMIT: usize = 256;
/// Most bytes in one: with its signature it fits an entry of the log.
pub const ACKNOWLEDGEMENT_LIMIT: usize = 32_768;

/// Why an acknowledgement was not made or not believed. When verifying, the fault is the recipient's agent's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcknowledgementError {
    /// The signature, or the form of the statement.
    #[error("the acknowledgement's signature does not hold")]
    Statement(#[source] StatementError),
    /// The payload is not the one encoding of an acknowledgement.
    #[error("the acknowledgement cannot be read")]
    Encoding(#[source] StrictError),
    /// It speaks for another agent than the one that signed.
    #[error("the acknowledgement speaks for {found}, but {expected} signed it")]
    Agent {
        /// Agent named inside, shortened.
        found: String,
        /// Agent whose certificate signed it.
        expected: AgentId,
    },
    /// No exchange, or more than [`EXCHANGES_LIMIT`].
    #[error("an acknowledgement names 1 to {EXCHANGES_LIMIT} exchanges, not {0}")]
    Count(usize),
    /// An exchange's id, digest, outcome or reason breaks the form.
    #[error("exchange {0} of the acknowledgement breaks the form: {1}")]
    Exchange(usize, &'static str),
}

/// One exchange as it was acknowledged.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Which exchange.
    pub exchange_id: ExchangeId,
    /// SHA-256 of the exact header bytes that the recipient verified.
    pub header_digest: [u8; 32],
    /// `None`: received. Otherwise why the recipient's agent refused it.
    pub refused: Option<Reason>,
}

/// An acknowledgement whose signature and form were checked. Only [`verify`] makes one.
#[derive(Clone, Debug)]
pub struct VerifiedAcknowledgement {
    agent: AgentId,
    received_ms: u64,
    exchanges: Vec<Acknowledged>,
}

impl VerifiedAcknowledgement {
    /// The agent that signed it.
    #[must_use]
    pub fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// Milliseconds since the UNIX epoch, by the recipient's clock.
    #[must_use]
    pub fn received_ms(&self) -> u64 {
        self.received_ms
    }

    /// The exchanges, 1 to 256, none twice.
    #[must_use]
    pub fn exchanges(&self) -> &[Acknowledged] {
        &self.exchanges
    }
}

/// Signs an acknowledgement of `exchanges` for `agent`.
///
/// # Errors
/// [`AcknowledgementError`] when no reader would take it, or the key cannot sign.
pub fn sign(
    agent: &AgentId,
    received_ms: u64,
    exchanges: &[Acknowledged],
    signer: &dyn Signer,
) -> Result<wire::Statement, AcknowledgementError> {
    let acknowledgement = wire::Acknowledgement {
        agency: agent.agency.to_string(),
        agent: agent.agent.to_string(),
        received_ms,
        exchanges: exchanges.iter().map(to_wire).collect(),
    };
    read_exchanges(&acknowledgement.exchanges)?;
    statement::sign(payload_type::ACKNOWLEDGEMENT, acknowledgement.encode_to_vec().into(), signer)
        .map_err(AcknowledgementError::Statement)
}

/// Verifies that `key` (of the verified signing certificate of `expected`) signed this acknowledgement.
///
/// # Errors
/// [`AcknowledgementError`] otherwise.
pub fn verify(
    statement: &wire::Statement,
    key: &PublicKey,
    expected: &AgentId,
) -> Result<VerifiedAcknowledgement, AcknowledgementError> {
    let payload = statement::verify(statement, payload_type::ACKNOWLEDGEMENT, key)
        .map_err(AcknowledgementError::Statement)?;
    let message: wire::Acknowledgement =
        strict::decode(payload, ACKNOWLEDGEMENT_LIMIT).map_err(AcknowledgementError::Encoding)?;
    if message.agency != expected.agency.as_str() || message.agent != expected.agent.as_str() {
        let found = format!("{}/{}", message.agency, message.agent).chars().take(100).collect();
        return Err(AcknowledgementError::Agent { found, expected: expected.clone() });
    }
    let exchanges = read_exchanges(&message.exchanges)?;
    Ok(VerifiedAcknowledgement { agent: expected.clone(), received_ms: message.received_ms, exchanges })
}

fn to_wire(exchange: &Acknowledged) -> wire::AcknowledgedExchange {
    let (outcome, reason) = match exchange.refused {
        None => (AcknowledgementOutcome::Received, Reason::Unspecified),
        Some(reason) => (AcknowledgementOutcome::Refused, reason),
    };
    wire::AcknowledgedExchange {
        exchange_id: exchange.exchange_id.to_wire(),
        header_digest: exchange.header_digest.to_vec().into(),
        outcome: outcome.into(),
        reason: reason.into(),
    }
}

fn read_exchanges(
    exchanges: &[wire::AcknowledgedExchange],
) -> Result<Vec<Acknowledged>, AcknowledgementError> {
    if !(1..=EXCHANGES_LIMIT).contains(&exchanges.len()) {
        return Err(AcknowledgementError::Count(exchanges.len()));
    }
    let mut seen = HashSet::new();
    let mut read = Vec::with_capacity(exchanges.len());
    for (index, exchange) in exchanges.iter().enumerate() {
        let exchange =
            read_exchange(exchange).map_err(|wrong| AcknowledgementError::Exchange(index, wrong))?;
        if !seen.insert(exchange.exchange_id) {
            return Err(AcknowledgementError::Exchange(index, "named twice"));
        }
        read.push(exchange);
    }
    Ok(read)
}

fn read_exchange(exchange: &wire::AcknowledgedExchange) -> Result<Acknowledged, &'static str> {
    let exchange_id = ExchangeId::from_bytes(&exchange.exchange_id).map_err(|_| "exchange_id")?;
    let header_digest = exchange.header_digest[..].try_into().map_err(|_| "header_digest")?;
    let reason = Reason::try_from(exchange.reason).map_err(|_| "reason")?;
    let refused = match (AcknowledgementOutcome::try_from(exchange.outcome), reason) {
        (Ok(AcknowledgementOutcome::Received), Reason::Unspecified) => None,
        (Ok(AcknowledgementOutcome::Refused), Reason::Unspecified) => return Err("refused without a reason"),
        (Ok(AcknowledgementOutcome::Refused), reason) => Some(reason),
        (Ok(AcknowledgementOutcome::Received), _) => return Err("received for a reason"),
        _ => return Err("outcome"),
    };
    Ok(Acknowledged { exchange_id, header_digest, refused })
}
