//! Services: what agencies offer to be called, as their agents signed it.

use std::sync::Arc;

use bytes::Bytes;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::{AgencyCode, AgentId};
use passerelle_proto::agreement::in_force_until;
use passerelle_proto::catalogue::{self, VerifiedService};
use passerelle_proto::statement;
use passerelle_proto::wire::{self, AgreementState, EventKind, event::Detail};

use super::{Misfit, State};
use crate::ledger::{NewEvent, Refused, RefusedKind};

/// Services of one agency.
pub const SERVICES_LIMIT: usize = 256;

/// A service as it was published last.
#[derive(Clone, Debug)]
pub struct Service {
    /// As it was signed.
    pub statement: wire::Statement,
    /// The certificate of the key that signed it, DER, leaf only.
    pub certificate: Bytes,
    /// What it says.
    pub verified: VerifiedService,
}

impl State {
    /// A service of an agency.
    #[must_use]
    pub fn service(&self, agency: &AgencyCode, service: &str) -> Option<&Service> {
        self.services.get(&(agency.clone(), service.to_owned())).map(Arc::as_ref)
    }

    /// The services of an agency, by name.
    pub fn services_of<'a>(&'a self, agency: &'a AgencyCode) -> impl Iterator<Item = &'a Service> {
        self.services
            .iter()
            .filter(move |((owner, _), _)| owner == agency)
            .map(|(_, service)| service.as_ref())
    }

    /// What `caller` may see at `now`: its own services, and those turned on that an agreement binding it names, from
    /// that agreement's activation to its end. A suspended agreement still shows them: it may be resumed.
    pub fn services_for<'a>(
        &'a self,
        caller: &'a AgencyCode,
        now: Timestamp,
    ) -> impl Iterator<Item = &'a Service> {
        let visible = move |((owner, name), service): &(&(AgencyCode, String), &Arc<Service>)| {
            owner == caller || (service.verified.enabled() && self.shares(owner, name, caller, now))
        };
        self.services.iter().filter(visible).map(|(_, service)| service.as_ref())
    }

    /// Whether an agreement lets `caller` use a service of `owner`.
    fn shares(&self, owner: &AgencyCode, service: &str, caller: &AgencyCode, now: Timestamp) -> bool {
        self.is_active(owner.as_str())
            && self.agreements().any(|agreement| {
                let terms = agreement.document().agreement();
                let state = agreement.standing().state.to_wire();
                terms.provider.agency == *owner
                    && terms.is_consumer(caller.as_str())
                    && terms.services.iter().any(|named| named == service)
                    && matches!(state, AgreementState::Active | AgreementState::Suspended)
                    && now < in_force_until(terms)
                    && self.superseded(&terms.number, terms.version, now).is_none()
            })
    }

    /// The chain of the certificate that a service was signed with, leaf first, without the root.
    #[must_use]
    pub fn service_chain(&self, service: &Service) -> Vec<Bytes> {
        vec![service.certificate.clone(), Bytes::copy_from_slice(self.issuing.der().as_ref())]
    }

    pub(super) fn apply_service(
        &mut self,
        published: &wire::Statement,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), Misfit> {
        let id: AgentId = actor.parse().map_err(|error| format!("agent's name: {error}"))?;
        let service = self.verified_service(published, &id, at)?;
        let key = (id.agency, service.verified.service().to_owned());
        Arc::make_mut(&mut self.services).insert(key, Arc::new(service));
        Ok(())
    }

    fn verified_service(
        &self,
        published: &wire::Statement,
        id: &AgentId,
        at: Timestamp,
    ) -> Result<Service, Misfit> {
        let key_id = statement::key_hint(published).ok_or("a service without a signature")?;
        let key = self
            .signing_key(id, key_id, at)
            .ok_or_else(|| format!("a service signed by a key that {id} may not use"))?;
        let verified = catalogue::verify(published, key, id, at).map_err(|error| error.to_string())?;
        let known = self.service(&id.agency, verified.service());
        if known.is_some_and(|known| known.verified.created() >= verified.created()) {
            return Err("not newer than the description that is published".to_owned());
        }
        let certificate = self.agent(id).and_then(|agent| agent.signing_key(key_id, at));
        let certificate = certificate.map(|key| key.certificate.clone()).unwrap_or_default();
        Ok(Service { statement: published.clone(), certificate, verified })
    }

    /// What publishing a service would change, without doing so: what the statement says.
    ///
    /// # Errors
    /// When it does not verify as one of `id`'s own, is not newer than the one at hand, or is one too many.
    pub fn publishable(
        &self,
        published: &wire::Statement,
        id: &AgentId,
        now: Timestamp,
    ) -> Result<VerifiedService, Refused> {
        let service = self.verified_service(published, id, now).map_err(|why| {
            Refused::new(
                RefusedKind::Invalid,
                format!("La description du service n'est pas recevable : {why}."),
                format!("The service's description cannot be taken: {why}."),
            )
        })?;
        let fresh = self.service(&id.agency, service.verified.service()).is_none();
        if fresh && self.services_of(&id.agency).count() >= SERVICES_LIMIT {
            return Err(Refused::new(
                RefusedKind::Exhausted,
                format!("Un organisme publie au plus {SERVICES_LIMIT} services."),
                format!("An agency publishes at most {SERVICES_LIMIT} services."),
            ));
        }
        Ok(service.verified)
    }

    /// Publishes a service.
    ///
    /// # Errors
    /// As [`State::publishable`].
    pub fn publish_service(
        &self,
        published: wire::Statement,
        id: &AgentId,
        actor: wire::Actor,
        now: Timestamp,
    ) -> Result<NewEvent, Refused> {
        self.publishable(&published, id, now)?;
        Ok(NewEvent { kind: EventKind::ServicePublished, actor, detail: Detail::Service(published) })
    }
}
