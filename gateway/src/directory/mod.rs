//! The service `Directory`: who an agency's agents are and which keys they use. Readers verify it all themselves.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use passerelle_pki::certificate::Chain;
use passerelle_pki::clock::SharedClock;
use passerelle_pki::key::KeyId;
use passerelle_pki::revocation::Revocations;
use passerelle_proto::wire::{self, directory_server::Directory};
use tonic::{Request, Response, Status};

use crate::ledger::Ledger;
use crate::rpc::{caller, status};
use crate::state::{Agent, State};

/// Agencies that one lookup may name.
const AGENCIES_LIMIT: usize = 64;

/// The service.
#[derive(Clone, Debug)]
pub struct DirectoryService {
    ledger: Ledger,
    clock: SharedClock,
    revocations: Revocations,
    issuer: KeyId,
    signing: Chain,
}

impl DirectoryService {
    /// Over the ledger, with the revocation list of the authority whose key is `issuer`, and the certificate of the key
    /// that signs receipts.
    #[must_use]
    pub fn new(
        ledger: Ledger,
        clock: SharedClock,
        revocations: Revocations,
        (issuer, signing): (KeyId, Chain),
    ) -> Self {
        Self { ledger, clock, revocations, issuer, signing }
    }
}

#[tonic::async_trait]
impl Directory for DirectoryService {
    async fn lookup(
        &self,
        request: Request<wire::LookupRequest>,
    ) -> Result<Response<wire::LookupReply>, Status> {
        let caller = caller::agent(&request)?;
        let asked = request.into_inner().agencies;
        if asked.len() > AGENCIES_LIMIT {
            return Err(status::invalid(
                "Au plus 64 organismes à la fois.",
                "At most 64 agencies at a time.",
            ));
        }
        let state = self.ledger.state();
        let known = partners(&state, caller.id.agency.as_str());
        let asked: BTreeSet<String> = asked.into_iter().filter(|agency| known.contains(agency)).collect();
        let agents = asked
            .iter()
            .flat_map(|agency| state.agents_of(agency))
            .map(|(id, agent)| wire::AgentEntry {
                agency: id.agency.to_string(),
                agent: id.agent.to_string(),
                signing_chain: state.signing_chain(agent),
                key_bundle: agent.bundle.as_ref().map(|bundle| bundle.statement.clone()),
                revoked: agent.revoked,
                earlier_signing_certificates: earlier(&state, agent),
            })
            .collect();
        let list = self.revocations.list(self.issuer);
        let revocation_list = list.map(|list| Bytes::copy_from_slice(list.der())).unwrap_or_default();
        Ok(Response::new(wire::LookupReply {
            agents,
            revocation_list,
            gateway_signing_chain: self.signing.to_ders().into_iter().map(Bytes::from).collect(),
            earlier_gateway_signing_certificates: Vec::new(),
        }))
    }

    async fn publish_key_bundle(
        &self,
        request: Request<wire::PublishKeyBundleRequest>,
    ) -> Result<Response<wire::PublishKeyBundleReply>, Status> {
        let agent = caller::agent(&request)?;
        let bundle = request.into_inner().key_bundle.ok_or_else(|| {
            status::invalid("Il manque le trousseau de clés.", "The key bundle is missing.")
        })?;
        let (id, actor) = (agent.id.clone(), agent.actor());
        let logged =
            self.ledger.decide(move |state, now| state.publish_bundle(bundle, &id, actor, now)).await?;
        tracing::info!(agent = %agent.id, leaf = logged.leaf_index, at = %self.clock.now(), "key bundle published");
        Ok(Response::new(wire::PublishKeyBundleReply { leaf_index: logged.leaf_index }))
    }
}

/// The agency itself and every party of an agreement that binds it.
fn partners(state: &Arc<State>, agency: &str) -> BTreeSet<String> {
    let shared = state.agreements().filter(|agreement| agreement.is_party(agency));
    let parties = shared.flat_map(|agreement| agreement.document().agreement().parties());
    parties.map(|party| party.agency.to_string()).chain([agency.to_owned()]).collect()
}

/// Signing certificates before the newest that are not revoked.
fn earlier(state: &State, agent: &Agent) -> Vec<Bytes> {
    let keys = agent.signing.split_last().map_or(&[][..], |(_, earlier)| earlier);
    keys.iter()
        .filter(|key| state.revoked_since(&key.serial).is_none())
        .map(|key| key.certificate.clone())
        .collect()
}
