//! What an erasure may say (`docs/formats/log.md` section 7).
//!
//! Writers and readers hold to it alike: ranges in order and apart, all before the time from which the period has passed.

use crate::wire::{ErasureDetail, LeafRange};

/// Ranges in one event at most, so that the event always fits an entry. A large erasure is several events.
pub const RANGES_LIMIT: usize = 2_000;
/// Bytes of an agreement's number at most.
const AGREEMENT_LIMIT: usize = crate::envelope::limits::AGREEMENT_NUMBER_LIMIT;

/// Why an erasure is not one that the rules allow. When encoding, ours; when decoding, the log's.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErasureError {
    /// It names no entry, or more ranges than [`RANGES_LIMIT`].
    #[error("an erasure names 1 to {RANGES_LIMIT} ranges, not {0}")]
    Ranges(usize),
    /// A range is empty, or does not come after the one before it.
    #[error("the range from leaf {0} is empty, or not after the one before it")]
    Order(u64),
    /// The number of the agreement is too long.
    #[error("the number of the agreement has over {AGREEMENT_LIMIT} bytes")]
    Agreement,
    /// There is no period, or it was not over when the erasure was logged.
    #[error("the period was not over when the erasure was logged")]
    Period,
}

/// Checks an erasure that was logged at `time_ms`.
pub(super) fn check(detail: &ErasureDetail, time_ms: u64) -> Result<(), ErasureError> {
    if detail.ranges.is_empty() || detail.ranges.len() > RANGES_LIMIT {
        return Err(ErasureError::Ranges(detail.ranges.len()));
    }
    let mut from = 0;
    for LeafRange { first, end } in &detail.ranges {
        if first < &from || end <= first {
            return Err(ErasureError::Order(*first));
        }
        from = *end;
    }
    if detail.agreement.len() > AGREEMENT_LIMIT {
        return Err(ErasureError::Agreement);
    }
    let over = detail.before_ms.checked_add(detail.period_ms);
    if detail.period_ms == 0 || over.is_none_or(|over| over > time_ms) {
        return Err(ErasureError::Period);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(ranges: &[(u64, u64)]) -> ErasureDetail {
        let ranges = ranges.iter().map(|&(first, end)| LeafRange { first, end }).collect();
        ErasureDetail { ranges, agreement: String::new(), period_ms: 10, before_ms: 100 }
    }

    #[test]
    fn ranges_are_in_order_and_apart() {
        assert_eq!(check(&detail(&[(0, 3), (3, 4), (9, 10)]), 110), Ok(()));
        assert_eq!(check(&detail(&[]), 110), Err(ErasureError::Ranges(0)));
        assert_eq!(check(&detail(&[(0, 3), (2, 4)]), 110), Err(ErasureError::Order(2)));
        assert_eq!(check(&detail(&[(5, 5)]), 110), Err(ErasureError::Order(5)));
        let many: Vec<_> = (0..2_001).map(|n| (2 * n, 2 * n + 1)).collect();
        assert_eq!(check(&detail(&many), 110), Err(ErasureError::Ranges(2_001)));
    }

    #[test]
    fn the_period_is_over_by_the_events_time() {
        assert_eq!(check(&detail(&[(0, 3)]), 109), Err(ErasureError::Period));
        assert_eq!(
            check(&ErasureDetail { period_ms: 0, ..detail(&[(0, 3)]) }, 500),
            Err(ErasureError::Period)
        );
        let endless = ErasureDetail { period_ms: u64::MAX, ..detail(&[(0, 3)]) };
        assert_eq!(check(&endless, u64::MAX), Err(ErasureError::Period));
    }
}
