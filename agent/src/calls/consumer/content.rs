//! The content of an answer: whole when it is small, otherwise chunk by chunk as it comes.
//!
//! Each chunk is held against the root that the provider signed, and opened, before a byte of it goes on; the last one
//! goes on only when the whole holds. So a content that fails is cut short, and never looks whole.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use passerelle_proto::agreement::FieldRules;
use passerelle_proto::call::head;
use passerelle_proto::envelope::{OpenError, Opener, VerifiedChunks, VerifiedEnvelope};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{HttpResponseHead, call_reply::Reply};

use super::calling::Calling;
use crate::calls::CallError;
use crate::calls::passing::Hashes;
use crate::calls::request::Content;
use crate::link;
use crate::records::blocking::blocking;

type Opened = (HttpResponseHead, u64, Content);

/// A content that came inside its message.
pub(super) async fn whole(
    opener: Opener,
    body: Bytes,
    (id, rules): (ExchangeId, Option<&FieldRules>),
) -> Result<Opened, CallError> {
    let opened = blocking(move || opener.open_small(&body)).await?;
    let mut plain = Bytes::from(opened.map_err(|error| not_believed(error, id))?);
    let head = match split(&plain).map_err(|error| not_believed(error, id))? {
        Some((head, rest)) => {
            plain = plain.slice(rest..);
            head
        }
        None => return Err(not_believed(io::Error::from(io::ErrorKind::UnexpectedEof), id)),
    };
    if let Some(rules) = rules {
        let content_type = head.fields.iter().find(|field| field.name == "content-type");
        let content_type = content_type.and_then(|field| std::str::from_utf8(&field.value).ok());
        let verified = rules.verify(content_type.unwrap_or_default(), &plain);
        verified.map_err(|error| not_believed(error, id))?;
    }
    let length = plain.len() as u64;
    let content = (!plain.is_empty()).then_some(Ok(plain));
    Ok((head, length, Box::pin(stream::iter(content))))
}

/// The head at the beginning of a plaintext, and where the content begins; nothing when there is not enough of it.
fn split(plain: &[u8]) -> Result<Option<(HttpResponseHead, usize)>, head::HeadError> {
    let Some((prefix, rest)) = plain.split_first_chunk() else { return Ok(None) };
    let length = head::length(*prefix)?;
    match rest.get(..length) {
        Some(bytes) => Ok(Some((head::decode(bytes)?, head::LENGTH_SIZE + length))),
        None => Ok(None),
    }
}

/// A content that comes chunk by chunk, once its head is here.
pub(super) async fn flowing(
    opener: Opener,
    verified: VerifiedEnvelope,
    mut calling: Calling,
) -> Result<Opened, CallError> {
    let id = calling.id();
    let mut hashes = Hashes::default();
    let chunks = loop {
        let Some(Reply::ChunkHashes(bytes)) = calling.next().await? else { return Err(calling.broken()) };
        let taken = hashes.take(&bytes, &verified).map_err(|error| not_believed(error, id))?;
        if let Some(chunks) = taken {
            break chunks;
        }
    };
    let mut flow = Flow { opener, chunks: Arc::new(chunks), calling };
    let mut plain = BytesMut::new();
    let (head, rest) = loop {
        let Some(chunk) = flow.next().await? else {
            return Err(not_believed(io::Error::from(io::ErrorKind::UnexpectedEof), id));
        };
        plain.extend_from_slice(&chunk);
        if let Some(found) = split(&plain).map_err(|error| not_believed(error, id))? {
            break found;
        }
    };
    let length = verified.header().plaintext_length.saturating_sub(rest as u64);
    let first = plain.freeze().slice(rest..);
    Ok((head, length, Box::pin(held_back(flow, first))))
}

/// What comes, one chunk behind.
fn held_back(flow: Flow, first: Bytes) -> impl futures_util::Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold(Some((flow, first)), |state| async move {
        let Some((mut flow, held)) = state else { return Ok(None) };
        match flow.next().await {
            Ok(Some(next)) => Ok(Some((held, Some((flow, next))))),
            Ok(None) => Ok(Some((held, None))),
            Err(error) => {
                tracing::warn!(id = %flow.calling.id(), error = %link::chain(&error), "the content of an answer is cut short");
                Err(io::Error::other(error))
            }
        }
    })
}

/// Chunks as they come.
struct Flow {
    opener: Opener,
    chunks: Arc<VerifiedChunks>,
    calling: Calling,
}

impl Flow {
    /// The next plaintext; nothing at an end that holds.
    async fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        let id = self.calling.id();
        let index = self.opener.next_chunk();
        if index == self.chunks.count() {
            self.opener.finish().map_err(|error| not_believed(error, id))?;
            return Ok(None);
        }
        let chunk = match self.calling.next().await? {
            Some(Reply::Chunk(chunk)) => chunk,
            Some(Reply::Denial(denial)) => return Err(CallError::Denied(Box::new(denial), Some(id))),
            _ => return Err(self.calling.broken()),
        };
        self.chunks.check(index, &chunk).map_err(|error| not_believed(OpenError::Body(error), id))?;
        let mut chunk = Vec::from(chunk);
        let length = self.opener.open_chunk(&mut chunk).map_err(|error| not_believed(error, id))?.len();
        chunk.truncate(length);
        Ok(Some(chunk.into()))
    }
}

fn not_believed(error: impl std::error::Error + Send + Sync + 'static, id: ExchangeId) -> CallError {
    CallError::NotBelieved(Box::new(error), id)
}
