//! What is posted: the content with header fields, or JSON; for a content that is too long, JSON that tells where it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use passerelle_pki::clock::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::settings::Format;
use crate::link;
use crate::records::InboxView;

/// Values are percent-encoded as on the local interface; codes stay as they are.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b':')
    .remove(b',');

/// A message that is ready to be signed.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

#[derive(Serialize)]
struct Json<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    #[serde(flatten)]
    view: &'a InboxView,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_base64: Option<String>,
    /// Where the local interface has it.
    content_path: String,
}

impl Message {
    /// Of a record; `None`: its content is too long.
    pub(super) fn of(
        view: &InboxView,
        content: Option<Bytes>,
        format: Format,
        now: Timestamp,
    ) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        let mut put = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.append(HeaderName::from_static(name), value);
            }
        };
        let kind = if content.is_some() { "record.received" } else { "record.waiting" };
        put("passerelle-event", kind);
        match (content, format) {
            (Some(content), Format::Content) => {
                put(CONTENT_TYPE.as_str(), &view.content_type);
                describe(view, &mut put);
                Ok(Self { headers, body: content })
            }
            (content, _) => {
                put(CONTENT_TYPE.as_str(), "application/json");
                put("passerelle-exchange-id", &view.exchange_id.to_string());
                let data = Data {
                    view,
                    content_base64: content.map(|content| STANDARD.encode(content)),
                    content_path: format!("/v1/inbox/{}/content", view.exchange_id),
                };
                let body = serde_json::to_vec(&Json { kind, timestamp: now.to_string(), data });
                Ok(Self { headers, body: body.map_err(|error| link::chain(&error))?.into() })
            }
        }
    }
}

fn describe(view: &InboxView, put: &mut impl FnMut(&'static str, &str)) {
    let mut encoded = |name, value: &str| {
        if !value.is_empty() {
            put(name, &utf8_percent_encode(value, PLAIN).to_string());
        }
    };
    encoded("passerelle-exchange-id", &view.exchange_id.to_string());
    encoded("passerelle-from", view.from.as_str());
    encoded("passerelle-from-agent", &view.from_agent);
    encoded("passerelle-agreement", &view.agreement.number);
    encoded("passerelle-agreement-version", &view.agreement.version.to_string());
    encoded("passerelle-service", &view.service);
    encoded("passerelle-purpose", &view.purpose);
    encoded("passerelle-legal-basis", &view.legal_basis);
    encoded("passerelle-data-categories", &view.data_categories.join(","));
    encoded("passerelle-created-at", &view.created_at.to_string());
    encoded("passerelle-received-at", &view.received_at.to_string());
    encoded("passerelle-leaf-index", &view.leaf_index.to_string());
    encoded("passerelle-file-name", view.file_name.as_deref().unwrap_or_default());
    encoded("passerelle-case-reference", view.case_reference.as_deref().unwrap_or_default());
    encoded("passerelle-acting-user", view.acting_user.as_deref().unwrap_or_default());
    encoded("passerelle-in-reply-to", &view.in_reply_to.map(|id| id.to_string()).unwrap_or_default());
    if let Some(order) = &view.order {
        encoded("passerelle-stream", &order.stream);
        encoded("passerelle-sequence", &order.sequence.to_string());
    }
    for subject in &view.subjects {
        encoded("passerelle-subject", subject);
    }
}
