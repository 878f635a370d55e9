//! The sealed attributes: what only the recipient may see beside the body, and what binds it to the open header.
//!
//! Sealed with AES-256-GCM under a key of its own, nonce 0, with
//! `aad = "passerelle/v1/attributes" || exchange id`. The plaintext is the one encoding of `SealedAttributes`.

use prost::Message;
use ring::aead::Aad;
use ring::rand::SecureRandom;
use subtle::ConstantTimeEq;

use super::limits::SEALED_ATTRIBUTES_LIMIT;
use super::schedule::{CipherFault, Schedule, zero_nonce};
use crate::exchange_id::ExchangeId;
use crate::statement::sha256;
use crate::strict;
use crate::wire::{Header, SealedAttributes};

const ATTRIBUTES: &[u8] = b"passerelle/v1/attributes";
const CASE: &[u8] = b"passerelle/v1/case";
/// Bytes of the salt of a case reference.
pub const CASE_SALT_SIZE: usize = 16;

/// What the header shows of a case reference: `SHA-256("passerelle/v1/case" || salt || case reference)`.
///
/// The salt travels sealed, so the gateway cannot try out case numbers; the recipient can check the commitment, and
/// whoever is given salt and reference later can as well.
#[must_use]
pub fn case_commitment(salt: &[u8; CASE_SALT_SIZE], case_reference: &str) -> [u8; 32] {
    sha256(&[CASE, salt, case_reference.as_bytes()].concat())
}

/// Draws the salt of the case reference when there is one, and gives the commitment for the header.
pub(super) fn commit_case(
    attributes: &mut SealedAttributes,
    random: &dyn SecureRandom,
) -> Result<Option<[u8; 32]>, CipherFault> {
    if attributes.case_reference.is_empty() {
        attributes.case_salt.clear();
        return Ok(None);
    }
    let mut salt = [0; CASE_SALT_SIZE];
    random.fill(&mut salt)?;
    attributes.case_salt = salt.to_vec().into();
    Ok(Some(case_commitment(&salt, &attributes.case_reference)))
}

/// Whether the attributes are those that the open header speaks of: the case reference is the one committed to, and
/// no person or user is named here for whom the header has no pseudonym.
pub(super) fn agree(header: &Header, attributes: &SealedAttributes) -> Result<(), &'static str> {
    let salt: Option<&[u8; CASE_SALT_SIZE]> = attributes.case_salt[..].try_into().ok();
    let holds = match (attributes.case_reference.as_str(), salt) {
        ("", None) => attributes.case_salt.is_empty() && header.case_commitment.is_empty(),
        ("", Some(_)) | (_, None) => false,
        (case, Some(salt)) => case_commitment(salt, case)[..].ct_eq(&header.case_commitment).into(),
    };
    if !holds {
        return Err("the case reference is not the one committed to");
    }
    if !attributes.acting_user.is_empty() && header.acting_user.is_empty() {
        return Err("an acting user is named without a pseudonym");
    }
    if !matches!(attributes.subjects.len(), 0) && attributes.subjects.len() != header.subjects.len() {
        return Err("the persons concerned are not as many as their pseudonyms");
    }
    Ok(())
}

/// Seals attributes; `None` when they are over the limit.
pub(super) fn seal(
    schedule: &Schedule,
    exchange_id: &ExchangeId,
    attributes: &SealedAttributes,
) -> Result<Option<Vec<u8>>, CipherFault> {
    let mut sealed = attributes.encode_to_vec();
    schedule.attributes_key()?.seal_in_place_append_tag(zero_nonce(), aad(exchange_id), &mut sealed)?;
    Ok((sealed.len() <= SEALED_ATTRIBUTES_LIMIT).then_some(sealed))
}

/// Opens attributes; `None` when they were not sealed so, or are not the one encoding of attributes.
pub(super) fn open(
    schedule: &Schedule,
    exchange_id: &ExchangeId,
    sealed: &[u8],
) -> Result<Option<SealedAttributes>, CipherFault> {
    let mut buffer = sealed.to_vec();
    let key = schedule.attributes_key()?;
    let opened = key.open_in_place(zero_nonce(), aad(exchange_id), &mut buffer).ok();
    Ok(opened.and_then(|plaintext| strict::decode(plaintext, SEALED_ATTRIBUTES_LIMIT).ok()))
}

fn aad(exchange_id: &ExchangeId) -> Aad<Vec<u8>> {
    Aad::from([ATTRIBUTES, &exchange_id.as_bytes()[..]].concat())
}
