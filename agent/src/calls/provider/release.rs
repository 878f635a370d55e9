//! What of the service's answer may leave: all of it as it comes, or only the fields that the agreement allows.

use std::io;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::Response;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use passerelle_proto::agreement::FieldRules;
use passerelle_proto::call::head::{self, HEAD_LIMIT};
use passerelle_proto::envelope::INLINE_BODY_LIMIT;
use passerelle_proto::wire::{HttpResponseHead, Reason};
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;

use super::Failure;
use crate::calls::fields;
use crate::link;

/// Bytes of a content whose fields are looked at: it fits a message with its head.
const LOOKED_AT_MAX: usize = INLINE_BODY_LIMIT as usize - 2 * HEAD_LIMIT;

type Body = Pin<Box<dyn AsyncRead + Send>>;

/// The encoded head, and the content behind it.
pub(super) async fn released(
    answer: Response<Incoming>,
    rules: Option<&FieldRules>,
) -> Result<(Vec<u8>, Body), Failure> {
    let (parts, body) = answer.into_parts();
    let head =
        HttpResponseHead { status: parts.status.as_u16().into(), fields: fields::of_answer(&parts.headers) };
    let head = head::encode(&head).map_err(|error| {
        tracing::warn!(error = %link::chain(&error), "the head of a service's answer cannot travel");
        Failure::service("answer=head")
    })?;
    let Some(rules) = rules else {
        let body = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
        return Ok((head, Box::pin(body)));
    };
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content = whole(body).await?;
    match rules.apply(content_type.unwrap_or_default(), &content) {
        Ok(minimised) => {
            if !minimised.removed.is_empty() {
                tracing::info!(count = minimised.removed.count(), "fields were removed from an answer");
            }
            Ok((head, Box::pin(io::Cursor::new(minimised.content))))
        }
        Err(refusal) => Err(Failure::new(Reason::FieldNotCovered, refusal.outward())),
    }
}

/// The whole content, when it is short enough to be looked at.
async fn whole(body: Incoming) -> Result<Bytes, Failure> {
    match Limited::new(body, LOOKED_AT_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::new(
            Reason::RecordTooLarge,
            format!("answer=too long for rules on fields; max={LOOKED_AT_MAX}"),
        )),
        Err(error) => {
            tracing::warn!(%error, "the answer of a service did not come to its end");
            Err(Failure::service("answer=cut short"))
        }
    }
}
