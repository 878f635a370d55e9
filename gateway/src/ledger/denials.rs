//! The guard against floods of denials: a caller whose requests are refused again and again must not fill the log.
//! Beyond a budget, its denials are counted, and one event says how many there were.
//!
//! After a crash or a failed write, what was counted and not logged yet is lost; every denial was answered all the
//! same.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::AgentId;
use passerelle_proto::wire::{self, Reason, event::Detail};

use super::{NewEvent, agent_actor};

/// Denials that one caller may cause at once with an event each.
const BURST: u64 = 200;
/// Denials a second that it may cause on average.
const PER_SECOND: u64 = 10;
/// Callers whose budget is remembered; a full budget is forgotten first.
const CALLERS_LIMIT: usize = 10_000;
/// How long denials are counted before an event says how many.
const SUMMARY_AFTER: Duration = Duration::from_secs(60);

#[derive(Copy, Clone, Debug)]
struct Budget {
    /// Thousandths of a denial.
    left: u64,
    as_of: Timestamp,
}

#[derive(Copy, Clone, Debug)]
struct Counted {
    tls_certificate: [u8; 32],
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

/// Who has been refused how often.
#[derive(Debug, Default)]
pub(super) struct Guard {
    budgets: HashMap<AgentId, Budget>,
    counted: BTreeMap<(AgentId, i32), Counted>,
}

impl Guard {
    /// Whether this denial gets an event of its own. If not, it is counted.
    pub(super) fn admit(
        &mut self,
        caller: &AgentId,
        tls_certificate: [u8; 32],
        reason: Reason,
        now: Timestamp,
    ) -> bool {
        if self.budgets.len() >= CALLERS_LIMIT {
            self.budgets.retain(|_caller, budget| budget.at(now) < BURST * 1_000);
        }
        if self.budgets.len() < CALLERS_LIMIT || self.budgets.contains_key(caller) {
            let fresh = Budget { left: BURST * 1_000, as_of: now };
            let budget = self.budgets.entry(caller.clone()).or_insert(fresh);
            *budget = Budget { left: budget.at(now), as_of: now };
            if budget.left >= 1_000 {
                budget.left -= 1_000;
                return true;
            }
        }
        let counted = self.counted.entry((caller.clone(), reason.into()));
        let counted = counted.or_insert(Counted { tls_certificate, count: 0, first: now, last: now });
        counted.count += 1;
        counted.last = now;
        false
    }

    /// Events for what was counted: all of it, or only what was begun long enough ago.
    pub(super) fn summaries(&mut self, now: Timestamp, all: bool) -> Vec<NewEvent> {
        let due = |counted: &Counted| all || now.since(counted.first) >= SUMMARY_AFTER;
        let (due, rest): (BTreeMap<_, _>, _) =
            std::mem::take(&mut self.counted).into_iter().partition(|(_key, counted)| due(counted));
        self.counted = rest;
        due.into_iter().map(|((caller, reason), counted)| summary(&caller, reason, &counted)).collect()
    }
}

impl Budget {
    fn at(&self, now: Timestamp) -> u64 {
        let elapsed = u64::try_from(now.since(self.as_of).as_millis()).unwrap_or(u64::MAX);
        self.left.saturating_add(elapsed.saturating_mul(PER_SECOND)).min(BURST * 1_000)
    }
}

fn summary(caller: &AgentId, reason: i32, counted: &Counted) -> NewEvent {
    let Counted { count, first, last, .. } = counted;
    NewEvent {
        kind: wire::EventKind::ExchangeDenied,
        actor: agent_actor(caller, &counted.tls_certificate),
        detail: Detail::Exchange(wire::ExchangeDetail {
            sender_agency: caller.agency.to_string(),
            sender_agent: caller.agent.to_string(),
            reason,
            reason_detail: format!("summary; count={count}; from={first}; to={last}"),
            ..wire::ExchangeDetail::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(agency: &str) -> AgentId {
        AgentId { agency: agency.parse().unwrap(), agent: "agent-1".parse().unwrap() }
    }

    #[test]
    fn a_flood_ends_in_one_event_and_others_keep_their_budget() {
        let (mut guard, now) = (Guard::default(), Timestamp::from_seconds(100));
        let mut admit = |agency: &str, at| guard.admit(&caller(agency), [1; 32], Reason::QuotaExceeded, at);
        assert_eq!((0..1_000).filter(|_| admit("ramq", now)).count(), 200);
        assert!(admit("saaq", now));
        // Ten more a second later.
        let later = now.plus(Duration::from_secs(1));
        assert_eq!((0..100).filter(|_| admit("ramq", later)).count(), 10);
        assert!(guard.summaries(later, false).is_empty());
        let [event] = guard.summaries(now.plus(SUMMARY_AFTER), false).try_into().unwrap();
        let Detail::Exchange(detail) = event.detail else { panic!() };
        assert_eq!(detail.sender_agency, "ramq");
        assert!(detail.reason_detail.starts_with("summary; count=890; "), "{}", detail.reason_detail);
        assert!(guard.summaries(now, true).is_empty());
    }
}
