//! Agents: the certificates issued to them, the keys they may sign with, and their key bundles.

use std::sync::Arc;

use passerelle_pki::certificate::{Usage, VerifiedCertificate};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::{KeyId, PublicKey};
use passerelle_pki::name::{AgentId, Identity};
use passerelle_proto::wire::{self, EventKind, event::Detail};
use passerelle_proto::{bundle, statement};

use super::recipients::KemKeyOfAgent;
use super::{Misfit, State, Token};
use crate::ledger::{NewEvent, Refused, RefusedKind};

/// A key that an agent may sign with.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// Its certificate, DER, leaf only.
    pub certificate: bytes::Bytes,
    /// The key.
    pub key: PublicKey,
    /// Its id.
    pub key_id: KeyId,
    /// Serial number of the certificate.
    pub serial: Vec<u8>,
    /// End of validity.
    pub not_after: Timestamp,
}

/// An agency's agent.
#[derive(Clone, Debug, Default)]
pub struct Agent {
    /// Signing keys, newest last.
    pub signing: Vec<SigningKey>,
    /// Serial numbers of TLS certificates, newest last.
    pub tls: Vec<Vec<u8>>,
    /// The bundle that it published last.
    pub bundle: Option<Bundle>,
    /// KEM keys that it published since it was enrolled, as long as a record sealed to one may wait.
    pub(super) kem_keys: Vec<KemKeyOfAgent>,
    /// All its certificates were revoked, and none was issued since.
    pub revoked: bool,
}

/// A published bundle, verified.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// As it was signed.
    pub statement: wire::Statement,
    /// Id of the KEM key in it.
    pub key_id: KeyId,
    /// End of its period.
    pub expires: Timestamp,
}

impl Agent {
    /// The key with this id, when its certificate is valid at `now`.
    #[must_use]
    pub fn signing_key(&self, key_id: KeyId, now: Timestamp) -> Option<&SigningKey> {
        self.signing.iter().rev().find(|key| key.key_id == key_id && now < key.not_after)
    }
}

impl State {
    /// The key that `agent` signs with, when it is neither expired at `now` nor revoked.
    #[must_use]
    pub fn signing_key(&self, agent: &AgentId, key_id: KeyId, now: Timestamp) -> Option<&PublicKey> {
        let key = self.agent(agent)?.signing_key(key_id, now)?;
        (!self.revoked.contains_key(&key.serial)).then_some(&key.key)
    }

    /// Whether some agent of `agency` published this KEM key, itself not revoked, in a bundle not expired at `now`.
    #[must_use]
    pub fn is_recipient_key(&self, agency: &str, key_id: &[u8], now: Timestamp) -> bool {
        self.agents_of(agency).any(|(_, agent)| {
            !agent.revoked
                && agent
                    .bundle
                    .as_ref()
                    .is_some_and(|bundle| bundle.key_id.as_bytes() == key_id && now < bundle.expires)
        })
    }

    /// The chain of the agent's newest signing certificate, leaf first, without the root.
    #[must_use]
    pub fn signing_chain(&self, agent: &Agent) -> Vec<bytes::Bytes> {
        let Some(newest) = agent.signing.last() else { return Vec::new() };
        vec![newest.certificate.clone(), bytes::Bytes::copy_from_slice(self.issuing.der().as_ref())]
    }

    /// The chain of a signing key that an agent of `agency` has or had, leaf first, without the root.
    #[must_use]
    pub fn chain_of_key(&self, agency: &str, key: KeyId) -> Option<Vec<bytes::Bytes>> {
        let mut keys = self.agents_of(agency).flat_map(|(_, agent)| &agent.signing);
        let leaf = keys.find(|known| known.key_id == key)?.certificate.clone();
        Some(vec![leaf, bytes::Bytes::copy_from_slice(self.issuing.der().as_ref())])
    }

    pub(super) fn apply_certificate(
        &mut self,
        kind: EventKind,
        detail: &wire::CertificateDetail,
        at: Timestamp,
    ) -> Result<(), Misfit> {
        let id: AgentId = format!("{}/{}", detail.agency, detail.agent)
            .parse()
            .map_err(|error| format!("agent's name: {error}"))?;
        match kind {
            EventKind::EnrolmentTokenIssued => {
                let token = Token { agent: id, used: false };
                Arc::make_mut(&mut self.tokens).insert(detail.token_id.clone(), token);
                Ok(())
            }
            EventKind::CertificatesIssued => self.apply_issued(id, detail, at),
            EventKind::CertificateRevoked => {
                let revoked = Arc::make_mut(&mut self.revoked);
                for serial in &detail.serials {
                    revoked.entry(serial.to_vec()).or_insert(at);
                }
                self.mark_revoked(&id);
                Ok(())
            }
            kind => Err(format!("{} with a certificate's detail", kind.as_str_name())),
        }
    }

