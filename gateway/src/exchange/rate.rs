//! How fast an agency may submit, whatever its agreements say (GCRA, `governor`).

use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::checks::ExchangeLimits;

/// A limiter per agency. Agencies are few and registered, so the map is bounded.
#[derive(Debug)]
pub(super) struct Rates(DefaultKeyedRateLimiter<String>);

impl Rates {
    pub(super) fn new(limits: &ExchangeLimits) -> Self {
        let positive = |value: u32| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(positive(limits.per_second_per_agency));
        Self(RateLimiter::keyed(quota.allow_burst(positive(limits.burst_per_agency))))
    }

    /// Whether one more submission of `agency` is within its rate.
    pub(super) fn allows(&self, agency: &str) -> bool {
        self.0.check_key(&agency.to_owned()).is_ok()
    }
}
