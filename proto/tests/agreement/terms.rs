//! Rules of validity, one broken at a time: purposes, nature, method, measures, interval, duration, volumes.

use passerelle_proto::agreement::{Document, FORMAT};
use serde_json::{Value, json};

use crate::support::{Row, SAMPLE, each_is_the_only_mistake, edited, faults};

const ITEM_2: &str = "A-2.1, a. 68, mention 2 de 7";
const ITEM_3: &str = "A-2.1, a. 68, mention 3 de 7";
const ITEM_4: &str = "A-2.1, a. 68, mention 4 de 7";
const ITEM_5: &str = "A-2.1, a. 68, mention 5 de 7";
const ITEM_6: &str = "A-2.1, a. 68, mention 6 de 7";
const ITEM_7: &str = "A-2.1, a. 68, mention 7 de 7";
const ENDS: &str = "G-1.03, a. 12.10";
const RETENTION: &str = "A-2.1, a. 73";

#[test]
fn purposes_and_nature() {
    let rows: [Row; 17] = [
        ("/purposes", json!([]), "purposes", ITEM_2, "MISSING"),
        ("/purposes/0/code", json!("QC-H"), "purposes[0].code", ENDS, "UNKNOWN_CODE"),
        ("/purposes/0/code", json!(""), "purposes[0].code", ENDS, "MISSING"),
        ("/purposes/1/code", json!("QC-F"), "purposes[1].code", ITEM_2, "REPEATED"),
        ("/purposes/0/text/fr", json!(""), "purposes[0].text.fr", ITEM_2, "MISSING"),
        ("/purposes/0/text/en", json!("a".repeat(4_001)), "purposes[0].text.en", ITEM_2, "TOO_LONG"),
        ("/purposes/0/dpv", json!(""), "purposes[0].dpv", FORMAT, "MISSING"),
        ("/data_categories", json!([]), "data_categories", ITEM_3, "MISSING"),
        ("/data_categories/0/code", json!("identité"), "data_categories[0].code", ITEM_3, "MALFORMED"),
        ("/data_categories/0/code", json!("-a"), "data_categories[0].code", ITEM_3, "MALFORMED"),
        ("/data_categories/0/code", json!("a".repeat(65)), "data_categories[0].code", ITEM_3, "MALFORMED"),
        ("/data_categories/0/code", json!(""), "data_categories[0].code", ITEM_3, "MISSING"),
        ("/data_categories/1/code", json!("identite"), "data_categories[1].code", ITEM_3, "REPEATED"),
        ("/data_categories/0/label/en", json!(""), "data_categories[0].label.en", ITEM_3, "MISSING"),
        (
            "/data_categories/2/sensitive",
            Value::Null,
            "data_categories[2].sensitive",
            "A-2.1, a. 59",
            "MISSING",
        ),
        ("/security_measures", json!([]), "security_measures", ITEM_5, "MISSING"),
        ("/security_measures/1/fr", json!(""), "security_measures[1].fr", ITEM_5, "MISSING"),
    ];
    each_is_the_only_mistake(SAMPLE, &rows);
}

