//! Quotas of agreements: what one sending agency may send under one agreement in a second and in a day.
//!
//! Days are counted in the view and survive a restart; a second is counted here, by the event's time.

use std::collections::HashMap;

use passerelle_pki::clock::Timestamp;
use passerelle_proto::agreement::{Limits, Refusal};
use passerelle_proto::wire::Reason;

use crate::view::Volume;

/// Pairs of agreement and sender that are counted at a time; beyond, what is not of the present second is forgotten.
const PAIRS_LIMIT: usize = 4_096;

/// Agreement number and sending agency.
type Pair = (String, String);

/// Exchanges in the present second.
#[derive(Debug, Default)]
pub(super) struct Rates {
    /// Second and count.
    pairs: HashMap<Pair, (u64, u64)>,
}

/// One exchange, as quotas see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load<'a> {
    /// Agreement number.
    pub(super) number: &'a str,
    /// Sending agency.
    pub(super) sender: &'a str,
    /// Plaintext bytes.
    pub(super) bytes: u64,
}

impl Rates {
    /// Whether one more exchange fits the limits; `today` is what was sent already. Counts it when it does.
    pub(super) fn take(
        &mut self,
        limits: &Limits,
        load: Load<'_>,
        today: Volume,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if let Some(allowed) = limits.per_day.filter(|allowed| today.count >= *allowed) {
            return exceeded("per_day", allowed);
        }
        let bytes = today.bytes.saturating_add(load.bytes);
        if let Some(allowed) = limits.bytes_per_day.filter(|allowed| bytes > *allowed) {
            return exceeded("bytes_per_day", allowed);
        }
        let Some(allowed) = limits.per_second else { return Ok(()) };
        let second = now.as_seconds();
        if self.pairs.len() >= PAIRS_LIMIT {
            self.pairs.retain(|_pair, (counted, _count)| *counted == second);
        }
        let key = (load.number.to_owned(), load.sender.to_owned());
        let (counted, count) = self.pairs.entry(key).or_insert((second, 0));
        if *counted != second {
            (*counted, *count) = (second, 0);
        }
        if *count >= allowed {
            return exceeded("per_second", allowed);
        }
        *count += 1;
        Ok(())
    }
}

fn exceeded(limit: &str, allowed: u64) -> Result<(), Refusal> {
    Err(Refusal { reason: Reason::QuotaExceeded, detail: format!("limit={limit}; allowed={allowed}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load<'_> = Load { number: "ENT-1", sender: "ramq", bytes: 10 };

    fn refused(taken: Result<(), Refusal>) -> String {
        taken.unwrap_err().detail
    }

    #[test]
    fn a_second_is_counted_for_each_sender_and_begins_again() {
        let (mut rates, none) = (Rates::default(), Volume::default());
        let limits = Limits { per_second: Some(2), ..Limits::default() };
        let at = |ms| Timestamp::from_millis(ms);
        rates.take(&limits, LOAD, none, at(1_000)).unwrap();
        rates.take(&limits, LOAD, none, at(1_999)).unwrap();
        assert_eq!(refused(rates.take(&limits, LOAD, none, at(1_999))), "limit=per_second; allowed=2");
        rates.take(&limits, Load { sender: "saaq", ..LOAD }, none, at(1_999)).unwrap();
        rates.take(&limits, Load { number: "ENT-2", ..LOAD }, none, at(1_999)).unwrap();
        rates.take(&limits, LOAD, none, at(2_000)).unwrap();
    }

    #[test]
    fn a_day_is_counted_in_exchanges_and_in_bytes() {
        let (mut rates, now) = (Rates::default(), Timestamp::from_millis(0));
        let limits = Limits { per_day: Some(3), bytes_per_day: Some(100), ..Limits::default() };
        rates.take(&limits, LOAD, Volume { count: 2, bytes: 90 }, now).unwrap();
        let full = rates.take(&limits, LOAD, Volume { count: 3, bytes: 0 }, now);
        assert_eq!(refused(full), "limit=per_day; allowed=3");
        let full = rates.take(&limits, LOAD, Volume { count: 0, bytes: 91 }, now);
        assert_eq!(refused(full), "limit=bytes_per_day; allowed=100");
    }
}
