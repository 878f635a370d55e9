//! The ledger: the one place where something is decided and logged, as one step.
//!
//! A single thread (the sequencer) takes what is asked, a batch at a time; checks each against the [`State`] as of
//! every earlier event; gives it its leaf index; writes the batch to the journal with one `fdatasync`; and only then
//! applies it, publishes the new state and answers. [`Ledger`] is the handle that every service holds.
//!
//! After a crash nothing is half done: what was not durable was not answered, and what was durable is found again
//! when the ledger is opened ([`Ledger::open`]). Trust: the journal and the published log are trusted and checked
//! against each other; the view is not.

mod accept;
mod acknowledge;
mod admission;
mod answer;
mod catch_up;
mod commit;
mod denials;
mod durable;
mod erased;
mod handle;
mod mail;
mod open;
mod quota;
mod reading;
mod recovery;
mod refused;
mod request;
mod segments;
mod sequencer;
mod settings;
mod stage;
mod tidy;

#[cfg(test)]
mod tests;

pub use admission::Submission;
pub use commit::{Commit, CommitError, StoredRecord};
pub use durable::Durable;
pub use handle::Ledger;
pub use mail::Mail;
pub use reading::{Deliveries, ExchangeState, RecipientOutcome, Waiting};
pub use refused::{LedgerError, Refused, RefusedKind};
pub use request::{Accepted, Acknowledging, DenialNote, Tidied};
pub use settings::{OpenError, Origin, Settings};

use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::AgentId;
use passerelle_proto::wire;

#[cfg(doc)]
use crate::state::State;

/// An event to be logged, before it has a place, a time and a nonce.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// What happened.
    pub kind: wire::EventKind,
    /// Who caused it.
    pub actor: wire::Actor,
    /// The facts.
    pub detail: wire::event::Detail,
}

/// Where an event stands in the log. It is durable and applied to the [`State`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Index of the leaf, from 0.
    pub leaf_index: u64,
    /// The event's time: the gateway's clock, never below the time of an earlier event.
    pub time: Timestamp,
}

/// An agent as the actor of an event, with the SHA-256 of its TLS certificate.
#[must_use]
pub fn agent_actor(agent: &AgentId, tls_certificate: &[u8; 32]) -> wire::Actor {
    wire::Actor {
        actor: Some(wire::actor::Actor::Agent(agent.to_string())),
        tls_certificate: bytes::Bytes::copy_from_slice(tls_certificate),
        roles: Vec::new(),
    }
}
