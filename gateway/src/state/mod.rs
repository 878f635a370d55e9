//! What the gateway knows of agencies, agents, agreements and services: a pure fold over the governance events of its log.
//!
//! [`State::apply`] is the only way that it changes, so replaying the log gives the same state. A decision is a function
//! over a state that returns the event to log, or a refusal ([`crate::ledger::Refused`]); it is taken inside the
//! sequencer, against the state as of every earlier event.
//!
//! Invariants: no I/O and no clock here; parts are shared, so that a snapshot is cheap to publish.

pub mod agencies;
pub mod agents;
pub mod agreements;
mod recipients;
pub mod services;
mod tokens;

use std::collections::BTreeMap;
use std::sync::Arc;

use passerelle_pki::certificate::{Chain, IssuerCertificate, TrustAnchor};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::{AgencyCode, AgentId};
use passerelle_proto::wire::{self, EventKind, event::Detail};

pub use agencies::{Agency, AgencyStanding};
pub use agents::{Agent, SigningKey};
pub use agreements::{Agreement, Version};
pub use services::Service;
pub use tokens::Token;

/// Number and version of an agreement.
pub type AgreementKey = (String, u32);

/// Who offers a service, and its name.
pub type ServiceKey = (AgencyCode, String);

/// Agencies, agents, agreements, services, tokens and revocations as of some event.
#[derive(Clone, Debug)]
pub struct State {
    anchor: TrustAnchor,
    /// The authority that issues certificates: leaves are logged without it.
    issuing: IssuerCertificate,
    agencies: Arc<BTreeMap<AgencyCode, Arc<Agency>>>,
    agents: Arc<BTreeMap<AgentId, Arc<Agent>>>,
    agreements: Arc<BTreeMap<AgreementKey, Arc<Agreement>>>,
    services: Arc<BTreeMap<ServiceKey, Arc<Service>>>,
    tokens: Arc<BTreeMap<String, Token>>,
    /// Serial number to the instant of revocation.
    revoked: Arc<BTreeMap<Vec<u8>, Timestamp>>,
}

/// Why an event does not fit the state: the log is damaged, or not ours.
#[derive(Debug, thiserror::Error)]
#[error("the event at leaf {leaf_index} does not follow from those before it: {why}")]
pub struct ApplyError {
    /// The event's place.
    pub leaf_index: u64,
    /// What does not fit.
    pub why: String,
}

/// A reason for [`ApplyError`], before the leaf is known.
type Misfit = String;

impl State {
    /// Before the first event.
    #[must_use]
    pub fn new(anchor: TrustAnchor, issuing: IssuerCertificate) -> Self {
        Self {
            anchor,
            issuing,
            agencies: Arc::default(),
            agents: Arc::default(),
            agreements: Arc::default(),
            services: Arc::default(),
            tokens: Arc::default(),
            revoked: Arc::default(),
        }
    }

    /// Takes the event at `leaf_index` into account. Events that change nothing here (exchanges, readings of the log)
    /// are passed over.
    ///
    /// # Errors
    /// [`ApplyError`]; the state is then of no more use.
    pub fn apply(&mut self, leaf_index: u64, event: &wire::Event) -> Result<(), ApplyError> {
        let at = Timestamp::from_millis(event.time_ms);
        let actor = actor_name(event.actor.as_ref());
        let applied = match (&event.detail, event.kind()) {
            (Some(Detail::Agency(detail)), kind) => self.apply_agency(kind, detail, &actor),
            (Some(Detail::Certificate(detail)), kind) => self.apply_certificate(kind, detail, at),
            (Some(Detail::KeyBundle(bundle)), EventKind::KeyBundlePublished) => {
                self.apply_bundle(bundle, &actor, at)
            }
            (Some(Detail::Service(statement)), EventKind::ServicePublished) => {
                self.apply_service(statement, &actor, at)
            }
            (Some(Detail::Agreement(detail)), kind) => self.apply_agreement(kind, detail, &actor, at),
            _ => Ok(()),
        };
        applied.map_err(|why| ApplyError { leaf_index, why })
    }

    /// The root that everything is verified to.
    #[must_use]
    pub fn anchor(&self) -> &TrustAnchor {
        &self.anchor
    }

    /// An agency.
    #[must_use]
    pub fn agency(&self, code: &str) -> Option<&Agency> {
        let code: AgencyCode = code.parse().ok()?;
        self.agencies.get(&code).map(Arc::as_ref)
    }

    /// Every agency, by code.
    pub fn agencies(&self) -> impl Iterator<Item = (&AgencyCode, &Agency)> {
        self.agencies.iter().map(|(code, agency)| (code, agency.as_ref()))
    }

    /// Whether an agency may exchange.
    #[must_use]
    pub fn is_active(&self, code: &str) -> bool {
        self.agency(code).is_some_and(|agency| agency.standing == AgencyStanding::Active)
    }

    /// An agent.
    #[must_use]
    pub fn agent(&self, id: &AgentId) -> Option<&Agent> {
        self.agents.get(id).map(Arc::as_ref)
    }

    /// The agents of an agency, by name.
    pub fn agents_of<'a>(&'a self, code: &'a str) -> impl Iterator<Item = (&'a AgentId, &'a Agent)> {
        self.agents
            .iter()
            .filter(move |(id, _)| id.agency.as_str() == code)
            .map(|(id, agent)| (id, agent.as_ref()))
    }

    /// A version of an agreement.
    #[must_use]
    pub fn agreement(&self, number: &str, version: u32) -> Option<&Agreement> {
        self.agreements.get(&(number.to_owned(), version)).map(Arc::as_ref)
    }

    /// Every version of every agreement, by number and version.
    pub fn agreements(&self) -> impl Iterator<Item = &Agreement> {
        self.agreements.values().map(Arc::as_ref)
    }

    /// A one-time token that was issued.
    #[must_use]
    pub fn token(&self, id: &str) -> Option<&Token> {
        self.tokens.get(id)
    }

    /// Since when the certificate with this serial number is revoked.
    #[must_use]
    pub fn revoked_since(&self, serial: &[u8]) -> Option<Timestamp> {
        self.revoked.get(serial).copied()
    }

    /// The chain of a leaf that this gateway's authority issued.
    fn chain_of(&self, leaf: &[u8]) -> Result<Chain, Misfit> {
        let ders = [leaf, self.issuing.der().as_ref()];
        Chain::from_ders(&ders).map_err(|error| format!("a certificate cannot be read: {error}"))
    }
}

/// The actor of an event as one text, for "not the same person".
fn actor_name(actor: Option<&wire::Actor>) -> String {
    use wire::actor::Actor;
    match actor.and_then(|actor| actor.actor.as_ref()) {
        Some(Actor::Agent(name) | Actor::Operator(name) | Actor::Gateway(name)) => name.clone(),
        None => String::new(),
    }
}
