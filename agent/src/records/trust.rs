//! Whom this agent believes: what sender and receiver ask before they act on anything that came from outside.

use std::fmt::Debug;
use std::time::Duration;

use passerelle_pki::key::{KeyId, PublicKey};
use passerelle_pki::name::AgentId;
use passerelle_proto::acknowledgement::{self, AcknowledgementError, VerifiedAcknowledgement};
use passerelle_proto::agreement::VerifiedAgreement;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::receipt::{self, ReceiptError};
use passerelle_proto::statement;
use passerelle_proto::wire;
use prost::Message;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::agreements::{Agreements, Synchroniser};
use crate::directory::Directory;
use crate::link::{self, Link};

/// Keys and agreements, verified to the root.
pub(crate) trait Trust: Send + Sync + Debug {
    /// A signing key of an agent that holds now.
    fn signing_key(&self, agent: &AgentId, key: &KeyId) -> Option<PublicKey>;
    /// A key that the gateway signs receipts with.
    fn gateway_key(&self, key: &KeyId) -> Option<PublicKey>;
    /// The agreement version that a header names.
    fn agreement(&self, reference: &wire::AgreementRef) -> Option<VerifiedAgreement>;
}

/// What directory and agreements say.
#[derive(Clone, Debug)]
pub(crate) struct Believed {
    pub(crate) directory: Directory,
    pub(crate) agreements: Agreements,
}

impl Trust for Believed {
    fn signing_key(&self, agent: &AgentId, key: &KeyId) -> Option<PublicKey> {
        self.directory.signing_key(agent, key)
    }

    fn gateway_key(&self, key: &KeyId) -> Option<PublicKey> {
        self.directory.gateway_key(key)
    }

    fn agreement(&self, reference: &wire::AgreementRef) -> Option<VerifiedAgreement> {
        self.agreements.by_ref(reference)
    }
}

/// Why something that came from the gateway is not believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Doubt {
    /// The key is none of the gateway's that we know. Perhaps it was renewed a moment ago.
    #[error("signed with a key of the gateway that is not known")]
    GatewayKey,
    /// The receipt does not hold. The gateway is at fault.
    #[error("the receipt does not hold")]
    Receipt(#[source] ReceiptError),
    /// The receipt is for another exchange or other bytes. The gateway is at fault.
    #[error("the receipt is for another exchange")]
    OtherExchange,
    /// The statement names no agent. Whoever signed it is at fault.
    #[error("the acknowledgement cannot be read")]
    Unreadable,
    /// The key is none that we know of that agent.
    #[error("signed with a key of {0} that is not known")]
    AgentKey(AgentId),
    /// The acknowledgement does not hold.
    #[error("the acknowledgement does not hold")]
    Acknowledgement(#[source] AcknowledgementError),
}

impl Doubt {
    /// Whether a fresh directory might remove it.
    pub(crate) fn may_be_ours(&self) -> bool {
        matches!(self, Self::GatewayKey | Self::AgentKey(_))
    }
}

/// Verifies a receipt for these very header bytes.
pub(crate) fn receipt(
    trust: &dyn Trust,
    receipt: &wire::Receipt,
    id: ExchangeId,
    header_digest: [u8; 32],
) -> Result<wire::ReceiptBody, Doubt> {
    let hint = receipt.signature.as_ref().and_then(|signature| KeyId::try_from(&signature.key_id[..]).ok());
    let key = hint.and_then(|hint| trust.gateway_key(&hint)).ok_or(Doubt::GatewayKey)?;
    let body = receipt::verify(receipt, &key).map_err(Doubt::Receipt)?;
    if body.exchange_id == id.as_bytes()[..] && body.header_digest == header_digest[..] {
        Ok(body)
    } else {
        Err(Doubt::OtherExchange)
    }
}

/// Verifies a recipient's acknowledgement.
pub(crate) fn acknowledgement(
    trust: &dyn Trust,
    signed: &wire::Statement,
) -> Result<VerifiedAcknowledgement, Doubt> {
    // Only to find the key; everything else is read after verification.
    let named = wire::Acknowledgement::decode(&signed.payload[..]).map_err(|_| Doubt::Unreadable)?;
    let agent = named.agency.parse().ok().zip(named.agent.parse().ok());
    let agent = agent.map(|(agency, agent)| AgentId { agency, agent }).ok_or(Doubt::Unreadable)?;
    let hint = statement::key_hint(signed).ok_or(Doubt::Unreadable)?;
    let key = trust.signing_key(&agent, &hint).ok_or_else(|| Doubt::AgentKey(agent.clone()))?;
    acknowledgement::verify(signed, &key, &agent).map_err(Doubt::Acknowledgement)
}

/// Asks for a fresh directory and fresh agreements when something is not known yet, not too often.
#[derive(Debug)]
pub(crate) struct Refresher {
    synchroniser: Synchroniser,
    link: Link,
    /// When the last refresh that succeeded was begun, and the last at all.
    last: Mutex<(Option<Instant>, Option<Instant>)>,
}

impl Refresher {
    /// Shortest time between two questions.
    const PAUSE: Duration = Duration::from_secs(2);

    pub(crate) fn new(synchroniser: Synchroniser, link: Link) -> Self {
        Self { synchroniser, link, last: Mutex::default() }
    }

    /// Brings everything up to date, unless that was begun since `asked`. False when the gateway did not answer: what
    /// is not known then may yet be true.
    pub(crate) async fn refresh(&self, asked: Instant) -> bool {
        let mut last = self.last.lock().await;
        if last.0.is_some_and(|begun| begun >= asked) {
            return true;
        }
        if let Some(begun) = last.1 {
            tokio::time::sleep_until(begun + Self::PAUSE).await;
        }
        let Some(channel) = self.link.channel() else { return false };
        let begun = Instant::now();
        last.1 = Some(begun);
        match self.synchroniser.refresh(channel).await {
            Ok(()) => {
                last.0 = Some(begun);
                true
            }
            Err(error) => {
                tracing::warn!(error = %link::chain(&error), "directory and agreements not up to date");
                false
            }
        }
    }
}
