//! The lane of submissions: one stream, many records under way, answers in any order.

use std::pin::pin;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::exchange_client::ExchangeClient;
use passerelle_proto::wire::{self, submit_reply};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Channel;

use super::flight::{Flight, WINDOW};
use super::settle::Answer;
use super::{Sender, StreamError};
use crate::link;
use crate::outbox::Lane;

impl Sender {
    /// Submits on one stream, until it ends.
    pub(super) async fn submit_stream(&self, channel: Channel) -> Result<(), StreamError> {
        // Every frame in it is one under way: there is always room.
        let (frames, stream) = mpsc::channel(WINDOW);
        let mut client = ExchangeClient::new(channel.clone());
        let mut replies = link::call(client.submit(ReceiverStream::new(stream))).await?;
        let mut flight = Flight::new(self.outbox.clone());
        let mut settling = FuturesUnordered::new();
        let mut work = self.outbox.work();
        loop {
            work.mark_unchanged();
            self.fill(&mut flight, &frames).await?;
            tokio::select! {
                Some(id) = settling.next(), if !settling.is_empty() => flight.let_go(id),
                reply = replies.message() => {
                    let Some(reply) = reply? else { return Err(ended().into()) };
                    let Some((id, answer)) = read(reply) else { continue };
                    let Some(header_digest) = flight.header_digest(id) else { continue };
                    let channel = channel.clone();
                    settling.push(async move {
                        self.settle(channel, id, header_digest, answer).await;
                        id
                    });
                }
                changed = work.changed() => changed.map_err(|_| ended())?,
            }
        }
    }

    /// Sends what waits, as far as there is room.
    async fn fill(
        &self,
        flight: &mut Flight,
        frames: &mpsc::Sender<wire::SubmitFrame>,
    ) -> Result<(), StreamError> {
        while flight.has_room() {
            let Some(id) = self.outbox.take(Lane::Submit) else { return Ok(()) };
            // Held before it is read: if this is dropped meanwhile, it is given back.
            flight.hold(id, [0; 32], 0);
            let load = match pin!(self.outbox.load(id)).await {
                Ok(Some(load)) => load,
                Ok(None) => {
                    flight.let_go(id);
                    continue;
                }
                Err(error) => {
                    tracing::error!(%id, error = %link::chain(&error), "a record cannot be read from the outbox");
                    flight.let_go(id);
                    self.put_off(id);
                    continue;
                }
            };
            flight.hold(id, load.header_digest, load.body.len());
            let frame = wire::SubmitFrame { envelope: Some(load.envelope), body: load.body };
            frames.try_send(frame).map_err(|_| ended())?;
        }
        Ok(())
    }
}

fn read(reply: wire::SubmitReply) -> Option<(ExchangeId, Answer)> {
    let id = ExchangeId::from_bytes(&reply.exchange_id).ok()?;
    let answer = match reply.result? {
        submit_reply::Result::Receipt(receipt) => Answer::Receipt(receipt),
        submit_reply::Result::Denial(denial) => Answer::Denial(denial),
    };
    Some((id, answer))
}

fn ended() -> Status {
    Status::unavailable("the gateway has ended the stream")
}
