//! Request and response (RFC 3161 section 2.4).

use der::asn1::{Int, OctetString};
use der::{Decode, Encode};
use x509_tsp::{MessageImprint, TimeStampReq, TimeStampResp, TspVersion};

use super::algorithm::SHA_256;
use super::token::tst_info;
use super::{TOKEN_LIMIT, TimestampError};
use crate::statement::sha256;

/// Statuses by which a token is granted.
const GRANTED: u32 = 1;

/// The request for a token over `message`, DER. `nonce` is random and of one use.
///
/// # Errors
/// [`TimestampError::Malformed`] when it cannot be written: ours.
pub fn request(message: &[u8], nonce: [u8; 8]) -> Result<Vec<u8>, TimestampError> {
    let written = || -> der::Result<Vec<u8>> {
        TimeStampReq {
            version: TspVersion::V1,
            message_imprint: MessageImprint {
                hash_algorithm: x509_tsp_algorithm(),
                hashed_message: OctetString::new(sha256(message))?,
            },
            req_policy: None,
            nonce: Some(Int::new(&positive(nonce))?),
            cert_req: true,
            extensions: None,
        }
        .to_der()
    };
    written().map_err(|_| TimestampError::Malformed)
}

/// The token of a response to [`request`], DER. Whether it proves anything is for [`super::verify`] to say.
///
/// # Errors
/// [`TimestampError`] when there is none, or it answers another request.
pub fn response(bytes: &[u8], nonce: [u8; 8]) -> Result<Vec<u8>, TimestampError> {
    if bytes.len() > TOKEN_LIMIT {
        return Err(TimestampError::Malformed);
    }
    let response = TimeStampResp::from_der(bytes).map_err(|_| TimestampError::Malformed)?;
    let status = response.status.status as u32;
    let token = response.time_stamp_token.filter(|_| status <= GRANTED);
    let token = token.ok_or(TimestampError::Refused(status))?;
    let token = token.to_der().map_err(|_| TimestampError::Malformed)?;
    let answered = tst_info(&token)?.nonce.is_some_and(|found| found.as_bytes() == positive(nonce));
    if answered { Ok(token) } else { Err(TimestampError::OtherRequest) }
}

/// A positive INTEGER of 8 bytes whose shortest form has all of them.
fn positive(mut nonce: [u8; 8]) -> [u8; 8] {
    nonce[0] = nonce[0] & 0x7f | 0x40;
    nonce
}

fn x509_tsp_algorithm() -> cms::cert::x509::spki::AlgorithmIdentifierOwned {
    cms::cert::x509::spki::AlgorithmIdentifierOwned { oid: SHA_256, parameters: None }
}
