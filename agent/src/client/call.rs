//! A call of another agency's service, through the agent.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use passerelle_pki::name::AgencyCode;

use super::content::Content;
use super::error::ClientError;
use super::options::encoded;
use super::transport::{Outgoing, exchange};
use super::{LocalClient, refused};

/// How long an answer may take beyond the longest deadline.
const PATIENCE: Duration = Duration::from_secs(330);

/// What is called, and under what.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct CallOptions {
    /// Method; `GET` when not given.
    pub method: Method,
    /// The path at the service, from `/`, with its query, as it is to be asked.
    pub path: String,
    /// Number of the agreement; the only one that serves when not given.
    pub agreement: Option<String>,
    /// Code of the purpose.
    pub purpose: Option<String>,
    /// Codes of the data categories.
    pub data_categories: Vec<String>,
    /// Case reference.
    pub case_reference: Option<String>,
    /// Who acts.
    pub acting_user: Option<String>,
    /// Persons concerned.
    pub subjects: Vec<String>,
    /// How long it may take.
    pub deadline: Option<Duration>,
    /// Media type of the content.
    pub content_type: Option<String>,
    /// More headers for the service.
    pub headers: HeaderMap,
}

/// Without what is for the provider only.
impl std::fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallOptions").field("agreement", &self.agreement).finish_non_exhaustive()
    }
}

/// The service's answer, as it is.
#[derive(Debug)]
pub struct CallAnswer {
    /// The service's.
    pub status: StatusCode,
    /// The service's, and what the agent says of the call (`passerelle-*`).
    pub headers: HeaderMap,
    /// The service's.
    pub content: Content,
}

impl CallOptions {
    /// What is asked at this path.
    #[must_use]
    pub fn at(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), ..Self::default() }
    }

    fn headers(&self) -> Result<HeaderMap, ClientError> {
        let mut headers = self.headers.clone();
        let mut put = |name: &'static str, value: &str| {
            let value = HeaderValue::try_from(encoded(value)).map_err(|_| ClientError::Field(name))?;
            headers.append(HeaderName::from_static(name), value);
            Ok::<_, ClientError>(())
        };
        let categories = (!self.data_categories.is_empty()).then(|| self.data_categories.join(","));
        let optional = [
            ("passerelle-agreement", self.agreement.clone()),
            ("passerelle-purpose", self.purpose.clone()),
            ("passerelle-data-categories", categories),
            ("passerelle-case-reference", self.case_reference.clone()),
            ("passerelle-acting-user", self.acting_user.clone()),
            ("passerelle-deadline", self.deadline.map(|deadline| deadline.as_secs().to_string())),
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

impl LocalClient {
    /// Calls a service of another agency; its answer, whatever its status is.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Refused`] when there is no answer of the service.
    pub async fn call(
        &self,
        (agency, service): (&AgencyCode, &str),
        options: &CallOptions,
        body: Option<(impl Stream<Item = io::Result<Bytes>> + Send + 'static, Option<u64>)>,
    ) -> Result<CallAnswer, ClientError> {
        let body = match body {
            Some((body, length)) => Outgoing::stream(body, length),
            None => Outgoing::empty(),
        };
        let path = format!("/v1/call/{agency}/{}{}", encoded(service), options.path);
        let mut request = self.request(options.method.clone(), &path, body)?;
        for (name, value) in options.headers()? {
            if let Some(name) = name {
                request.headers_mut().append(name, value);
            }
        }
        let answer = exchange(self.endpoint(), request, PATIENCE).await?;
        // What the agent itself says has no answer's id.
        if !answer.headers().contains_key("passerelle-answer-id") {
            return Err(refused(answer).await);
        }
        let (parts, body) = answer.into_parts();
        let length = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        Ok(CallAnswer { status: parts.status, headers: parts.headers, content: Content::new(body, length) })
    }
}
