//! What an agency's system asks to send.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use passerelle_pki::name::AgencyCode;
use passerelle_proto::exchange_id::ExchangeId;

/// A record to be sent; the body comes beside it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SendRequest {
    /// Number of the agreement.
    pub agreement: String,
    /// Version of the agreement; the one in force when not given.
    pub version: Option<u32>,
    /// Agencies it goes to; every consumer of the agreement when empty.
    pub recipients: BTreeSet<AgencyCode>,
    /// Service; the agreement's when it has one only.
    pub service: Option<String>,
    /// Code of the purpose; the agreement's when it has one only.
    pub purpose: Option<String>,
    /// Legal basis; the agreement's when not given.
    pub legal_basis: Option<String>,
    /// Codes of the data categories; the agreement's when it has one only.
    pub data_categories: BTreeSet<String>,
    /// Case reference. The recipient sees it, the gateway a commitment.
    pub case_reference: Option<String>,
    /// Who acts. The recipient sees the name, the gateway a pseudonym.
    pub acting_user: Option<String>,
    /// Persons concerned. The recipient sees them, the gateway pseudonyms.
    pub subjects: Vec<String>,
    /// Name of the file. Only the recipient sees it.
    pub file_name: Option<String>,
    /// Media type; `application/octet-stream` when not given.
    pub content_type: Option<String>,
    /// How long it may be accepted and delivered; at most 31 days.
    pub expires_in: Option<Duration>,
    /// The exchange that this answers.
    pub in_reply_to: Option<ExchangeId>,
    /// To be delivered after the earlier ordered records to the same recipients under the same agreement.
    pub ordered: bool,
    /// Under the same key, the same request is sent once, however often it is asked for.
    pub idempotency_key: Option<String>,
}

/// Without what is for the recipient only.
impl fmt::Debug for SendRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendRequest")
            .field("agreement", &self.agreement)
            .field("recipients", &self.recipients)
            .field("service", &self.service)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

impl SendRequest {
    /// Every field, each with its length before it: equal bytes mean equal requests. The key itself is not part.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut put = |text: &[u8]| {
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bytes.extend_from_slice(text);
        };
        put(self.agreement.as_bytes());
        put(&self.version.unwrap_or(0).to_be_bytes());
        put(&self.recipients.len().to_be_bytes());
        self.recipients.iter().for_each(|agency| put(agency.as_str().as_bytes()));
        for text in [&self.service, &self.purpose, &self.legal_basis] {
            put(text.as_deref().unwrap_or_default().as_bytes());
        }
        put(&self.data_categories.len().to_be_bytes());
        self.data_categories.iter().for_each(|category| put(category.as_bytes()));
        for text in [&self.case_reference, &self.acting_user, &self.file_name, &self.content_type] {
            put(text.as_deref().unwrap_or_default().as_bytes());
        }
        put(&self.subjects.len().to_be_bytes());
        self.subjects.iter().for_each(|subject| put(subject.as_bytes()));
        put(&self.expires_in.unwrap_or_default().as_millis().to_be_bytes());
        put(self.in_reply_to.as_ref().map_or(&[][..], |id| &id.as_bytes()[..]));
        if self.ordered {
            put(b"ordered");
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_differ_have_different_bytes() {
        let request = SendRequest {
            agreement: "ENT-1".into(),
            subjects: vec!["ab".into(), "c".into()],
            ..SendRequest::default()
        };
        let moved = SendRequest { subjects: vec!["a".into(), "bc".into()], ..request.clone() };
        let other_key = SendRequest { idempotency_key: Some("k".into()), ..request.clone() };
        let ordered = SendRequest { ordered: true, ..request.clone() };
        assert_ne!(request.canonical(), moved.canonical());
        assert_ne!(request.canonical(), ordered.canonical());
        assert_eq!(request.canonical(), other_key.canonical());
    }

    #[test]
    fn debug_shows_nobody() {
        let request = SendRequest { subjects: vec!["TREM1234".into()], ..SendRequest::default() };
        assert!(!format!("{request:?}").contains("TREM"));
    }
}
