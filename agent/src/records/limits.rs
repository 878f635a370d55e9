//! How much an agent keeps.

use std::time::Duration;

use passerelle_proto::envelope::PLAINTEXT_LIMIT;

/// Bounds of outbox and inbox. The defaults suit a small agency's machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Plaintext bytes of one record.
    pub record_bytes: u64,
    /// Records that may wait to be sent.
    pub queued_records: usize,
    /// Sealed bytes that may wait to be sent.
    pub queued_bytes: u64,
    /// How long a record that is finished is still shown.
    pub history: Duration,
    /// Finished records that are shown at most; the oldest go first.
    pub history_records: usize,
    /// Sealed bytes that may wait in the inbox; nothing is collected beyond.
    pub inbox_bytes: u64,
    /// Records that may wait in the inbox.
    pub inbox_records: usize,
    /// Plaintext bytes of a record whose fields an agreement restricts: it is read whole.
    pub minimised_bytes: u64,
    /// How long a record is valid when the request does not say.
    pub lifetime: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const DAY: u64 = 86_400;
        Self {
            record_bytes: PLAINTEXT_LIMIT,
            queued_records: 100_000,
            queued_bytes: 100 << 30,
            history: Duration::from_secs(31 * DAY),
            history_records: 100_000,
            inbox_bytes: 100 << 30,
            inbox_records: 100_000,
            minimised_bytes: 16 << 20,
            lifetime: Duration::from_secs(7 * DAY),
        }
    }
}
