//! Requests that were answered before: a gateway that offers one again does not have the service touched twice.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_proto::exchange_id::ExchangeId;

/// How far the consumer's clock may be behind ours: a request is over when it is over by this much.
const SKEW: Duration = Duration::from_secs(120);
/// Requests that are remembered, each until it is over.
const MOST: usize = 1 << 19;

/// The requests of the last minutes.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<ExchangeId, Timestamp>>);

/// What is known of a request.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// It is the first time.
    Yes,
    /// It was offered before.
    No,
    /// Its time is over; it may have been offered before.
    Over,
    /// Too many to remember one more.
    Full,
}

impl Seen {
    /// Remembers a request that ends at `expires`.
    pub(super) fn first(&self, id: ExchangeId, expires: Timestamp, now: Timestamp) -> First {
        let until = expires.plus(SKEW);
        if until <= now {
            return First::Over;
        }
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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

    #[test]
    fn a_request_is_first_once_until_it_is_over() {
        let (seen, start) = (Seen::default(), Timestamp::from_millis(1_700_000_000_000));
        let id = ExchangeId::draw(start, &ring::rand::SystemRandom::new()).unwrap();
        let expires = start.plus(Duration::from_secs(30));
        assert_eq!(seen.first(id, expires, start), First::Yes);
        assert_eq!(seen.first(id, expires, start), First::No);
        let late = expires.plus(SKEW);
        assert_eq!(seen.first(id, expires, late), First::Over);
        for count in 0..10_u64 {
            let now = late.plus(Duration::from_secs(count * 300));
            let id = ExchangeId::draw(now, &ring::rand::SystemRandom::new()).unwrap();
            assert_eq!(seen.first(id, now.plus(Duration::from_secs(30)), now), First::Yes);
        }
        assert!(seen.0.lock().unwrap().len() < 8, "what is over is forgotten");
    }
}
