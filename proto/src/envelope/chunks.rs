//! The body's chunks: how many, how long, and the hashes by which each is checked.
//!
//! Nothing here needs a key: it is what the gateway checks of a body, and what makes an upload resumable at any chunk.

use bytes::Bytes;

use super::limits::{CHUNK_SIZE, PLAINTEXT_LIMIT, SEALED_CHUNK_SIZE, TAG_SIZE};
use super::verified::VerifiedEnvelope;
use crate::tlog::{Frontier, HASH_SIZE, Hash, leaf_hash};

/// Why a body is not the one that a header promises. Whoever sent the body is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The body is longer or shorter than the header says.
    #[error("the sealed body has {found} bytes, not {expected}")]
    Length {
        /// Bytes found.
        found: u64,
        /// Bytes that follow from the header.
        expected: u64,
    },
    /// There are more or fewer chunks, or hashes, than the header says.
    #[error("the sealed body has {found} chunks, not {expected}")]
    Count {
        /// Chunks found.
        found: u64,
        /// Chunks that the header says.
        expected: u64,
    },
    /// Bytes that are not a whole number of hashes.
    #[error("{0} bytes are not hashes of 32 bytes")]
    Hashes(usize),
    /// The hashes do not lead to the header's root.
    #[error("the chunks are not those of the signed root")]
    Root,
    /// A chunk has another length than its place demands.
    #[error("chunk {index} has {found} bytes, not {expected}")]
    ChunkLength {
        /// Place of the chunk, from 0.
        index: u64,
        /// Bytes found.
        found: usize,
        /// Bytes that its place demands.
        expected: usize,
    },
    /// A chunk is not the one that was hashed for its place.
    #[error("chunk {0} is not the one of the signed root")]
    Chunk(u64),
    /// A chunk beyond the last.
    #[error("there is no chunk {0}")]
    NoChunk(u64),
}

/// Chunks of a body of so many plaintext bytes: at least 1, since an empty body is one empty chunk.
#[must_use]
pub const fn chunk_count(plaintext_length: u64) -> u64 {
    if plaintext_length == 0 { 1 } else { plaintext_length.div_ceil(CHUNK_SIZE as u64) }
}

/// Bytes of the sealed body of so many plaintext bytes: a tag for every chunk. Saturates.
#[must_use]
pub const fn sealed_length(plaintext_length: u64) -> u64 {
    plaintext_length.saturating_add(chunk_count(plaintext_length).saturating_mul(TAG_SIZE as u64))
}

/// Bytes of the sealed chunk at `index`; `None` beyond the last.
#[must_use]
pub fn sealed_chunk_length(plaintext_length: u64, index: u64) -> Option<usize> {
    let last = chunk_count(plaintext_length) - 1;
    if index < last {
        return Some(SEALED_CHUNK_SIZE);
    }
    let rest = plaintext_length.checked_sub(index.checked_mul(CHUNK_SIZE as u64)?)?;
    (index == last).then_some(usize::try_from(rest).ok()? + TAG_SIZE)
}

/// The leaf hashes of a body's sealed chunks, in order: `SHA-256(0x00 || sealed chunk)` each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkHashes(Vec<Hash>);

