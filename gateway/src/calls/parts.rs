//! Bodies above 1 MiB that flow through: the chunk hashes first, held against the signed root, then each chunk held
//! against its hash before it goes on.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use passerelle_proto::envelope::{ChunkHashes, VerifiedChunks, VerifiedEnvelope};
use passerelle_proto::wire::{
    BodyPart, CallFrame, CallReply, GiveBodyFrame, body_part, call_frame, call_reply, give_body_frame,
};
use tokio::sync::mpsc;
use tonic::Status;

use crate::rpc::status;

/// Parts between the two connections of a body.
pub(super) const AHEAD: usize = 4;
/// Bytes of hashes in one message.
const HASHES_SIZE: usize = 1 << 20;

/// A part of a body.
#[derive(Debug)]
pub(super) enum Part {
    /// Leaf hashes, 32 bytes each.
    Hashes(Bytes),
    /// A sealed chunk.
    Chunk(Bytes),
}

/// Parts as their sender sends them.
pub(super) type Incoming = Pin<Box<dyn Stream<Item = Result<Part, Status>> + Send>>;
/// Parts on their way to who takes them.
pub(super) type Outgoing = mpsc::Sender<Result<Part, Status>>;

/// Why a body stops.
#[derive(Debug)]
pub(super) enum BodyFault {
    /// It is not the one that was signed.
    Wrong(String),
    /// Its sender has gone.
    Cut(Status),
    /// Nobody takes it any more.
    Unwanted,
}

impl From<Status> for BodyFault {
    fn from(status: Status) -> Self {
        Self::Cut(status)
    }
}

/// The chunk hashes of a body, verified against its header.
pub(super) async fn hashes(
    verified: &VerifiedEnvelope,
    parts: &mut Incoming,
) -> Result<VerifiedChunks, BodyFault> {
    let (wanted, mut hashes) = (verified.header().chunk_count, ChunkHashes::default());
    let wrong = |error: &dyn std::fmt::Display| BodyFault::Wrong(error.to_string());
    while hashes.len() < wanted {
        match parts.next().await.transpose()? {
            Some(Part::Hashes(bytes)) if hashes.len() + (bytes.len() as u64) / 32 <= wanted => {
                hashes.extend_from_bytes(&bytes).map_err(|error| wrong(&error))?;
            }
            Some(_) => return Err(BodyFault::Wrong("field=chunk_hashes".to_owned())),
            None => return Err(cut().into()),
        }
    }
    hashes.verify(verified).map_err(|error| wrong(&error))
}

/// Passes a body on, hashes first.
pub(super) async fn relay(
    chunks: VerifiedChunks,
    mut parts: Incoming,
    to: Outgoing,
) -> Result<(), BodyFault> {
    let pass = async |part| to.send(Ok(part)).await.map_err(|_gone| BodyFault::Unwanted);
    let mut bytes = chunks.hashes().to_bytes();
    while !bytes.is_empty() {
        pass(Part::Hashes(bytes.split_to(bytes.len().min(HASHES_SIZE)))).await?;
    }
    for index in 0..chunks.count() {
        let Some(Part::Chunk(chunk)) = parts.next().await.transpose()? else { return Err(cut().into()) };
        chunks.check(index, &chunk).map_err(|error| BodyFault::Wrong(error.to_string()))?;
        pass(Part::Chunk(chunk)).await?;
    }
    Ok(())
}

impl Part {
    /// Of a request, behind its first frame.
    pub(super) fn of_call(frame: CallFrame) -> Result<Self, Status> {
        match frame.frame {
            Some(call_frame::Frame::ChunkHashes(bytes)) => Ok(Self::Hashes(bytes)),
            Some(call_frame::Frame::Chunk(bytes)) => Ok(Self::Chunk(bytes)),
            Some(call_frame::Frame::Open(_)) | None => Err(unexpected()),
        }
    }

    /// Of an answer, behind its first frame.
    pub(super) fn of_answer(frame: GiveBodyFrame) -> Result<Self, Status> {
        match frame.frame {
            Some(give_body_frame::Frame::ChunkHashes(bytes)) => Ok(Self::Hashes(bytes)),
            Some(give_body_frame::Frame::Chunk(bytes)) => Ok(Self::Chunk(bytes)),
            Some(give_body_frame::Frame::ExchangeId(_)) | None => Err(unexpected()),
        }
    }

    /// As the provider's agent takes it.
    pub(super) fn into_request(self) -> BodyPart {
        let part = match self {
            Self::Hashes(bytes) => body_part::Part::ChunkHashes(bytes),
            Self::Chunk(bytes) => body_part::Part::Chunk(bytes),
        };
        BodyPart { part: Some(part) }
    }

    /// As the consumer's agent takes it.
    pub(super) fn into_reply(self) -> CallReply {
        let reply = match self {
            Self::Hashes(bytes) => call_reply::Reply::ChunkHashes(bytes),
            Self::Chunk(bytes) => call_reply::Reply::Chunk(bytes),
        };
        CallReply { reply: Some(reply) }
    }
}

fn unexpected() -> Status {
    status::invalid("Un morceau du corps était attendu.", "A part of the body was expected.")
}

/// A body that did not come to its end.
pub(super) fn cut() -> Status {
    Status::cancelled("Le corps n'est pas venu jusqu'au bout. / The body did not come to its end.")
}
