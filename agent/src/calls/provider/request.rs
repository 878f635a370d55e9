//! The content of a request: opened to its end before the service is touched.
//!
//! A small one is in memory. A larger one is taken into the spool as it was sealed, each chunk held against the signed
//! root, and opened once to see that it opens; the service then reads it as it is opened again.

use std::io;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::Frame;
use passerelle_proto::call::head;
use passerelle_proto::envelope::{
    DecapsulationCache, INLINE_BODY_LIMIT, KemKeys, OpenError, Opener, VerifiedChunks, VerifiedEnvelope,
    verify_body,
};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::calls_client::CallsClient;
use passerelle_proto::wire::{HttpRequestHead, Reason, SealedAttributes, TakeBodyRequest, body_part::Part};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::{Failure, Provider};
use crate::calls::Calls;
use crate::calls::passing::{AHEAD, Hashes, Passing};
use crate::link;
use crate::records::StoreError;
use crate::records::blocking::blocking;
use crate::spool::{Spool, SpoolReader, SpoolWriter};

/// A request that was opened to its end.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) head: HttpRequestHead,
    pub(super) attributes: SealedAttributes,
    /// Bytes of its content.
    pub(super) length: u64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Memory(Bytes),
    /// The guard, the opened envelope, and how many bytes of plaintext stand before the content.
    Spooled(Passing, Box<VerifiedEnvelope>, usize),
}

/// A request's content on its way to the service.
pub(super) type Outgoing =
    Either<Full<Bytes>, StreamBody<std::pin::Pin<Box<dyn Stream<Item = io::Result<Frame<Bytes>>> + Send>>>>;

impl Provider {
    /// Opens a request whose envelope was believed.
    pub(super) async fn open(
        &self,
        channel: &Channel,
        envelope: &VerifiedEnvelope,
        body: &Bytes,
    ) -> Result<Opened, Failure> {
        let (calls, verified) = (self.0.calls.clone(), envelope.clone());
        if envelope.sealed_length() <= INLINE_BODY_LIMIT {
            verify_body(envelope, body)
                .map_err(|error| Failure::new(Reason::BodyMismatch, error.to_string()))?;
            let body = body.clone();
            return blocking(move || whole(&calls, &verified, &body)).await?;
        }
        let passing = self.fetch(channel, envelope).await?;
        blocking(move || spooled(&calls, verified, passing)).await?
    }

    /// Takes the body into the spool, every chunk checked.
    async fn fetch(&self, channel: &Channel, envelope: &VerifiedEnvelope) -> Result<Passing, Failure> {
        let (id, spool) = (envelope.exchange_id(), self.0.calls.0.spool.clone());
        let cut = |error: tonic::Status| {
            tracing::debug!(%id, error = %error.message(), "the body of a call was not had");
            Failure::new(Reason::BodyMismatch, "body=cut short")
        };
        let mut client = CallsClient::new(channel.clone());
        let request = TakeBodyRequest { exchange_id: id.to_wire() };
        let mut parts = link::call(client.take_body(request)).await.map_err(cut)?;
        let mut hashes = Hashes::default();
        let chunks = loop {
            let part = parts.message().await.map_err(cut)?.and_then(|part| part.part);
            let Some(Part::ChunkHashes(bytes)) = part else {
                return Err(Failure::new(Reason::BodyMismatch, "body=no hashes"));
            };
            if let Some(chunks) = hashes.take(&bytes, envelope).map_err(cut)? {
                break chunks;
            }
        };
        let (give, taken) = mpsc::channel(AHEAD);
        let written = tokio::task::spawn_blocking(move || write(&spool, id, &chunks, taken));
        while let Some(part) = parts.message().await.map_err(cut)? {
            let Some(Part::Chunk(chunk)) = part.part else { break };
            if give.send(chunk).await.is_err() {
                break;
            }
        }
        drop(give);
        match written.await.map_err(|_| StoreError::Stopping)?? {
            Some(passing) => Ok(passing),
            None => Err(Failure::new(Reason::BodyMismatch, "body=cut short")),
        }
    }
}

fn unreadable(error: &OpenError) -> Failure {
    tracing::warn!(error = %link::chain(error), "a call does not open");
    Failure::new(Reason::Unreadable, "")
}

/// Writes chunks as they come; nothing when they are not the signed ones, or not all of them.
fn write(
    spool: &Spool,
    id: ExchangeId,
    chunks: &VerifiedChunks,
    mut taken: mpsc::Receiver<Bytes>,
) -> Result<Option<Passing>, StoreError> {
    let failed = || StoreError::file(spool.folder());
    let mut writer: SpoolWriter = spool.create(id).map_err(failed())?;
    for hash in chunks.hashes().hashes() {
        let Some(chunk) = taken.blocking_recv() else { return Ok(None) };
        if chunks.check(writer.next_chunk(), &chunk).is_err() {
            return Ok(None);
        }
        writer.push(&chunk, *hash).map_err(failed())?;
    }
    writer.commit().map_err(failed())?;
    Ok(Some(Passing::new(spool, id)))
}

