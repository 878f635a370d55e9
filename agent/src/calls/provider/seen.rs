//! Requests that were answered before: a gateway that offers one again does not have the service touched twice, nor after a
//! restart of this agent.
//!
//! What an earlier process answered is not remembered on the disk. It answered nothing that was created later than its own
//! now, so what was created after this process started was not answered before; what was created before, may have been, and
//! is refused. Both are by `created_ms`, which the consumer signed: the gateway cannot change it. A consumer whose clock is
//! behind ours by a while is told to call again during that while after a start, and not later. One whose clock is ahead is
//! waited for, a few seconds at most. This holds as long as our own clock does not go back over a restart.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_proto::exchange_id::ExchangeId;

/// How far the consumer's clock may be behind ours: a request is over when it is over by this much.
const SKEW: Duration = Duration::from_secs(120);
/// How far the consumer's clock may be ahead of ours: so long its request is put off.
const AHEAD: Duration = Duration::from_secs(10);
/// Requests that are remembered, each until it is over.
const MOST: usize = 1 << 19;

/// The requests of the last minutes.
#[derive(Debug)]
pub(super) struct Seen {
    /// When this process began.
    start: Timestamp,
    requests: Mutex<HashMap<ExchangeId, Timestamp>>,
}

/// A request that is asked about.
#[derive(Copy, Clone, Debug)]
pub(super) struct Request {
    pub(super) id: ExchangeId,
    /// By the clock of the consumer, who signed it.
    pub(super) created: Timestamp,
    pub(super) expires: Timestamp,
}

/// What is known of a request.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// It is the first time.
    Yes,
    /// It was offered before.
    No,
    /// It may have been offered before this process began.
    Before,
    /// It is of so long from now: to be asked about again then.
    Early(Duration),
    /// The consumer's clock is too far ahead.
    Ahead,
    /// Its time is over; it may have been offered before.
    Over,
    /// Too many to remember one more.
    Full,
}

impl Seen {
    /// Of a process that begins now.
    pub(super) fn since(start: Timestamp) -> Self {
        Self { start, requests: Mutex::default() }
    }

    /// Remembers a request.
    pub(super) fn first(&self, request: Request, now: Timestamp) -> First {
        let Request { id, created, expires } = request;
        let until = expires.plus(SKEW);
        if until <= now {
            return First::Over;
        }
        if created <= self.start {
            return First::Before;
        }
        match created.since(now) {
            ahead if ahead > AHEAD => return First::Ahead,
            Duration::ZERO => {}
            ahead => return First::Early(ahead),
        }
        let mut seen = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains_key(&id) {
            return First::No;
        }
        if seen.len() >= seen.capacity().min(MOST) {
            seen.retain(|_, until| *until > now);
        }
        if seen.len() >= MOST {
            return First::Full;
        }
        seen.insert(id, until);
        First::Yes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const DEADLINE: Duration = Duration::from_secs(30);

    fn created(at: Timestamp) -> Request {
        let id = ExchangeId::draw(at, &ring::rand::SystemRandom::new()).unwrap();
        Request { id, created: at, expires: at.plus(DEADLINE) }
    }

    fn after(millis: u64) -> Timestamp {
        START.plus(Duration::from_millis(millis))
    }

    #[test]
    fn a_request_is_first_once_until_it_is_over() {
        let (seen, request) = (Seen::since(START), created(after(1)));
        assert_eq!(seen.first(request, after(1)), First::Yes);
        assert_eq!(seen.first(request, after(1)), First::No);
        let late = request.expires.plus(SKEW);
        assert_eq!(seen.first(request, late), First::Over);
        for count in 0..10_u64 {
            let now = late.plus(Duration::from_secs(count * 300));
            assert_eq!(seen.first(created(now), now), First::Yes);
        }
        assert!(seen.requests.lock().unwrap().len() < 8, "what is over is forgotten");
    }

    #[test]
    fn nothing_that_a_process_has_answered_is_answered_by_the_next() {
        // Consumers whose clocks are ahead and behind, offered at once and as late as the clocks allow.
        for (ahead, behind) in [(0, 0), (1, 0), (9_999, 0), (10_001, 0), (0, 1), (0, 119_000)] {
            let (first, real) = (Seen::since(START), 200_000);
            let request = created(after(real + ahead - behind));
            let answered = (0..20_000)
                .step_by(500)
                .find(|later| first.first(request, after(real + later)) == First::Yes);
            let answered = answered.unwrap();
            // The earliest restart that there can be.
            let second = Seen::since(after(real + answered));
            for later in (0..200_000).step_by(500) {
                let again = second.first(request, after(real + answered + later));
                assert!(matches!(again, First::Before | First::Over), "{ahead} {behind} {later}: {again:?}");
            }
        }
    }

    #[test]
    fn a_clock_that_is_behind_is_refused_for_so_long_after_a_start_and_one_that_is_ahead_waits() {
        let seen = Seen::since(START);
        let behind = |now: u64| seen.first(created(after(now - 5_000)), after(now));
        assert_eq!(
            [behind(5_000), behind(5_001), behind(9_000_000)],
            [First::Before, First::Yes, First::Yes]
        );
        let request = created(after(3_000));
        assert_eq!(seen.first(request, after(1_000)), First::Early(Duration::from_secs(2)));
        assert_eq!(seen.first(request, after(3_000)), First::Yes);
        assert_eq!(seen.first(created(after(11_002)), after(1_001)), First::Ahead);
    }
}
