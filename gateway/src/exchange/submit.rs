//! `Submit`: pipelined frames, answered in any order.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use passerelle_proto::envelope::{self, INLINE_BODY_LIMIT, VerifiedEnvelope, danger};
use passerelle_proto::reason;
use passerelle_proto::wire::{self, Reason, SubmitFrame, SubmitReply, submit_reply};
use prost::Message;
use tonic::{Status, Streaming};

use super::checks::Refusal;
use super::service::ExchangeService;
use crate::bodies::BodyName;
use crate::ledger::{StoredRecord, Submission};
use crate::rpc::caller::AgentCaller;

/// Frames of one stream that may be under way.
const UNDER_WAY: usize = 256;

impl ExchangeService {
    pub(super) fn submit_stream(
        &self,
        agent: Arc<AgentCaller>,
        frames: Streaming<SubmitFrame>,
    ) -> impl Stream<Item = Result<SubmitReply, Status>> + Send + 'static {
        let (this, stop) = (self.clone(), self.0.parts.stop.clone());
        frames
            .take_until(stop.cancelled_owned())
            // Room first, so that waiting frames stay with their sender.
            .then({
                let room = Arc::clone(&self.0.room);
                move |frame| {
                    let room = Arc::clone(&room);
                    async move {
                        let frame = frame?;
                        let kilobytes = u32::try_from(frame.encoded_len() / 1024 + 1).unwrap_or(u32::MAX);
                        let taken = room.acquire_many_owned(kilobytes).await;
                        Ok((frame, taken.map_err(|_closed| Status::unavailable("stopping"))?))
                    }
                }
            })
            .map(move |frame: Result<_, Status>| {
                let (this, agent) = (this.clone(), Arc::clone(&agent));
                // A task of its own: signatures of one stream are verified on every core.
                tokio::spawn(async move {
                    let (frame, _room) = frame?;
                    Ok(this.submit_one(&agent, frame).await)
                })
            })
            .buffer_unordered(UNDER_WAY)
            .map(|done| done.unwrap_or_else(|error| Err(crate::rpc::status::internal(&error))))
    }

    async fn submit_one(&self, agent: &AgentCaller, frame: SubmitFrame) -> SubmitReply {
        let Some(envelope) = frame.envelope else {
            let denial = reason::denial(Reason::HeaderMalformed, "field=envelope", Bytes::new());
            return SubmitReply {
                exchange_id: Bytes::new(),
                result: Some(submit_reply::Result::Denial(denial)),
            };
        };
        let result = match self.submission(agent, &envelope, frame.body) {
            Ok(submission) => self.0.parts.ledger.accept(submission).await,
            Err(refusal) => Err(self.refuse(agent, &envelope, refusal).await),
        };
        match result {
            Ok(receipt) => SubmitReply {
                exchange_id: danger::peek(&envelope).map(|header| header.exchange_id).unwrap_or_default(),
                result: Some(submit_reply::Result::Receipt(receipt)),
            },
            Err(denial) => SubmitReply {
                exchange_id: denial.exchange_id.clone(),
                result: Some(submit_reply::Result::Denial(denial)),
            },
        }
    }

    fn submission(
        &self,
        agent: &AgentCaller,
        envelope: &wire::Envelope,
        body: Bytes,
    ) -> Result<Submission, Refusal> {
        let verified = self.check_record(agent, envelope)?;
        let spooled = self.body(agent, &verified, &body)?;
        Ok(Submission {
            caller: agent.id.clone(),
            tls_certificate: agent.certificate.thumbprint,
            record: StoredRecord { envelope: envelope.encode_to_vec().into(), body },
            envelope: verified,
            spooled,
        })
    }

    /// Whether the body is the one that the header commits to; true when it lies in the spool.
    fn body(&self, agent: &AgentCaller, verified: &VerifiedEnvelope, body: &Bytes) -> Result<bool, Refusal> {
        let refused = |detail: String| {
            let header = Some(Box::new(verified.header().clone()));
            Refusal { reason: Reason::BodyMismatch, detail, header }
        };
        if verified.sealed_length() <= INLINE_BODY_LIMIT {
            return match envelope::verify_body(verified, body) {
                Ok(()) => Ok(false),
                Err(error) => Err(refused(error.to_string())),
            };
        }
        let name = BodyName { agency: agent.id.agency.clone(), header_digest: verified.header_digest() };
        if !body.is_empty() {
            Err(refused(format!("inline_limit={INLINE_BODY_LIMIT}")))
        } else if !self.0.parts.bodies.is_complete(&name) {
            Err(refused("upload=incomplete".to_owned()))
        } else {
            Ok(true)
        }
    }
}
