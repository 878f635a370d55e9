//! Bodies above 1 MiB: each chunk is held against the signed root before it is kept, a download that was cut goes on where
//! it was, and the whole is opened once before the record counts as received.

use passerelle_proto::agreement::FieldRules;
use passerelle_proto::envelope::{ChunkHashes, KemKeys, Opener, VerifiedChunks, VerifiedEnvelope};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::minimise::CONTENT_LIMIT;
use passerelle_proto::wire::exchange_client::ExchangeClient;
use passerelle_proto::wire::{DownloadReply, DownloadRequest, Reason, download_reply::Part};
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::judge::{Fault, unreadable};
use super::{Receiver, SessionError};
use crate::inbox::{Inbox, Taking};
use crate::link;
use crate::minimisation;
use crate::records::StoreError;
use crate::records::blocking::blocking;
use crate::spool::{Spool, SpoolWriter};

/// Chunks between the connection and the disk.
const AHEAD: usize = 8;

impl Receiver {
    /// Brings the body of a record into the spool, whole, durable and known to open.
    pub(super) async fn download(
        &self,
        channel: Channel,
        verified: &VerifiedEnvelope,
        rules: Option<FieldRules>,
        taking: &Taking,
    ) -> Result<(), Fault> {
        let (id, spool) = (verified.exchange_id(), self.inbox.spool().clone());
        if !spool.has(id) {
            self.fetch(channel, verified, &spool, taking.clone()).await?;
        }
        let (keys, inbox, envelope) = (self.identity.kem_keys(), self.inbox.clone(), verified.clone());
        blocking(move || opens(&inbox, &envelope, &keys, rules.as_ref())).await?
    }

    /// The file stays this delivery's own until it is let go of, even when nobody waits for it any more.
    async fn fetch(
        &self,
        channel: Channel,
        verified: &VerifiedEnvelope,
        spool: &Spool,
        taking: Taking,
    ) -> Result<(), Fault> {
        let id = verified.exchange_id();
        let (here, envelope) = (spool.clone(), verified.clone());
        let held = taking.clone();
        let mut writer = blocking(move || keeping(held, || resume(&here, &envelope))).await??;
        let from_chunk = writer.as_ref().map_or(0, |(writer, _)| writer.next_chunk());
        let request = DownloadRequest { exchange_id: id.to_wire(), from_chunk };
        let mut parts = link::call(ExchangeClient::new(channel).download(request)).await?;
        let hashes = hashes(&mut parts, verified).await?;
        if writer.is_none() {
            let chunks = hashes.verify(verified).map_err(|_| Fault::Refused(Reason::BodyMismatch))?;
            let here = spool.clone();
            let held = taking.clone();
            writer = Some(blocking(move || keeping(held, || begin(&here, id, chunks))).await??);
        }
        let Some((writer, chunks)) = writer else { return Err(SessionError::NotYet.into()) };
        let incoming = self.inbox.incoming().clone();
        incoming.begun(verified, writer.next_chunk());
        self.inbox.tell();
        let (give, taken) = mpsc::channel(AHEAD);
        let reached = move |chunks| incoming.reached(id, chunks);
        let folder = spool.folder().to_path_buf();
        let written = tokio::task::spawn_blocking(move || {
            keeping(taking, || write(writer, &chunks, taken, &reached).map_err(StoreError::file(folder)))
        });
        while let Some(part) = parts.message().await? {
            let Some(Part::Chunk(chunk)) = part.part else { return Err(unexpected().into()) };
            if give.send(chunk).await.is_err() {
                break;
            }
        }
        drop(give);
        match written.await.map_err(|_| StoreError::Stopping)?? {
            Ended::Whole => Ok(()),
            Ended::Cut => Err(Status::unavailable("the download was cut; it goes on from there").into()),
            Ended::Wrong => {
                // Only the gateway, or its disk, can be at fault: the sender's header was verified.
                tracing::error!(%id, "the gateway gave a chunk that is not the one that was signed");
                self.inbox.incoming().wrong(id);
                Err(SessionError::NotYet.into())
            }
        }
    }
}

/// How a download ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Ended {
    /// The body is whole, durable and named.
    Whole,
    /// Nothing more came.
    Cut,
    /// A chunk came that is none of this body.
    Wrong,
}

/// Does what nobody else may do for the same exchange meanwhile.
fn keeping<T>(taking: Taking, work: impl FnOnce() -> T) -> T {
    let done = work();
    drop(taking);
    done
}

type Begun = (SpoolWriter, VerifiedChunks);

/// Goes on with a body whose hashes are here.
fn resume(spool: &Spool, verified: &VerifiedEnvelope) -> Result<Option<Begun>, StoreError> {
    let id = verified.exchange_id();
    let failed = || StoreError::file(spool.folder());
    let kept = spool.hashes(id).map_err(failed())?;
    let Some(chunks) = kept.and_then(|hashes| hashes.verify(verified).ok()) else { return Ok(None) };
    let writer = spool.resume(id, &chunks).map_err(failed())?;
    Ok(Some((writer, chunks)))
}

/// Begins a body: its hashes are durable first.
fn begin(spool: &Spool, id: ExchangeId, chunks: VerifiedChunks) -> Result<Begun, StoreError> {
    let failed = || StoreError::file(spool.folder());
    spool.keep_hashes(id, chunks.hashes()).map_err(failed())?;
    let writer = spool.resume(id, &chunks).map_err(failed())?;
    Ok((writer, chunks))
}

