//! Volumes: what each sender has sent under each agreement on each day, for the quotas per day. A day is a calendar
//! day of America/Toronto, given by its number since 1970-01-01.

use prost::Message;

use super::keys;
use super::store::{View, ViewError};

/// Accepted on one day.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct Volume {
    /// Exchanges.
    #[prost(uint64, tag = "1")]
    pub(crate) count: u64,
    /// Plaintext bytes.
    #[prost(uint64, tag = "2")]
    pub(crate) bytes: u64,
}

/// Key of the volume of one sender under one agreement on one day.
pub(super) fn key(number: &str, sender: &str, day: i32) -> Vec<u8> {
    let mut key = keys::named_prefix(keys::VOLUME, number);
    key.extend_from_slice(sender.as_bytes());
    key.push(0);
    key.extend_from_slice(&day.to_be_bytes());
    key
}

/// The calendar day of America/Toronto at `ms`, as days since 1970-01-01.
pub(crate) fn day(ms: u64) -> i32 {
    let toronto = jiff::tz::TimeZone::get("America/Toronto").unwrap_or(jiff::tz::TimeZone::UTC);
    let instant = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let seconds =
        instant.map_or(0, |instant| instant.as_second() + i64::from(toronto.to_offset(instant).seconds()));
    i32::try_from(seconds.div_euclid(86_400)).unwrap_or(i32::MAX)
}

impl View {
    /// What `sender` has sent under agreement `number` on `day`.
    pub(crate) fn volume(&self, number: &str, sender: &str, day: i32) -> Result<Volume, ViewError> {
        Ok(self.row(&key(number, sender, day))?.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_montreal() {
        // 2026-01-15T04:59:59Z is 23:59:59 of the 14th in Montréal (UTC-5); one second later it is the 15th.
        let before = 1_768_453_199_000;
        assert_eq!(day(before) + 1, day(before + 1_000));
        // 2026-07-15T03:59:59Z is 23:59:59 of the 14th in summer (UTC-4).
        let summer = 1_784_087_999_000;
        assert_eq!(day(summer) + 1, day(summer + 1_000));
    }
}
