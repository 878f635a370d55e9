//! What an agency's system asks of another agency's service, and what it is given back.

use std::fmt;
use std::io;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, StatusCode};
use passerelle_pki::name::AgencyCode;
use passerelle_proto::call::path::RequestPath;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{HttpField, ReceiptBody};
use tokio::time::Duration;

use crate::records::SendRequest;
use crate::systems::Caller;

/// A call; the content of its request comes beside it.
#[derive(Clone)]
pub struct CallRequest {
    /// Which of the agency's systems asks.
    pub caller: Caller,
    /// The agency that answers.
    pub provider: AgencyCode,
    /// Its service.
    pub service: String,
    /// Upper-case token.
    pub method: String,
    /// As it was asked.
    pub path: RequestPath,
    /// Without `?`; empty for none.
    pub query: String,
    /// Whether there is content beside it.
    pub has_content: bool,
    /// The fields that travel.
    pub fields: Vec<HttpField>,
    /// Agreement, purpose, case, persons: as of a record. An empty number means the only agreement that serves.
    pub terms: SendRequest,
    /// How long it may take in all; the configuration's default when not given.
    pub deadline: Option<Duration>,
}

/// Without path, query, fields and persons: those are for the provider only.
impl fmt::Debug for CallRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallRequest")
            .field("provider", &self.provider)
            .field("service", &self.service)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// The content of an answer. One that fails ends with an error before its last bytes.
pub type Content = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// The provider's answer, after everything about it was verified.
pub struct Answer {
    /// The service's.
    pub status: StatusCode,
    /// The service's.
    pub fields: HeaderMap,
    /// Bytes of its content.
    pub length: u64,
    /// Its content.
    pub content: Content,
    /// The request's id.
    pub request_id: ExchangeId,
    /// What the gateway promised for the request.
    pub request_receipt: ReceiptBody,
    /// The answer's id.
    pub answer_id: ExchangeId,
    /// What the gateway promised for the answer.
    pub answer_receipt: ReceiptBody,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("length", &self.length)
            .field("request_id", &self.request_id)
            .field("answer_id", &self.answer_id)
            .finish_non_exhaustive()
    }
}
