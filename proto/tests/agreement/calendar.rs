//! When an agreement is in force: the calendar of America/Toronto and the 30 days of the Commission.

use passerelle_pki::clock::Timestamp;
use passerelle_proto::agreement::{Standing, calendar, in_force_from, in_force_until};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{active, at, document};

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    why: String,
    legal_basis: String,
    valid_from: String,
    valid_to: String,
    received_by_cai_on: String,
    in_force_from_ms: Option<u64>,
    in_force_until_ms: u64,
}

#[test]
fn dates_are_those_of_another_calendar() {
    let file: File = serde_json::from_str(include_str!("../vectors/agreement_dates.json")).unwrap();
    assert!(file.cases.len() > 30);
    for case in file.cases {
        let mut edits = vec![
            ("/legal_basis", json!(case.legal_basis)),
            ("/valid_from", json!(case.valid_from)),
            ("/valid_to", json!(case.valid_to)),
            ("/efvp/date", json!("2000-01-01")),
        ];
        if case.legal_basis != "A-2.1 s.68" {
            edits.push(("/section_68_case", Value::Null));
        }
        let standing = Standing { received_by_cai_on: calendar::parse(&case.received_by_cai_on), ..active() };
        let document = document(&edits);
        let found = in_force_from(document.agreement(), &standing);
        assert_eq!(found.map(Timestamp::as_millis), case.in_force_from_ms, "{}", case.why);
        assert_eq!(in_force_until(document.agreement()).as_millis(), case.in_force_until_ms, "{}", case.why);
    }
}

/// By hand: Québec is at UTC-5 until the second Sunday of March (8 March 2026), then at UTC-4 until the first Sunday of
/// November (1 November 2026).
#[test]
fn thirty_days_by_hand() {
    for (received, begins) in [
        ("2026-01-31", "2026-03-02T05:00:00Z"),
        ("2026-02-06", "2026-03-08T05:00:00Z"),
        ("2026-02-07", "2026-03-09T04:00:00Z"),
        ("2026-03-01", "2026-03-31T04:00:00Z"),
        ("2026-10-02", "2026-11-01T04:00:00Z"),
        ("2026-10-03", "2026-11-02T05:00:00Z"),
        ("2028-01-30", "2028-02-29T05:00:00Z"),
    ] {
        let standing = Standing { received_by_cai_on: calendar::parse(received), ..active() };
        let edits = [("/valid_from", json!("2026-01-01")), ("/efvp/date", json!("2025-12-01"))];
        assert_eq!(in_force_from(document(&edits).agreement(), &standing), Some(at(begins)), "{received}");
    }
}

#[test]
fn a_civil_day_is_the_one_in_quebec() {
    for (instant, day, shown) in [
        ("2026-07-01T03:59:59.999Z", "2026-06-30", "2026-06-30T23:59:59-04:00"),
        ("2026-07-01T04:00:00Z", "2026-07-01", "2026-07-01T00:00:00-04:00"),
        ("2026-12-01T04:59:59.999Z", "2026-11-30", "2026-11-30T23:59:59-05:00"),
        ("2026-12-01T05:00:00Z", "2026-12-01", "2026-12-01T00:00:00-05:00"),
    ] {
        assert_eq!(calendar::day_of(at(instant)).to_string(), day);
        assert_eq!(calendar::display(at(instant)), shown);
    }
}

#[test]
fn a_day_is_written_in_one_way() {
    assert!(calendar::parse("2028-02-29").is_some());
    for text in [
        "",
        "2026-02-29",
        "2026-13-01",
        "2026-00-01",
        "2026-01-00",
        "2026-1-1",
        "26-01-01",
        "20260101",
        "2026-W01-1",
        "2026-001",
        "2026/01/01",
        " 2026-01-01",
        "2026-01-01 ",
        "+2026-01-01",
        "2026-01-01T00:00",
        "２026-01-01",
        "1999-12-31",
        "2200-01-01",
        "-026-01-01",
    ] {
        assert_eq!(calendar::parse(text), None, "{text}");
    }
}
