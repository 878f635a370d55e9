//! `Download`: the sealed body of a waiting record, from any chunk on, for an agent of a recipient agency.

use bytes::Bytes;
use futures_util::Stream;
use passerelle_proto::wire::{self, DownloadReply, DownloadRequest, download_reply::Part};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::service::ExchangeService;
use super::upload::blocking;
use crate::bodies::{BodyName, Reading};
use crate::rpc::caller::AgentCaller;
use crate::rpc::status;

/// Bytes of hashes in one frame.
const HASHES_PER_FRAME: usize = 1 << 20;
/// Frames ahead of a slow reader.
const AHEAD: usize = 8;

impl ExchangeService {
    pub(super) async fn download_stream(
        &self,
        agent: &AgentCaller,
        request: DownloadRequest,
    ) -> Result<impl Stream<Item = Result<DownloadReply, Status>> + Send + 'static, Status> {
        let agency = agent.id.agency.to_string();
        let record = self.0.parts.ledger.waiting_record(&agency, &request.exchange_id).await?;
        let record = record.ok_or_else(|| {
            Status::not_found(
                "Aucun enregistrement de cet identifiant n'attend votre organisme. / \
                 No record with this id waits for your agency.",
            )
        })?;
        let (name, length) = name_of(&record.envelope)?;
        let bodies = self.0.parts.bodies.clone();
        let opened = blocking(move || bodies.read(&name, length, request.from_chunk)).await?;
        let reading = opened.map_err(|error| status::internal(&error))?;
        let (frames, stream) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || send(reading, &frames));
        Ok(ReceiverStream::new(stream))
    }
}

/// Where the body of a stored record lies: what the gateway accepted needs no second verification.
fn name_of(envelope: &[u8]) -> Result<(BodyName, u64), Status> {
    let envelope = wire::Envelope::decode(envelope).map_err(|error| status::internal(&error))?;
    let header = wire::Header::decode(envelope.header.clone()).map_err(|error| status::internal(&error))?;
    let mut header_digest = [0; 32];
    header_digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, &envelope.header).as_ref());
    let agency = header.sender_agency.parse().map_err(|error| status::internal(&error))?;
    Ok((BodyName { agency, header_digest }, header.plaintext_length))
}

fn send(mut reading: Reading, frames: &mpsc::Sender<Result<DownloadReply, Status>>) {
    let hashes = reading.hashes();
    let mut parts = (0..hashes.len()).step_by(HASHES_PER_FRAME);
    let sent = parts.all(|start| {
        let end = hashes.len().min(start + HASHES_PER_FRAME);
        put(frames, Part::ChunkHashes(hashes.slice(start..end)))
    });
    while sent {
        match reading.next_chunk() {
            Ok(Some(chunk)) if put(frames, Part::Chunk(Bytes::clone(&chunk))) => {}
            Ok(_) => return,
            Err(error) => {
                drop(frames.blocking_send(Err(status::internal(&error))));
                return;
            }
        }
    }
}

fn put(frames: &mpsc::Sender<Result<DownloadReply, Status>>, part: Part) -> bool {
    frames.blocking_send(Ok(DownloadReply { part: Some(part) })).is_ok()
}
