//! `Upload`: a sealed body above 1 MiB, checked chunk by chunk, resumable.
//!
//! The envelope is checked in full, its agreement included, before a byte of the body is taken. Answers: `next_chunk`
//! after the last hash and each time chunks became durable; `complete` at the end; a denial otherwise.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use passerelle_proto::envelope::{ChunkHashes, INLINE_BODY_LIMIT, VerifiedEnvelope, sealed_length};
use passerelle_proto::wire::{
    self, Reason, UploadFrame, UploadReply, upload_frame::Frame, upload_reply::Reply,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::checks::Refusal;
use super::service::ExchangeService;
use crate::bodies::{BodyName, Upload, UploadError};
use crate::rpc::caller::AgentCaller;
use crate::rpc::status;

/// Chunks written between two syncs: 4 MiB.
const CHUNKS_PER_SYNC: u64 = 64;

/// Uploads under way, per agency.
#[derive(Debug)]
pub(super) struct UploadSlots {
    most: usize,
    taken: Arc<Mutex<HashMap<String, usize>>>,
}

/// One upload's place.
#[derive(Debug)]
struct Slot {
    agency: String,
    taken: Arc<Mutex<HashMap<String, usize>>>,
}

impl UploadSlots {
    pub(super) fn new(most: usize) -> Self {
        Self { most, taken: Arc::default() }
    }

    fn take(&self, agency: &str) -> Option<Slot> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(agency.to_owned()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Slot { agency: agency.to_owned(), taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.agency) {
            *count = count.saturating_sub(1);
        }
    }
}

/// How an upload ends early.
enum Stopped {
    /// The caller is told why.
    Refused(Box<Refusal>),
    /// The stream fails.
    Failed(Status),
}

impl From<Status> for Stopped {
    fn from(status: Status) -> Self {
        Self::Failed(status)
    }
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

type Replies = mpsc::Sender<Result<UploadReply, Status>>;

impl ExchangeService {
    pub(super) fn upload_stream(
        &self,
        agent: Arc<AgentCaller>,
        frames: Streaming<UploadFrame>,
    ) -> Result<impl Stream<Item = Result<UploadReply, Status>> + Send + 'static, Status> {
        let slot = self.0.uploads.take(agent.id.agency.as_str()).ok_or_else(|| {
            Status::resource_exhausted(
                "Trop de téléversements à la fois : attendez la fin de l'un d'eux. / \
                 Too many uploads at a time: wait for one of them to end.",
            )
        })?;
        let (replies, stream) = mpsc::channel(4);
        let (this, stop) = (self.clone(), self.0.parts.stop.clone());
        tokio::spawn(async move {
            let _slot = slot;
            let mut frames = Box::pin(frames.take_until(stop.cancelled_owned()));
            let Some(Ok(UploadFrame { frame: Some(Frame::Open(envelope)) })) = frames.next().await else {
                let error = status::invalid(
                    "Le premier message ouvre l'envoi.",
                    "The first message opens the upload.",
                );
                drop(replies.send(Err(error)).await);
                return;
            };
            let last = match this.receive(&agent, &envelope, &mut frames, &replies).await {
                Ok(()) => Ok(UploadReply { reply: Some(Reply::Complete(true)) }),
                Err(Stopped::Refused(refusal)) => {
                    let denial = this.refuse(&agent, &envelope, *refusal).await;
                    Ok(UploadReply { reply: Some(Reply::Denial(denial)) })
                }
                Err(Stopped::Failed(status)) => Err(status),
            };
            drop(replies.send(last).await);
        });
        Ok(ReceiverStream::new(stream))
    }

    async fn receive(
        &self,
        agent: &AgentCaller,
        envelope: &wire::Envelope,
        frames: &mut (impl Stream<Item = Result<UploadFrame, Status>> + Unpin),
        replies: &Replies,
    ) -> Result<(), Stopped> {
        let verified = self.check_upload(agent, envelope)?;
        let hashes = receive_hashes(&verified, frames).await?;
        let chunks = hashes.verify(&verified).map_err(|error| mismatch(&verified, error.to_string()))?;
        let name = BodyName { agency: agent.id.agency.clone(), header_digest: verified.header_digest() };
        self.check_room(agent, &verified, &name)?;

        let (bodies, held, lied) = (self.0.parts.bodies.clone(), verified.clone(), name.clone());
        let upload =
            blocking(move || bodies.upload(&name, &held, chunks)).await?.map_err(|error| disk(&error))?;
        let mut upload = Box::new(upload);
        tell(replies, Reply::NextChunk(upload.next_chunk())).await?;
        while !upload.is_whole() {
            let chunks = gather(frames).await?;
            let written = blocking(move || write(upload, &chunks)).await?;
            upload = match written {
                Ok(upload) => upload,
                Err(UploadError::Io(error)) => return Err(disk(&error).into()),
                Err(error) => {
                    // The chunks are not those of the header: there is nothing to go on with.
                    let bodies = self.0.parts.bodies.clone();
                    blocking(move || bodies.remove(&lied)).await?.map_err(|error| disk(&error))?;
                    return Err(mismatch(&verified, error.to_string()).into());
                }
            };
            tell(replies, Reply::NextChunk(upload.next_chunk())).await?;
        }
        blocking(move || upload.sync()).await?.map_err(|error| disk(&error))?;
        Ok(())
    }

    fn check_upload(
        &self,
        agent: &AgentCaller,
        envelope: &wire::Envelope,
    ) -> Result<VerifiedEnvelope, Stopped> {
        let verified = self.check_record(agent, envelope)?;
        if verified.sealed_length() <= INLINE_BODY_LIMIT {
            return Err(mismatch(&verified, format!("inline_limit={INLINE_BODY_LIMIT}")).into());
        }
        let now = self.0.parts.clock.now();
        if let Err(refusal) = self.0.parts.ledger.state().permits(verified.header(), now) {
            let header = Some(Box::new(verified.header().clone()));
            return Err(Refusal { reason: refusal.reason, detail: refusal.detail, header }.into());
        }
        Ok(verified)
    }

    fn check_room(
        &self,
        agent: &AgentCaller,
        verified: &VerifiedEnvelope,
        name: &BodyName,
    ) -> Result<(), Stopped> {
        let (bodies, limit) = (&self.0.parts.bodies, self.0.parts.limits.spool_bytes_per_agency);
        let used = bodies.used(&agent.id.agency).map_err(|error| disk(&error))?;
        let wanted = sealed_length(verified.header().plaintext_length);
        if !bodies.is_complete(name) && used.saturating_add(wanted) > limit {
            let header = Some(Box::new(verified.header().clone()));
            let detail = format!("spool_bytes={limit}");
            return Err(Refusal { reason: Reason::QuotaExceeded, detail, header }.into());
        }
        Ok(())
    }
}

async fn receive_hashes(
    verified: &VerifiedEnvelope,
    frames: &mut (impl Stream<Item = Result<UploadFrame, Status>> + Unpin),
) -> Result<ChunkHashes, Stopped> {
    let (wanted, mut hashes) = (verified.header().chunk_count, ChunkHashes::default());
    while hashes.len() < wanted {
        match frames.next().await.transpose()?.and_then(|frame| frame.frame) {
            Some(Frame::ChunkHashes(bytes)) if hashes.len() + (bytes.len() as u64) / 32 <= wanted => {
                hashes.extend_from_bytes(&bytes).map_err(|error| mismatch(verified, error.to_string()))?;
            }
            Some(_) => return Err(mismatch(verified, "field=chunk_hashes".to_owned()).into()),
            None => return Err(cut().into()),
        }
    }
    Ok(hashes)
}

/// The next chunk, and those that are there already, up to a sync's worth.
async fn gather(
    frames: &mut (impl Stream<Item = Result<UploadFrame, Status>> + Unpin),
) -> Result<Vec<Bytes>, Stopped> {
    let mut chunks = Vec::new();
    while (chunks.len() as u64) < CHUNKS_PER_SYNC {
        let next = if chunks.is_empty() {
            frames.next().await
        } else {
            match futures_util::poll!(frames.next()) {
                std::task::Poll::Ready(next) => next,
                std::task::Poll::Pending => break,
            }
        };
        match next.transpose()?.and_then(|frame| frame.frame) {
            Some(Frame::Chunk(chunk)) => chunks.push(chunk),
            Some(_) => {
                return Err(status::invalid("Un morceau était attendu.", "A chunk was expected.").into());
            }
            None if chunks.is_empty() => return Err(cut().into()),
            None => break,
        }
    }
    Ok(chunks)
}

/// Writes chunks and makes them durable.
fn write(mut upload: Box<Upload>, chunks: &[Bytes]) -> Result<Box<Upload>, UploadError> {
    for chunk in chunks {
        upload.write(chunk)?;
    }
    upload.sync()?;
    Ok(upload)
}

async fn tell(replies: &Replies, reply: Reply) -> Result<(), Stopped> {
    let sent = replies.send(Ok(UploadReply { reply: Some(reply) })).await;
    sent.map_err(|_gone| Stopped::Failed(cut()))
}

fn mismatch(verified: &VerifiedEnvelope, detail: String) -> Refusal {
    Refusal { reason: Reason::BodyMismatch, detail, header: Some(Box::new(verified.header().clone())) }
}

fn cut() -> Status {
    Status::cancelled(
        "Envoi interrompu : reprenez-le avec la même enveloppe. / Upload cut: resume it with the same envelope.",
    )
}

fn disk(error: &std::io::Error) -> Status {
    tracing::error!(%error, "the spool cannot be written");
    Status::unavailable(
        "La passerelle ne peut conserver le corps : réessayez plus tard. / The gateway cannot keep the body: try again later.",
    )
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Status> {
    tokio::task::spawn_blocking(work).await.map_err(|error| status::internal(&error))
}
