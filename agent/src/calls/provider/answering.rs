//! One call, from its offer to its answer.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use passerelle_proto::call;
use passerelle_proto::call::path::RequestPath;
use passerelle_proto::envelope::HeaderDraft;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::reason;
use passerelle_proto::wire::calls_client::CallsClient;
use passerelle_proto::wire::{
    CallAnswer, ExchangeKind, GiveBodyFrame, OfferedCall, Reason, SealedAttributes, answer_logged,
    give_body_frame,
};
use tokio::sync::mpsc;
use tokio::time::{Duration, timeout_at};
use tokio_stream::wrappers::ReceiverStream;

use super::offer::Believed;
use super::release::released;
use super::request::Opened;
use super::session::Session;
use super::{Failure, Provider};
use crate::calls::passing::{AHEAD, Part, Passing, feed};
use crate::catalogue::{Operation, OperationError};
use crate::inclusion::Side;
use crate::link;
use crate::records::sealing::{Plan, Sealed};

/// How much longer than its caller waits an answer may be accepted, for clocks that differ.
const SLACK: Duration = Duration::from_secs(60);

impl Provider {
    /// Answers one call, or says why there is no answer.
    pub(super) async fn answer(&self, session: &Session, offered: OfferedCall, id: &Bytes) {
        let answered = match self.believe(&offered).await {
            Ok(believed) => {
                let serving = self.answered(session, &offered.body, &believed);
                match timeout_at(believed.until, serving).await {
                    Ok(answered) => answered,
                    Err(_) => Err(Failure::new(Reason::CallTimedOut, "waited_for=the service")),
                }
            }
            Err(failure) => Err(failure),
        };
        if let Err(failure) = answered {
            tracing::warn!(reason = reason::code(failure.reason), detail = %failure.detail, "a call is not answered");
            session.fail(id, &failure).await;
        }
    }

    async fn answered(&self, session: &Session, body: &Bytes, believed: &Believed) -> Result<(), Failure> {
        let opened = self.open(&session.channel, &believed.envelope, body).await?;
        let operation = self.allowed(believed, &opened)?;
        // Before the service is touched: an answer that could not be given is not asked for.
        let plan = self.plan(believed, &operation, &opened.attributes)?;
        let upstream = self.0.upstreams.of(&believed.envelope.header().service)?;
        let answer = upstream.ask(&self.0.calls, believed, opened).await?;
        let rules = believed.agreement.agreement().field_rules(&believed.envelope.header().service);
        let (head, body) = released(answer, rules).await?;
        let (sealed, passing) = self.0.calls.seal(plan, head, body).await?;
        self.give(session, sealed, passing).await
    }

    /// Which operation of our own published service this is; the header must have named it, and the agreement cover it.
    fn allowed(&self, believed: &Believed, opened: &Opened) -> Result<Operation, Failure> {
        let head = &opened.head;
        let header = believed.envelope.header();
        let path =
            RequestPath::parse(&head.path).map_err(|_| Failure::new(Reason::HeaderMalformed, "body=path"))?;
        let known = self.0.calls.0.catalogue.own(&header.service).ok_or(OperationError::ServiceUnknown)?;
        let operation = known.operation(&head.method, &path)?;
        let content_type = head.fields.iter().find(|field| field.name == CONTENT_TYPE.as_str());
        let content_type = content_type.and_then(|field| std::str::from_utf8(&field.value).ok());
        operation.check(&head.query, content_type, !opened.is_empty())?;
        let uncovered = |detail: &str| Err(Failure::new(Reason::OperationNotCovered, detail));
        if operation.name != header.operation {
            return uncovered("operation=not the one of method and path");
        }
        if !believed.agreement.agreement().allows_path(&header.service, &head.method, &path) {
            return uncovered("path=not covered by the agreement");
        }
        Ok(operation)
    }

