//! Proving afterwards what a record said.
//!
//! The signed header commits to the content key. Whoever discloses that key (an agency, to a court) lets anybody with
//! the envelope and the sealed body read the one plaintext that the sender signed, without any private key.

use super::chunks::{ChunkHashes, chunk_count};
use super::limits::CHUNK_SIZE;
use super::open::{OpenError, Opener};
use super::schedule::{ContentKey, Schedule};
use super::stream::Stream;
use super::verified::VerifiedEnvelope;
use crate::tlog::leaf_hash;

/// Opens a record with its disclosed content key.
///
/// # Errors
/// [`OpenError::Commitment`] when it is not the key that the sender committed to; otherwise as [`Opener::new`].
pub fn open(envelope: &VerifiedEnvelope, content_key: &[u8; 32]) -> Result<Opener, OpenError> {
    Opener::with_content_key(envelope, ContentKey::from_bytes(content_key))
}

/// Whether `plaintext` is what was sealed with the disclosed content key: sealing it again gives the root that the
/// sender signed. For who has the plaintext but not the sealed body.
#[must_use]
pub fn is_plaintext(envelope: &VerifiedEnvelope, content_key: &[u8; 32], plaintext: &[u8]) -> bool {
    let header = envelope.header();
    if plaintext.len() as u64 != header.plaintext_length || open(envelope, content_key).is_err() {
        return false;
    }
    let schedule = Schedule::new(&ContentKey::from_bytes(content_key), &envelope.exchange_id());
    let Ok(key) = schedule.body_key() else { return false };
    let (mut stream, mut hashes) = (Stream::new(key), ChunkHashes::default());
    let count = chunk_count(header.plaintext_length);
    // An empty body is one empty chunk.
    let chunks = plaintext.chunks(CHUNK_SIZE).chain(plaintext.is_empty().then_some(plaintext));
    for (place, chunk) in (1..).zip(chunks) {
        let mut sealed = chunk.to_vec();
        let Ok(tag) = stream.seal(&mut sealed, place == count) else { return false };
        sealed.extend_from_slice(tag.as_ref());
        hashes.push(leaf_hash(&sealed));
    }
    hashes.verify(envelope).is_ok()
}
