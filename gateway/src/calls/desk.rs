//! Who waits for calls, and the calls under way. In memory only: what is under way when the gateway ends is not answered.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use bytes::Bytes;
use passerelle_pki::name::AgentId;
use passerelle_proto::envelope::VerifiedEnvelope;
use passerelle_proto::wire::{self, OfferedCall, ServeEvent, serve_event::Event};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::parts::{Outgoing, Part};

/// Sessions of one agency.
const SESSIONS_MAX: usize = 64;

pub(super) type Events = mpsc::Sender<Result<Told, Status>>;
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

/// What a session is told, in its turn. What is not read yet must cost little: an agent may never read.
#[derive(Debug)]
pub(super) enum Told {
    /// A call that is still under way when it is read, and its place, which is not free before.
    Offer(Weak<UnderWay>, Arc<Place>),
    /// Anything else.
    Event(Box<Event>),
}

/// A place among the calls of a session. Free once the call has ended and its offer was read.
#[derive(Debug)]
pub(super) struct Place {
    permit: Option<OwnedSemaphorePermit>,
    places: watch::Sender<u64>,
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
    /// What the session reads; here and not in its queue, so that it goes with the call.
    offer: Mutex<Option<OfferedCall>>,
    body: Mutex<Option<Taken>>,
    /// The exchange id of an answer whose body is awaited.
    answer: OnceLock<Bytes>,
    place: Arc<Place>,
}

/// A call that is to be offered.
#[derive(Debug)]
pub(super) struct Offering {
    pub(super) request: VerifiedEnvelope,
    pub(super) offer: OfferedCall,
    /// The body, when it comes apart.
    pub(super) body: Option<Taken>,
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
        tell(&self.places);
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
    ) -> (Option<(Arc<Session>, Place)>, bool) {
        let mut tables = self.tables();
        let Some(sessions) = tables.sessions.get_mut(agency) else { return (None, false) };
        let mut there = false;
        for _ in 0..sessions.len() {
            sessions.rotate_left(1);
            let Some(session) = sessions.back().filter(|session| fits(&session.agent)) else { continue };
            there = true;
            if let Ok(permit) = Arc::clone(&session.credit).try_acquire_owned() {
                let place = Place { permit: Some(permit), places: self.places.clone() };
                return (Some((Arc::clone(session), place)), true);
            }
        }
        (None, there)
    }

    /// Offers a call to a session; gives where its outcome comes.
    ///
    /// # Errors
    /// The call again, when the session has left meanwhile: it is for another one.
    pub(super) fn begin(
        &self,
        session: &Session,
        offering: Box<Offering>,
        place: Place,
    ) -> Result<oneshot::Receiver<Outcome>, Box<Offering>> {
        let mut tables = self.tables();
        let sessions = tables.sessions.get(session.agent.agency.as_str());
        if !sessions.is_some_and(|all| all.iter().any(|other| other.number == session.number)) {
            return Err(offering);
        }
        let Offering { request, offer, body } = *offering;
        let (told, outcome) = oneshot::channel();
        let id = request.header().exchange_id.clone();
        let call = Arc::new(UnderWay {
            session: session.number,
            request,
            outcome: Mutex::new(Some(told)),
            offer: Mutex::new(Some(offer)),
            body: Mutex::new(body),
            answer: OnceLock::new(),
            place: Arc::new(place),
        });
        let told = Told::Offer(Arc::downgrade(&call), Arc::clone(&call.place));
        // Whoever leaves from now on lets this call go with the others.
        if session.send(told) {
            tables.calls.insert(id, call);
        }
        Ok(outcome)
    }

    /// Forgets a call that has ended, and the body of its answer.
    pub(super) fn end(&self, request: &Bytes) {
        let ended = {
            let mut tables = self.tables();
            let call = tables.calls.remove(request);
            let giving = call.as_ref().and_then(|call| call.answer.get());
            let giving = giving.and_then(|answer| tables.giving.remove(answer));
            (call, giving)
        };
        drop(ended);
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

    /// Waits for the body of the answer to a call, as long as that is under way.
    pub(super) fn expect_body(&self, request: &Bytes, answer: Bytes, giving: Giving) {
        let mut tables = self.tables();
        let call = tables.calls.get(request);
        if call.is_some_and(|call| call.answer.set(answer.clone()).is_ok()) {
            tables.giving.insert(answer, giving);
        }
    }

    /// The answer whose body `agent` now gives, once.
    pub(super) fn give_body(&self, agent: &AgentId, answer: &Bytes) -> Option<Giving> {
        let mut tables = self.tables();
        if tables.giving.get(answer).is_none_or(|giving| giving.agent != *agent) {
            return None;
        }
        tables.giving.remove(answer)
    }
}

fn tell(places: &watch::Sender<u64>) {
    places.send_modify(|count| *count = count.wrapping_add(1));
}

impl Session {
    /// Tells the agent. One that does not read what it is told is cut; false then.
    pub(super) fn tell(&self, event: Event) -> bool {
        self.send(Told::Event(Box::new(event)))
    }

    fn send(&self, told: Told) -> bool {
        let sent = self.events.try_send(Ok(told)).is_ok();
        if !sent {
            self.cut.cancel();
        }
        sent
    }
}

impl Told {
    /// As the agent reads it; `None` for a call that has ended before it was read.
    pub(super) fn into_event(self) -> Option<ServeEvent> {
        let event = match self {
            Self::Offer(call, _place) => {
                let call = call.upgrade()?;
                let offer = call.offer.lock().unwrap_or_else(PoisonError::into_inner).take()?;
                Event::Call(offer)
            }
            Self::Event(event) => *event,
        };
        Some(ServeEvent { event: Some(event) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.permit.take());
        // Not before it is free: whoever is told looks at once.
        tell(&self.places);
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
