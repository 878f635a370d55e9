//! Which agent of a recipient agency can open a record: an agent that was enrolled after it was sealed cannot, and must
//! not refuse it for the others.

use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::KeyId;
use passerelle_pki::name::AgentId;
use passerelle_proto::envelope::limits::LIFETIME_LIMIT_MS;
use passerelle_proto::wire::RecipientKey;

use super::State;
use super::agents::{Agent, Bundle};

/// A KEM key that an agent published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KemKeyOfAgent {
    key_id: KeyId,
    /// No record that was sealed to it waits any more.
    until: Timestamp,
}

impl Agent {
    /// Remembers a key for as long as a record that was sealed to it may wait.
    pub(super) fn keep_kem_key(&mut self, bundle: &Bundle, at: Timestamp) {
        self.kem_keys.retain(|kept| at < kept.until && kept.key_id != bundle.key_id);
        let until = bundle.expires.plus(Duration::from_millis(LIFETIME_LIMIT_MS));
        self.kem_keys.push(KemKeyOfAgent { key_id: bundle.key_id, until });
    }

    fn opens(&self, keys: &[RecipientKey]) -> bool {
        let has = |key: &RecipientKey| {
            self.kem_keys.iter().any(|kept| kept.key_id.as_bytes()[..] == key.key_id[..])
        };
        !self.revoked && keys.iter().any(has)
    }
}

impl State {
    /// Whether `agent` has one of the keys that something is sealed to.
    #[must_use]
    pub fn holds_key(&self, agent: &AgentId, keys: &[RecipientKey]) -> bool {
        self.agent(agent).is_some_and(|agent| agent.opens(keys))
    }

    /// Whether `agent` is to be given what is sealed to `keys`: it has one of them, or no agent of its agency has, so
    /// that somebody tells the sender.
    #[must_use]
    pub fn is_for_agent(&self, agent: &AgentId, keys: &[RecipientKey]) -> bool {
        let opens = |other: &Agent| other.opens(keys);
        self.agent(agent).is_some_and(opens)
            || !self.agents_of(agent.agency.as_str()).any(|(_, other)| opens(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(byte: u8, expires: Timestamp) -> Bundle {
        let statement = passerelle_proto::wire::Statement::default();
        Bundle { statement, key_id: KeyId::try_from(&[byte; 32][..]).unwrap(), expires }
    }

    fn key(byte: u8) -> RecipientKey {
        RecipientKey { key_id: vec![byte; 32].into(), ..RecipientKey::default() }
    }

    #[test]
    fn a_key_is_remembered_until_no_record_sealed_to_it_can_wait() {
        let day = |days: u64| Timestamp::from_millis(days * 86_400_000);
        let mut agent = Agent::default();
        agent.keep_kem_key(&bundle(1, day(10)), day(0));
        agent.keep_kem_key(&bundle(2, day(20)), day(9));
        assert!(agent.opens(&[key(3), key(1)]) && agent.opens(&[key(2)]) && !agent.opens(&[key(3)]));
        agent.keep_kem_key(&bundle(2, day(50)), day(41));
        assert!(!agent.opens(&[key(1)]) && agent.opens(&[key(2)]));
        assert_eq!(agent.kem_keys.len(), 1);
        agent.revoked = true;
        assert!(!agent.opens(&[key(2)]));
    }
}
