//! What is asked of the agent, as headers and query strings.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use passerelle_pki::name::AgencyCode;
use passerelle_proto::exchange_id::ExchangeId;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::ClientError;
use crate::records::RecordState;

/// A record to be sent; see [`crate::records::SendRequest`] for what is left out.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct SendOptions {
    /// Number of the agreement.
    pub agreement: String,
    /// Version of the agreement; the one in force when not given.
    pub version: Option<u32>,
    /// Recipients; all of the agreement when empty.
    pub to: Vec<AgencyCode>,
    /// Service.
    pub service: Option<String>,
    /// Code of the purpose.
    pub purpose: Option<String>,
    /// Legal basis.
    pub legal_basis: Option<String>,
    /// Codes of the data categories.
    pub data_categories: Vec<String>,
    /// Case reference.
    pub case_reference: Option<String>,
    /// Who acts.
    pub acting_user: Option<String>,
    /// Persons concerned.
    pub subjects: Vec<String>,
    /// Name of the file.
    pub file_name: Option<String>,
    /// Media type.
    pub content_type: Option<String>,
    /// Idempotency key.
    pub idempotency_key: Option<String>,
    /// How long it may be accepted and delivered.
    pub expires_in: Option<Duration>,
    /// The exchange that this answers.
    pub in_reply_to: Option<ExchangeId>,
    /// To be delivered after the earlier ordered ones.
    pub ordered: bool,
}

/// Without what is for the recipient only.
impl std::fmt::Debug for SendOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendOptions")
            .field("agreement", &self.agreement)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

impl SendOptions {
    /// Under this agreement; everything else as the agreement says.
    #[must_use]
    pub fn under(agreement: impl Into<String>) -> Self {
        Self { agreement: agreement.into(), ..Self::default() }
    }

    pub(super) fn headers(&self) -> Result<HeaderMap, ClientError> {
        let mut headers = HeaderMap::new();
        let mut put = |name: &'static str, value: &str| {
            let value = HeaderValue::try_from(encoded(value)).map_err(|_| ClientError::Field(name))?;
            headers.append(HeaderName::from_static(name), value);
            Ok::<_, ClientError>(())
        };
        put("passerelle-agreement", &self.agreement)?;
        let list = |codes: &[String]| (!codes.is_empty()).then(|| codes.join(","));
        let to: Vec<String> = self.to.iter().map(ToString::to_string).collect();
        let optional = [
            ("passerelle-agreement-version", self.version.map(|version| version.to_string())),
            ("passerelle-to", list(&to)),
            ("passerelle-service", self.service.clone()),
            ("passerelle-purpose", self.purpose.clone()),
            ("passerelle-legal-basis", self.legal_basis.clone()),
            ("passerelle-data-categories", list(&self.data_categories)),
            ("passerelle-case-reference", self.case_reference.clone()),
            ("passerelle-acting-user", self.acting_user.clone()),
            ("passerelle-file-name", self.file_name.clone()),
            ("idempotency-key", self.idempotency_key.clone()),
            ("passerelle-expires-in", self.expires_in.map(|time| time.as_secs().to_string())),
            ("passerelle-in-reply-to", self.in_reply_to.map(|id| id.to_string())),
            ("passerelle-ordered", self.ordered.then(|| "true".to_owned())),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                put(name, &value)?;
            }
        }
        for subject in &self.subjects {
            put("passerelle-subject", subject)?;
        }
        if let Some(content_type) = &self.content_type {
            let value =
                HeaderValue::try_from(content_type).map_err(|_| ClientError::Field("content-type"))?;
            headers.insert(CONTENT_TYPE, value);
        }
        Ok(headers)
    }
}

/// Which sent records to list: newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordsQuery {
    /// Only these.
    pub state: Option<RecordState>,
    /// At most so many.
    pub limit: Option<usize>,
    /// Only those older than this one.
    pub after: Option<ExchangeId>,
}

/// Which received records to list: oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboxQuery {
    /// At most so many.
    pub limit: Option<usize>,
    /// Only those received after this one.
    pub after: Option<ExchangeId>,
    /// Wait until there are some, at most so long.
    pub wait: Option<Duration>,
}

impl RecordsQuery {
    pub(super) fn path(&self) -> String {
        let state = self.state.and_then(|state| serde_json::to_value(state).ok());
        let state = state.and_then(|state| state.as_str().map(str::to_owned));
        let limit = self.limit.map(|limit| limit.to_string());
        query(
            "/v1/records",
            &[("state", state), ("limit", limit), ("after", self.after.map(|id| id.to_string()))],
        )
    }
}

impl InboxQuery {
    pub(super) fn path(&self) -> String {
        let limit = self.limit.map(|limit| limit.to_string());
        let wait = self.wait.map(|wait| wait.as_secs().to_string());
        query(
            "/v1/inbox",
            &[("limit", limit), ("after", self.after.map(|id| id.to_string())), ("wait", wait)],
        )
    }
}

/// A path with those parameters that are given.
pub(super) fn query(path: &str, parameters: &[(&str, Option<String>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value)));
    let given: Vec<String> = given.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if given.is_empty() { path.to_owned() } else { format!("{path}?{}", given.join("&")) }
}

/// Everything but unreserved characters (RFC 3986, section 2.3) and commas.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b',');

/// Percent-encoding (RFC 3986, section 2.1).
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_ascii_is_percent_encoded() {
        // RFC 3986, section 2.5 has À as %C3%80.
        assert_eq!(encoded("À a/b%,é"), "%C3%80%20a%2Fb%25,%C3%A9");
        let options =
            SendOptions { file_name: Some("relevé 1.pdf\r\nX: y".into()), ..SendOptions::under("ENT-1") };
        let headers = options.headers().unwrap();
        assert_eq!(headers["passerelle-file-name"], "relev%C3%A9%201.pdf%0D%0AX%3A%20y");
    }

    #[test]
    fn only_what_is_given_is_asked() {
        assert_eq!(RecordsQuery::default().path(), "/v1/records");
        let query = RecordsQuery { state: Some(RecordState::Denied), limit: Some(5), after: None };
        assert_eq!(query.path(), "/v1/records?state=denied&limit=5");
        assert_eq!(SendOptions::under("ENT-1").headers().unwrap().len(), 1);
    }

    #[test]
    fn debug_shows_nobody() {
        let options = SendOptions { subjects: vec!["TREM1234".into()], ..SendOptions::under("ENT-1") };
        assert!(!format!("{options:?}").contains("TREM"));
    }
}
