//! The id of an exchange: a UUIDv7 (RFC 9562 section 5.7) drawn by the sender.
//!
//! The gateway logs an id once, however often it is submitted. Its 74 random bits also keep wrap keys apart
//! (`docs/formats/envelope.md`), which is why the id is drawn while sealing and never taken from outside.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use passerelle_pki::clock::Timestamp;
use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid, Variant, Version};

/// A UUIDv7.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExchangeId([u8; 16]);

/// Why there is no exchange id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeIdError {
    /// The giver is at fault: not 16 bytes.
    #[error("an exchange id has 16 bytes, not {0}")]
    Length(usize),
    /// The giver is at fault: not version 7 of the RFC 9562 variant.
    #[error("an exchange id is a UUID of version 7")]
    Version,
    /// The giver is at fault: not 36 characters in the form `018f…-7…-…`, lower case.
    #[error("an exchange id is written as 36 lower-case characters with hyphens")]
    Text,
    /// Ours: the operating system gave no randomness.
    #[error("the system gave no randomness")]
    NoRandomness,
}

impl ExchangeId {
    /// Draws an id: 48 bits of `now`, 74 random bits.
    ///
    /// # Errors
    /// [`ExchangeIdError::NoRandomness`] when the operating system has none.
    pub fn draw(now: Timestamp, random: &dyn SecureRandom) -> Result<Self, ExchangeIdError> {
        let mut bits = [0; 10];
        random.fill(&mut bits).map_err(|_| ExchangeIdError::NoRandomness)?;
        Ok(Self(Builder::from_unix_timestamp_millis(now.as_millis(), &bits).into_uuid().into_bytes()))
    }

    /// Reads the 16 bytes of the wire.
    ///
    /// # Errors
    /// [`ExchangeIdError`] unless they are a UUIDv7.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ExchangeIdError> {
        let bytes: [u8; 16] = bytes.try_into().map_err(|_| ExchangeIdError::Length(bytes.len()))?;
        let uuid = Uuid::from_bytes(bytes);
        if uuid.get_version() == Some(Version::SortRand) && uuid.get_variant() == Variant::RFC4122 {
            Ok(Self(bytes))
        } else {
            Err(ExchangeIdError::Version)
        }
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The 16 bytes for a field of the wire.
    #[must_use]
    pub fn to_wire(self) -> Bytes {
        Bytes::copy_from_slice(&self.0)
    }

    /// When it was drawn, by the sender's clock.
    #[must_use]
    pub fn drawn_at(&self) -> Timestamp {
        let [a, b, c, d, e, f, ..] = self.0;
        Timestamp::from_millis(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }
}

/// Hyphenated, lower case.
impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExchangeId({self})")
    }
}

impl FromStr for ExchangeId {
    type Err = ExchangeIdError;

    fn from_str(text: &str) -> Result<Self, ExchangeIdError> {
        let id = Uuid::try_parse(text).map_err(|_| ExchangeIdError::Text)?;
        let id = Self::from_bytes(id.as_bytes())?;
        if id.to_string() == text { Ok(id) } else { Err(ExchangeIdError::Text) }
    }
}

impl TryFrom<String> for ExchangeId {
    type Error = ExchangeIdError;

    fn try_from(text: String) -> Result<Self, ExchangeIdError> {
        text.parse()
    }
}

impl From<ExchangeId> for String {
    fn from(id: ExchangeId) -> Self {
        id.to_string()
    }
}
