//! `GET /v1/evidence/{id}`: the evidence of an exchange, for who may see the record.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;

use super::problem::{Fault, of};
use super::routes::{Asked, asked, id};
use crate::agent::{EvidenceOptions, NoEvidence};
use crate::systems::{Action, Desk};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    body: Option<bool>,
    disclose_key: Option<bool>,
}

pub(super) async fn evidence(
    desk: Desk,
    Path(text): Path<String>,
    query: Asked<Wanted>,
) -> Result<Response, Fault> {
    let (id, wanted) = (id(&text)?, asked(query)?);
    let options = EvidenceOptions {
        without_body: wanted.body == Some(false),
        disclose_key: wanted.disclose_key == Some(true),
    };
    if options.disclose_key {
        desk.allow(Action::Receive)?;
    }
    let file = desk.evidence(id, options).await?;
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))];
    Ok((kind, file).into_response())
}

impl From<NoEvidence> for Fault {
    fn from(error: NoEvidence) -> Self {
        match error {
            NoEvidence::Gateway(status) if status.code() == tonic::Code::NotFound => {
                of(StatusCode::NOT_FOUND, "EVIDENCE_NOT_FOUND", "Introuvable", &NoEvidence::Gateway(status))
            }
            NoEvidence::Gateway(_) => {
                of(StatusCode::SERVICE_UNAVAILABLE, "GATEWAY_UNREACHABLE", "Passerelle injoignable", &error)
                    .retry_after(5)
            }
            NoEvidence::NoKey => of(StatusCode::CONFLICT, "KEY_NOT_HERE", "Clé absente", &error),
            NoEvidence::Inbox(error) => error.into(),
            NoEvidence::File(_) => {
                of(StatusCode::BAD_GATEWAY, "GATEWAY_REFUSED", "Refusé par la passerelle", &error)
            }
        }
    }
}
