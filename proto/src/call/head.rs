//! The head of a sealed body: method, path, query and fields of a request, or status and fields of an answer.
//!
//! 4 bytes of length, big-endian, then the one encoding of the head. Fields that belong to one connection (RFC 9110,
//! section 7.6.1), that a server makes itself, or that speak of Passerelle never travel: the other side could take them
//! for its own agent's word. Nor do those that a service could take for another field, or for another request than the
//! one that was checked.

use http::{HeaderName, HeaderValue, Method};
use prost::Message;

use super::path::{PathError, RequestPath, TEXT_LIMIT};
use crate::strict::{self, StrictError};
use crate::wire::{HttpField, HttpRequestHead, HttpResponseHead};

/// Bytes of a head, its length not counted.
pub const HEAD_LIMIT: usize = 64 * 1024;
/// Bytes of the length before it.
pub const LENGTH_SIZE: usize = 4;
/// Fields of a head.
pub const FIELDS_LIMIT: usize = 128;

/// Fields of one connection and of its intermediaries, beside `passerelle-*` and `x-forwarded-*`.
const LOCAL_FIELDS: [&str; 15] = [
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-real-ip",
];

/// Fields by which frameworks take another method or path than those of the request line.
const OVERRIDING_FIELDS: [&str; 5] =
    ["x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url"];

/// Beginnings of names that do not travel.
const LOCAL_PREFIXES: [&str; 2] = ["passerelle-", "x-forwarded-"];

/// Why a head is refused. Whoever sealed it is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Its length is 0 or over [`HEAD_LIMIT`].
    #[error("a head of {0} bytes")]
    Length(usize),
    /// Not the one encoding of a head.
    #[error("the head cannot be read")]
    Encoding(#[source] StrictError),
    /// Not an upper-case token, or `CONNECT` or `TRACE`, which no service is called with.
    #[error("the method cannot be called with")]
    Method,
    /// See [`RequestPath`].
    #[error("the path")]
    Path(#[source] PathError),
    /// Too long, or not printable ASCII without `#`.
    #[error("the query has a character that does not belong in one, or is too long")]
    Query,
    /// Not 200 to 599: an interim answer is none.
    #[error("status {0}")]
    Status(u32),
    /// More than [`FIELDS_LIMIT`], no valid name in lower case, no valid value, or one that does not travel.
    #[error("field {0}")]
    Field(String),
}

/// A head of either direction.
pub trait Head: Message + Default {
    /// Whether it has its form.
    ///
    /// # Errors
    /// [`HeadError`].
    fn check(&self) -> Result<(), HeadError>;
}

impl Head for HttpRequestHead {
    fn check(&self) -> Result<(), HeadError> {
        if !is_method(&self.method) {
            return Err(HeadError::Method);
        }
        RequestPath::parse(&self.path).map_err(HeadError::Path)?;
        let printable = self.query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if !printable || self.query.len() > TEXT_LIMIT {
            return Err(HeadError::Query);
        }
        fields(&self.fields)
    }
}

impl Head for HttpResponseHead {
    fn check(&self) -> Result<(), HeadError> {
        if !(200..=599).contains(&self.status) {
            return Err(HeadError::Status(self.status));
        }
        fields(&self.fields)
    }
}

/// Whether a service can be called with this method: an upper-case token, neither `CONNECT` nor `TRACE`.
#[must_use]
pub fn is_method(method: &str) -> bool {
    let upper = !method.bytes().any(|byte| byte.is_ascii_lowercase());
    let token = Method::from_bytes(method.as_bytes());
    upper && token.is_ok_and(|method| method != Method::CONNECT && method != Method::TRACE)
}

/// Whether a field of this name (lower case) may travel.
#[must_use]
pub fn travels(name: &str) -> bool {
    let local = LOCAL_FIELDS.contains(&name) || LOCAL_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    !local && !misleads(name)
}

/// Whether a service could take a field of this name (lower case) for another one, or for another request than the one that
/// was checked. CGI, WSGI and PHP read `_` as `-`: `passerelle_from` would be an agent's word.
#[must_use]
pub fn misleads(name: &str) -> bool {
    name.contains('_') || OVERRIDING_FIELDS.contains(&name)
}

fn fields(fields: &[HttpField]) -> Result<(), HeadError> {
    if fields.len() > FIELDS_LIMIT {
        return Err(HeadError::Field(format!("{} where at most {FIELDS_LIMIT} are taken", fields.len())));
    }
    for field in fields {
        let named = HeaderName::from_lowercase(field.name.as_bytes()).is_ok();
        if !named || !travels(&field.name) || HeaderValue::from_bytes(&field.value).is_err() {
            return Err(HeadError::Field(field.name.escape_debug().take(64).collect()));
        }
    }
    Ok(())
}

/// The length and the head, ready to stand before the content.
///
/// # Errors
/// [`HeadError`] when a reader would refuse it.
pub fn encode<H: Head>(head: &H) -> Result<Vec<u8>, HeadError> {
    head.check()?;
    let found = head.encoded_len();
    let length = u32::try_from(found).map_err(|_| HeadError::Length(found))?.to_be_bytes();
    self::length(length)?;
    let mut bytes = Vec::with_capacity(LENGTH_SIZE + found);
    bytes.extend_from_slice(&length);
    bytes.extend_from_slice(&head.encode_to_vec());
    Ok(bytes)
}

/// How many bytes the head has, from the first four of the body.
///
/// # Errors
/// [`HeadError::Length`].
pub fn length(prefix: [u8; LENGTH_SIZE]) -> Result<usize, HeadError> {
    let length = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if (1..=HEAD_LIMIT).contains(&length) { Ok(length) } else { Err(HeadError::Length(length)) }
}

/// The head in its bytes, without the length before them.
///
/// # Errors
/// [`HeadError`].
pub fn decode<H: Head>(bytes: &[u8]) -> Result<H, HeadError> {
    let head: H = strict::decode(bytes, HEAD_LIMIT).map_err(HeadError::Encoding)?;
    head.check()?;
    Ok(head)
}
