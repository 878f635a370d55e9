//! The service `Audit`: reading the log, which itself leaves an event *before* anything is read.

mod reading;

use bytes::Bytes;
use passerelle_pki::clock::SharedClock;
use passerelle_pki::key::Ed25519Key;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{self, EventKind, audit_server::Audit, event::Detail};
use std::sync::Arc;
use tonic::{Request, Response, Status};

use crate::evidence::{self, Sources};
use crate::ledger::{Ledger, NewEvent};
use crate::operators::guard::Guard;
use crate::operators::{Operator, Role, Rpc};
use crate::rpc::status;
use crate::view::Query;

pub use reading::opens;

/// Events on a page at most.
const PAGE_MAX: u32 = 1_000;
/// Events on a page when nobody says otherwise.
const PAGE: u32 = 100;
/// Characters that a reason for reading may have.
const REASON_MAX: usize = 500;

/// The service.
#[derive(Clone, Debug)]
pub struct AuditService {
    /// Who may call.
    pub guard: Guard,
    /// What is read, and where the reading is logged.
    pub ledger: Ledger,
    /// Signs reading tokens.
    pub token_key: Arc<Ed25519Key>,
    /// `iss` and `aud` of reading tokens.
    pub token_issuer: String,
    /// What evidence is made from.
    pub evidence: Sources,
    /// What time it is.
    pub clock: SharedClock,
}

#[tonic::async_trait]
impl Audit for AuditService {
    async fn query(
        &self,
        request: Request<wire::QueryRequest>,
    ) -> Result<Response<wire::QueryReply>, Status> {
        let operator = self.guard.admit(&request, Rpc::Query).await?;
        let request = request.into_inner();
        let query = query(&request, &operator)?;
        self.log(&operator, Rpc::Query, shown(&request), &request.reason).await?;
        let page = self.ledger.query(query).await?;
        let events =
            page.events.into_iter().map(|(leaf_index, entry)| wire::LoggedEvent { leaf_index, entry });
        let next_before = page.next_before.unwrap_or(0);
        Ok(Response::new(wire::QueryReply { events: events.collect(), next_before }))
    }

    async fn open_reading(
        &self,
        request: Request<wire::ReadingRequest>,
    ) -> Result<Response<wire::ReadingReply>, Status> {
        let operator = self.guard.admit(&request, Rpc::OpenReading).await?;
        let reason = request.into_inner().reason;
        self.log(&operator, Rpc::OpenReading, "*".to_owned(), &reason).await?;
        let (token, expires) =
            reading::issue(&self.token_key, &self.token_issuer, &operator.name(), self.clock.now())
                .map_err(|error| status::internal(&error))?;
        Ok(Response::new(wire::ReadingReply { token, expires_ms: expires.as_millis() }))
    }

    async fn prove_exchange(
        &self,
        request: Request<wire::EvidenceRequest>,
    ) -> Result<Response<wire::EvidenceReply>, Status> {
        let operator = self.guard.admit(&request, Rpc::ProveExchange).await?;
        let wire::EvidenceRequest { reason, exchange_id } = request.into_inner();
        let id = evidence::exchange_id(&exchange_id)?;
        let query = format!("evidence; exchange_id={}", hex::encode(&exchange_id));
        self.log(&operator, Rpc::ProveExchange, query, &reason).await?;
        let evidence = self.evidence_for(&operator, id).await?;
        Ok(Response::new(wire::EvidenceReply { evidence: Some(evidence) }))
    }
}

impl AuditService {
    /// What an operator may see: everything, or what concerns its agency.
    async fn evidence_for(&self, operator: &Operator, id: ExchangeId) -> Result<wire::Evidence, Status> {
        let visible_to = visible_to(operator)?;
        let may_see = |detail: &wire::ExchangeDetail| {
            visible_to.as_ref().is_none_or(|agency| evidence::is_party(detail, agency))
        };
        Ok(self.evidence.assemble(id, may_see).await?)
    }

    /// The reading is logged, durably, before anything is read.
    async fn log(&self, operator: &Operator, rpc: Rpc, query: String, reason: &str) -> Result<(), Status> {
        let fits = !reason.trim().is_empty()
            && reason.chars().count() <= REASON_MAX
            && !reason.chars().any(char::is_control);
        if !fits {
            return Err(status::invalid(
                "Indiquez le motif de la consultation (1 à 500 caractères) : il est inscrit au journal.",
                "Give the reason for reading (1 to 500 characters): it is written to the log.",
            ));
        }
        let detail =
            wire::AccessDetail { query, reason: reason.to_owned(), results: 0, rpc: rpc.path().to_owned() };
        let event =
            NewEvent { kind: EventKind::LogRead, actor: operator.actor(), detail: Detail::Access(detail) };
        self.ledger.decide(move |_state, _now| Ok(event)).await?;
        Ok(())
    }
}

/// The question as the view understands it. A privacy officer sees the own agency's lines only.
fn query(request: &wire::QueryRequest, operator: &Operator) -> Result<Query, Status> {
    if request.limit > PAGE_MAX {
        return Err(status::invalid("Au plus 1000 lignes par page.", "At most 1,000 lines a page."));
    }
    if !request.exchange_id.is_empty() && request.exchange_id.len() != 16 {
        return Err(status::invalid("Un identifiant d'échange a 16 octets.", "An exchange id has 16 bytes."));
    }
    let visible_to = visible_to(operator)?;
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    let number = |value: u64| (value != 0).then_some(value);
    Ok(Query {
        agency: given(&request.agency),
        visible_to,
        agreement: given(&request.agreement),
        purpose: given(&request.purpose),
        from_ms: number(request.from_ms),
        to_ms: number(request.to_ms),
        outcome: request.outcome(),
        exchange_id: (!request.exchange_id.is_empty()).then(|| Bytes::clone(&request.exchange_id)),
        limit: if request.limit == 0 { PAGE } else { request.limit } as usize,
        before: number(request.before),
    })
}

/// The agency whose lines alone the operator may see; `None` for an auditor of the whole.
fn visible_to(operator: &Operator) -> Result<Option<String>, Status> {
    if operator.roles().contains(&Role::Auditor) && operator.agency().is_none() {
        return Ok(None);
    }
    let agency = operator.agency().ok_or_else(|| {
        Status::permission_denied("Votre jeton ne nomme pas d'organisme. / Your token names no agency.")
    })?;
    Ok(Some(agency.to_string()))
}

/// The question as the log keeps it: conditions that were given, in one line.
fn shown(request: &wire::QueryRequest) -> String {
    let texts =
        [("agency", &request.agency), ("agreement", &request.agreement), ("purpose", &request.purpose)];
    let mut parts: Vec<String> = texts
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| {
            let value: String = value.chars().filter(|letter| !letter.is_control()).take(100).collect();
            format!("{name}={value}")
        })
        .collect();
    let numbers = [("from_ms", request.from_ms), ("to_ms", request.to_ms), ("before", request.before)];
    parts.extend(
        numbers.iter().filter(|(_, value)| *value != 0).map(|(name, value)| format!("{name}={value}")),
    );
    if request.outcome() != wire::Outcome::Unspecified {
        parts.push(format!("outcome={}", request.outcome().as_str_name()));
    }
    if !request.exchange_id.is_empty() {
        parts.push(format!("exchange_id={}", hex::encode(&request.exchange_id)));
    }
    if parts.is_empty() { "*".to_owned() } else { parts.join("; ") }
}
