//! The stream of one call: its frames out, the gateway's word back.

use passerelle_proto::envelope::danger;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::calls_client::CallsClient;
use passerelle_proto::wire::{
    self, CallFrame, CallReply, OpenCall, ReceiptBody, call_frame::Frame, call_reply::Reply,
};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::Asked;
use crate::calls::passing::{AHEAD, Part, Passing, feed};
use crate::calls::{CallError, Calls};
use crate::inclusion::Side;
use crate::records::SendError;
use crate::records::digest::sha256;
use crate::records::sealing::Sealed;

/// A call that was opened. Dropping it cancels the call.
#[derive(Debug)]
pub(super) struct Calling {
    id: ExchangeId,
    envelope: wire::Envelope,
    replies: Streaming<CallReply>,
    /// Open until the end: letting it go would say that the caller has gone.
    _frames: mpsc::Sender<CallFrame>,
    _passing: Option<Passing>,
    _place: OwnedSemaphorePermit,
}

impl Calling {
    /// Opens the stream, and begins to send the request.
    pub(super) async fn open(
        calls: &Calls,
        sealed: Sealed,
        (passing, place): (Option<Passing>, OwnedSemaphorePermit),
        until: Instant,
    ) -> Result<Self, CallError> {
        let Sealed { exchange_id: id, envelope, body, .. } = sealed;
        let late = |_| CallError::timed_out(None);
        let channel = timeout_at(until, calls.0.link.ready()).await.map_err(late)?;
        let channel = channel.ok_or(CallError::Stopping)?;
        let (frames, stream) = mpsc::channel(AHEAD);
        let open = OpenCall { envelope: Some(envelope.clone()), body: body.unwrap_or_default() };
        // The channel is empty and open.
        frames.try_send(CallFrame { frame: Some(Frame::Open(open)) }).ok();
        if let Some(passing) = &passing {
            let spooled = passing.open().map_err(SendError::Store)?;
            let frames = frames.clone();
            tokio::task::spawn_blocking(move || feed(spooled, &frames, frame));
        }
        let mut client = CallsClient::new(channel);
        let opened = timeout_at(until, client.call(ReceiverStream::new(stream))).await.map_err(late)?;
        let replies = opened.map_err(|status| of_status(status, id))?.into_inner();
        Ok(Self { id, envelope, replies, _frames: frames, _passing: passing, _place: place })
    }

    /// The request's id.
    pub(super) fn id(&self) -> ExchangeId {
        self.id
    }

    /// Waits for the receipt of the request, and then for the answer.
    pub(super) async fn answered(&mut self, calls: &Calls) -> Result<(Asked, wire::AnsweredCall), CallError> {
        let mut receipt: Option<ReceiptBody> = None;
        loop {
            match self.next().await?.ok_or_else(|| self.broken())? {
                Reply::Accepted(accepted) if receipt.is_none() => {
                    let named = (self.id, sha256(&self.envelope.header));
                    let believed = calls.0.belief.receipt(Side::Called, Some(&accepted), named).await;
                    receipt = Some(believed.map_err(|doubted| CallError::doubted(doubted, self.id))?);
                }
                Reply::Answer(answered) => {
                    let receipt = receipt.ok_or_else(|| self.broken())?;
                    let header = danger::peek(&self.envelope).unwrap_or_default();
                    return Ok((Asked { header, receipt }, answered));
                }
                Reply::Denial(denial) => return Err(CallError::Denied(Box::new(denial), Some(self.id))),
                Reply::Accepted(_) | Reply::ChunkHashes(_) | Reply::Chunk(_) => return Err(self.broken()),
            }
        }
    }

    /// The next message; nothing at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Reply>, CallError> {
        let reply = self.replies.message().await.map_err(|status| of_status(status, self.id))?;
        Ok(reply.and_then(|reply| reply.reply))
    }

    /// The gateway has said something else than it must.
    pub(super) fn broken(&self) -> CallError {
        CallError::Gateway(Box::new(Status::internal("the gateway did not keep to the order of a call")))
    }
}

fn frame(part: Part) -> CallFrame {
    let frame = match part {
        Part::Hashes(bytes) => Frame::ChunkHashes(bytes),
        Part::Chunk(bytes) => Frame::Chunk(bytes),
    };
    CallFrame { frame: Some(frame) }
}

fn of_status(status: Status, id: ExchangeId) -> CallError {
    match status.code() {
        Code::ResourceExhausted => CallError::busy(),
        Code::DeadlineExceeded => CallError::timed_out(Some(id)),
        _ => CallError::Gateway(Box::new(status)),
    }
}
