//! `Call`: one call, from its request to its answer, on the stream of the agent that asks.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use passerelle_proto::envelope::{VerifiedChunks, VerifiedEnvelope};
use passerelle_proto::event::denied_detail;
use passerelle_proto::reason;
use passerelle_proto::wire::{
    self, Actor, CallFrame, CallReply, EventKind, ExchangeKind, OfferedCall, OpenCall, Reason,
    call_frame::Frame, call_reply::Reply, event::Detail, serve_event::Event,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::desk::{Offering, Outcome, Session};
use super::parts::{self, AHEAD, BodyFault, Incoming, Part};
use super::service::{CallsService, comes_apart};
use crate::exchange::Refusal;
use crate::ledger::{NewEvent, StoredRecord, Submission};
use crate::rpc::caller::{AgentCaller, gateway_actor};
use crate::rpc::status;

/// How long a call waits for an agent of the provider to be there.
const AWAY: Duration = Duration::from_secs(2);
/// How long the first frame may take.
const OPENING: Duration = Duration::from_secs(10);

type Replies = mpsc::Sender<Result<CallReply, Status>>;

/// How a call ends without an answer.
enum Ended {
    /// The caller is told why.
    Denied(wire::Denial),
    /// The stream fails.
    Broken(Status),
    /// Nobody is there to be told.
    Gone,
}

/// Why an accepted call has no answer, and who said so.
struct Failure {
    reason: Reason,
    detail: String,
    actor: Actor,
}

/// A call that was opened and not accepted yet.
struct Opened {
    verified: VerifiedEnvelope,
    body: Bytes,
    apart: bool,
    deadline: Instant,
}

type Pump = Pin<Box<dyn Future<Output = Result<(), BodyFault>> + Send>>;

/// A call that was accepted.
struct Call<'a> {
    service: &'a CallsService,
    agent: &'a AgentCaller,
    envelope: wire::Envelope,
    verified: VerifiedEnvelope,
    receipt: wire::Receipt,
    deadline: Instant,
    replies: &'a Replies,
}

impl CallsService {
    pub(super) fn call_stream(
        &self,
        agent: Arc<AgentCaller>,
        frames: Streaming<CallFrame>,
    ) -> Result<impl Stream<Item = Result<CallReply, Status>> + Send + 'static, Status> {
        let (replies, stream) = mpsc::channel(AHEAD);
        let this = self.clone();
        tokio::spawn(async move {
            let most = this.0.parts.limits.per_agency;
            let last = match this.0.desk.ask(agent.id.agency.as_str(), most) {
                None => Some(Err(Status::resource_exhausted(
                    "Trop d'appels à la fois : attendez la fin de l'un d'eux. / \
                     Too many calls at a time: wait for one of them to end.",
                ))),
                Some(_place) => match this.run(&agent, frames, &replies).await {
                    Ok(()) | Err(Ended::Gone) => None,
                    Err(Ended::Denied(denial)) => Some(Ok(CallReply { reply: Some(Reply::Denial(denial)) })),
                    Err(Ended::Broken(status)) => Some(Err(status)),
                },
            };
            if let Some(last) = last {
                // Whoever asked may have gone.
                drop(replies.send(last).await);
            }
        });
        Ok(ReceiverStream::new(stream))
    }

    async fn run(
        &self,
        agent: &AgentCaller,
        mut frames: Streaming<CallFrame>,
        replies: &Replies,
    ) -> Result<(), Ended> {
        let first = tokio::select! {
            first = tokio::time::timeout(OPENING, frames.next()) => first.ok().flatten(),
            () = self.0.parts.stop.cancelled() => return Err(Ended::Broken(stopping())),
        };
        let first = first.transpose().map_err(Ended::Broken)?.and_then(|frame| frame.frame);
        let Some(Frame::Open(OpenCall { envelope: Some(envelope), body })) = first else {
            return Err(Ended::Broken(status::invalid(
                "Le premier message ouvre l'appel.",
                "The first message opens the call.",
            )));
        };
        let opened = match self.opened(agent, &envelope, body) {
            Ok(opened) => opened,
            Err(refusal) => return self.denied(agent, &envelope, refusal).await,
        };
        let mut parts: Incoming = Box::pin(frames.map(|frame| frame.and_then(Part::of_call)));
        let chunks = match opened.apart {
            false => None,
            true => match timeout_at(opened.deadline, parts::hashes(&opened.verified, &mut parts)).await {
                Ok(Ok(chunks)) => Some(chunks),
                Ok(Err(BodyFault::Wrong(detail))) => {
                    let refusal = Refusal::of(&opened.verified, Reason::BodyMismatch, detail);
                    return self.denied(agent, &envelope, refusal).await;
                }
                Ok(Err(BodyFault::Cut(_) | BodyFault::Unwanted)) | Err(_) => {
                    return Err(Ended::Broken(parts::cut()));
                }
            },
        };
        self.accepted(agent, envelope, opened, (parts, chunks), replies).await
    }

    async fn denied(
        &self,
        agent: &AgentCaller,
        envelope: &wire::Envelope,
        refusal: Refusal,
    ) -> Result<(), Ended> {
        Err(Ended::Denied(self.0.parts.exchange.refuse(agent, envelope, refusal).await))
    }

    fn opened(&self, agent: &AgentCaller, envelope: &wire::Envelope, body: Bytes) -> Result<Opened, Refusal> {
        let parts = &self.0.parts;
        let verified = parts.exchange.check(agent, envelope)?;
        if verified.header().kind() != ExchangeKind::CallRequest {
            return Err(Refusal::of(&verified, Reason::HeaderMalformed, "field=kind"));
        }
        let limit = parts.limits.deadline;
        if verified.expires().since(verified.created()) > limit {
            let detail = format!("field=expires_ms; limit_s={}", limit.as_secs());
            return Err(Refusal::of(&verified, Reason::HeaderMalformed, detail));
        }
        let apart = comes_apart(&verified, &body)?;
        let deadline = Instant::now() + verified.expires().since(parts.clock.now());
        Ok(Opened { verified, body, apart, deadline })
    }

    async fn accepted(
        &self,
        agent: &AgentCaller,
        envelope: wire::Envelope,
        Opened { verified, body, apart: _, deadline }: Opened,
        (parts, chunks): (Incoming, Option<VerifiedChunks>),
        replies: &Replies,
    ) -> Result<(), Ended> {
        let submission = Submission {
            caller: agent.id.clone(),
            tls_certificate: agent.certificate.thumbprint,
            envelope: verified.clone(),
            record: StoredRecord::default(),
            spooled: false,
        };
        let receipt = self.0.parts.ledger.accept(submission).await.map_err(Ended::Denied)?;
        let call = Call { service: self, agent, envelope, verified, receipt, deadline, replies };
        // Whoever has gone by now is noticed where its answer is waited for.
        drop(call.reply(Reply::Accepted(call.receipt.clone())).await);
        let (pump, taken): (Option<Pump>, _) = match chunks {
            None => (None, None),
            Some(chunks) => {
                let (give, taken) = mpsc::channel(AHEAD);
                (Some(Box::pin(parts::relay(chunks, parts, give))), Some(taken))
            }
        };
        let ended = call.relay(body, pump, taken).await;
        match ended {
            Ok(()) => Ok(()),
            Err(failure) => Err(call.failed(failure).await),
        }
    }
}

