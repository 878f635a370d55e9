//! What is read of a file once, for all questions. Nothing here is believed yet.

use passerelle_pki::clock::Timestamp;
use prost::Message;

use super::signers::Signers;
use super::trust::Trust;
use crate::envelope::danger;
use crate::event;
use crate::exchange_id::ExchangeId;
use crate::statement::sha256;
use crate::wire::event::Detail;
use crate::wire::{Acknowledgement, Event, EventKind, Evidence, ExchangeDetail, Header, Statement};

/// A file taken apart.
pub(super) struct Case<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) trust: &'a Trust,
    pub(super) id: ExchangeId,
    /// The header as it can be read, whoever signed it.
    pub(super) header: Option<Header>,
    /// SHA-256 of the header's bytes.
    pub(super) header_digest: Option<[u8; 32]>,
    /// One a logged entry; `None` where it is no event.
    pub(super) events: Vec<Option<Event>>,
    pub(super) signers: Signers<'a>,
}

impl<'a> Case<'a> {
    pub(super) fn new(evidence: &'a Evidence, id: ExchangeId, trust: &'a Trust) -> Self {
        Self {
            header: evidence.envelope.as_ref().and_then(danger::peek),
            header_digest: evidence.envelope.as_ref().map(|envelope| sha256(&envelope.header)),
            events: evidence.entries.iter().map(|entry| event::decode(&entry.entry).ok()).collect(),
            signers: Signers::new(evidence, trust),
            evidence,
            trust,
            id,
        }
    }

    /// The events with their leaf index.
    pub(super) fn events(&self) -> impl Iterator<Item = (u64, &Event)> {
        let entries = self.evidence.entries.iter().map(|entry| entry.leaf_index);
        entries.zip(&self.events).filter_map(|(leaf, event)| Some((leaf, event.as_ref()?)))
    }

    /// The gateway's decision on this exchange: accepted, or else denied.
    pub(super) fn decision(&self) -> Option<(u64, &Event, &ExchangeDetail)> {
        self.of_kind(EventKind::ExchangeAccepted).or_else(|| self.of_kind(EventKind::ExchangeDenied))
    }

    /// The acceptance of this exchange.
    pub(super) fn accepted(&self) -> Option<(u64, &Event, &ExchangeDetail)> {
        self.of_kind(EventKind::ExchangeAccepted)
    }

    fn of_kind(&self, kind: EventKind) -> Option<(u64, &Event, &ExchangeDetail)> {
        self.events().find_map(|(leaf, event)| match &event.detail {
            Some(Detail::Exchange(detail))
                if event.kind() == kind && detail.exchange_id == self.id.as_bytes()[..] =>
            {
                Some((leaf, event, detail))
            }
            _ => None,
        })
    }

    /// The header, or what the log kept of it: what the agreement and the recipients are read from.
    pub(super) fn terms(&self) -> Option<Header> {
        self.header.clone().or_else(|| self.accepted().map(|(_, _, detail)| header_of(detail)))
    }

    /// The moment for which certificates and agreement are judged: the logged decision's, or else what the sender says.
    pub(super) fn moment(&self) -> Option<Timestamp> {
        let logged = self.decision().map(|(_, event, _)| event.time_ms);
        logged.or_else(|| self.header.as_ref().map(|header| header.created_ms)).map(Timestamp::from_millis)
    }

    /// Every acknowledgement, of its own part or of a logged entry, each once, with the moment it was logged.
    pub(super) fn acknowledgements(&self) -> Vec<(&Statement, Option<Timestamp>)> {
        let mut all: Vec<(&Statement, Option<Timestamp>)> = Vec::new();
        for (_, event) in self.events() {
            if let Some(Detail::Acknowledgement(detail)) = &event.detail
                && let Some(statement) = &detail.statement
            {
                all.push((statement, Some(Timestamp::from_millis(event.time_ms))));
            }
        }
        for statement in &self.evidence.acknowledgements {
            if !all.iter().any(|(other, _)| *other == statement) {
                all.push((statement, None));
            }
        }
        all
    }

    /// Whether an event is of this exchange (a call's other half included) or of its agreement.
    pub(super) fn concerns(&self, event: &Event) -> bool {
        let id = &self.id.as_bytes()[..];
        match &event.detail {
            Some(Detail::Exchange(detail)) => detail.exchange_id == id || detail.in_reply_to == id,
            Some(Detail::Acknowledgement(detail)) => {
                let statement = detail.statement.clone().unwrap_or_default();
                Acknowledgement::decode(statement.payload)
                    .is_ok_and(|body| body.exchanges.iter().any(|exchange| exchange.exchange_id == id))
            }
            Some(Detail::Agreement(detail)) => {
                let number = |agreement: &crate::wire::AgreementRef| agreement.number.clone();
                let ours = self.terms().and_then(|header| header.agreement.as_ref().map(number));
                ours.is_some() && ours == detail.agreement.as_ref().map(number)
            }
            _ => false,
        }
    }
}

/// The header's fields that the log keeps.
fn header_of(detail: &ExchangeDetail) -> Header {
    Header {
        exchange_id: detail.exchange_id.clone(),
        kind: detail.kind,
        sender_agency: detail.sender_agency.clone(),
        sender_agent: detail.sender_agent.clone(),
        recipients: detail.recipients.clone(),
        agreement: detail.agreement.clone(),
        service: detail.service.clone(),
        operation: detail.operation.clone(),
        purpose: detail.purpose.clone(),
        legal_basis: detail.legal_basis.clone(),
        data_categories: detail.data_categories.clone(),
        case_commitment: detail.case_commitment.clone(),
        acting_user: detail.acting_user.clone(),
        subjects: detail.subjects.clone(),
        created_ms: detail.created_ms,
        expires_ms: detail.expires_ms,
        in_reply_to: detail.in_reply_to.clone(),
        plaintext_length: detail.plaintext_length,
        body_root: detail.body_root.clone(),
        order: detail.order.clone(),
        ..Header::default()
    }
}
