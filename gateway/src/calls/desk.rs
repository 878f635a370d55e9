//! Who waits for calls, and the calls under way. In memory only: what is under way when the gateway ends is not answered.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use passerelle_pki::name::AgentId;
use passerelle_proto::envelope::VerifiedEnvelope;
use passerelle_proto::wire::{self, ServeEvent, serve_event::Event};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::parts::{Outgoing, Part};

/// Sessions of one agency.
const SESSIONS_MAX: usize = 64;

pub(super) type Events = mpsc::Sender<Result<ServeEvent, Status>>;
pub(super) type Taken = mpsc::Receiver<Result<Part, Status>>;

/// The desk.
#[derive(Debug, Default)]
pub(super) struct Desk {
    tables: Mutex<Tables>,
    /// Rises when a session came or a place became free.
    places: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Tables {
    /// By agency, the next one to be asked first.
    sessions: HashMap<String, VecDeque<Arc<Session>>>,
    sessions_made: u64,
    /// By the request's exchange id.
    calls: HashMap<Bytes, Arc<UnderWay>>,
    /// By the answer's exchange id.
    giving: HashMap<Bytes, Giving>,
    /// Calls under way, by the agency that asks.
    asking: HashMap<String, usize>,
}

/// An agent that waits for calls.
#[derive(Debug)]
pub(super) struct Session {
    number: u64,
    pub(super) agent: AgentId,
    events: Events,
    credit: Arc<Semaphore>,
    /// Ends it.
    pub(super) cut: CancellationToken,
}

/// How a call ended on the side that answers.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Logged; a body above 1 MiB follows.
    Answered(Box<wire::AnsweredCall>, Option<Taken>),
    /// There is no answer: why, and who said so.
    Failed(wire::Reason, String, wire::Actor),
}

/// A call that was offered to a session.
#[derive(Debug)]
pub(super) struct UnderWay {
    session: u64,
    pub(super) request: VerifiedEnvelope,
    outcome: Mutex<Option<oneshot::Sender<Outcome>>>,
    body: Mutex<Option<Taken>>,
    _place: OwnedSemaphorePermit,
}

/// An answer whose body is on its way.
#[derive(Debug)]
pub(super) struct Giving {
    pub(super) agent: AgentId,
    pub(super) answer: VerifiedEnvelope,
    pub(super) to: Outgoing,
}

/// A place among the calls of one agency.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    desk: &'a Desk,
    agency: String,
}

