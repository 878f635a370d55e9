//! Signed statements: DSSE v1.0.2 carried as protobuf (`docs/formats/statement.md`).
//!
//! A signature covers the payload type and the exact payload bytes ([`pae`]). Verifiers verify first and parse
//! after, and parse the bytes that were verified; nobody re-serialises. A list of signatures is in the format so that
//! another algorithm can stand beside Ed25519; an empty list proves nothing and is refused.

use bytes::Bytes;
use passerelle_pki::key::{KeyError, KeyId, PublicKey, Signer};
use ring::digest;

use crate::wire;

/// Most signatures in a list.
pub const SIGNATURES_LIMIT: usize = 8;
/// Most bytes in one signature: room for ML-DSA-87 (4,627 bytes).
pub const SIGNATURE_BYTES_LIMIT: usize = 8_192;
/// Bytes of an Ed25519 signature (RFC 8032 section 5.1.6).
pub const ED25519_SIGNATURE_SIZE: usize = 64;

/// The payload types of this protocol, all of them. A signature of one type is worth nothing as another.
pub mod payload_type {
    /// Exact bytes of a `Header`; carried as an `Envelope`.
    pub const HEADER: &str = "application/vnd.passerelle.header.v1";
    /// A `KeyBundle`.
    pub const KEY_BUNDLE: &str = "application/vnd.passerelle.key-bundle.v1";
    /// The 32-byte root over a batch of receipts.
    pub const RECEIPTS: &str = "application/vnd.passerelle.receipts.v1";
    /// An `Acknowledgement`.
    pub const ACKNOWLEDGEMENT: &str = "application/vnd.passerelle.acknowledgement.v1";
    /// A `ServiceDescription`.
    pub const SERVICE: &str = "application/vnd.passerelle.service.v1";
    /// Exact bytes of an agreement document.
    pub const AGREEMENT: &str = "application/vnd.passerelle.agreement.v1+json";
}

/// Why a statement was not made or not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The signer is at fault: a statement of another type was put here.
    #[error("the payload type is {found:?}, not {expected:?}")]
    PayloadType {
        /// Type found, shortened.
        found: String,
        /// Type that belongs here.
        expected: String,
    },
    /// The peer is at fault: an empty list of signatures proves nothing.
    #[error("there is no signature")]
    NoSignature,
    /// The peer is at fault: more signatures than any policy asks for.
    #[error("{0} signatures where at most {SIGNATURES_LIMIT} are taken")]
    TooManySignatures(usize),
    /// The peer is at fault: a key id is not 32 bytes, or a signature is empty or over the limit.
    #[error("signature {0} does not have the form of one")]
    SignatureForm(usize),
    /// The peer is at fault: two signatures name the same key.
    #[error("two signatures name the key {0}")]
    RepeatedKey(KeyId),
    /// No signature names the key that it was to be verified with.
    #[error("no signature by the key {0}")]
    OtherKey(KeyId),
    /// The signature does not fit bytes, type and key.
    #[error("the signature by the key {0} is wrong")]
    Signature(KeyId),
    /// Ours: the signing key could not be used.
    #[error("could not sign")]
    Signer(#[source] KeyError),
}

/// The pre-authentication encoding of DSSE v1.0.2: `"DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload`, with
/// lengths in ASCII decimal bytes.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    let mut encoding = Vec::with_capacity(head.len() + payload.len());
    encoding.extend_from_slice(head.as_bytes());
    encoding.extend_from_slice(payload);
    encoding
}

/// Signs payload bytes under a type, with one signature.
///
/// # Errors
/// [`StatementError::Signer`] when the key cannot be used.
pub fn sign(
    payload_type: &str,
    payload: Bytes,
    signer: &dyn Signer,
) -> Result<wire::Statement, StatementError> {
    let signature = signature(payload_type, &payload, signer)?;
    Ok(wire::Statement { payload_type: payload_type.to_owned(), payload, signatures: vec![signature] })
}

/// Verifies that `key` signed this statement as one of type `payload_type`, and gives the payload.
///
/// # Errors
/// [`StatementError`]; nothing of the payload may be looked at then.
pub fn verify<'a>(
    statement: &'a wire::Statement,
    payload_type: &str,
    key: &PublicKey,
) -> Result<&'a Bytes, StatementError> {
    if statement.payload_type != payload_type {
        return Err(StatementError::PayloadType {
            found: statement.payload_type.chars().take(100).collect(),
            expected: payload_type.to_owned(),
        });
    }
    verify_signatures(&statement.signatures, payload_type, &statement.payload, key)?;
    Ok(&statement.payload)
}

/// Identifies what a statement says: SHA-256 of its pre-authentication encoding. Signatures are not part of it.
#[must_use]
pub fn digest(statement: &wire::Statement) -> [u8; 32] {
    sha256(&pae(&statement.payload_type, &statement.payload))
}

/// The key that the first signature names. A hint: it selects a key to verify with, it proves nothing.
#[must_use]
pub fn key_hint(statement: &wire::Statement) -> Option<KeyId> {
    first_key(&statement.signatures)
}

/// One signature over the pre-authentication encoding, for messages that carry payload and signature apart.
///
/// # Errors
/// [`StatementError::Signer`] when the key cannot be used.
pub fn signature(
    payload_type: &str,
    payload: &[u8],
    signer: &dyn Signer,
) -> Result<wire::Signature, StatementError> {
    let signature = signer.sign(&pae(payload_type, payload)).map_err(StatementError::Signer)?;
    Ok(wire::Signature {
        key_id: Bytes::copy_from_slice(signer.key_id().as_bytes()),
        signature: signature.into(),
    })
}

/// Verifies that one of `signatures` is by `key` over payload and type, for messages that carry payload and
/// signatures apart. Signatures by other keys are not looked at, but must have the form of signatures.
///
/// # Errors
/// [`StatementError`] when it is not.
pub fn verify_signatures(
    signatures: &[wire::Signature],
    payload_type: &str,
    payload: &[u8],
    key: &PublicKey,
) -> Result<(), StatementError> {
    check_list(signatures)?;
    let key_id = key.key_id();
    let ours = signatures
        .iter()
        .find(|signature| signature.key_id == key_id.as_bytes()[..])
        .ok_or(StatementError::OtherKey(key_id))?;
    key.verify(&pae(payload_type, payload), &ours.signature).map_err(|_| StatementError::Signature(key_id))
}

fn check_list(signatures: &[wire::Signature]) -> Result<(), StatementError> {
    if signatures.is_empty() {
        return Err(StatementError::NoSignature);
    }
    if signatures.len() > SIGNATURES_LIMIT {
        return Err(StatementError::TooManySignatures(signatures.len()));
    }
    for (index, signature) in signatures.iter().enumerate() {
        let key_id =
            KeyId::try_from(&signature.key_id[..]).map_err(|_| StatementError::SignatureForm(index))?;
        if !(1..=SIGNATURE_BYTES_LIMIT).contains(&signature.signature.len()) {
            return Err(StatementError::SignatureForm(index));
        }
        if signatures.iter().take(index).any(|earlier| earlier.key_id == signature.key_id) {
            return Err(StatementError::RepeatedKey(key_id));
        }
    }
    Ok(())
}

pub(crate) fn first_key(signatures: &[wire::Signature]) -> Option<KeyId> {
    signatures.first().and_then(|signature| KeyId::try_from(&signature.key_id[..]).ok())
}

/// SHA-256 (FIPS 180-4).
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}
