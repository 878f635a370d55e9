//! Time-stamps of RFC 3161: what is asked of a time-stamp authority, and what its token proves.
//!
//! A token says that some bytes existed before an instant, on the word of an authority whose certificates the reader
//! already trusts. One token over a checkpoint of the log covers every entry below it. Formats come from the crates `cms`
//! and `x509-tsp`; certificates and signatures are checked by webpki with *ring*.

mod algorithm;
mod exchange;
mod token;

pub use exchange::{request, response};
pub use token::{Authorities, Stamped, verify};

/// Media type of a request (RFC 3161 section 3.4).
pub const QUERY_TYPE: &str = "application/timestamp-query";
/// Media type of a response.
pub const REPLY_TYPE: &str = "application/timestamp-reply";
/// Most bytes of a token or a response.
pub const TOKEN_LIMIT: usize = 64 * 1024;

/// Why a token proves nothing, or none was given. The authority, or whoever kept the token, is at fault unless told
/// otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// Over [`TOKEN_LIMIT`], or not DER of the form.
    #[error("not a time-stamp of RFC 3161")]
    Malformed,
    /// The authority answered without a token.
    #[error("the time-stamp authority refused: status {0}")]
    Refused(u32),
    /// The token is over other bytes, or over another digest than SHA-256.
    #[error("the time-stamp is over other bytes")]
    OtherBytes,
    /// Not the answer to this request.
    #[error("the time-stamp answers another request")]
    OtherRequest,
    /// An algorithm that is not taken: RSA or ECDSA with SHA-256, SHA-384 or SHA-512, or Ed25519, is expected.
    #[error("the time-stamp uses an algorithm that is not taken")]
    Algorithm,
    /// The signature, or what it has to cover.
    #[error("the time-stamp's signature does not hold")]
    Signature,
    /// The signer is certified for time-stamps by none of the trusted authorities, at that instant.
    #[error("the time-stamp is by none of the trusted authorities")]
    Untrusted,
    /// The reader's own: not a certificate of an authority.
    #[error("not a certificate of an authority in PEM")]
    Authority,
}
