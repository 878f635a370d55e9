//! The connections that are open, so that they can be ended: at once when a certificate is revoked or an agency is
//! suspended, and when a certificate expires. A TLS session would outlive all three.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use passerelle_pki::clock::{SharedClock, Timestamp};
use passerelle_pki::name::AgencyCode;
use passerelle_pki::revocation::Revocations;
use tokio_util::sync::CancellationToken;

use super::caller::AgentCaller;
use crate::ledger::Ledger;
use crate::state::State;

/// How often expired certificates are looked for.
const SWEEP: Duration = Duration::from_secs(30);

/// The open connections of agents. Clones share it.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    revocations: Revocations,
    ledger: Ledger,
    clock: SharedClock,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Open>>,
}

#[derive(Debug)]
struct Open {
    agent: Arc<AgentCaller>,
    end: CancellationToken,
}

/// A connection that is open; dropping it takes it off the list.
#[derive(Debug)]
pub struct Registered {
    id: u64,
    connections: Connections,
    end: CancellationToken,
}

impl Registered {
    /// Resolves when the connection must end.
    pub async fn ended(&self) {
        self.end.cancelled().await;
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.connections.lock().remove(&self.id);
    }
}

impl Connections {
    /// None yet.
    #[must_use]
    pub fn new(revocations: Revocations, ledger: Ledger, clock: SharedClock) -> Self {
        let (next, open) = (AtomicU64::new(0), Mutex::new(HashMap::new()));
        Self(Arc::new(Inner { revocations, ledger, clock, next, open }))
    }

    /// Lists a connection, unless its agent may not be here, or its agency has `most` already.
    ///
    /// # Errors
    /// Why not.
    pub fn register(&self, agent: &Arc<AgentCaller>, most: usize) -> Result<Registered, &'static str> {
        let registered = {
            let mut open = self.lock();
            let same = open.values().filter(|other| other.agent.id.agency == agent.id.agency).count();
            if same >= most {
                return Err("its agency has too many connections");
            }
            let id = self.0.next.fetch_add(1, Ordering::Relaxed);
            let end = CancellationToken::new();
            open.insert(id, Open { agent: Arc::clone(agent), end: end.clone() });
            Registered { id, connections: self.clone(), end }
        };
        // Listed first: what is revoked from now on ends it, what was revoked before is seen here.
        self.check(agent)?;
        Ok(registered)
    }

    /// Whether an agent may be served at this moment. Asked at each connection and at each request.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, agent: &AgentCaller) -> Result<(), &'static str> {
        welcome(agent, &self.0.revocations, &self.0.ledger.state(), self.0.clock.now())
    }

    /// Connections that are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Ends every connection whose agent may not be here any more.
    fn end_unwelcome(&self) {
        let (state, now) = (self.0.ledger.state(), self.0.clock.now());
        for open in self.lock().values() {
            if let Err(why) = welcome(&open.agent, &self.0.revocations, &state, now) {
                tracing::warn!(agent = %open.agent.id, why, "connection ended");
                open.end.cancel();
            }
        }
    }

    /// Runs for ever: ends what must end whenever revocations or the state change, and as certificates expire.
    pub async fn watch(self) {
        let (mut lists, mut states) = (self.0.revocations.subscribe(), self.0.ledger.changes());
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            let told = tokio::select! {
                changed = lists.changed() => changed.is_ok(),
                changed = states.changed() => changed.is_ok(),
                _ = sweep.tick() => true,
            };
            if !told {
                return;
            }
            self.end_unwelcome();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an agent may be connected.
///
/// # Errors
/// Why not.
fn welcome(
    agent: &AgentCaller,
    revocations: &Revocations,
    state: &State,
    now: Timestamp,
) -> Result<(), &'static str> {
    let certificate = &agent.certificate;
    let listed =
        revocations.list(certificate.issuer_key_id).is_none_or(|list| list.contains(&certificate.serial));
    let agency: &AgencyCode = &agent.id.agency;
    if listed || state.revoked_since(&certificate.serial).is_some() {
        Err("its certificate is revoked")
    } else if certificate.not_after <= now {
        Err("its certificate has expired")
    } else if state.agency(agency.as_str()).is_some() && !state.is_active(agency.as_str()) {
        Err("its agency is not active")
    } else {
        Ok(())
    }
}
