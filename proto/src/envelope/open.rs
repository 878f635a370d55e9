//! Opening a record: unwrap, commitment, attributes, then the body chunk by chunk in constant memory.

use super::attributes;
use super::chunks::{BodyError, Tree, sealed_chunk_length, sealed_length};
use super::decapsulation::DecapsulationCache;
use super::encapsulation::info;
use super::kem::{KemKey, KemKeys};
use super::limits::SEALED_CHUNK_SIZE;
use super::schedule::{self, CipherFault, ContentKey, Schedule};
use super::stream::{ChunkError, Stream};
use super::verified::VerifiedEnvelope;
use crate::tlog::leaf_hash;
use crate::wire::{RecipientKey, SealedAttributes};

/// Why a record does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The caller's: none of the keys given is one that the record was sealed to.
    #[error("the record is sealed to none of these keys")]
    NotForUs,
    /// The sender's fault: what is wrapped for this key does not unwrap. So it is as well with keys that were copied
    /// from another sender's envelope or another exchange.
    #[error("the content key does not unwrap")]
    Unwrap,
    /// The sender's fault: the content key is not the one that the header commits to, so that recipients could be
    /// shown different texts.
    #[error("the content key is not the one that the header commits to")]
    Commitment,
    /// The sender's fault: the attributes do not open.
    #[error("the sealed attributes do not open")]
    AttributesSealed,
    /// The sender's fault: the attributes contradict the header.
    #[error("the sealed attributes contradict the header: {0}")]
    Attributes(&'static str),
    /// A chunk does not open, or is none of this body.
    #[error("the body does not open")]
    Chunk(#[source] ChunkError),
    /// The body is not the one that the header promises.
    #[error("the body is not the one that was signed")]
    Body(#[source] BodyError),
    /// The caller's: finished before the last chunk.
    #[error("the body was not read to its end: chunk {0} is next")]
    Unfinished(u64),
    /// Ours.
    #[error("the record could not be opened")]
    Cipher(#[source] CipherFault),
}

impl From<CipherFault> for OpenError {
    fn from(fault: CipherFault) -> Self {
        Self::Cipher(fault)
    }
}

/// A record being opened, chunk by chunk.
///
/// Every chunk is authentic for its place when it comes out. That it is the whole body, and the one whose root was
/// signed, is known only after [`Opener::finish`]: nothing may be released before that to a system that must have all
/// or nothing.
pub struct Opener {
    envelope: VerifiedEnvelope,
    attributes: SealedAttributes,
    content_key: ContentKey,
    stream: Stream,
    tree: Tree,
}

impl Opener {
    /// Unwraps the content key with one of `keys`, checks the commitment to it, and opens the attributes.
    ///
    /// # Errors
    /// [`OpenError`] when the record is for others, or was not sealed as it says.
    pub fn new(
        envelope: &VerifiedEnvelope,
        keys: &KemKeys,
        decapsulations: &DecapsulationCache,
    ) -> Result<Self, OpenError> {
        let header = envelope.header();
        let mut entries = header.recipient_keys.iter();
        let ours = entries.find_map(|entry| keys.find(&entry.key_id).map(|key| (entry, key)));
        let (entry, key) = ours.ok_or(OpenError::NotForUs)?;
        let content_key = unwrap(envelope, entry, key, decapsulations)?;
        Self::with_content_key(envelope, content_key)
    }

    pub(super) fn with_content_key(
        envelope: &VerifiedEnvelope,
        content_key: ContentKey,
    ) -> Result<Self, OpenError> {
        let (header, exchange_id) = (envelope.header(), envelope.exchange_id());
        let schedule = Schedule::new(&content_key, &exchange_id);
        if !schedule.is_committed(&header.commitment)? {
            return Err(OpenError::Commitment);
        }
        let attributes = attributes::open(&schedule, &exchange_id, &header.sealed_attributes)?
            .ok_or(OpenError::AttributesSealed)?;
        attributes::agree(header, &attributes).map_err(OpenError::Attributes)?;
        let stream = Stream::new(schedule.body_key()?);
        Ok(Self { envelope: envelope.clone(), attributes, content_key, stream, tree: Tree::default() })
    }

    /// What only the recipient may see beside the body.
    #[must_use]
    pub fn attributes(&self) -> &SealedAttributes {
        &self.attributes
    }

    /// The place of the next chunk, from 0.
    #[must_use]
    pub fn next_chunk(&self) -> u64 {
        self.stream.next()
    }

    /// Opens the next sealed chunk in place, and gives its plaintext: the same bytes without the tag.
    ///
    /// # Errors
    /// [`OpenError::Body`] for a chunk of another length than its place demands or beyond the last,
    /// [`OpenError::Chunk`] for one that does not open. The content of `chunk` is then undefined; the opener is as
    /// before.
    pub fn open_chunk<'a>(&mut self, chunk: &'a mut [u8]) -> Result<&'a mut [u8], OpenError> {
        let header = self.envelope.header();
        let index = self.stream.next();
        let expected = sealed_chunk_length(header.plaintext_length, index)
            .ok_or(OpenError::Body(BodyError::NoChunk(index)))?;
        if chunk.len() != expected {
            let found = chunk.len();
            return Err(OpenError::Body(BodyError::ChunkLength { index, found, expected }));
        }
        let hash = leaf_hash(chunk);
        let last = index + 1 == header.chunk_count;
        let plaintext = self.stream.open(chunk, last).map_err(OpenError::Chunk)?;
        self.tree.push(hash);
        Ok(plaintext)
    }

    /// Checks that the whole body was opened, and that it is the one whose root was signed.
    ///
    /// # Errors
    /// [`OpenError::Unfinished`] or [`OpenError::Body`]; what came out before must then be thrown away.
    pub fn finish(&self) -> Result<(), OpenError> {
        if !self.stream.ended() {
            return Err(OpenError::Unfinished(self.stream.next()));
        }
        if self.tree.root().as_bytes()[..] == self.envelope.header().body_root {
            Ok(())
        } else {
            Err(OpenError::Body(BodyError::Root))
        }
    }

    /// Opens a whole sealed body, and gives its plaintext once everything holds.
    ///
    /// # Errors
    /// [`OpenError`] when it is not the body that the sender sealed and signed.
    pub fn open_small(mut self, body: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (found, expected) = (body.len() as u64, sealed_length(self.envelope.header().plaintext_length));
        if found != expected {
            return Err(OpenError::Body(BodyError::Length { found, expected }));
        }
        let mut plaintext = Vec::with_capacity(body.len());
        for chunk in body.chunks(SEALED_CHUNK_SIZE) {
            let start = plaintext.len();
            plaintext.extend_from_slice(chunk);
            let opened = self.open_chunk(plaintext.get_mut(start..).unwrap_or_default())?.len();
            plaintext.truncate(start + opened);
        }
        self.finish()?;
        Ok(plaintext)
    }

    pub(super) fn content_key(&self) -> &ContentKey {
        &self.content_key
    }
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener")
            .field("exchange_id", &self.envelope.exchange_id())
            .field("next_chunk", &self.next_chunk())
            .finish_non_exhaustive()
    }
}

fn unwrap(
    envelope: &VerifiedEnvelope,
    entry: &RecipientKey,
    key: &KemKey,
    decapsulations: &DecapsulationCache,
) -> Result<ContentKey, OpenError> {
    let (header, exchange_id) = (envelope.header(), envelope.exchange_id());
    let info = info(&header.sender_agency, envelope.signing_key_id().as_bytes(), &entry.key_id);
    let context = decapsulations.decapsulate(key, &entry.encapsulated, &info).ok_or(OpenError::Unwrap)?;
    let wrap_key = context.wrap_key(&exchange_id)?;
    let content_key = schedule::unwrap(&wrap_key, &entry.key_id, &exchange_id, &entry.wrapped)?;
    let content_key = content_key.ok_or(OpenError::Unwrap)?;
    decapsulations.remember(&context);
    Ok(content_key)
}