    fn apply_issued(
        &mut self,
        id: AgentId,
        detail: &wire::CertificateDetail,
        at: Timestamp,
    ) -> Result<(), Misfit> {
        let signing = self.issued(&detail.signing_certificate, Usage::Signing, &id, at)?;
        let tls = self.issued(&detail.tls_certificate, Usage::Tls, &id, at)?;
        if !detail.token_id.is_empty() {
            let tokens = Arc::make_mut(&mut self.tokens);
            match tokens.get_mut(&detail.token_id) {
                Some(token) if !token.used && token.agent == id => token.used = true,
                _ => return Err(format!("token {} is used, unknown, or another's", detail.token_id)),
            }
        }
        let agent = Arc::make_mut(Arc::make_mut(&mut self.agents).entry(id).or_default());
        agent.signing.retain(|key| at < key.not_after);
        agent.signing.push(SigningKey {
            certificate: detail.signing_certificate.clone(),
            key: signing.public_key().clone(),
            key_id: signing.key_id(),
            serial: signing.serial().to_vec(),
            not_after: signing.not_after(),
        });
        agent.tls.push(tls.serial().to_vec());
        // Enrolled again: it may have come with an empty folder, without the keys that it had.
        if !detail.token_id.is_empty() {
            agent.kem_keys.clear();
        }
        agent.revoked = false;
        Ok(())
    }

    /// A certificate as it was issued: to the root, for this agent, for this use.
    fn issued(
        &self,
        leaf: &[u8],
        usage: Usage,
        id: &AgentId,
        at: Timestamp,
    ) -> Result<VerifiedCertificate, Misfit> {
        let verified = self
            .anchor
            .verify(&self.chain_of(leaf)?, usage, at)
            .map_err(|error| format!("a certificate of {id} does not verify: {error}"))?;
        if verified.identity() != &Identity::Agent(id.clone()) {
            return Err(format!("a certificate of {} was issued to {id}", verified.identity()));
        }
        Ok(verified)
    }

    fn mark_revoked(&mut self, id: &AgentId) {
        let revoked = Arc::clone(&self.revoked);
        if let Some(agent) = Arc::make_mut(&mut self.agents).get_mut(id) {
            let all = agent.signing.iter().map(|key| &key.serial).chain(&agent.tls);
            if all.clone().all(|serial| revoked.contains_key(serial)) {
                Arc::make_mut(agent).revoked = true;
            }
        }
    }

    pub(super) fn apply_bundle(
        &mut self,
        published: &wire::Statement,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), Misfit> {
        let id: AgentId = actor.parse().map_err(|error| format!("agent's name: {error}"))?;
        let bundle = self.verified_bundle(published, &id, at)?;
        let agents = Arc::make_mut(&mut self.agents);
        let agent = agents.get_mut(&id).ok_or_else(|| format!("a bundle of {id}, who is not enrolled"))?;
        let agent = Arc::make_mut(agent);
        agent.keep_kem_key(&bundle, at);
        agent.bundle = Some(bundle);
        Ok(())
    }

    fn verified_bundle(
        &self,
        published: &wire::Statement,
        id: &AgentId,
        at: Timestamp,
    ) -> Result<Bundle, Misfit> {
        let key_id = statement::key_hint(published).ok_or("a bundle without a signature")?;
        let key = self
            .signing_key(id, key_id, at)
            .ok_or_else(|| format!("a bundle signed by a key that {id} may not use"))?;
        let verified = bundle::verify(published, key, id, at).map_err(|error| error.to_string())?;
        Ok(Bundle { statement: published.clone(), key_id: verified.key_id(), expires: verified.expires() })
    }

    /// Publishes a key bundle.
    ///
    /// # Errors
    /// When it does not verify as one of `id`'s own.
    pub fn publish_bundle(
        &self,
        published: wire::Statement,
        id: &AgentId,
        actor: wire::Actor,
        now: Timestamp,
    ) -> Result<NewEvent, Refused> {
        match self.verified_bundle(&published, id, now) {
            Ok(_) => Ok(NewEvent {
                kind: EventKind::KeyBundlePublished,
                actor,
                detail: Detail::KeyBundle(published),
            }),
            Err(why) => Err(Refused::new(
                RefusedKind::Invalid,
                format!("Le trousseau n'est pas valide : {why}."),
                format!("The key bundle is not valid: {why}."),
            )),
        }
    }

