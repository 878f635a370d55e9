//! The clock of the law: civil days in America/Toronto, and the 30 days that follow the Commission's receipt.
//!
//! The time zone's rules are compiled in, so that every party computes the same instants whatever its host's files
//! say. Days run from 2000-01-01 to 2199-12-31: each of their instants fits a [`Timestamp`].
//!
//! The 30 days are calendar days and the day of receipt is not counted: received on D, an agreement may be relied on
//! from D + 30 at 00:00, whatever the hour of receipt and whatever change of clocks lies between.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use passerelle_pki::clock::Timestamp;

use super::standing::Standing;
use super::terms::Agreement;

/// Days between the Commission's receipt and the entry into force (A-2.1, ss. 64, 67.2.3 and 68).
pub const COMMISSION_DAYS: u16 = 30;

/// The zone in which every day of an agreement is counted.
static ZONE: TimeZone = jiff::tz::get!("America/Toronto");

/// Reads `YYYY-MM-DD`; `None` for any other form, a day that does not exist, or a year outside 2000 to 2199.
#[must_use]
pub fn parse(text: &str) -> Option<Date> {
    let form = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let date: Date = form.then(|| text.parse().ok())??;
    (2000..=2199).contains(&date.year()).then_some(date)
}

/// The first instant of a day. `None` only outside the years of this module.
#[must_use]
pub fn start_of(date: Date) -> Option<Timestamp> {
    let start = date.to_zoned(ZONE.clone()).ok()?;
    u64::try_from(start.timestamp().as_millisecond()).ok().map(Timestamp::from_millis)
}

/// The day `days` later.
#[must_use]
pub fn after(date: Date, days: u16) -> Option<Date> {
    date.checked_add(i64::from(days).days()).ok()
}

/// The civil day of an instant.
#[must_use]
pub fn day_of(instant: Timestamp) -> Date {
    instant.to_jiff().to_zoned(ZONE.clone()).date()
}

/// An instant as people of the zone write it, with its offset: `2026-03-31T00:00:00-04:00`.
#[must_use]
pub fn display(instant: Timestamp) -> String {
    instant.to_jiff().to_zoned(ZONE.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// The day from which the law lets an agreement be relied on, given the Commission's receipt.
#[must_use]
pub fn commission_day(received_on: Date) -> Option<Date> {
    after(received_on, COMMISSION_DAYS)
}

/// The instant from which the agreement may be relied on, whether or not it was activated: the start of `valid_from`
/// or, if later and if its basis waits for the Commission, the 30th day after receipt. `None` while that receipt is
/// not recorded.
#[must_use]
pub fn in_force_from(agreement: &Agreement, standing: &Standing) -> Option<Timestamp> {
    let (start, _) = agreement.validity;
    if !agreement.legal_basis.waits_for_commission() {
        return Some(start);
    }
    let cleared = start_of(commission_day(standing.received_by_cai_on?)?)?;
    Some(start.max(cleared))
}

/// The first instant at which the agreement is over: the end of its last day.
#[must_use]
pub fn in_force_until(agreement: &Agreement) -> Timestamp {
    agreement.validity.1
}
