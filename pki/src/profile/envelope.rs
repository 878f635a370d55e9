//! The shell of every signed X.509 structure: `SEQUENCE { signed part, Ed25519, signature }`.
//!
//! Certificates, requests and revocation lists share it. The parsers look at it leniently (a wrong tag here, unused
//! bits there), which would give one structure many encodings. DER has one, so it is compared, not parsed.

use pkcs8::der::{Encode, Header, Length, Tag};

use crate::key::{KeyError, PublicKey};

/// `AlgorithmIdentifier` of Ed25519 (RFC 8410 section 3), then the head of a `BIT STRING` of 64 whole bytes.
const TAIL: [u8; 10] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x41, 0x00];

/// Verifies that `der` is exactly the shell around `signed`, signed by `key`.
pub(crate) fn verify_signed(der: &[u8], signed: &[u8], key: &PublicKey) -> Result<(), KeyError> {
    let refuse = || KeyError::Signature;
    let (rest, signature) = der.split_last_chunk::<64>().ok_or_else(refuse)?;
    let header = rest.strip_suffix(&TAIL).and_then(|rest| rest.strip_suffix(signed)).ok_or_else(refuse)?;
    let length = Length::try_from(signed.len() + TAIL.len() + signature.len()).map_err(|_| refuse())?;
    let expected = Header::new(Tag::Sequence, length).and_then(|header| header.to_der());
    if expected.is_ok_and(|expected| header == expected) {
        return key.verify(signed, signature);
    }
    Err(refuse())
}
