//! New versions: what restarts the Commission's clock.

use passerelle_proto::agreement::StatutoryItem;
use passerelle_proto::agreement::change::{Change, inherits_receipt};
use serde_json::{Value, json};

use crate::support::{SAMPLE, document, json};

/// Version 2 of the sample, with edits.
fn second(edits: &[(&'static str, Value)]) -> passerelle_proto::agreement::Document {
    let mut all =
        vec![("/version", json!(2)), ("/supersedes", json!({"number": "ENT-2026-001", "version": 1}))];
    all.extend_from_slice(edits);
    document(&all)
}

#[test]
fn the_seven_items_restart_the_clock() {
    let first = document(&[]);
    for (pointer, value, item) in [
        ("/consumers/1/agency", json!("cnesst"), StatutoryItem::Parties),
        ("/consumers/1/name/fr", json!("Autre nom"), StatutoryItem::Parties),
        ("/purposes/0/text/fr", json!("Autre fin."), StatutoryItem::Purposes),
        ("/data_categories/0/sensitive", json!(true), StatutoryItem::Nature),
        ("/method", json!(["record"]), StatutoryItem::Method),
        ("/services", json!(["admissibilite", "autre"]), StatutoryItem::Method),
        ("/security_measures/0/fr", json!("Autre mesure."), StatutoryItem::SecurityMeasures),
        ("/interval/kind", json!("weekly"), StatutoryItem::Interval),
        ("/limits/per_day", json!(1_000_000), StatutoryItem::Interval),
        ("/valid_to", json!("2029-11-30"), StatutoryItem::Duration),
    ] {
        let newer = second(&[(pointer, value)]);
        let change = Change::between(first.agreement(), newer.agreement());
        assert_eq!(change, Change { items: vec![item], ground: false }, "{pointer}");
        assert!(change.restarts_clock() && !inherits_receipt(first.agreement(), newer.agreement()));
    }
}

#[test]
fn so_does_another_ground() {
    let first = document(&[]);
    for (pointer, value) in
        [("/section_68_case", json!("3")), ("/enabling_provision", json!("Autre disposition"))]
    {
        let newer = second(&[(pointer, value)]);
        let change = Change::between(first.agreement(), newer.agreement());
        assert_eq!(change, Change { items: vec![], ground: true }, "{pointer}");
        assert!(!inherits_receipt(first.agreement(), newer.agreement()));
    }
}

#[test]
fn what_the_law_does_not_look_at_keeps_the_receipt() {
    let first = document(&[]);
    let mut turned: Vec<Value> = json(SAMPLE)["consumers"].as_array().unwrap().clone();
    turned.reverse();
    for (pointer, value) in [
        ("/title/fr", json!("Autre titre")),
        ("/consumers/0/privacy_officer/name", json!("Autre personne")),
        ("/retention_days", json!(365)),
        ("/consumers", json!(turned)),
    ] {
        let newer = second(&[(pointer, value)]);
        assert!(inherits_receipt(first.agreement(), newer.agreement()), "{pointer}");
    }
    // Only of the version that it replaces, and only within one agreement.
    let third = second(&[("/version", json!(3)), ("/supersedes/version", json!(2))]);
    assert!(!inherits_receipt(first.agreement(), third.agreement()));
    let renamed = second(&[("/number", json!("ENT-2026-009"))]);
    assert!(!inherits_receipt(first.agreement(), renamed.agreement()));
    assert!(!inherits_receipt(first.agreement(), first.agreement()));
}
