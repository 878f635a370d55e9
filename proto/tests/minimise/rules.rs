//! The examples of `docs/formats/fields.md`, and the form of pointers.

use bytes::Bytes;
use passerelle_proto::agreement::Otherwise;
use passerelle_proto::minimise::{FieldPointer, FieldRefusal, PointerError, is_json};

use crate::{JSON, refusal, removed, rules};

/// The rows of the page's table: allow, given, stays.
fn documented() -> Vec<[String; 3]> {
    let page = include_str!("../../../docs/formats/fields.md");
    let mut rows: Vec<[String; 3]> = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| `/")) {
        let cells = line.trim_matches(['|', ' ']).split(" | ");
        let cells: Vec<String> = cells.map(|cell| cell.trim_matches('`').to_owned()).collect();
        rows.push(cells.try_into().unwrap());
    }
    rows
}

#[test]
fn the_pages_examples_hold() {
    let rows = documented();
    assert_eq!(rows.len(), 5);
    for [allow, given, stays] in rows {
        assert_eq!(removed(&[&allow], &given).0, stays, "{allow} {given}");
    }
}

#[test]
fn what_is_removed_is_told_in_shapes() {
    let (stays, told) = removed(
        &["/nom", "/enfants/*/prenom", "/comptes/*/solde"],
        r#"{"nom":"X","nas":"123","enfants":[{"prenom":"A","nas":"1"},{"prenom":"B","nas":"2","age":3},7],
            "comptes":{"046454286":{"solde":1.50,"titulaire":"X"}},"a/b":{"~":1}}"#,
    );
    assert_eq!(
        stays,
        r#"{"nom":"X","enfants":[{"prenom":"A"},{"prenom":"B"}],"comptes":{"046454286":{"solde":1.50}}}"#
    );
    assert_eq!(
        told,
        ["/a~1b", "/comptes/*/titulaire", "/enfants/*", "/enfants/*/age", "/enfants/*/nas", "/nas"]
    );
}

#[test]
fn nothing_removed_is_the_same_bytes() {
    let given = Bytes::from_static(b" { \"a\" : [ 1.0 , 1e2, -0 ] , \"a\\u0062\":null }\n");
    for otherwise in [Otherwise::Remove, Otherwise::Refuse] {
        let minimised = rules(&["/a", "/ab"], otherwise).apply(JSON, &given).unwrap();
        assert_eq!(minimised.content, given);
        assert_eq!(minimised.content.as_ptr(), given.as_ptr(), "not even copied");
        assert!(minimised.removed.is_empty());
    }
}

#[test]
fn numbers_texts_and_keys_keep_their_bytes() {
    let (stays, _) = removed(
        &["/n", "/k\u{e9}", "/s"],
        r#"{"x":0,"n":[123456789012345678901234567890.10,1E+2,1.0,-0.0],"k\u00E9":"\u00e9\/","s":{"b": 1}}"#,
    );
    assert_eq!(
        stays,
        r#"{"n":[123456789012345678901234567890.10,1E+2,1.0,-0.0],"k\u00E9":"\u00e9\/","s":{"b": 1}}"#
    );
}

#[test]
fn refusing_names_the_fields_and_never_a_value() {
    let content = Bytes::from_static(b"{\"nom\":\"Tremblay\",\"nas\":\"046454286\",\"l\":[[{\"nas\":1}]]}");
    let refused = rules(&["/nom", "/l/*/*/x"], Otherwise::Refuse).apply(JSON, &content).unwrap_err();
    assert_eq!(refused.fact(), "count=2; fields=/l/*/*/nas,/nas");
    assert_eq!(refused.outward(), "count=2");
    // The recipient finds the same, whatever the rule does at the sender's.
    let found = rules(&["/nom", "/l/*/*/x"], Otherwise::Remove).verify(JSON, &content).unwrap_err();
    assert_eq!(found, refused);
    let minimised = rules(&["/nom", "/l/*/*/x"], Otherwise::Remove).apply(JSON, &content).unwrap();
    rules(&["/nom", "/l/*/*/x"], Otherwise::Refuse).verify(JSON, &minimised.content).unwrap();
}

#[test]
fn scalars_alone_are_refused_and_no_content_passes() {
    for scalar in ["1", "\"nas\"", "null", " true "] {
        let refused = refusal(&["/*"], scalar.as_bytes());
        assert!(matches!(refused, FieldRefusal::NotCovered(_)), "{refused:?}");
    }
    for otherwise in [Otherwise::Remove, Otherwise::Refuse] {
        assert!(rules(&["/a"], otherwise).apply("", &Bytes::new()).unwrap().removed.is_empty());
    }
    assert_eq!(removed(&["/*/a"], "{}").0, "{}");
    assert_eq!(removed(&["/*/a"], "[]").0, "[]");
}

#[test]
fn media_types() {
    for yes in [
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/fhir+json",
        "application/json;charset=\"utf-8\"; v=1",
    ] {
        assert!(is_json(yes), "{yes}");
    }
    for no in [
        "",
        "text/json",
        "application/jsonp",
        "application/x-ndjson",
        "json",
        "+json",
        "text/plain",
        "application/json;charset=latin1",
        "application/json-seq",
    ] {
        assert!(!is_json(no), "{no}");
        let refused = rules(&["/a"], Otherwise::Remove).apply(no, &Bytes::from_static(b"{}")).unwrap_err();
        assert!(refused.fact().starts_with("content_type="), "{refused:?}");
    }
    let odd = rules(&["/a"], Otherwise::Remove).apply("text/plain nas=046454286", &Bytes::from_static(b"{}"));
    assert_eq!(odd.unwrap_err().fact(), "content_type=text/plain");
}

#[test]
fn pointers() {
    for (text, error) in [
        ("", PointerError::NoSlash),
        ("a", PointerError::NoSlash),
        ("*", PointerError::NoSlash),
        ("/~", PointerError::Escape),
        ("/~3", PointerError::Escape),
        ("/a/~a", PointerError::Escape),
        ("/a*", PointerError::Star),
        ("/**", PointerError::Star),
    ] {
        assert_eq!(FieldPointer::parse(text), Err(error), "{text}");
    }
    assert_eq!(FieldPointer::parse(&"/a".repeat(17)), Err(PointerError::TooLong));
    for text in ["/", "/a//b", "/*", "/~0~1~2", "/é"] {
        assert_eq!(FieldPointer::parse(text).unwrap().as_str(), text);
    }
}
