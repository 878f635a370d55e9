//! Leases: which session delivers which waiting record, so that several agents of one agency share a mailbox and each
//! record is with one of them at a time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Records that are with a session, by recipient agency and leaf. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Leases(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: AtomicU64,
    held: Mutex<HashMap<(String, u64), u64>>,
    released: watch::Sender<u64>,
}

/// One collecting session; dropping it gives back what it holds.
#[derive(Debug)]
pub struct Session {
    id: u64,
    agency: String,
    leases: Leases,
}

impl Leases {
    /// A new session of an agency.
    #[must_use]
    pub fn session(&self, agency: &str) -> Session {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        Session { id, agency: agency.to_owned(), leases: self.clone() }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<(String, u64), u64>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Takes the record at `leaf`, unless another session has it.
    #[must_use]
    pub fn take(&self, leaf: u64) -> bool {
        let mut held = self.leases.held();
        *held.entry((self.agency.clone(), leaf)).or_insert(self.id) == self.id
    }

    /// Tells which of its agency's records are with some session, this one included.
    pub fn held(&self) -> impl Fn(u64) -> bool + Send + 'static {
        let (leases, agency) = (self.leases.clone(), self.agency.clone());
        move |leaf| leases.held().contains_key(&(agency.clone(), leaf))
    }

    /// Gives the record at `leaf` back: it is delivered, or cannot be.
    pub fn done(&self, leaf: u64) {
        self.leases.held().remove(&(self.agency.clone(), leaf));
    }

    /// Told when some session gave back what it had not delivered.
    #[must_use]
    pub fn released(&self) -> watch::Receiver<u64> {
        self.leases.0.released.subscribe()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut held = self.leases.held();
        let before = held.len();
        held.retain(|_, session| *session != self.id);
        let gave_back = held.len() != before;
        drop(held);
        if gave_back {
            self.leases.0.released.send_modify(|generation| *generation += 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_with_one_session_and_comes_back_when_it_ends() {
        let leases = Leases::default();
        let (first, second) = (leases.session("saaq"), leases.session("saaq"));
        let other = leases.session("ramq");
        let released = second.released();
        assert!(!second.held()(7));
        assert!(first.take(7) && first.take(7) && !second.take(7));
        assert!(first.held()(7) && second.held()(7) && !second.held()(8) && !other.held()(7));
        assert!(other.take(7), "the same leaf in another agency's mailbox");
        drop(first);
        assert!(released.has_changed().unwrap() && second.take(7));
        second.done(7);
        assert!(leases.session("saaq").take(7));
    }
}
