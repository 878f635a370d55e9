//! Proving afterwards what a record said.
//!
//! The signed header commits to the content key. Whoever discloses that key (an agency, to a court) lets anybody with
//! the envelope and the sealed body read the one plaintext that the sender signed, without any private key.

use super::open::{OpenError, Opener};
use super::schedule::ContentKey;
use super::verified::VerifiedEnvelope;

/// Opens a record with its disclosed content key.
///
/// # Errors
/// [`OpenError::Commitment`] when it is not the key that the sender committed to; otherwise as [`Opener::new`].
pub fn open(envelope: &VerifiedEnvelope, content_key: &[u8; 32]) -> Result<Opener, OpenError> {
    Opener::with_content_key(envelope, ContentKey::from_bytes(content_key))
}
