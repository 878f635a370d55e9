//! `Serve`, `TakeBody`, `GiveBody`: calls to an agency, which its agent answers.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use passerelle_proto::envelope::{VerifiedEnvelope, danger};
use passerelle_proto::reason;
use passerelle_proto::wire::{
    self, AnswerLogged, AnsweredCall, BodyPart, CallAnswer, CallFailure, ExchangeKind, GiveBodyFrame, Reason,
    ServeEvent, ServeFrame, TakeBodyRequest, answer_logged, give_body_frame, serve_event::Event,
    serve_frame::Frame,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::desk::{Giving, Outcome, Session, Told, UnderWay};
use super::parts::{self, AHEAD, BodyFault, Incoming, Part};
use super::service::{CallsService, comes_apart};
use crate::exchange::Refusal;
use crate::ledger::{StoredRecord, Submission};
use crate::rpc::caller::AgentCaller;
use crate::rpc::status;

/// Calls that may be under way with one session.
const CREDIT_MAX: u32 = 1_024;
/// Events of one call that its agent may not have read yet: the offer, its end, what became of the answer.
const EVENTS_PER_CALL: usize = 3;
/// Bytes of a failure's detail that are kept.
const DETAIL_MAX: usize = 256;

impl CallsService {
    pub(super) fn serve_stream(
        &self,
        agent: Arc<AgentCaller>,
        mut frames: Streaming<ServeFrame>,
    ) -> impl Stream<Item = Result<ServeEvent, Status>> + Send + 'static {
        // Sized for the most, filled only as far as the credit goes.
        let (events, stream) = mpsc::channel(CREDIT_MAX as usize * EVENTS_PER_CALL + 1);
        let this = self.clone();
        tokio::spawn(async move {
            let stop = this.0.parts.stop.clone();
            let ended = tokio::select! {
                first = frames.next() => match first {
                    Some(Ok(ServeFrame { frame: Some(Frame::Credit(credit)) }))
                        if (1..=CREDIT_MAX).contains(&credit) =>
                    {
                        this.session(&agent, frames, credit as usize, events.clone()).await
                    }
                    _ => Err(status::invalid(
                        "Le premier message donne un crédit de 1 à 1024.",
                        "The first message gives a credit of 1 to 1,024.",
                    )),
                },
                () = stop.cancelled() => Ok(()),
            };
            if let Err(status) = ended {
                drop(events.send(Err(status)).await);
            }
        });
        ReceiverStream::new(stream).filter_map(async |told| told.map(Told::into_event).transpose())
    }

    async fn session(
        &self,
        agent: &Arc<AgentCaller>,
        frames: Streaming<ServeFrame>,
        credit: usize,
        events: super::desk::Events,
    ) -> Result<(), Status> {
        let entered = self.0.desk.enter(agent.id.clone(), events.clone(), credit);
        let session = entered.ok_or_else(|| {
            Status::resource_exhausted(
                "Trop de sessions de cet organisme attendent des appels. / \
                 Too many sessions of this agency wait for calls.",
            )
        })?;
        let served = frames.try_for_each_concurrent(credit, |frame| self.frame(agent, &session, frame));
        let ended = tokio::select! {
            ended = served => ended,
            () = events.closed() => Ok(()),
            () = session.cut.cancelled() => Err(Status::resource_exhausted(
                "L'agent ne lit pas ce qui lui est dit. / The agent does not read what it is told.",
            )),
            () = self.0.parts.stop.cancelled() => Ok(()),
        };
        self.0.desk.leave(&session);
        ended
    }

    async fn frame(&self, agent: &AgentCaller, session: &Session, frame: ServeFrame) -> Result<(), Status> {
        match frame.frame {
            Some(Frame::Answer(answer)) => {
                let (exchange_id, result) = self.answer(agent, session, answer).await;
                let result = match result {
                    Ok(receipt) => answer_logged::Result::Receipt(receipt),
                    Err(denial) => answer_logged::Result::Denial(denial),
                };
                session.tell(Event::Answered(AnswerLogged { exchange_id, result: Some(result) }));
                Ok(())
            }
            Some(Frame::Failure(failure)) => {
                self.failure(agent, session, &failure);
                Ok(())
            }
            Some(Frame::Credit(_)) | None => {
                Err(status::invalid("Une réponse était attendue.", "An answer was expected."))
            }
        }
    }

    /// Verifies an answer, has it logged, and hands it to who asked.
    async fn answer(
        &self,
        agent: &AgentCaller,
        session: &Session,
        CallAnswer { envelope, body }: CallAnswer,
    ) -> (Bytes, Result<wire::Receipt, wire::Denial>) {
        let envelope = envelope.unwrap_or_default();
        let named = danger::peek(&envelope).unwrap_or_default();
        let id = named.exchange_id.clone();
        let call = self.0.desk.call(session, &named.in_reply_to);
        let Some((call, outcome)) = call.and_then(|call| call.claim().map(|outcome| (call, outcome))) else {
            let over = reason::denial(Reason::CallCancelled, "call=over".to_owned(), id.clone());
            return (id, Err(over));
        };
        let failed = |denied: Reason| {
            let detail = format!("answer={}", denied.as_str_name());
            Outcome::Failed(Reason::ProviderFailed, detail, agent.actor())
        };
        let (verified, apart) = match self.checked(agent, &envelope, &body, &call) {
            Ok(checked) => checked,
            Err(refusal) => {
                let denial = self.0.parts.exchange.refuse(agent, &envelope, refusal).await;
                drop(outcome.send(failed(denial.reason())));
                return (id, Err(denial));
            }
        };
        let submission = Submission {
            caller: agent.id.clone(),
            tls_certificate: agent.certificate.thumbprint,
            envelope: verified.clone(),
            record: StoredRecord::default(),
            spooled: false,
        };
        match self.0.parts.ledger.accept(submission).await {
            Ok(receipt) => {
                let parts = apart.then(|| {
                    let (to, taken) = mpsc::channel(AHEAD);
                    let giving = Giving { agent: agent.id.clone(), answer: verified, to };
                    self.0.desk.expect_body(&named.in_reply_to, id.clone(), giving);
                    taken
                });
                let answered =
                    AnsweredCall { envelope: Some(envelope), body, receipt: Some(receipt.clone()) };
                // When nobody takes it any more, it is logged all the same; its body goes with the call.
                drop(outcome.send(Outcome::Answered(Box::new(answered), parts)));
                (id, Ok(receipt))
            }
            Err(denial) => {
                drop(outcome.send(failed(denial.reason())));
                (id, Err(denial))
            }
        }
    }

    /// What must hold of an answer beside what must hold of every exchange: it answers this call, to who made it, under the
    /// same agreement.
    fn checked(
        &self,
        agent: &AgentCaller,
        envelope: &wire::Envelope,
        body: &Bytes,
        call: &UnderWay,
    ) -> Result<(VerifiedEnvelope, bool), Refusal> {
        let verified = self.0.parts.exchange.check(agent, envelope)?;
        let (answer, request) = (verified.header(), call.request.header());
        let same = [
            ("kind", answer.kind() == ExchangeKind::CallResponse),
            ("in_reply_to", answer.in_reply_to == request.exchange_id),
            ("recipients", answer.recipients == [request.sender_agency.clone()]),
            ("agreement", answer.agreement == request.agreement),
            ("service", answer.service == request.service),
            ("operation", answer.operation == request.operation),
            ("purpose", answer.purpose == request.purpose),
        ];
        if let Some((field, _)) = same.iter().find(|(_, same)| !same) {
            let detail = format!("field={field}");
            return Err(Refusal::of(&verified, Reason::HeaderMalformed, detail));
        }
        let apart = comes_apart(&verified, body)?;
        Ok((verified, apart))
    }

    /// The provider's agent says that there is no answer.
    fn failure(&self, agent: &AgentCaller, session: &Session, failure: &CallFailure) {
        let outcome = self.0.desk.call(session, &failure.exchange_id).and_then(|call| call.claim());
        let Some(outcome) = outcome else { return };
        let reason = match failure.reason() {
            Reason::Unspecified => Reason::ProviderFailed,
            reason => reason,
        };
        let plain = |letter: &char| !letter.is_control();
        let mut detail: String = failure.detail.chars().filter(plain).collect();
        while detail.len() > DETAIL_MAX {
            detail.pop();
        }
        drop(outcome.send(Outcome::Failed(reason, detail, agent.actor())));
    }

    pub(super) fn take_body_stream(
        &self,
        agent: &AgentCaller,
        request: &TakeBodyRequest,
    ) -> Result<impl Stream<Item = Result<BodyPart, Status>> + Send + 'static, Status> {
        let taken = self.0.desk.take_body(&agent.id, &request.exchange_id).ok_or_else(nothing)?;
        Ok(ReceiverStream::new(taken).map(|part| part.map(Part::into_request)))
    }

    pub(super) async fn receive_body(
        &self,
        agent: &AgentCaller,
        mut frames: Streaming<GiveBodyFrame>,
    ) -> Result<(), Status> {
        let first = frames.message().await?.and_then(|frame| frame.frame);
        let Some(give_body_frame::Frame::ExchangeId(id)) = first else {
            return Err(status::invalid(
                "Le premier message nomme la réponse.",
                "The first message names the answer.",
            ));
        };
        let Giving { answer, to, .. } = self.0.desk.give_body(&agent.id, &id).ok_or_else(nothing)?;
        let mut parts: Incoming = Box::pin(frames.map(|frame| frame.and_then(Part::of_answer)));
        let passed = async {
            let chunks = parts::hashes(&answer, &mut parts).await?;
            parts::relay(chunks, parts, to.clone()).await
        };
        let ended = tokio::select! {
            ended = passed => ended,
            () = to.closed() => Err(BodyFault::Unwanted),
            () = self.0.parts.stop.cancelled() => Err(BodyFault::Unwanted),
        };
        match ended {
            Ok(()) => Ok(()),
            Err(BodyFault::Unwanted) => Err(nothing()),
            Err(BodyFault::Wrong(detail)) => {
                drop(to.send(Err(status::invalid(&detail, &detail))).await);
                Err(status::invalid(&detail, &detail))
            }
            Err(BodyFault::Cut(status)) => {
                drop(to.send(Err(parts::cut())).await);
                Err(status)
            }
        }
    }
}

fn nothing() -> Status {
    Status::not_found("Personne n'attend ce corps. / Nobody waits for this body.")
}