impl Call<'_> {
    async fn relay(
        &self,
        body: Bytes,
        pump: Option<Pump>,
        taken: Option<super::desk::Taken>,
    ) -> Result<(), Failure> {
        let desk = &self.service.0.desk;
        let (session, outcome) = self.offer(body, taken).await?;
        let id = &self.verified.header().exchange_id;
        let ended = match self.outcome(outcome, pump).await {
            Ok((answered, body)) => self.release(*answered, body).await,
            Err(failure) => {
                // Nobody waits for its answer any more.
                session.tell(Event::Cancelled(id.clone()));
                Err(failure)
            }
        };
        desk.end(id);
        ended
    }

    /// Offers the call to an agent of the provider, as soon as one has a place.
    async fn offer(
        &self,
        body: Bytes,
        taken: Option<super::desk::Taken>,
    ) -> Result<(Arc<Session>, oneshot::Receiver<Outcome>), Failure> {
        let desk = &self.service.0.desk;
        let provider = self.verified.header().recipients.first().cloned().unwrap_or_default();
        let mut keys = self.verified.header().recipient_keys.clone();
        keys.retain(|key| key.agency == provider);
        let offer =
            OfferedCall { envelope: Some(self.envelope.clone()), body, receipt: Some(self.receipt.clone()) };
        let mut offering = Box::new(Offering { request: self.verified.clone(), offer, body: taken });
        let mut places = desk.places();
        let away = Instant::now() + AWAY;
        loop {
            places.mark_unchanged();
            let state = self.service.0.parts.ledger.state();
            let (picked, there) = desk.pick(&provider, |agent| state.is_for_agent(agent, &keys));
            if let Some((session, place)) = picked {
                match desk.begin(&session, offering, place) {
                    Ok(outcome) => return Ok((session, outcome)),
                    Err(back) => offering = back,
                }
                continue;
            }
            let until = if there { self.deadline } else { away.min(self.deadline) };
            tokio::select! {
                changed = places.changed() => if changed.is_err() { return Err(self.stopping()); },
                () = sleep_until(until) => {
                    return Err(match self.deadline <= Instant::now() {
                        true => self.gateway_says(Reason::CallTimedOut, "waited_for=a place"),
                        false => self.gateway_says(Reason::ProviderAway, "session=none"),
                    });
                }
                () = self.replies.closed() => return Err(self.cancelled()),
                () = self.service.0.parts.stop.cancelled() => return Err(self.stopping()),
            }
        }
    }

    /// Waits for the outcome, while the request's body flows.
    async fn outcome(
        &self,
        mut outcome: oneshot::Receiver<Outcome>,
        mut pump: Option<Pump>,
    ) -> Result<(Box<wire::AnsweredCall>, Option<super::desk::Taken>), Failure> {
        loop {
            tokio::select! {
                told = &mut outcome => return match told {
                    Ok(Outcome::Answered(answered, body)) => Ok((answered, body)),
                    Ok(Outcome::Failed(reason, detail, actor)) => Err(Failure { reason, detail, actor }),
                    Err(_dropped) => Err(self.gateway_says(Reason::ProviderAway, "session=lost")),
                },
                pumped = pumped(&mut pump) => {
                    pump = None;
                    match pumped {
                        Ok(()) | Err(BodyFault::Unwanted) => {}
                        Err(BodyFault::Wrong(detail)) => {
                            return Err(Failure { reason: Reason::BodyMismatch, detail, actor: self.agent.actor() });
                        }
                        Err(BodyFault::Cut(_)) => return Err(self.cancelled()),
                    }
                }
                () = sleep_until(self.deadline) => {
                    return Err(self.gateway_says(Reason::CallTimedOut, "waited_for=the answer"));
                }
                () = self.replies.closed() => return Err(self.cancelled()),
                () = self.service.0.parts.stop.cancelled() => return Err(self.stopping()),
            }
        }
    }

    /// Hands the answer over, and its body as it comes.
    async fn release(
        &self,
        answered: wire::AnsweredCall,
        body: Option<super::desk::Taken>,
    ) -> Result<(), Failure> {
        self.reply(Reply::Answer(answered)).await?;
        let Some(mut body) = body else { return Ok(()) };
        loop {
            tokio::select! {
                part = body.recv() => match part {
                    None => return Ok(()),
                    Some(Ok(part)) => {
                        let sent = self.replies.send(Ok(part.into_reply()));
                        match timeout_at(self.deadline, sent).await {
                            Ok(Ok(())) => {}
                            Ok(Err(_gone)) => return Err(self.cancelled()),
                            Err(_) => return Err(self.gateway_says(Reason::CallTimedOut, "waited_for=the caller")),
                        }
                    }
                    Some(Err(status)) => {
                        tracing::debug!(%status, "the body of an answer");
                        return Err(self.gateway_says(Reason::ProviderFailed, "answer=body"));
                    }
                },
                () = sleep_until(self.deadline) => {
                    return Err(self.gateway_says(Reason::CallTimedOut, "waited_for=the answer's body"));
                }
                () = self.replies.closed() => return Err(self.cancelled()),
                () = self.service.0.parts.stop.cancelled() => return Err(self.stopping()),
            }
        }
    }

    async fn reply(&self, reply: Reply) -> Result<(), Failure> {
        let sent = self.replies.send(Ok(CallReply { reply: Some(reply) }));
        match timeout_at(self.deadline, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_gone)) => Err(self.cancelled()),
            Err(_) => Err(self.gateway_says(Reason::CallTimedOut, "waited_for=the caller")),
        }
    }

    /// Logs that there is no answer, and says it.
    async fn failed(&self, failure: Failure) -> Ended {
        let Failure { reason, detail, actor } = failure;
        let cancelled = reason == Reason::CallCancelled;
        let header = self.verified.header();
        let mut denial = reason::denial(reason, detail.clone(), header.exchange_id.clone());
        let key = self.verified.signing_key_id();
        let facts = denied_detail(Some(header), &self.verified.header_digest(), Some(&key), reason, &detail);
        let event = NewEvent { kind: EventKind::CallFailed, actor, detail: Detail::Exchange(facts) };
        match self.service.0.parts.ledger.decide(move |_state, _now| Ok(event)).await {
            Ok(logged) => denial.leaf_index = Some(logged.leaf_index),
            Err(error) => tracing::error!(%error, "a call without an answer could not be logged"),
        }
        if cancelled && self.replies.is_closed() { Ended::Gone } else { Ended::Denied(denial) }
    }

    fn gateway_says(&self, reason: Reason, detail: &str) -> Failure {
        Failure { reason, detail: detail.to_owned(), actor: gateway_actor(&self.service.0.parts.gateway) }
    }

    fn cancelled(&self) -> Failure {
        let detail = "by=the caller".to_owned();
        Failure { reason: Reason::CallCancelled, detail, actor: self.agent.actor() }
    }

    fn stopping(&self) -> Failure {
        self.gateway_says(Reason::CallCancelled, "by=the gateway, which stops")
    }
}

/// The pump's end; never, when there is none.
async fn pumped(pump: &mut Option<Pump>) -> Result<(), BodyFault> {
    match pump {
        Some(pump) => pump.await,
        None => std::future::pending().await,
    }
}

fn stopping() -> Status {
    Status::unavailable("La passerelle s'arrête. / The gateway is stopping.")
}
