//! Decoding that accepts one encoding per message.
//!
//! Protobuf lets a sender write the same message in many ways: unknown fields, repeated scalars, defaults written
//! out, fields out of order, varints with padding. What is signed or logged here must have one form, or two readers
//! see two messages in the same bytes. So: decode, encode again, and demand the same bytes.
//!
//! The result is only for reading. What is hashed, verified or sent on is always the bytes as they came.

use prost::Message;

/// Why bytes are not the one encoding of a message. The peer that wrote them is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrictError {
    /// Longer than the reader takes; nothing was allocated for it.
    #[error("{found} bytes where at most {limit} are taken")]
    TooLarge {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not an encoding of this message at all.
    #[error("not an encoding of this message")]
    Malformed(#[source] prost::DecodeError),
    /// An encoding of this message, but not the one: an unknown field, a field twice or out of order, a default
    /// written out, a longer varint.
    #[error("not the canonical encoding of this message")]
    NotCanonical,
}

/// Decodes the one encoding of a message: fields in ascending order, none unknown, none repeated, defaults left out,
/// shortest varints.
///
/// # Errors
/// [`StrictError`] for anything else, and, before anything is allocated, for more than `limit` bytes.
pub fn decode<M: Message + Default>(bytes: &[u8], limit: usize) -> Result<M, StrictError> {
    if bytes.len() > limit {
        return Err(StrictError::TooLarge { found: bytes.len(), limit });
    }
    let message = M::decode(bytes).map_err(StrictError::Malformed)?;
    if message.encoded_len() == bytes.len() && message.encode_to_vec() == bytes {
        Ok(message)
    } else {
        Err(StrictError::NotCanonical)
    }
}