impl Desk {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more call of `agency`.
    pub(super) fn ask(&self, agency: &str, most: usize) -> Option<Asking<'_>> {
        let mut tables = self.tables();
        let count = tables.asking.entry(agency.to_owned()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Asking { desk: self, agency: agency.to_owned() })
    }

    /// Told when it is worth picking again.
    pub(super) fn places(&self) -> watch::Receiver<u64> {
        self.places.subscribe()
    }

    /// Takes a session in. `None` when its agency has too many.
    pub(super) fn enter(&self, agent: AgentId, events: Events, credit: usize) -> Option<Arc<Session>> {
        let session = {
            let mut tables = self.tables();
            tables.sessions_made += 1;
            let number = tables.sessions_made;
            let agency = agent.agency.to_string();
            let session = Arc::new(Session {
                number,
                agent,
                events,
                credit: Arc::new(Semaphore::new(credit)),
                cut: CancellationToken::new(),
            });
            let sessions = tables.sessions.entry(agency).or_default();
            if sessions.len() >= SESSIONS_MAX {
                return None;
            }
            sessions.push_back(Arc::clone(&session));
            session
        };
        self.tell();
        Some(session)
    }

    /// Lets a session go; whoever waits for an answer of it learns that none comes.
    pub(super) fn leave(&self, session: &Session) {
        let mut tables = self.tables();
        let agency = session.agent.agency.as_str();
        if let Some(sessions) = tables.sessions.get_mut(agency) {
            sessions.retain(|other| other.number != session.number);
            if sessions.is_empty() {
                tables.sessions.remove(agency);
            }
        }
        for call in tables.calls.values().filter(|call| call.session == session.number) {
            // Dropped: the side that asks sees that nobody will answer.
            drop(call.claim());
        }
    }

    /// A session of `agency` with a free place, in turn, of an agent that `fits`; and whether such an agent is there at
    /// all.
    pub(super) fn pick(
        &self,
        agency: &str,
        fits: impl Fn(&AgentId) -> bool,
    ) -> (Option<(Arc<Session>, OwnedSemaphorePermit)>, bool) {
        let mut tables = self.tables();
        let Some(sessions) = tables.sessions.get_mut(agency) else { return (None, false) };
        let mut there = false;
        for _ in 0..sessions.len() {
            sessions.rotate_left(1);
            let Some(session) = sessions.back().filter(|session| fits(&session.agent)) else { continue };
            there = true;
            if let Ok(place) = Arc::clone(&session.credit).try_acquire_owned() {
                return (Some((Arc::clone(session), place)), true);
            }
        }
        (None, there)
    }

    /// Remembers a call that is about to be offered; gives where its outcome comes.
    pub(super) fn begin(
        &self,
        session: &Session,
        request: VerifiedEnvelope,
        body: Option<Taken>,
        place: OwnedSemaphorePermit,
    ) -> oneshot::Receiver<Outcome> {
        let (told, outcome) = oneshot::channel();
        let id = request.header().exchange_id.clone();
        let call = UnderWay {
            session: session.number,
            request,
            outcome: Mutex::new(Some(told)),
            body: Mutex::new(body),
            _place: place,
        };
        self.tables().calls.insert(id, Arc::new(call));
        outcome
    }

    /// Forgets a call that has ended, and the body of its answer.
    pub(super) fn end(&self, request: &Bytes, answer: Option<&Bytes>) {
        let ended = {
            let mut tables = self.tables();
            if let Some(answer) = answer {
                tables.giving.remove(answer);
            }
            tables.calls.remove(request)
        };
        drop(ended);
        self.tell();
    }

    /// The call that a session was offered under this id.
    pub(super) fn call(&self, session: &Session, request: &Bytes) -> Option<Arc<UnderWay>> {
        let tables = self.tables();
        tables.calls.get(request).filter(|call| call.session == session.number).cloned()
    }

    /// The body of a call that was offered to `agent`, once.
    pub(super) fn take_body(&self, agent: &AgentId, request: &Bytes) -> Option<Taken> {
        let tables = self.tables();
        let call = tables.calls.get(request)?;
        let sessions = tables.sessions.get(agent.agency.as_str())?;
        let own = sessions.iter().any(|session| session.number == call.session && session.agent == *agent);
        if !own {
            return None;
        }
        call.body.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits for the body of an answer.
    pub(super) fn expect_body(&self, answer: Bytes, giving: Giving) {
        self.tables().giving.insert(answer, giving);
    }

    /// The answer whose body `agent` now gives, once.
    pub(super) fn give_body(&self, agent: &AgentId, answer: &Bytes) -> Option<Giving> {
        let mut tables = self.tables();
        if tables.giving.get(answer).is_none_or(|giving| giving.agent != *agent) {
            return None;
        }
        tables.giving.remove(answer)
    }

    fn tell(&self) {
        self.places.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Session {
    /// Tells the agent. One that does not read what it is told is cut; false then.
    pub(super) fn tell(&self, event: Event) -> bool {
        let told = self.events.try_send(Ok(ServeEvent { event: Some(event) })).is_ok();
        if !told {
            self.cut.cancel();
        }
        told
    }
}

impl UnderWay {
    /// The right to say how it ended, once.
    pub(super) fn claim(&self) -> Option<oneshot::Sender<Outcome>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut tables = self.desk.tables();
        if let Some(count) = tables.asking.get_mut(&self.agency) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                tables.asking.remove(&self.agency);
            }
        }
    }
}