fn opener(calls: &Calls, envelope: &VerifiedEnvelope) -> Result<Opener, OpenError> {
    let keys: std::sync::Arc<KemKeys> = calls.0.planner.identity.kem_keys();
    let cache: &DecapsulationCache = &calls.0.decapsulations;
    Opener::new(envelope, &keys, cache)
}

/// The head, and how many bytes it takes with its length; nothing when there is not enough of it yet.
fn split(plain: &[u8]) -> Result<Option<(HttpRequestHead, usize)>, Failure> {
    let wrong = |error: head::HeadError| {
        tracing::warn!(error = %link::chain(&error), "the head of a call is refused");
        Failure::new(Reason::HeaderMalformed, "body=head")
    };
    let Some((prefix, rest)) = plain.split_first_chunk() else { return Ok(None) };
    let length = head::length(*prefix).map_err(wrong)?;
    let Some(bytes) = rest.get(..length) else { return Ok(None) };
    Ok(Some((head::decode(bytes).map_err(wrong)?, head::LENGTH_SIZE + length)))
}

fn no_head() -> Failure {
    Failure::new(Reason::HeaderMalformed, "body=head")
}

fn whole(calls: &Calls, envelope: &VerifiedEnvelope, body: &[u8]) -> Result<Opened, Failure> {
    let opener = opener(calls, envelope).map_err(|error| unreadable(&error))?;
    let attributes = opener.attributes().clone();
    let plain = Bytes::from(opener.open_small(body).map_err(|error| unreadable(&error))?);
    let (head, begin) = split(&plain)?.ok_or_else(no_head)?;
    let content = plain.slice(begin..);
    Ok(Opened { head, attributes, length: content.len() as u64, content: Content::Memory(content) })
}

/// Opens a body from the first chunk to the last, and keeps only its head.
fn spooled(calls: &Calls, envelope: VerifiedEnvelope, passing: Passing) -> Result<Opened, Failure> {
    let mut opener = opener(calls, &envelope).map_err(|error| unreadable(&error))?;
    let (mut reader, _) = passing.open()?;
    let (mut chunk, mut plain, mut found) = (Vec::new(), Vec::new(), None);
    while reader.next(&mut chunk).map_err(StoreError::file("calls"))? {
        let opened = opener.open_chunk(&mut chunk).map_err(|error| unreadable(&error))?;
        if found.is_none() {
            plain.extend_from_slice(opened);
            found = split(&plain)?;
        }
    }
    opener.finish().map_err(|error| unreadable(&error))?;
    let (head, begin) = found.ok_or_else(no_head)?;
    let length = envelope.header().plaintext_length.saturating_sub(begin as u64);
    let attributes = opener.attributes().clone();
    Ok(Opened { head, attributes, length, content: Content::Spooled(passing, Box::new(envelope), begin) })
}

impl Opened {
    /// Whether there is content at all.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The content as the service reads it, and what keeps it until then.
    pub(super) fn into_body(self, calls: &Calls) -> Result<(Outgoing, Option<Passing>), Failure> {
        match self.content {
            Content::Memory(bytes) => Ok((Either::Left(Full::new(bytes)), None)),
            Content::Spooled(passing, envelope, begin) => {
                let opener = opener(calls, &envelope).map_err(|error| unreadable(&error))?;
                let (reader, _) = passing.open()?;
                let (give, taken) = mpsc::channel(AHEAD);
                tokio::task::spawn_blocking(move || read(opener, reader, begin, &give));
                let frames = ReceiverStream::new(taken).map(|bytes| bytes.map(Frame::data));
                Ok((Either::Right(StreamBody::new(Box::pin(frames))), Some(passing)))
            }
        }
    }
}

/// Opens chunk by chunk, as fast as the service reads, from byte `begin` of the plaintext on.
fn read(mut opener: Opener, mut reader: SpoolReader, begin: usize, give: &mpsc::Sender<io::Result<Bytes>>) {
    let (mut chunk, mut skip) = (Vec::new(), begin);
    loop {
        let opened = match reader.next(&mut chunk) {
            Ok(false) => return,
            Ok(true) => opener.open_chunk(&mut chunk).map_err(io::Error::other).map(|plain| {
                let now = skip.min(plain.len());
                skip -= now;
                Bytes::copy_from_slice(plain.get(now..).unwrap_or_default())
            }),
            Err(error) => Err(error),
        };
        let failed = opened.is_err();
        // The service may have gone.
        if give.blocking_send(opened).is_err() || failed {
            return;
        }
    }
}
