//! What must not be done lightly: looking at a header that nobody verified, and giving a content key away.

use zeroize::Zeroizing;

use super::limits::HEADER_LIMIT;
use super::open::Opener;
use crate::strict;
use crate::wire;

/// A header that **nobody verified**, for logging a denial
/// ([`denied_detail`](crate::event::denied_detail)). `None` when it cannot be read.
#[must_use]
pub fn peek(envelope: &wire::Envelope) -> Option<wire::Header> {
    strict::decode(&envelope.header, HEADER_LIMIT).ok()
}

/// The content key of a record that was opened. Whoever has it can read body and attributes, and, with the envelope,
/// prove what they say ([`disclosure`](super::disclosure)). Never log it.
#[must_use]
pub fn content_key(opener: &Opener) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(*opener.content_key().as_bytes())
}
