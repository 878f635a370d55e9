//! Encapsulations are reused for a short while, per sender and recipient key, and never across senders.

use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_proto::envelope::{DecapsulationCache, SealedRecord, seal_small};

use crate::support::{NOW_MS, Recipient, Sender};

fn sealed_at(sender: &Sender, recipient: &Recipient, at: Timestamp) -> SealedRecord {
    let mut draft = sender.draft(&["saaq"]);
    draft.created = at;
    draft.expires = at.plus(Duration::from_secs(60));
    seal_small(draft, &[recipient.public()], sender.sealing(), b"x").unwrap()
}

fn encapsulated_at(sender: &Sender, recipient: &Recipient, at: Timestamp) -> Vec<u8> {
    let record = sealed_at(sender, recipient, at);
    sender.verify(&record.envelope).header().recipient_keys[0].encapsulated.to_vec()
}

const NOW: Timestamp = Timestamp::from_millis(NOW_MS);

#[test]
fn an_encapsulation_serves_ten_minutes() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let first = encapsulated_at(&sender, &saaq, NOW);
    let almost = NOW.plus(Duration::from_millis(599_999));
    assert_eq!(encapsulated_at(&sender, &saaq, almost), first);
    assert_ne!(encapsulated_at(&sender, &saaq, NOW.plus(Duration::from_secs(600))), first);
}

#[test]
fn a_clock_that_was_set_back_does_not_lengthen_its_life() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let first = encapsulated_at(&sender, &saaq, NOW);
    assert_ne!(encapsulated_at(&sender, &saaq, NOW.minus(Duration::from_secs(1))), first);
}

#[test]
fn each_recipient_key_has_its_own() {
    let sender = Sender::new("ramq/agent-1");
    let (a, b) = (Recipient::new("saaq"), Recipient::new("saaq"));
    assert_ne!(encapsulated_at(&sender, &a, NOW), encapsulated_at(&sender, &b, NOW));
    assert_eq!(sender.encapsulations.len(), 2);
}

#[test]
fn each_signing_key_has_its_own_even_in_one_cache() {
    let (mut sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let before = encapsulated_at(&sender, &saaq, NOW);
    sender.key = Sender::new("ramq/agent-1").key;
    assert_ne!(encapsulated_at(&sender, &saaq, NOW), before);
}

#[test]
fn a_forgotten_encapsulation_is_not_used_again() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let before = encapsulated_at(&sender, &saaq, NOW);
    sender.encapsulations.clear();
    assert_ne!(encapsulated_at(&sender, &saaq, NOW), before);
}

#[test]
fn the_recipient_remembers_each_context_once_and_not_too_many() {
    let mut saaq = Recipient::new("saaq");
    saaq.decapsulations = DecapsulationCache::new(2);
    let senders = [Sender::new("ramq/agent-1"), Sender::new("ramq/agent-2"), Sender::new("ramq/agent-3")];
    for _ in 0..2 {
        for sender in &senders {
            let record = sealed_at(sender, &saaq, NOW);
            assert_eq!(saaq.open(&sender.verify(&record.envelope), &record.body).unwrap(), b"x");
        }
    }
    assert_eq!(saaq.decapsulations.len(), 2);
    saaq.decapsulations.clear();
    assert!(saaq.decapsulations.is_empty());
}

#[test]
fn a_recipient_without_memory_opens_all_the_same() {
    let (sender, mut saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    saaq.decapsulations = DecapsulationCache::new(0);
    for _ in 0..2 {
        let record = sealed_at(&sender, &saaq, NOW);
        assert_eq!(saaq.open(&sender.verify(&record.envelope), &record.body).unwrap(), b"x");
    }
    assert!(saaq.decapsulations.is_empty());
}
