//! What a sender says about a record before it is sealed.

use std::collections::BTreeSet;
use std::fmt;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::{AgencyCode, AgentId};

use super::limits::{CHUNK_SIZE, SUITE_1};
use crate::exchange_id::ExchangeId;
use crate::wire::{self, ExchangeKind};

/// A header as the sender fills it. The rest (exchange id, commitments, keys, lengths, root) comes from sealing.
#[derive(Clone)]
pub struct HeaderDraft {
    /// Record, request or response.
    pub kind: ExchangeKind,
    /// The agent that seals and signs.
    pub sender: AgentId,
    /// The agencies it goes to, 1 to 32. Every one needs a recipient key.
    pub recipients: BTreeSet<AgencyCode>,
    /// The agreement version relied on.
    pub agreement: wire::AgreementRef,
    /// Name of the service in the agreement.
    pub service: String,
    /// Name of the operation; empty for a record.
    pub operation: String,
    /// Code of the purpose in the agreement.
    pub purpose: String,
    /// Legal basis of the agreement.
    pub legal_basis: String,
    /// Codes of the data categories, 1 to 64.
    pub data_categories: BTreeSet<String>,
    /// Keyed pseudonym of the acting user.
    pub acting_user: Option<[u8; 32]>,
    /// Keyed pseudonyms of the persons concerned, at most 256.
    pub subjects: Vec<[u8; 32]>,
    /// The present moment.
    pub created: Timestamp,
    /// The moment from which it must not be accepted; at most 31 days from `created`.
    pub expires: Timestamp,
    /// The exchange that this answers.
    pub in_reply_to: Option<ExchangeId>,
    /// Media type of the body.
    pub content_type: String,
    /// The place in its stream, of a record that is to be delivered in order.
    pub order: Option<wire::Order>,
    /// What only the recipient may see. The salt of the case reference is drawn while sealing.
    pub attributes: wire::SealedAttributes,
}

impl HeaderDraft {
    /// The fields of the header that are known before sealing.
    pub(super) fn to_header(&self) -> wire::Header {
        wire::Header {
            suite: SUITE_1,
            kind: self.kind.into(),
            sender_agency: self.sender.agency.to_string(),
            sender_agent: self.sender.agent.to_string(),
            recipients: self.recipients.iter().map(ToString::to_string).collect(),
            agreement: Some(self.agreement.clone()),
            service: self.service.clone(),
            operation: self.operation.clone(),
            purpose: self.purpose.clone(),
            legal_basis: self.legal_basis.clone(),
            data_categories: self.data_categories.iter().cloned().collect(),
            acting_user: self.acting_user.map(|user| user.to_vec().into()).unwrap_or_default(),
            subjects: self.subjects.iter().map(|subject| subject.to_vec().into()).collect(),
            created_ms: self.created.as_millis(),
            expires_ms: self.expires.as_millis(),
            in_reply_to: self.in_reply_to.map(ExchangeId::to_wire).unwrap_or_default(),
            content_type: self.content_type.clone(),
            chunk_size: CHUNK_SIZE as u32,
            order: self.order.clone(),
            ..wire::Header::default()
        }
    }
}

/// Without the attributes, which are for the recipient only.
impl fmt::Debug for HeaderDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderDraft")
            .field("kind", &self.kind)
            .field("sender", &self.sender)
            .field("recipients", &self.recipients)
            .field("agreement", &self.agreement.number)
            .field("service", &self.service)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}
