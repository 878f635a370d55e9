//! Leases: which session delivers which waiting record, so that several agents of one agency share a mailbox and each
//! record is with one of them at a time; and which agents are there, each with one session.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use passerelle_pki::name::AgentId;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long an agent without a session is expected back: for so long, nobody else is given the later records of a stream
/// of which it has the earlier ones.
const EXPECTED_BACK: Duration = Duration::from_secs(300);

/// Records that are with a session, by recipient agency and leaf. Clones share them.
#[derive(Clone, Debug)]
pub struct Leases(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    next: AtomicU64,
    held: Mutex<HashMap<(String, u64), u64>>,
    released: watch::Sender<u64>,
    begun: Instant,
    agents: Mutex<HashMap<AgentId, Presence>>,
}

/// Whether an agent is there.
#[derive(Debug)]
enum Presence {
    /// In this session; the token ends it.
    Here(u64, CancellationToken),
    /// Since then it has none.
    Away(Instant),
}

/// One collecting session; dropping it gives back what it holds.
#[derive(Debug)]
pub struct Session {
    id: u64,
    agent: AgentId,
    replaced: CancellationToken,
    leases: Leases,
}

impl Default for Leases {
    fn default() -> Self {
        Self(Arc::new(Inner {
            next: AtomicU64::default(),
            held: Mutex::default(),
            released: watch::Sender::default(),
            begun: Instant::now(),
            agents: Mutex::default(),
        }))
    }
}

impl Leases {
    /// A new session of an agent. An earlier one of the same agent is told to end: two of them never share its mail.
    #[must_use]
    pub fn session(&self, agent: &AgentId) -> Session {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let replaced = CancellationToken::new();
        let here = Presence::Here(id, replaced.clone());
        if let Some(Presence::Here(_, earlier)) = self.agents().insert(agent.clone(), here) {
            earlier.cancel();
        }
        Session { id, agent: agent.clone(), replaced, leases: self.clone() }
    }

    /// Whether an agent has a session, or had one a short while ago.
    #[must_use]
    pub fn expects(&self, agent: &AgentId) -> bool {
        self.away(agent).is_none_or(|away| away < EXPECTED_BACK)
    }

    /// How long an agent has had no session; since the start for one that had none.
    fn away(&self, agent: &AgentId) -> Option<Duration> {
        match self.agents().get(agent) {
            Some(Presence::Here(..)) => None,
            Some(Presence::Away(since)) => Some(since.elapsed()),
            None => Some(self.0.begun.elapsed()),
        }
    }

    fn agents(&self) -> MutexGuard<'_, HashMap<AgentId, Presence>> {
        self.0.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<(String, u64), u64>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Cancelled when the agent has a newer session.
    #[must_use]
    pub fn replaced(&self) -> &CancellationToken {
        &self.replaced
    }

    fn agency(&self) -> String {
        self.agent.agency.to_string()
    }

    /// Takes the record at `leaf`, unless another session has it.
    #[must_use]
    pub fn take(&self, leaf: u64) -> bool {
        let mut held = self.leases.held();
        *held.entry((self.agency(), leaf)).or_insert(self.id) == self.id
    }

    /// Tells which of its agency's records are with some session, this one included.
    pub fn held(&self) -> impl Fn(u64) -> bool + Send + 'static {
        let (leases, agency) = (self.leases.clone(), self.agency());
        move |leaf| leases.held().contains_key(&(agency.clone(), leaf))
    }

    /// Gives the record at `leaf` back: it is delivered, or cannot be.
    pub fn done(&self, leaf: u64) {
        self.leases.held().remove(&(self.agency(), leaf));
    }

    /// Told when some session gave back what it had not delivered.
    #[must_use]
    pub fn released(&self) -> watch::Receiver<u64> {
        self.leases.0.released.subscribe()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        {
            let mut agents = self.leases.agents();
            if let Some(presence) = agents.get_mut(&self.agent)
                && matches!(presence, Presence::Here(id, _) if *id == self.id)
            {
                *presence = Presence::Away(Instant::now());
            }
        }
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

    fn agent(text: &str) -> AgentId {
        text.parse().unwrap()
    }

    #[test]
    fn a_record_is_with_one_session_and_comes_back_when_it_ends() {
        let leases = Leases::default();
        let (first, second) = (leases.session(&agent("saaq/un")), leases.session(&agent("saaq/deux")));
        let other = leases.session(&agent("ramq/un"));
        let released = second.released();
        assert!(!second.held()(7));
        assert!(first.take(7) && first.take(7) && !second.take(7));
        assert!(first.held()(7) && second.held()(7) && !second.held()(8) && !other.held()(7));
        assert!(other.take(7), "the same leaf in another agency's mailbox");
        drop(first);
        assert!(released.has_changed().unwrap() && second.take(7));
        second.done(7);
        assert!(leases.session(&agent("saaq/trois")).take(7));
    }

    #[test]
    fn a_newer_session_of_an_agent_ends_the_older_and_one_that_left_is_away() {
        let (leases, un) = (Leases::default(), agent("saaq/un"));
        let older = leases.session(&un);
        let other = leases.session(&agent("saaq/deux"));
        assert!(!older.replaced().is_cancelled());
        let newer = leases.session(&un);
        assert!(older.replaced().is_cancelled() && !newer.replaced().is_cancelled());
        assert!(!other.replaced().is_cancelled());
        drop(older);
        assert_eq!(leases.away(&un), None, "the newer one is there");
        drop(newer);
        assert!(leases.away(&un).is_some_and(|away| away < EXPECTED_BACK) && leases.expects(&un));
        assert!(leases.away(&agent("saaq/trois")).is_some());
    }
}
