//! Keys of the view: a prefix byte per aggregate, then the aggregate's own order. Numbers are big-endian, so that
//! byte order is numeric order.

/// The single meta row.
pub(super) const META: &[u8] = b"\0meta";
/// The single row that says how far the log is published.
pub(super) const PUBLISHED: &[u8] = b"\0published";
/// Exchanges by id.
pub(super) const EXCHANGE: u8 = b'X';
/// Waiting records by recipient agency and leaf.
pub(super) const MAILBOX: u8 = b'M';
/// Undelivered exchanges by expiry.
pub(super) const EXPIRY: u8 = b'E';
/// Acknowledgements that a sending agent was not yet told of.
pub(super) const NOTICE: u8 = b'N';
/// Entries that the state is folded from.
pub(super) const GOVERNANCE: u8 = b'G';
/// Accepted count and bytes by agreement, sender and day.
pub(super) const VOLUME: u8 = b'Q';
/// Streams of ordered records, by sender and stream.
pub(super) const STREAM: u8 = b'S';
/// Ordered records that wait, by recipient agency, sender, stream and sequence.
pub(super) const QUEUED: u8 = b'W';
/// Query index.
pub(super) const INDEX: u8 = b'I';
/// Sparse time index: event time to leaf.
pub(super) const TIME: u8 = b'T';

/// `prefix | name | 0 | number`.
pub(super) fn named(prefix: u8, name: &str, number: u64) -> Vec<u8> {
    let mut key = named_prefix(prefix, name);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// `prefix | name | 0`.
pub(super) fn named_prefix(prefix: u8, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len() + 10);
    key.push(prefix);
    key.extend_from_slice(name.as_bytes());
    key.push(0);
    key
}

/// `prefix | number`.
pub(super) fn numbered(prefix: u8, number: u64) -> [u8; 9] {
    let mut key = [prefix; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

/// `prefix | first | second`.
pub(super) fn paired(prefix: u8, first: u64, second: u64) -> [u8; 17] {
    let mut key = [prefix; 17];
    key[1..9].copy_from_slice(&first.to_be_bytes());
    key[9..].copy_from_slice(&second.to_be_bytes());
    key
}

/// `X | exchange id`.
pub(super) fn exchange(id: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + id.len());
    key.push(EXCHANGE);
    key.extend_from_slice(id);
    key
}

/// The number in the last eight bytes of a key.
pub(super) fn last_number(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_numeric_order_and_give_the_number_back() {
        assert!(named(MAILBOX, "ramq", 255) < named(MAILBOX, "ramq", 256));
        assert!(paired(EXPIRY, 1, u64::MAX) < paired(EXPIRY, 2, 0));
        assert_eq!(last_number(&numbered(GOVERNANCE, 300)), Some(300));
        assert_eq!(last_number(b"short"), None);
    }

    #[test]
    fn one_agency_is_not_the_prefix_of_another() {
        assert!(!named(MAILBOX, "ramq-2", 1).starts_with(&named_prefix(MAILBOX, "ramq")));
    }
}
