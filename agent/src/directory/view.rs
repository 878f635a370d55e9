//! A whole answer, verified: what is in force until the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use passerelle_pki::certificate::{IssuerCertificate, TrustAnchor, VerifiedCertificate};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::{AgencyCode, AgentId};
use passerelle_pki::revocation::{RevocationError, RevocationList, Revocations};
use passerelle_proto::bundle::VerifiedBundle;
use passerelle_proto::wire;

use super::entry::{EntryError, Judge};
use super::{DirectoryError, Report};

/// Agents in one answer.
const AGENTS_LIMIT: usize = 8_192;

/// One agent, as verified.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Signing certificates, the present one first; never empty.
    certificates: Vec<VerifiedCertificate>,
    bundle: Option<VerifiedBundle>,
}

impl Listed {
    /// Its signing certificates, the present one first, as they held when the answer was taken.
    pub fn certificates(&self) -> impl Iterator<Item = &VerifiedCertificate> {
        self.certificates.iter()
    }

    /// Its bundle, when it has one that holds at `now`.
    #[must_use]
    pub fn bundle(&self, now: Timestamp) -> Option<&VerifiedBundle> {
        self.bundle.as_ref().filter(|bundle| now < bundle.expires())
    }
}

/// What is in force.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) agents: BTreeMap<AgentId, Listed>,
    /// The certificates whose keys sign receipts, the present one first.
    pub(super) gateway: Vec<VerifiedCertificate>,
    pub(super) list: Option<Arc<RevocationList>>,
    pub(super) fetched: Option<Timestamp>,
    /// The newest bundle ever believed of each agent: when it was made. Older ones are refused from then on.
    pub(super) newest: BTreeMap<AgentId, Timestamp>,
}

impl View {
    pub(super) fn agent(&self, agent: &AgentId) -> Option<&Listed> {
        self.agents.get(agent)
    }

    pub(super) fn agents(&self) -> impl Iterator<Item = (&AgentId, &Listed)> {
        self.agents.iter()
    }

    pub(super) fn of_agency<'a>(
        &'a self,
        agency: &'a AgencyCode,
    ) -> impl Iterator<Item = (&'a AgentId, &'a Listed)> {
        self.agents.iter().filter(move |(id, _)| id.agency == *agency)
    }
}

/// What an answer is read against.
pub(super) struct Context<'a> {
    pub(super) anchor: &'a TrustAnchor,
    pub(super) revocations: &'a Revocations,
    pub(super) known: &'a View,
    pub(super) asked: &'a BTreeSet<AgencyCode>,
    pub(super) now: Timestamp,
}

impl Context<'_> {
    /// The revocation list first, then every agent against it.
    pub(super) fn read(&self, answer: &wire::LookupReply) -> Result<(View, Report), DirectoryError> {
        if answer.agents.len() > AGENTS_LIMIT {
            return Err(DirectoryError::TooMany(answer.agents.len()));
        }
        let list = self.take_list(answer)?;
        let mut view = View {
            agents: BTreeMap::new(),
            gateway: Vec::new(),
            list: Some(list),
            fetched: Some(self.now),
            newest: self.known.newest.clone(),
        };
        let mut report = Report::default();
        match self.judge().gateway(answer) {
            Ok(certificates) => view.gateway = certificates,
            Err(error) => report.refused.push(("gateway".to_owned(), error)),
        }
        for entry in &answer.agents {
            let name = || format!("{}/{}", shown(&entry.agency), shown(&entry.agent));
            match self.agent(entry, &mut view) {
                Ok(None) => report.taken += 1,
                // The agent is believed, its bundle is not.
                Ok(Some(error)) => {
                    report.taken += 1;
                    report.refused.push((name(), error));
                }
                Err(error) => report.refused.push((name(), error)),
            }
        }
        Ok((view, report))
    }

    /// Verifies the list under an authority that leads to our root, and puts it in force.
    fn take_list(&self, answer: &wire::LookupReply) -> Result<Arc<RevocationList>, DirectoryError> {
        let mut refusal = DirectoryError::NoIssuer;
        for issuer in self.issuers(answer) {
            match RevocationList::verify(&answer.revocation_list, &issuer) {
                Ok(list) => {
                    let key = list.issuer_key_id();
                    self.revocations.replace(list).map_err(DirectoryError::RevocationList)?;
                    return self.revocations.list(key).ok_or(DirectoryError::NoIssuer);
                }
                Err(RevocationError::OtherIssuer) => {}
                Err(error) => refusal = DirectoryError::RevocationList(error),
            }
        }
        Err(refusal)
    }

    /// The issuing authorities that the answer's chains name and that lead to our root, each once.
    fn issuers(&self, answer: &wire::LookupReply) -> Vec<IssuerCertificate> {
        let ders: BTreeSet<&[u8]> = answer
            .agents
            .iter()
            .filter_map(|entry| entry.signing_chain.get(1))
            .chain(answer.gateway_signing_chain.get(1))
            .map(AsRef::as_ref)
            .collect();
        ders.into_iter().filter_map(|der| self.anchor.verify_issuer(der, self.now).ok()).collect()
    }

    fn judge(&self) -> Judge<'_> {
        Judge { anchor: self.anchor, revocations: self.revocations, now: self.now }
    }

    /// Takes one agent into the view; gives what was wrong with its bundle, if anything.
    fn agent(&self, entry: &wire::AgentEntry, view: &mut View) -> Result<Option<EntryError>, EntryError> {
        let agent = AgentId {
            agency: entry.agency.parse().map_err(EntryError::Name)?,
            agent: entry.agent.parse().map_err(EntryError::Name)?,
        };
        if !self.asked.contains(&agent.agency) {
            return Err(EntryError::NotAsked);
        }
        if view.agents.contains_key(&agent) {
            return Err(EntryError::Repeated);
        }
        let judge = self.judge();
        let certificates = judge.certificates(entry, &agent)?;
        let (bundle, refusal) = match &entry.key_bundle {
            None => (None, None),
            Some(statement) => self.bundle(judge.bundle(statement, &agent, &certificates), &agent),
        };
        if let Some(bundle) = &bundle {
            view.newest.insert(agent.clone(), bundle.created());
        }
        view.agents.insert(agent, Listed { certificates, bundle });
        Ok(refusal)
    }

    /// A bundle that is not older than what was seen; the known one stays in the place of an older one.
    fn bundle(
        &self,
        offered: Result<VerifiedBundle, EntryError>,
        agent: &AgentId,
    ) -> (Option<VerifiedBundle>, Option<EntryError>) {
        let offered = match offered {
            Ok(bundle) => bundle,
            Err(error) => return (None, Some(error)),
        };
        match self.known.newest.get(agent) {
            Some(known) if offered.created() < *known => {
                let refusal = EntryError::OlderBundle { known: *known, offered: offered.created() };
                let kept = self.known.agent(agent).and_then(|listed| listed.bundle(self.now)).cloned();
                (kept, Some(refusal))
            }
            _ => (Some(offered), None),
        }
    }
}

fn shown(name: &str) -> String {
    name.chars().take(40).collect()
}
