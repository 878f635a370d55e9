//! What has happened since the agent was started, counted by kind and reason.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use passerelle_proto::wire::Reason;

/// What is counted.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counted {
    /// A record was sealed and is durable in the outbox.
    Queued,
    /// The agent refused a request itself, before anything was sealed.
    RefusedHere,
    /// The gateway gave its receipt.
    Accepted,
    /// The gateway denied a record.
    Denied,
    /// A recipient acknowledged a record.
    Delivered,
    /// A recipient refused a record.
    Refused,
    /// A recipient did not collect a record in time.
    Expired,
    /// A record entered the inbox.
    Received,
    /// A record that was delivered here was refused.
    Rejected,
    /// The agency's system has confirmed a record.
    Confirmed,
}

impl Counted {
    /// Every kind.
    pub(crate) const FAMILIES: [Self; 10] = [
        Self::Queued,
        Self::RefusedHere,
        Self::Accepted,
        Self::Denied,
        Self::Delivered,
        Self::Refused,
        Self::Expired,
        Self::Received,
        Self::Rejected,
        Self::Confirmed,
    ];

    /// The name of its family, without the prefix.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Queued => "records_queued_total",
            Self::RefusedHere => "requests_refused_total",
            Self::Accepted => "records_accepted_total",
            Self::Denied => "records_denied_total",
            Self::Delivered => "records_delivered_total",
            Self::Refused => "records_refused_total",
            Self::Expired => "records_expired_total",
            Self::Received => "inbox_received_total",
            Self::Rejected => "inbox_refused_total",
            Self::Confirmed => "inbox_confirmed_total",
        }
    }

    pub(super) fn help(self) -> &'static str {
        match self {
            Self::Queued => "Records sealed and durable in the outbox.",
            Self::RefusedHere => "Requests refused by the agent itself before sealing, by reason.",
            Self::Accepted => "Records for which the gateway gave a receipt.",
            Self::Denied => "Records denied by the gateway, by reason.",
            Self::Delivered => "Deliveries acknowledged, one for each recipient.",
            Self::Refused => "Deliveries refused by a recipient, by reason.",
            Self::Expired => "Deliveries not collected in time, one for each recipient.",
            Self::Received => "Records received into the inbox.",
            Self::Rejected => "Deliveries refused here, by reason.",
            Self::Confirmed => "Records confirmed by the agency's systems.",
        }
    }

    /// Whether its reason tells more.
    pub(super) fn has_reason(self) -> bool {
        matches!(self, Self::RefusedHere | Self::Denied | Self::Refused | Self::Rejected)
    }
}

/// How often each has happened.
pub(crate) type Counts = BTreeMap<(Counted, Reason), u64>;

/// The counters. Clones share them. Bounded: kinds and reasons are closed lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Mutex<Counts>>);

impl Tally {
    /// One more.
    pub(crate) fn count(&self, what: Counted) {
        self.count_for(what, Reason::Unspecified);
    }

    /// One more, for this reason.
    pub(crate) fn count_for(&self, what: Counted, why: Reason) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((what, why)).or_default();
        *count = count.saturating_add(1);
    }

    /// What was counted so far.
    pub(crate) fn counts(&self) -> Counts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