impl ChunkHashes {
    /// Reads hashes of 32 bytes, one after another.
    ///
    /// # Errors
    /// [`BodyError::Hashes`] unless they are a whole number of hashes, [`BodyError::Count`] when they are more than
    /// any body has.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BodyError> {
        let mut hashes = Self::default();
        hashes.extend_from_bytes(bytes)?;
        Ok(hashes)
    }

    /// Reads more hashes, behind those that are here.
    ///
    /// # Errors
    /// As [`ChunkHashes::from_bytes`]; nothing was added then.
    pub fn extend_from_bytes(&mut self, bytes: &[u8]) -> Result<(), BodyError> {
        let (hashes, rest) = bytes.as_chunks::<HASH_SIZE>();
        if !rest.is_empty() {
            return Err(BodyError::Hashes(bytes.len()));
        }
        let (found, expected) = (self.len() + hashes.len() as u64, chunk_count(PLAINTEXT_LIMIT));
        if found > expected {
            return Err(BodyError::Count { found, expected });
        }
        self.0.extend(hashes.iter().copied().map(Hash::from_bytes));
        Ok(())
    }

    /// Adds the hash of the next chunk.
    pub fn push(&mut self, hash: Hash) {
        self.0.push(hash);
    }

    /// The hashes.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.0
    }

    /// How many hashes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The hashes, 32 bytes each, one after another.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.0.iter().flat_map(|hash| *hash.as_bytes()).collect::<Vec<u8>>().into()
    }

    /// The root over them (RFC 6962 section 2.1).
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut tree = Tree::default();
        self.0.iter().for_each(|hash| tree.push(*hash));
        tree.root()
    }

    /// Checks that these are the hashes that the sender signed: their number, and their root.
    ///
    /// # Errors
    /// [`BodyError::Count`] or [`BodyError::Root`].
    pub fn verify(self, envelope: &VerifiedEnvelope) -> Result<VerifiedChunks, BodyError> {
        let header = envelope.header();
        if self.len() != header.chunk_count {
            return Err(BodyError::Count { found: self.len(), expected: header.chunk_count });
        }
        if self.root().as_bytes()[..] != header.body_root {
            return Err(BodyError::Root);
        }
        Ok(VerifiedChunks { hashes: self, plaintext_length: header.plaintext_length })
    }
}

/// Chunk hashes that lead to the root of a verified header. Only [`ChunkHashes::verify`] makes them.
#[derive(Clone, Debug)]
pub struct VerifiedChunks {
    hashes: ChunkHashes,
    plaintext_length: u64,
}

impl VerifiedChunks {
    /// Checks one sealed chunk by itself: its length and its hash.
    ///
    /// # Errors
    /// [`BodyError`] when it is not the sender's chunk of that place.
    pub fn check(&self, index: u64, chunk: &[u8]) -> Result<(), BodyError> {
        let expected = sealed_chunk_length(self.plaintext_length, index).ok_or(BodyError::NoChunk(index))?;
        if chunk.len() != expected {
            return Err(BodyError::ChunkLength { index, found: chunk.len(), expected });
        }
        let place = usize::try_from(index).map_err(|_| BodyError::NoChunk(index))?;
        let hash = self.hashes.0.get(place).ok_or(BodyError::NoChunk(index))?;
        if leaf_hash(chunk) == *hash { Ok(()) } else { Err(BodyError::Chunk(index)) }
    }

    /// The hashes.
    #[must_use]
    pub fn hashes(&self) -> &ChunkHashes {
        &self.hashes
    }

    /// How many chunks.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.hashes.len()
    }
}

/// Checks a whole sealed body against its header, without any key: length, then root.
///
/// # Errors
/// [`BodyError`] when it is not the body that the sender signed.
pub fn verify_body(envelope: &VerifiedEnvelope, body: &[u8]) -> Result<(), BodyError> {
    let header = envelope.header();
    let (found, expected) = (body.len() as u64, sealed_length(header.plaintext_length));
    if found != expected {
        return Err(BodyError::Length { found, expected });
    }
    let mut tree = Tree::default();
    body.chunks(SEALED_CHUNK_SIZE).for_each(|chunk| tree.push(leaf_hash(chunk)));
    if tree.root().as_bytes()[..] == header.body_root { Ok(()) } else { Err(BodyError::Root) }
}

/// The root over chunks that come one by one, in constant memory.
#[derive(Debug, Default)]
pub(super) struct Tree(Frontier);

impl Tree {
    /// Adds a chunk. Bodies are bounded far below what a tree holds, and the root of a tree that stopped growing
    /// would fit no header.
    pub(super) fn push(&mut self, hash: Hash) {
        let pushed = self.0.push(hash);
        debug_assert!(pushed.is_ok(), "a body has fewer chunks than a tree has leaves");
    }

    pub(super) fn root(&self) -> Hash {
        self.0.root()
    }
}
