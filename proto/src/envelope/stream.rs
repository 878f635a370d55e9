//! Sealing and opening chunks: the STREAM construction as in age v1 (Hoang, Reyhanitabar, Rogaway and Vizár, 2015).
//!
//! Nonce of chunk *n*: *n* in 11 bytes, big-endian, then 0x01 on the last chunk and 0x00 before it. So a body that is
//! cut, extended, reordered or has a chunk twice does not open. Chunks are sealed and opened in place.

use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce, Tag};

use super::limits::{CHUNK_SIZE, TAG_SIZE};

/// Why a chunk cannot be the next one.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// A chunk before the last is full; the last is not empty unless it is the only one.
    #[error("chunk {index} cannot have {found} plaintext bytes there")]
    Shape {
        /// Place of the chunk, from 0.
        index: u64,
        /// Plaintext bytes found.
        found: usize,
    },
    /// The last chunk has been there already.
    #[error("a chunk after the last")]
    Ended,
    /// The chunk was not sealed for this place under this key, or was altered.
    #[error("chunk {0} does not open")]
    Unauthentic(u64),
}

/// One direction of one body.
pub(super) struct Stream {
    key: LessSafeKey,
    next: u64,
    ended: bool,
}

impl Stream {
    pub(super) fn new(key: LessSafeKey) -> Self {
        Self { key, next: 0, ended: false }
    }

    /// The place of the next chunk.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Whether the last chunk has been there.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Seals the next chunk in place and gives its tag.
    pub(super) fn seal(&mut self, plaintext: &mut [u8], last: bool) -> Result<Tag, ChunkError> {
        self.check(plaintext.len(), last)?;
        let nonce = nonce(self.next, last);
        let sealed = self.key.seal_in_place_separate_tag(nonce, Aad::empty(), plaintext);
        // The library refuses lengths that a chunk does not have.
        let tag = sealed.map_err(|_| ChunkError::Unauthentic(self.next))?;
        self.advance(last);
        Ok(tag)
    }

    /// Opens the next chunk in place and gives its plaintext, the beginning of the same bytes.
    pub(super) fn open<'a>(&mut self, sealed: &'a mut [u8], last: bool) -> Result<&'a mut [u8], ChunkError> {
        let index = self.next;
        let length = sealed.len().checked_sub(TAG_SIZE).ok_or(ChunkError::Unauthentic(index))?;
        self.check(length, last)?;
        let opened = self.key.open_in_place(nonce(index, last), Aad::empty(), sealed);
        let plaintext = opened.map_err(|_| ChunkError::Unauthentic(index))?;
        self.advance(last);
        Ok(plaintext)
    }

    fn check(&self, length: usize, last: bool) -> Result<(), ChunkError> {
        if self.ended {
            return Err(ChunkError::Ended);
        }
        let fits = if !last {
            length == CHUNK_SIZE
        } else if self.next == 0 {
            length <= CHUNK_SIZE
        } else {
            (1..=CHUNK_SIZE).contains(&length)
        };
        if fits { Ok(()) } else { Err(ChunkError::Shape { index: self.next, found: length }) }
    }

    fn advance(&mut self, last: bool) {
        self.next += 1;
        self.ended = last;
    }
}

fn nonce(counter: u64, last: bool) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[3..11].copy_from_slice(&counter.to_be_bytes());
    nonce[11] = u8::from(last);
    Nonce::assume_unique_for_key(nonce)
}
