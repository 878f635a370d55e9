//! A received record as the recipient's system sees it.

use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::AgencyCode;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire;
use serde::Serialize;

use super::record_view::{AgreementView, OrderView};
use super::time::rfc3339;

/// A record that waits in the inbox.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct InboxView {
    /// Its id.
    pub exchange_id: ExchangeId,
    /// The agency that sent it.
    pub from: AgencyCode,
    /// The agent of that agency.
    pub from_agent: String,
    /// The agreement relied on.
    pub agreement: AgreementView,
    /// Service.
    pub service: String,
    /// Purpose.
    pub purpose: String,
    /// Legal basis.
    pub legal_basis: String,
    /// Data categories.
    pub data_categories: Vec<String>,
    /// Media type.
    pub content_type: String,
    /// Name of the file, when the sender gave one. Never to be used as a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Plaintext bytes.
    pub length: u64,
    /// When it was sealed, by the sender's clock.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: Timestamp,
    /// When it was durable here.
    #[serde(serialize_with = "rfc3339")]
    pub received_at: Timestamp,
    /// Case reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case_reference: Option<String>,
    /// Who acted at the sender's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acting_user: Option<String>,
    /// Persons concerned.
    pub subjects: Vec<String>,
    /// The exchange that this answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<ExchangeId>,
    /// Its place in its stream, when it is ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderView>,
    /// Place of its event in the log.
    pub leaf_index: u64,
}

/// Without what the sender sealed.
impl std::fmt::Debug for InboxView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InboxView")
            .field("exchange_id", &self.exchange_id)
            .field("from", &self.from)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl InboxView {
    pub(crate) fn of(
        header: &wire::Header,
        attributes: wire::SealedAttributes,
        (exchange_id, from): (ExchangeId, AgencyCode),
        (received_at, leaf_index): (Timestamp, u64),
    ) -> Self {
        let given = |text: String| (!text.is_empty()).then_some(text);
        let agreement = header.agreement.clone().unwrap_or_default();
        Self {
            exchange_id,
            from,
            from_agent: header.sender_agent.clone(),
            agreement: AgreementView { number: agreement.number, version: agreement.version },
            service: header.service.clone(),
            purpose: header.purpose.clone(),
            legal_basis: header.legal_basis.clone(),
            data_categories: header.data_categories.clone(),
            content_type: header.content_type.clone(),
            file_name: given(attributes.file_name),
            length: header.plaintext_length,
            created_at: Timestamp::from_millis(header.created_ms),
            received_at,
            case_reference: given(attributes.case_reference),
            acting_user: given(attributes.acting_user),
            subjects: attributes.subjects,
            in_reply_to: ExchangeId::from_bytes(&header.in_reply_to).ok(),
            order: header.order.as_ref().and_then(|order| OrderView::of(&order.stream, order.sequence)),
            leaf_index,
        }
    }
}

/// Which records of the inbox to list: oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboxFilter {
    /// Only those received after this one: the last of the previous page.
    pub after: Option<ExchangeId>,
    /// At most so many; 100 when 0, never more than 1,000.
    pub limit: usize,
}

impl InboxFilter {
    /// The limit that holds.
    #[must_use]
    pub fn effective_limit(&self) -> usize {
        super::record_view::effective_limit(self.limit)
    }
}