#[test]
fn method_interval_and_duration() {
    let many: Vec<String> = (0..65).map(|index| format!("s{index}")).collect();
    let rows: [Row; 18] = [
        ("/method", json!([]), "method", ITEM_4, "MISSING"),
        ("/method/0", json!("pigeon"), "method[0]", ITEM_4, "UNKNOWN_CODE"),
        ("/method/1", json!("record"), "method[1]", ITEM_4, "REPEATED"),
        ("/services", json!([]), "services", ITEM_4, "MISSING"),
        ("/services/0", json!("a b"), "services[0]", ITEM_4, "MALFORMED"),
        ("/services/1", json!("admissibilite"), "services[1]", ITEM_4, "REPEATED"),
        ("/services", json!(many), "services", ITEM_4, "TOO_MANY"),
        ("/interval/kind", json!(""), "interval.kind", ITEM_6, "MISSING"),
        ("/interval/kind", json!("sometimes"), "interval.kind", ITEM_6, "UNKNOWN_CODE"),
        ("/interval/text/fr", json!(""), "interval.text.fr", ITEM_6, "MISSING"),
        ("/valid_from", json!(""), "valid_from", ITEM_7, "MISSING"),
        ("/valid_from", json!("2026-1-01"), "valid_from", ITEM_7, "MALFORMED"),
        ("/valid_from", json!("20261201"), "valid_from", ITEM_7, "MALFORMED"),
        ("/valid_from", json!("1999-12-31"), "valid_from", ITEM_7, "MALFORMED"),
        ("/valid_to", json!("2200-01-01"), "valid_to", ITEM_7, "MALFORMED"),
        ("/valid_to", json!("2027-02-29"), "valid_to", ITEM_7, "MALFORMED"),
        ("/valid_to", json!("2026-12-01T00:00:00Z"), "valid_to", ITEM_7, "MALFORMED"),
        ("/valid_to", json!("2026-11-30"), "valid_from", ITEM_7, "AFTER"),
    ];
    each_is_the_only_mistake(SAMPLE, &rows);
    assert!(Document::parse(edited(SAMPLE, &[("/valid_to", json!("2026-12-01"))])).is_ok());
}

#[test]
fn volumes_and_retention() {
    let record_limit = passerelle_proto::envelope::PLAINTEXT_LIMIT;
    let rows: [Row; 12] = [
        ("/limits/per_second", json!(0), "limits.per_second", FORMAT, "OUT_OF_RANGE"),
        ("/limits/per_second", json!(1_000_001), "limits.per_second", FORMAT, "OUT_OF_RANGE"),
        ("/limits/per_second", json!(200_001), "limits.per_second", FORMAT, "CONTRADICTS"),
        ("/limits/per_day", json!(0), "limits.per_day", FORMAT, "OUT_OF_RANGE"),
        ("/limits/bytes_per_day", json!(0), "limits.bytes_per_day", FORMAT, "OUT_OF_RANGE"),
        ("/limits/bytes_per_day", json!(104_857_599), "limits.max_record_bytes", FORMAT, "CONTRADICTS"),
        ("/limits/bytes_per_day", json!((1_u64 << 50) + 1), "limits.bytes_per_day", FORMAT, "OUT_OF_RANGE"),
        ("/limits/max_record_bytes", json!(0), "limits.max_record_bytes", FORMAT, "OUT_OF_RANGE"),
        (
            "/limits/max_record_bytes",
            json!(record_limit + 1),
            "limits.max_record_bytes",
            FORMAT,
            "OUT_OF_RANGE",
        ),
        ("/retention_days", Value::Null, "retention_days", RETENTION, "MISSING"),
        ("/retention_days", json!(0), "retention_days", RETENTION, "OUT_OF_RANGE"),
        ("/retention_days", json!(36_526), "retention_days", RETENTION, "OUT_OF_RANGE"),
    ];
    each_is_the_only_mistake(SAMPLE, &rows);
    let none = Document::parse(edited(SAMPLE, &[("/limits", json!({})), ("/requires", json!({}))])).unwrap();
    assert_eq!(none.agreement().limits, passerelle_proto::agreement::Limits::default());
    assert!(!none.agreement().requires.case_reference && !none.agreement().requires.acting_user);
}

/// S. 64 has the same seven items; elsewhere it is the format that asks for them.
#[test]
fn the_seven_items_are_named_after_the_basis() {
    let model = format!("{FORMAT}, sur le modèle de A-2.1, a. 68, mention 2 de 7");
    for (basis, section) in [("A-2.1 s.64", "A-2.1, a. 64, mention 2 de 7"), ("A-2.1 s.67", model.as_str())] {
        let edits =
            [("/legal_basis", json!(basis)), ("/section_68_case", Value::Null), ("/purposes", json!([]))];
        let missing = ("purposes".to_owned(), section.to_owned(), "MISSING");
        assert_eq!(faults(edited(SAMPLE, &edits)), [missing]);
    }
}
