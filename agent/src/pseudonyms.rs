//! Keyed pseudonyms: what the gateway and its log see of an acting user or a person concerned.
//!
//! HMAC-SHA-256 under a key that never leaves the agency, with a label for what is named, so that a user and a person of
//! the same name do not look alike. The same value gives the same pseudonym, so that the agency's privacy officer can
//! find every exchange about a person; without the key nobody can try out values. Agents of one agency share pseudonyms
//! only when they are given the same key.

use ring::hmac;

use crate::identity::{StorageError, StorageKey};
use crate::systems::Caller;

const ACTING_USER: &[u8] = b"passerelle/v1/acting-user";
const SUBJECT: &[u8] = b"passerelle/v1/subject";
const IDEMPOTENCY: &[u8] = b"passerelle/v1/idempotency-key";
const SYSTEM_IDEMPOTENCY: &[u8] = b"passerelle/v1/system-idempotency-key";
const REQUEST: &[u8] = b"passerelle/v1/request";

/// The agency's key.
#[derive(Clone)]
pub struct Pseudonyms(hmac::Key);

impl Pseudonyms {
    /// Under a key of 32 random bytes.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// Under the key of one agent, derived from its own: the same at each start.
    ///
    /// # Errors
    /// None in practice.
    pub fn of_agent(storage: &StorageKey) -> Result<Self, StorageError> {
        Ok(Self::new(&*storage.derive("pseudonyms")?))
    }

    /// Of an acting user, as the agency's system names the user. White space around the name does not count.
    #[must_use]
    pub fn acting_user(&self, user: &str) -> [u8; 32] {
        self.of(ACTING_USER, user.trim().as_bytes())
    }

    /// Of a person concerned, as the agency's system names the person.
    #[must_use]
    pub fn subject(&self, subject: &str) -> [u8; 32] {
        self.of(SUBJECT, subject.trim().as_bytes())
    }

    /// Under what an idempotency key is remembered: each system has keys of its own.
    pub(crate) fn idempotency_key(&self, caller: &Caller, key: &str) -> [u8; 32] {
        match caller.is_local() {
            true => self.of(IDEMPOTENCY, key.as_bytes()),
            // No name has a zero byte, and the label is another one.
            false => self.of(SYSTEM_IDEMPOTENCY, &[caller.name().as_bytes(), key.as_bytes()].join(&0)),
        }
    }

    /// Takes in a request and then its body: equal ends mean equal requests, and tell nothing about them.
    pub(crate) fn request(&self, canonical: &[u8]) -> hmac::Context {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(REQUEST);
        context.update(&(canonical.len() as u64).to_be_bytes());
        context.update(canonical);
        context
    }

    fn of(&self, label: &[u8], value: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(label);
        context.update(&[0]);
        context.update(value);
        finished(context)
    }
}

/// The end of a context.
pub(crate) fn finished(context: hmac::Context) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(context.sign().as_ref());
    digest
}

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pseudonyms(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_depends_on_key_label_and_value_only() {
        let (key, other) = (Pseudonyms::new(&[1; 32]), Pseudonyms::new(&[2; 32]));
        assert_eq!(key.subject("TREM 1234"), key.subject(" TREM 1234 "));
        assert_ne!(key.subject("TREM 1234"), key.subject("TREM 1235"));
        assert_ne!(key.subject("TREM 1234"), other.subject("TREM 1234"));
        assert_ne!(key.subject("TREM 1234"), key.acting_user("TREM 1234"));
    }

    #[test]
    fn a_pseudonym_is_the_hmac_of_rfc_2104() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let expected = hmac::sign(&key, b"passerelle/v1/subject\0A");
        assert_eq!(Pseudonyms::new(&[7; 32]).subject("A")[..], *expected.as_ref());
    }
}
