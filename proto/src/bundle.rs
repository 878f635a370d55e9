//! Key bundles: an agent's KEM public key, signed by its signing key.
//!
//! The directory hands bundles out, but the agent's own signature is what makes one believed, so that the gateway
//! cannot slip in a key of its own. [`VerifiedBundle`] is the only way to a [`RecipientPublicKey`] of another agency.

use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::{KeyId, PublicKey, Signer};
use passerelle_pki::name::AgentId;
use prost::Message;

use crate::envelope::{KEM_ID, KemError, KemPublicKey, RecipientPublicKey};
use crate::statement::{self, StatementError, payload_type};
use crate::strict::{self, StrictError};
use crate::wire;

/// Most bytes in a bundle.
pub const BUNDLE_LIMIT: usize = 4_096;
/// Longest time between a bundle's creation and its end.
pub const LIFETIME_LIMIT: Duration = Duration::from_secs(400 * 24 * 3_600);
/// How far ahead of the reader's clock a bundle may have been made.
pub const SKEW_LIMIT: Duration = Duration::from_secs(300);

/// Why a bundle was not made or not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The signature, or the form of the statement. The peer's or the directory's fault.
    #[error("the key bundle's signature does not hold")]
    Statement(#[source] StatementError),
    /// The payload is not the one encoding of a bundle. The signer's fault.
    #[error("the key bundle cannot be read")]
    Encoding(#[source] StrictError),
    /// The bundle is of another agent than the one asked for. The signer's or the directory's fault.
    #[error("the key bundle is of {found}, not of {expected}")]
    Agent {
        /// Agent named in the bundle, shortened.
        found: String,
        /// Agent that it should be of.
        expected: AgentId,
    },
    /// A KEM that this version does not have: the peer is newer, or odd.
    #[error("unknown KEM {0:#06x}")]
    Kem(u32),
    /// The key's bytes are not a key of that KEM. The signer's fault.
    #[error("the key in the bundle is none")]
    Key(#[source] KemError),
    /// The bundle ends before it begins, or lasts longer than [`LIFETIME_LIMIT`]. The signer's fault.
    #[error("the key bundle's period is not one")]
    Period,
    /// Not yet valid, by more than [`SKEW_LIMIT`].
    #[error("the key bundle was made in the future: {0}")]
    NotYetValid(Timestamp),
    /// No longer valid.
    #[error("the key bundle expired on {0}")]
    Expired(Timestamp),
}

/// A bundle whose signature, form, agent and period were checked. Only [`verify`] makes one.
#[derive(Clone, Debug)]
pub struct VerifiedBundle {
    agent: AgentId,
    recipient: RecipientPublicKey,
    signing_key: KeyId,
    created: Timestamp,
    expires: Timestamp,
}

impl VerifiedBundle {
    /// The agent whose key this is.
    #[must_use]
    pub fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// The id of the KEM key.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.recipient.key_id()
    }

    /// The key to seal to.
    #[must_use]
    pub fn recipient_key(&self) -> &RecipientPublicKey {
        &self.recipient
    }

    /// The signing key that vouches for it.
    #[must_use]
    pub fn signing_key_id(&self) -> KeyId {
        self.signing_key
    }

    /// When it was made.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// The moment from which it is no longer valid.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

/// Signs the bundle of an agent's KEM key, valid in `[created, expires)`.
///
/// # Errors
/// [`BundleError::Period`] for a period that no reader would take, [`BundleError::Statement`] when the key cannot sign.
pub fn sign(
    agent: &AgentId,
    key: &KemPublicKey,
    (created, expires): (Timestamp, Timestamp),
    signer: &dyn Signer,
) -> Result<wire::Statement, BundleError> {
    check_period(created, expires)?;
    let bundle = wire::KeyBundle {
        agency: agent.agency.to_string(),
        agent: agent.agent.to_string(),
        kem_id: KEM_ID.into(),
        kem_public_key: key.to_wire(),
        created_ms: created.as_millis(),
        expires_ms: expires.as_millis(),
    };
    statement::sign(payload_type::KEY_BUNDLE, bundle.encode_to_vec().into(), signer)
        .map_err(BundleError::Statement)
}

/// Verifies that `key` (of the verified signing certificate of `expected`) signed this bundle for `expected`, and that
/// it is valid at `now`.
///
/// # Errors
/// [`BundleError`] otherwise; the key in it must not be used then.
pub fn verify(
    statement: &wire::Statement,
    key: &PublicKey,
    expected: &AgentId,
    now: Timestamp,
) -> Result<VerifiedBundle, BundleError> {
    let payload =
        statement::verify(statement, payload_type::KEY_BUNDLE, key).map_err(BundleError::Statement)?;
    let bundle: wire::KeyBundle = strict::decode(payload, BUNDLE_LIMIT).map_err(BundleError::Encoding)?;
    if bundle.agency != expected.agency.as_str() || bundle.agent != expected.agent.as_str() {
        let found = format!("{}/{}", bundle.agency, bundle.agent).chars().take(100).collect();
        return Err(BundleError::Agent { found, expected: expected.clone() });
    }
    if bundle.kem_id != u32::from(KEM_ID) {
        return Err(BundleError::Kem(bundle.kem_id));
    }
    let public = KemPublicKey::from_bytes(&bundle.kem_public_key).map_err(BundleError::Key)?;
    let (created, expires) =
        (Timestamp::from_millis(bundle.created_ms), Timestamp::from_millis(bundle.expires_ms));
    check_period(created, expires)?;
    if created > now.plus(SKEW_LIMIT) {
        return Err(BundleError::NotYetValid(created));
    }
    if expires <= now {
        return Err(BundleError::Expired(expires));
    }
    let recipient = RecipientPublicKey::new(expected.agency.clone(), public);
    Ok(VerifiedBundle { agent: expected.clone(), recipient, signing_key: key.key_id(), created, expires })
}

fn check_period(created: Timestamp, expires: Timestamp) -> Result<(), BundleError> {
    if created < expires && expires.since(created) <= LIFETIME_LIMIT {
        Ok(())
    } else {
        Err(BundleError::Period)
    }
}
