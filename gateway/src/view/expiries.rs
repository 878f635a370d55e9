//! Expiries: undelivered exchanges in the order in which they expire.

use bytes::Bytes;

use super::keys;
use super::store::{View, ViewError};

impl View {
    /// Ids of the undelivered exchanges whose expiry is at or before `at_ms`; at most `limit`.
    pub fn expired(&self, at_ms: u64, limit: usize) -> Result<Vec<Bytes>, ViewError> {
        let end = keys::paired(keys::EXPIRY, at_ms, u64::MAX);
        self.db()
            .range([keys::EXPIRY].as_slice()..=end.as_slice())
            .values()
            .take(limit)
            .map(|id| Ok(Bytes::copy_from_slice(&id?)))
            .collect()
    }
}