    /// The header of the answer: to who asked, under the same terms.
    fn plan(
        &self,
        believed: &Believed,
        operation: &Operation,
        attributes: &SealedAttributes,
    ) -> Result<Plan, Failure> {
        let (request, parts) = (believed.envelope.header(), &self.0.calls.0);
        let created = parts.clock.now();
        let categories = match operation.data_categories.is_empty() {
            true => request.data_categories.iter().cloned().collect(),
            false => operation.data_categories.iter().cloned().collect(),
        };
        let draft = HeaderDraft {
            kind: ExchangeKind::CallResponse,
            sender: parts.planner.identity.agent().clone(),
            recipients: [believed.envelope.sender().agency.clone()].into(),
            agreement: request.agreement.clone().unwrap_or_default(),
            service: request.service.clone(),
            operation: request.operation.clone(),
            purpose: request.purpose.clone(),
            legal_basis: request.legal_basis.clone(),
            data_categories: categories,
            // The consumer's own pseudonyms: both events of the call speak of the same persons.
            acting_user: request.acting_user[..].try_into().ok(),
            subjects: request.subjects.iter().filter_map(|subject| subject[..].try_into().ok()).collect(),
            created,
            expires: created.plus(believed.left.saturating_add(SLACK)),
            in_reply_to: Some(believed.envelope.exchange_id()),
            order: None,
            content_type: call::MEDIA_TYPE.to_owned(),
            attributes: SealedAttributes {
                case_reference: attributes.case_reference.clone(),
                ..SealedAttributes::default()
            },
        };
        Ok(parts.planner.of_draft(draft, Some(&believed.agreement), &parts.spool)?)
    }

    /// Gives the answer, and its body when that comes apart.
    async fn give(&self, session: &Session, sealed: Sealed, passing: Option<Passing>) -> Result<(), Failure> {
        let Sealed { exchange_id: id, envelope, body, .. } = sealed;
        let digest = crate::records::digest::sha256(&envelope.header);
        let answer = CallAnswer { envelope: Some(envelope), body: body.unwrap_or_default() };
        match session.give(id.to_wire(), answer).await {
            Some(answer_logged::Result::Receipt(receipt)) => {
                // It was released already: what is wrong here is for us to know, and no reason to fail.
                drop(self.0.calls.0.belief.receipt(Side::Answered, Some(&receipt), (id, digest)).await);
            }
            Some(answer_logged::Result::Denial(denial)) => {
                // The gateway has told the caller.
                tracing::warn!(%id, reason = reason::code(denial.reason()), detail = %denial.detail, "an answer is refused");
                return Ok(());
            }
            None => return Ok(()),
        }
        if let Some(passing) = &passing {
            self.give_body(session, id, passing).await;
        }
        Ok(())
    }

    async fn give_body(&self, session: &Session, id: ExchangeId, passing: &Passing) {
        let spooled = match passing.open() {
            Ok(spooled) => spooled,
            Err(error) => {
                return tracing::error!(%id, error = %link::chain(&error), "an answer's body is gone");
            }
        };
        let (frames, stream) = mpsc::channel(AHEAD);
        let named = GiveBodyFrame { frame: Some(give_body_frame::Frame::ExchangeId(id.to_wire())) };
        // The channel is empty and open.
        frames.try_send(named).ok();
        tokio::task::spawn_blocking(move || feed(spooled, &frames, frame));
        let mut client = CallsClient::new(session.channel.clone());
        if let Err(status) = client.give_body(ReceiverStream::new(stream)).await {
            tracing::info!(%id, error = %status.message(), "the body of an answer was not taken to its end");
        }
    }
}

fn frame(part: Part) -> GiveBodyFrame {
    let frame = match part {
        Part::Hashes(bytes) => give_body_frame::Frame::ChunkHashes(bytes),
        Part::Chunk(bytes) => give_body_frame::Frame::Chunk(bytes),
    };
    GiveBodyFrame { frame: Some(frame) }
}
