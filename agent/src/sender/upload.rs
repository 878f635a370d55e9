//! A lane of large bodies: one after the other, from the chunk on that the gateway wants. A few lanes run side by side.

use bytes::Bytes;
use passerelle_proto::envelope::ChunkHashes;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::reason::denial;
use passerelle_proto::wire::exchange_client::ExchangeClient;
use passerelle_proto::wire::{self, Reason, upload_frame::Frame, upload_reply::Reply};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Channel;

use super::flight::Flight;
use super::settle::Answer;
use super::{Sender, StreamError};
use crate::link;
use crate::outbox::{Lane, Load};
use crate::records::StoreError;
use crate::records::blocking::blocking;
use crate::spool::{Spool, SpoolReader};

/// Bytes of hashes in one frame.
const HASHES_PER_FRAME: usize = 1 << 20;
/// Chunks ahead of the connection.
const AHEAD: usize = 8;

impl Sender {
    /// Uploads one body after another, until something fails.
    pub(super) async fn upload_all(&self, channel: Channel) -> Result<(), StreamError> {
        loop {
            let id = self.next(Lane::Upload).await;
            let mut flight = Flight::new(self.outbox.clone());
            flight.hold(id, [0; 32], 0);
            let load = match self.outbox.load(id).await {
                Ok(Some(load)) => load,
                Ok(None) => continue,
                Err(error) => return Err(self.unreadable(id, flight, error)),
            };
            // It may be there already, and only the receipt was lost.
            let answer = match self.look_up(channel.clone(), id).await? {
                Some(receipt) => Some(Answer::Receipt(receipt)),
                // The gateway would refuse it; its body may be gone already.
                None if load.expires <= self.now() => Some(Answer::Denial(denial(
                    Reason::HeaderExpired,
                    format!("expires={}", load.expires),
                    Bytes::new(),
                ))),
                None => match self.upload_one(channel.clone(), id, &load).await {
                    Err(StreamError::Store(error)) => return Err(self.unreadable(id, flight, error)),
                    answer => answer?,
                },
            };
            flight.let_go(id);
            match answer {
                Some(answer) => self.settle(channel.clone(), id, load.header_digest, answer).await,
                None => {
                    self.outbox.uploaded(id, true);
                    self.outbox.give_back([id]);
                }
            }
        }
    }

    fn unreadable(&self, id: ExchangeId, mut flight: Flight, error: StoreError) -> StreamError {
        tracing::error!(%id, error = %link::chain(&error), "a record cannot be read from the outbox");
        flight.let_go(id);
        self.put_off(id);
        error.into()
    }

    /// Uploads one body; nothing when the gateway has it whole, otherwise its denial.
    async fn upload_one(
        &self,
        channel: Channel,
        id: ExchangeId,
        load: &Load,
    ) -> Result<Option<Answer>, StreamError> {
        let spool = self.outbox.spool().clone();
        let (reader, hashes) = blocking(move || open(&spool, id)).await??;
        let (frames, stream) = mpsc::channel(AHEAD);
        let (tell_start, start) = oneshot::channel();
        let envelope = load.envelope.clone();
        tokio::task::spawn_blocking(move || feed((envelope, hashes, reader), start, &frames));
        let mut client = ExchangeClient::new(channel);
        let mut replies = link::call(client.upload(ReceiverStream::new(stream))).await?;
        let mut tell_start = Some(tell_start);
        while let Some(reply) = replies.message().await? {
            match reply.reply {
                Some(Reply::NextChunk(next)) => {
                    self.outbox.reached(id, next, tell_start.is_some());
                    if let Some(tell) = tell_start.take() {
                        // The feeder may have failed; the stream then ends.
                        tell.send(next).ok();
                    }
                }
                Some(Reply::Complete(_)) => return Ok(None),
                Some(Reply::Denial(denial)) => return Ok(Some(Answer::Denial(denial))),
                None => {}
            }
        }
        Err(Status::unavailable("the gateway has ended the upload").into())
    }
}

fn open(spool: &Spool, id: ExchangeId) -> Result<(SpoolReader, ChunkHashes), StoreError> {
    let failed = || StoreError::file(spool.folder());
    let hashes = spool.hashes(id).map_err(failed())?;
    let reader = spool.read(id).map_err(failed())?;
    Ok((reader, hashes.ok_or(StoreError::Damaged("the chunk hashes of a body are gone"))?))
}

/// Sends the envelope, the hashes, and, once told where to start, the chunks. Ends when nobody takes them any more.
fn feed(
    (envelope, hashes, mut reader): (wire::Envelope, ChunkHashes, SpoolReader),
    start: oneshot::Receiver<u64>,
    frames: &mpsc::Sender<wire::UploadFrame>,
) {
    let put = |frame| frames.blocking_send(wire::UploadFrame { frame: Some(frame) }).is_ok();
    let hashes = hashes.to_bytes();
    let mut parts = (0..hashes.len()).step_by(HASHES_PER_FRAME);
    let opened = put(Frame::Open(envelope))
        && parts.all(|begin| {
            let end = hashes.len().min(begin + HASHES_PER_FRAME);
            put(Frame::ChunkHashes(hashes.slice(begin..end)))
        });
    if !opened {
        return;
    }
    let Ok(next) = start.blocking_recv() else { return };
    let mut chunk = Vec::new();
    let mut read = reader.seek(next).and_then(|()| reader.next(&mut chunk));
    while let Ok(true) = read {
        if !put(Frame::Chunk(std::mem::take(&mut chunk).into())) {
            return;
        }
        read = reader.next(&mut chunk);
    }
    if let Err(error) = read {
        tracing::error!(%error, "a body cannot be read from the outbox");
    }
}
