//! Putting the parts together.

use bytes::Bytes;
use passerelle_pki::key::KeyId;
use passerelle_pki::revocation::Revocations;
use passerelle_proto::evidence::FORMAT;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::statement;
use passerelle_proto::tlog::tile::TileNodes;
use passerelle_proto::tlog::tree;
use passerelle_proto::wire::event::Detail;
use passerelle_proto::wire::{
    self, Event, EventKind, Evidence, EvidenceChain, EvidenceEntry, ExchangeDetail,
};
use prost::Message;

use crate::ledger::{Ledger, LedgerError};
use crate::state::State;
use crate::view::Query;

/// Entries about one exchange that are looked at: each recipient acknowledges once.
const EXCHANGE_ENTRIES: usize = 128;
/// Steps of an agreement that are put in.
const AGREEMENT_ENTRIES: usize = 64;

/// What evidence is made from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The log and the state.
    pub ledger: Ledger,
    /// The revocation lists in force.
    pub revocations: Revocations,
    /// The authority whose list it is.
    pub issuer: KeyId,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceFault {
    /// The caller's: no such exchange, or not one that it may see.
    #[error("no such exchange")]
    NotFound,
    /// Ours.
    #[error("evidence cannot be put together")]
    Ledger(#[source] LedgerError),
    /// Ours.
    #[error("evidence cannot be put together: {0}")]
    Log(String),
}

impl From<LedgerError> for EvidenceFault {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// One entry, decoded.
struct Logged {
    leaf: u64,
    entry: Bytes,
    event: Event,
}

impl Sources {
    /// What the log shows of an exchange, if `may_see` its detail.
    ///
    /// # Errors
    /// [`EvidenceFault`].
    pub async fn assemble(
        &self,
        id: ExchangeId,
        may_see: impl Fn(&ExchangeDetail) -> bool + Send,
    ) -> Result<Evidence, EvidenceFault> {
        let mut logged = self.of_exchange(id).await?;
        let detail = decision(&logged, id).filter(|(_, detail)| may_see(detail));
        let (decided, detail) =
            detail.map(|(leaf, detail)| (leaf, detail.clone())).ok_or(EvidenceFault::NotFound)?;
        let state = self.ledger.state();
        let reference = detail.agreement.clone().unwrap_or_default();
        let record = state.agreement(&reference.number, reference.version).map(|agreement| {
            let record = agreement.to_record();
            wire::AgreementRecord { standing: None, ..record }
        });
        logged.extend(self.of_agreement(&reference, decided).await?);
        logged.sort_by_key(|logged| logged.leaf);
        logged.dedup_by_key(|logged| logged.leaf);
        if logged.last().is_some_and(|last| last.leaf >= self.ledger.entries().published()) {
            self.ledger.publish().await?;
        }
        let list = self.revocations.list(self.issuer);
        let mut evidence = Evidence {
            format: FORMAT.to_owned(),
            exchange_id: id.to_wire(),
            acknowledgements: acknowledgements(&logged),
            chains: chains(&state, &detail, &logged),
            agreement: record,
            revocation_lists: list.iter().map(|list| Bytes::copy_from_slice(list.der())).collect(),
            made_by: format!("passerelle-gateway {}", env!("CARGO_PKG_VERSION")),
            ..Evidence::default()
        };
        let entries = std::sync::Arc::clone(self.ledger.entries());
        let proved = tokio::task::spawn_blocking(move || prove(&entries, logged)).await;
        let (checkpoint, entries) = proved.map_err(|error| EvidenceFault::Log(error.to_string()))??;
        (evidence.checkpoint, evidence.entries) = (checkpoint, entries);
        Ok(evidence)
    }

    async fn of_exchange(&self, id: ExchangeId) -> Result<Vec<Logged>, EvidenceFault> {
        let query = Query { exchange_id: Some(id.to_wire()), limit: EXCHANGE_ENTRIES, ..Query::default() };
        let page = self.ledger.query(query).await?;
        Ok(page.events.into_iter().filter_map(|(leaf, entry)| Logged::of(leaf, entry)).collect())
    }

    /// The steps of the agreement before the decision. Document and signatures are in a part of their own.
    async fn of_agreement(
        &self,
        reference: &wire::AgreementRef,
        decided: u64,
    ) -> Result<Vec<Logged>, EvidenceFault> {
        let (ledger, reference) = (self.ledger.clone(), reference.clone());
        let found = tokio::task::spawn_blocking(move || {
            let mut steps = Vec::new();
            for row in ledger.view().governance() {
                let (leaf, entry) = row.map_err(|error| EvidenceFault::Log(error.to_string()))?;
                if leaf >= decided || steps.len() >= AGREEMENT_ENTRIES {
                    break;
                }
                steps.extend(Logged::of(leaf, entry).filter(|logged| is_step(&logged.event, &reference)));
            }
            Ok(steps)
        });
        found.await.map_err(|error| EvidenceFault::Log(error.to_string()))?
    }
}

impl Logged {
    fn of(leaf: u64, entry: Bytes) -> Option<Self> {
        let event = Event::decode(entry.clone()).ok()?;
        Some(Self { leaf, entry, event })
    }
}

fn is_step(event: &Event, reference: &wire::AgreementRef) -> bool {
    let Some(Detail::Agreement(detail)) = &event.detail else { return false };
    let standing = !matches!(event.kind(), EventKind::AgreementProposed | EventKind::AgreementSigned);
    standing && detail.agreement.as_ref() == Some(reference)
}

/// Leaf and detail of the acceptance, or else of the denial.
fn decision(logged: &[Logged], id: ExchangeId) -> Option<(u64, &ExchangeDetail)> {
    let of_kind = |kind: EventKind| {
        logged.iter().find_map(|logged| match &logged.event.detail {
            Some(Detail::Exchange(detail))
                if logged.event.kind() == kind && detail.exchange_id == id.as_bytes()[..] =>
            {
                Some((logged.leaf, detail))
            }
            _ => None,
        })
    };
    of_kind(EventKind::ExchangeAccepted).or_else(|| of_kind(EventKind::ExchangeDenied))
}

fn acknowledgements(logged: &[Logged]) -> Vec<wire::Statement> {
    let statement = |logged: &Logged| match &logged.event.detail {
        Some(Detail::Acknowledgement(detail)) => detail.statement.clone(),
        _ => None,
    };
    logged.iter().filter_map(statement).collect()
}

/// The chains of the keys that the sender and the recipients signed with.
fn chains(state: &State, detail: &ExchangeDetail, logged: &[Logged]) -> Vec<EvidenceChain> {
    let sender =
        KeyId::try_from(&detail.signing_key_id[..]).ok().map(|key| (detail.sender_agency.clone(), key));
    let recipients = acknowledgements(logged).into_iter().filter_map(|signed| {
        let key = statement::key_hint(&signed)?;
        let stated = wire::Acknowledgement::decode(signed.payload).ok()?;
        Some((stated.agency, key))
    });
    let chain = |(agency, key): (String, KeyId)| state.chain_of_key(&agency, key);
    let found = sender.into_iter().chain(recipients).filter_map(chain);
    found.map(|certificates| EvidenceChain { certificates }).collect()
}

/// Every entry's path to the root of the published checkpoint.
fn prove(
    entries: &crate::log::Entries,
    logged: Vec<Logged>,
) -> Result<(Bytes, Vec<EvidenceEntry>), EvidenceFault> {
    let failed = |error: &dyn std::fmt::Display| EvidenceFault::Log(error.to_string());
    let checkpoint = entries.checkpoint().map_err(|error| failed(&error))?;
    let checkpoint = checkpoint.ok_or_else(|| failed(&"no checkpoint is published"))?;
    let size = checkpoint.size();
    let mut nodes = TileNodes::new(entries.folder().clone(), size);
    let mut proved = Vec::with_capacity(logged.len());
    for Logged { leaf, entry, .. } in logged {
        let proof = tree::inclusion_proof(&mut nodes, leaf, size).map_err(|error| failed(&error))?;
        let path = proof.hashes().iter().map(|hash| Bytes::copy_from_slice(hash.as_ref())).collect();
        proved.push(EvidenceEntry { leaf_index: leaf, entry, path });
    }
    Ok((Bytes::copy_from_slice(checkpoint.note().as_bytes()), proved))
}