/// The hashes that come before the chunks.
async fn hashes(
    parts: &mut Streaming<DownloadReply>,
    verified: &VerifiedEnvelope,
) -> Result<ChunkHashes, Status> {
    let mut hashes = ChunkHashes::default();
    while hashes.len() < verified.header().chunk_count {
        match parts.message().await?.and_then(|part| part.part) {
            Some(Part::ChunkHashes(bytes)) => hashes.extend_from_bytes(&bytes).map_err(|_| unexpected())?,
            _ => return Err(unexpected()),
        }
    }
    Ok(hashes)
}

/// Writes chunks as they come. A wrong chunk ends the download: what was right stays.
fn write(
    mut writer: SpoolWriter,
    chunks: &VerifiedChunks,
    mut taken: mpsc::Receiver<bytes::Bytes>,
    reached: &dyn Fn(u64),
) -> std::io::Result<Ended> {
    while writer.next_chunk() < chunks.count() {
        let Some(chunk) = taken.blocking_recv() else { return Ok(Ended::Cut) };
        if chunks.check(writer.next_chunk(), &chunk).is_err() {
            return Ok(Ended::Wrong);
        }
        writer.push_checked(&chunk)?;
        reached(writer.next_chunk());
    }
    writer.commit()?;
    Ok(Ended::Whole)
}

/// Opens the body from the first chunk to the last, and keeps nothing of it; whole where an agreement restricts its fields.
fn opens(
    inbox: &Inbox,
    verified: &VerifiedEnvelope,
    keys: &KemKeys,
    rules: Option<&FieldRules>,
) -> Result<(), Fault> {
    let refused = || Fault::Refused(Reason::FieldNotCovered);
    if rules.is_some() && verified.header().plaintext_length > CONTENT_LIMIT {
        return Err(refused());
    }
    let failed = || StoreError::file(inbox.spool().folder());
    let mut opener =
        Opener::new(verified, keys, inbox.decapsulations()).map_err(|error| unreadable(&error))?;
    let mut reader = inbox.spool().read(verified.exchange_id()).map_err(failed())?;
    let (mut chunk, mut whole) = (Vec::new(), Vec::new());
    while reader.next(&mut chunk).map_err(failed())? {
        let plain = opener.open_chunk(&mut chunk).map_err(|error| unreadable(&error))?;
        if rules.is_some() {
            whole.extend_from_slice(plain);
        }
    }
    opener.finish().map_err(|error| unreadable(&error))?;
    if minimisation::is_minimal(verified.header(), whole, rules) { Ok(()) } else { Err(refused()) }
}

fn unexpected() -> Status {
    Status::internal("the gateway sent something else than the body")
}

#[cfg(test)]
mod tests {
    use passerelle_proto::envelope::SEALED_CHUNK_SIZE;

    use super::*;
    use crate::identity::house::{House, START};
    use crate::records::fixtures::{sealed, verified};

    #[tokio::test]
    async fn a_download_that_was_cut_goes_on_after_the_last_chunk_that_is_right() {
        let house = House::new();
        let (ramq, saaq) = (house.member("ramq/agent-1"), house.member("saaq/agent-1"));
        let record = sealed(&ramq, &saaq, &[5; 200_000], START);
        let (_, envelope) = verified(&ramq, &record);
        let body = record.body.clone().unwrap();
        let chunks: Vec<bytes::Bytes> =
            body.chunks(SEALED_CHUNK_SIZE).map(bytes::Bytes::copy_from_slice).collect();
        let mut hashes = ChunkHashes::default();
        chunks.iter().for_each(|chunk| hashes.push(passerelle_proto::tlog::leaf_hash(chunk)));
        let spool = Spool::open(&house.data_dir("bodies")).unwrap();
        let given = |chunks: &[bytes::Bytes]| {
            let (give, taken) = mpsc::channel(AHEAD);
            chunks.iter().for_each(|chunk| give.try_send(chunk.clone()).unwrap());
            taken
        };

        assert!(resume(&spool, &envelope).unwrap().is_none());
        let (writer, verified) =
            begin(&spool, record.exchange_id, hashes.verify(&envelope).unwrap()).unwrap();
        // The second chunk is not the one of its place.
        let wrong = [chunks[0].clone(), chunks[2].clone()];
        let taken = given(&wrong);
        let written = tokio::task::spawn_blocking(move || write(writer, &verified, taken, &|_| {}));
        assert_eq!(written.await.unwrap().unwrap(), Ended::Wrong);
        assert!(!spool.has(record.exchange_id));

        let (writer, verified) = resume(&spool, &envelope).unwrap().unwrap();
        assert_eq!(writer.next_chunk(), 1);
        let taken = given(&chunks[1..]);
        let written = tokio::task::spawn_blocking(move || write(writer, &verified, taken, &|_| {}));
        assert_eq!(written.await.unwrap().unwrap(), Ended::Whole);
        let (mut reader, mut chunk, mut whole) =
            (spool.read(record.exchange_id).unwrap(), Vec::new(), Vec::new());
        while reader.next(&mut chunk).unwrap() {
            whole.extend_from_slice(&chunk);
        }
        assert!(whole == body);
    }
}
