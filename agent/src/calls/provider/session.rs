//! One stream of offers: calls are answered side by side, and let go when nobody waits for them any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use passerelle_proto::envelope::danger;
use passerelle_proto::wire::calls_client::CallsClient;
use passerelle_proto::wire::{
    AnswerLogged, CallAnswer, CallFailure, OfferedCall, Reason, ServeFrame, answer_logged,
    serve_event::Event, serve_frame::Frame,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Channel;

use super::{Failure, Provider};
use crate::link;

/// A stream of offers, as the calls under way see it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) channel: Channel,
    frames: mpsc::Sender<ServeFrame>,
    /// Answers that were given and not logged yet, by their ids.
    given: Mutex<HashMap<Bytes, oneshot::Sender<answer_logged::Result>>>,
}

impl Provider {
    /// Answers what is offered on one stream, until it ends; what is under way ends with it.
    pub(super) async fn serve(&self, channel: Channel) -> Result<(), Status> {
        // One frame ends a call: there is nearly always room, and whoever waits for it waits within its deadline.
        let (frames, stream) = mpsc::channel(self.0.at_once as usize + 1);
        let credit = ServeFrame { frame: Some(Frame::Credit(self.0.at_once)) };
        frames.try_send(credit).map_err(|_| ended())?;
        let mut client = CallsClient::new(channel.clone());
        let mut events = link::call(client.serve(ReceiverStream::new(stream))).await?;
        let session = Arc::new(Session { channel, frames, given: Mutex::default() });
        let mut tasks = JoinSet::new();
        let mut under_way: HashMap<Bytes, CancellationToken> = HashMap::new();
        loop {
            tokio::select! {
                event = events.message() => match event?.ok_or_else(ended)?.event {
                    Some(Event::Call(offered)) => self.take(&session, offered, &mut tasks, &mut under_way).await,
                    Some(Event::Cancelled(id)) => {
                        // One that has failed here is cancelled too.
                        if let Some(call) = under_way.remove(&id) {
                            call.cancel();
                        }
                    }
                    Some(Event::Answered(logged)) => session.logged(logged),
                    None => {}
                },
                Some(Ok(id)) = tasks.join_next(), if !tasks.is_empty() => {
                    under_way.remove(&id);
                }
            }
        }
    }

    async fn take(
        &self,
        session: &Arc<Session>,
        offered: OfferedCall,
        tasks: &mut JoinSet<Bytes>,
        under_way: &mut HashMap<Bytes, CancellationToken>,
    ) {
        // Not verified: only to name what is cancelled or fails.
        let named = offered.envelope.as_ref().and_then(danger::peek).unwrap_or_default();
        let id = named.exchange_id;
        // A gateway that keeps to the credit may offer the next call while the last one is being put away.
        if tasks.len() > 2 * self.0.at_once as usize || under_way.contains_key(&id) {
            session.fail(&id, &Failure::new(Reason::Busy, "calls=too many")).await;
            return;
        }
        let (cancelled, this, session) = (CancellationToken::new(), self.clone(), Arc::clone(session));
        under_way.insert(id.clone(), cancelled.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = cancelled.cancelled() => {}
                () = this.answer(&session, offered, &id) => {}
            }
            id
        });
    }
}

impl Session {
    /// Says that there is no answer.
    pub(super) async fn fail(&self, id: &Bytes, failure: &Failure) {
        let failure = CallFailure {
            exchange_id: id.clone(),
            reason: failure.reason.into(),
            detail: failure.detail.clone(),
        };
        // When the stream is gone, the gateway knows that nobody answers.
        drop(self.frames.send(ServeFrame { frame: Some(Frame::Failure(failure)) }).await);
    }

    /// Gives an answer; what became of it.
    pub(super) async fn give(&self, id: Bytes, answer: CallAnswer) -> Option<answer_logged::Result> {
        let (told, logged) = oneshot::channel();
        self.given().insert(id.clone(), told);
        let _forget = Forget { session: self, id };
        self.frames.send(ServeFrame { frame: Some(Frame::Answer(answer)) }).await.ok()?;
        logged.await.ok()
    }

    fn logged(&self, AnswerLogged { exchange_id, result }: AnswerLogged) {
        if let Some((told, result)) = self.given().remove(&exchange_id).zip(result) {
            // It may have been cancelled meanwhile.
            told.send(result).ok();
        }
    }

    fn given(&self) -> std::sync::MutexGuard<'_, HashMap<Bytes, oneshot::Sender<answer_logged::Result>>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets an answer whose call has ended, however it ended.
struct Forget<'a> {
    session: &'a Session,
    id: Bytes,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.session.given().remove(&self.id);
    }
}

fn ended() -> Status {
    Status::unavailable("the gateway has ended the stream of calls")
}