    /// Issues a one-time token to enrol an agent of an active agency.
    ///
    /// # Errors
    /// When the agency is not active or the agent's name is none.
    pub fn issue_token(
        &self,
        agent: &AgentId,
        token_id: &str,
        actor: wire::Actor,
    ) -> Result<NewEvent, Refused> {
        self.demand_active(agent.agency.as_str())?;
        let detail = wire::CertificateDetail {
            agency: agent.agency.to_string(),
            agent: agent.agent.to_string(),
            token_id: token_id.to_owned(),
            ..wire::CertificateDetail::default()
        };
        Ok(NewEvent { kind: EventKind::EnrolmentTokenIssued, actor, detail: Detail::Certificate(detail) })
    }

    /// Whether a token may be used now.
    ///
    /// # Errors
    /// When it was used, was never issued, is another agent's, or the agency is not active.
    pub fn usable_token(&self, token_id: &str, agent: &AgentId) -> Result<(), Refused> {
        self.demand_active(agent.agency.as_str())?;
        match self.token(token_id) {
            Some(token) if token.agent == *agent && !token.used => Ok(()),
            _ => Err(Refused::new(
                RefusedKind::Forbidden,
                "Ce jeton d'enrôlement a déjà servi ou n'est pas connu. Demandez-en un autre.",
                "This enrolment token was used or is not known. Ask for another.",
            )),
        }
    }

    /// Logs certificates that were issued, under a token or, without one, for a renewal.
    ///
    /// # Errors
    /// When the token may not be used, or a renewal comes from an agent that is revoked.
    pub fn certificates_issued(
        &self,
        agent: &AgentId,
        token_id: &str,
        (tls, signing): (bytes::Bytes, bytes::Bytes),
        actor: wire::Actor,
    ) -> Result<NewEvent, Refused> {
        if token_id.is_empty() {
            self.demand_active(agent.agency.as_str())?;
            if self.agent(agent).is_none_or(|agent| agent.revoked) {
                return Err(Refused::new(
                    RefusedKind::Forbidden,
                    "Cet agent est révoqué. Enrôlez-le de nouveau avec un jeton.",
                    "This agent is revoked. Enrol it again with a token.",
                ));
            }
        } else {
            self.usable_token(token_id, agent)?;
        }
        let detail = wire::CertificateDetail {
            agency: agent.agency.to_string(),
            agent: agent.agent.to_string(),
            tls_certificate: tls,
            signing_certificate: signing,
            token_id: token_id.to_owned(),
            ..wire::CertificateDetail::default()
        };
        Ok(NewEvent { kind: EventKind::CertificatesIssued, actor, detail: Detail::Certificate(detail) })
    }

    /// Serial numbers of the certificates of an agent that are not revoked.
    ///
    /// # Errors
    /// When there is no such agent.
    pub fn serials(&self, agent: &AgentId) -> Result<Vec<Vec<u8>>, Refused> {
        let Some(known) = self.agent(agent) else {
            return Err(Refused::new(
                RefusedKind::NotFound,
                format!("L'agent {agent} n'est pas enrôlé."),
                format!("The agent {agent} is not enrolled."),
            ));
        };
        let all = known.signing.iter().map(|key| &key.serial).chain(&known.tls);
        Ok(all.filter(|serial| !self.revoked.contains_key(*serial)).cloned().collect())
    }

    /// Logs the revocation of an agent's certificates.
    ///
    /// # Errors
    /// When there is no such agent or the reason does not fit.
    pub fn revoke_agent(
        &self,
        agent: &AgentId,
        serials: Vec<Vec<u8>>,
        reason: &str,
        actor: wire::Actor,
    ) -> Result<NewEvent, Refused> {
        super::agencies::check_text("reason", reason, true)?;
        self.serials(agent)?;
        let detail = wire::CertificateDetail {
            agency: agent.agency.to_string(),
            agent: agent.agent.to_string(),
            serials: serials.into_iter().map(Into::into).collect(),
            reason: reason.to_owned(),
            ..wire::CertificateDetail::default()
        };
        Ok(NewEvent { kind: EventKind::CertificateRevoked, actor, detail: Detail::Certificate(detail) })
    }

    fn demand_active(&self, code: &str) -> Result<(), Refused> {
        self.known_agency(code)?;
        if self.is_active(code) {
            return Ok(());
        }
        Err(Refused::new(
            RefusedKind::Conflict,
            format!("L'organisme {code} n'est pas actif. Faites-le approuver par un second administrateur."),
            format!("The agency {code} is not active. Have a second administrator approve it."),
        ))
    }
}
