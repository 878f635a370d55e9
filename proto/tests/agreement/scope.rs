//! What narrows an agreement: operations and fields, the rules of their form, and the decisions on them.

use bytes::Bytes;
use passerelle_proto::agreement::change::{Change, inherits_receipt};
use passerelle_proto::agreement::{Document, StatutoryItem, permits};
use passerelle_proto::wire::{ExchangeKind, Header, Reason};
use serde_json::{Value, json};

use crate::support::{
    OUTSIDE, Row, SAMPLE, active, at, document, each_is_the_only_mistake, edited, verified,
};

const ITEM_3: &str = "passerelle-agreement/1, sur le modèle de A-2.1, a. 68, mention 3 de 7";
const ITEM_4: &str = "passerelle-agreement/1, sur le modèle de A-2.1, a. 68, mention 4 de 7";

#[test]
fn operations_have_their_form() {
    let scope = |service: &str| json!({"service": service, "operations": ["lire"]});
    let many: Vec<String> = (0..257).map(|index| format!("o{index}")).collect();
    let path = |method: &str, path: &str| json!([{"method": method, "path": path}]);
    let rows: [Row; 17] = [
        ("/operations/0/service", json!(""), "operations[0].service", ITEM_4, "MISSING"),
        ("/operations/0/service", json!("autre"), "operations[0].service", ITEM_4, "CONTRADICTS"),
        ("/operations/1", scope("permis"), "operations[1].service", ITEM_4, "REPEATED"),
        ("/operations/0", json!({"service": "permis"}), "operations[0].operations", ITEM_4, "MISSING"),
        (
            "/operations/0/operations/1",
            json!("consulterPermis"),
            "operations[0].operations[1]",
            ITEM_4,
            "REPEATED",
        ),
        ("/operations/0/operations/0", json!(""), "operations[0].operations[0]", ITEM_4, "MISSING"),
        ("/operations/0/operations/0", json!(" lire"), "operations[0].operations[0]", ITEM_4, "MALFORMED"),
        (
            "/operations/0/operations/0",
            json!("é".repeat(65)),
            "operations[0].operations[0]",
            ITEM_4,
            "MALFORMED",
        ),
        (
            "/operations/0/operations/0",
            json!("a".repeat(129)),
            "operations[0].operations[0]",
            ITEM_4,
            "TOO_LONG",
        ),
        (
            "/operations/0/operations/0",
            json!("li\u{202e}re"),
            "operations[0].operations[0]",
            ITEM_4,
            "FORBIDDEN_CHARACTER",
        ),
        ("/operations/0/operations", json!(many), "operations[0].operations", ITEM_4, "TOO_MANY"),
        ("/operations/0/paths", path("get", "/a"), "operations[0].paths[0].method", ITEM_4, "MALFORMED"),
        ("/operations/0/paths", path("CONNECT", "/a"), "operations[0].paths[0].method", ITEM_4, "MALFORMED"),
        ("/operations/0/paths", path("GET", "/a/../b"), "operations[0].paths[0].path", ITEM_4, "MALFORMED"),
        ("/operations/0/paths", path("GET", "/a/{b}c"), "operations[0].paths[0].path", ITEM_4, "MALFORMED"),
        ("/operations/0/paths", path("GET", "*"), "operations[0].paths[0].path", ITEM_4, "MALFORMED"),
        (
            "/operations/0/paths/1",
            json!({"method": "GET", "path": "/permis/{numero}"}),
            "operations[0].paths[1]",
            ITEM_4,
            "REPEATED",
        ),
    ];
    each_is_the_only_mistake(OUTSIDE, &rows);
    // Records have no operations.
    let only_records = edited(OUTSIDE, &[("/method", json!(["record"]))]);
    let faults = Document::parse(only_records).unwrap_err();
    let told: Vec<_> = faults.iter().map(|fault| (fault.path.as_str(), fault.code())).collect();
    assert_eq!(told, [("operations", "NOT_EXPECTED")]);
}

#[test]
fn fields_have_their_form() {
    let rule = |services: Value| json!({"services": services, "allow": ["/a"], "otherwise": "refuse"});
    let deep = "/a".repeat(17);
    let rows: [Row; 14] = [
        ("/fields/0/services/0", json!("autre"), "fields[0].services[0]", ITEM_3, "CONTRADICTS"),
        ("/fields/0/services/1", json!("permis"), "fields[0].services[1]", ITEM_3, "REPEATED"),
        ("/fields/1", rule(json!(["permis"])), "fields[1].services[0]", ITEM_3, "REPEATED"),
        ("/fields/1", rule(json!([])), "fields[1].services", ITEM_3, "MISSING"),
        ("/fields/0/otherwise", json!("hide"), "fields[0].otherwise", ITEM_3, "UNKNOWN_CODE"),
        ("/fields/0/otherwise", Value::Null, "fields[0].otherwise", ITEM_3, "MISSING"),
        ("/fields/0/allow", json!([]), "fields[0].allow", ITEM_3, "MISSING"),
        ("/fields/0/allow/0", json!(""), "fields[0].allow[0]", ITEM_3, "MISSING"),
        ("/fields/0/allow/0", json!("nom"), "fields[0].allow[0]", ITEM_3, "MALFORMED"),
        ("/fields/0/allow/0", json!("/a~3"), "fields[0].allow[0]", ITEM_3, "MALFORMED"),
        ("/fields/0/allow/0", json!("/a*"), "fields[0].allow[0]", ITEM_3, "MALFORMED"),
        ("/fields/0/allow/0", json!(deep), "fields[0].allow[0]", ITEM_3, "MALFORMED"),
        ("/fields/0/allow/0", json!("/no\u{200b}m"), "fields[0].allow[0]", ITEM_3, "FORBIDDEN_CHARACTER"),
        ("/fields/0/allow/1", json!("/numero"), "fields[0].allow[1]", ITEM_3, "REPEATED"),
    ];
    each_is_the_only_mistake(OUTSIDE, &rows);
    let every = json!([{"allow": ["/a"], "otherwise": "refuse"}]);
    let every = Document::parse(edited(OUTSIDE, &[("/fields", every)])).unwrap();
    assert!(every.agreement().field_rules("permis").is_some());
}

/// An agent of before these additions says this of a document that has them: it must not take it without them.
#[test]
fn what_is_added_is_never_overlooked() {
    for added in ["operations", "fields"] {
        let misspelt = String::from_utf8(OUTSIDE.to_vec())
            .unwrap()
            .replace(&format!("\"{added}\": [\n    {{"), "\"x\": [\n    {");
        let faults = Document::parse(misspelt).unwrap_err();
        assert_eq!((faults.len(), faults[0].code()), (1, "UNREADABLE"), "{added}");
    }
}

#[test]
fn the_sample_says_what_it_covers() {
    let agreement = Document::parse(OUTSIDE).unwrap();
    let terms = agreement.agreement();
    let path = |text: &str| text.parse().unwrap();
    assert!(terms.allows_operation("permis", "consulterPermis"));
    assert!(!terms.allows_operation("permis", "ConsulterPermis") && !terms.allows_operation("permis", ""));
    assert!(terms.allows_path("permis", "GET", &path("/permis/Q-1")));
    for (method, other) in
        [("HEAD", "/permis/Q-1"), ("GET", "/permis"), ("GET", "/permis/Q-1/points"), ("GET", "/")]
    {
        assert!(!terms.allows_path("permis", method, &path(other)), "{method} {other}");
    }
    assert!(terms.field_rules("autre").is_none());
    // A list that is not given does not narrow; a service without an entry is whole.
    let names = json!([{"service": "permis", "operations": ["lire"]}]);
    let names = Document::parse(edited(OUTSIDE, &[("/operations", names)])).unwrap();
    assert!(names.agreement().allows_path("permis", "DELETE", &path("/tout")));
    let paths = json!([{"service": "permis", "paths": [{"method": "GET", "path": "/a"}]}]);
    let paths = Document::parse(edited(OUTSIDE, &[("/operations", paths)])).unwrap();
    assert!(paths.agreement().allows_operation("permis", "nimporte"));
    let none =
        Document::parse(edited(OUTSIDE, &[("/operations", Value::Null), ("/fields", Value::Null)])).unwrap();
    assert!(none.agreement().allows_operation("permis", "nimporte"));
    assert!(none.agreement().field_rules("permis").is_none());
}

#[test]
fn an_operation_that_is_not_named_is_refused_after_the_service_and_before_the_purpose() {
    let edits = [
        ("/method", json!(["call", "record"])),
        ("/operations", json!([{"service": "admissibilite", "operations": ["lire"]}])),
    ];
    let agreement = verified(&edits, active());
    let noon = at("2026-12-15T17:00:00Z");
    let mut header = Header {
        kind: ExchangeKind::CallRequest.into(),
        sender_agency: "saaq".to_owned(),
        sender_agent: "agent-1".to_owned(),
        recipients: vec!["ramq".to_owned()],
        agreement: Some(agreement.reference()),
        service: "autre".to_owned(),
        operation: "ecrire".to_owned(),
        purpose: "QC-G".to_owned(),
        legal_basis: "A-2.1 s.68".to_owned(),
        data_categories: vec!["identite".to_owned()],
        case_commitment: Bytes::from_static(&[1; 32]),
        acting_user: Bytes::from_static(&[2; 32]),
        ..Header::default()
    };
    let refused = |header: &Header| permits(&agreement, header, noon).unwrap_err();
    assert_eq!(refused(&header).reason, Reason::ServiceNotCovered);
    header.service = "admissibilite".to_owned();
    assert_eq!(
        (refused(&header).reason, refused(&header).detail.as_str()),
        (Reason::OperationNotCovered, "operation=ecrire")
    );
    // A text that is no code is not repeated.
    header.operation = "le dossier de Mme X".to_owned();
    assert_eq!(refused(&header).detail, "operation=?");
    header.operation = "lire".to_owned();
    assert_eq!(refused(&header).reason, Reason::PurposeNotCovered);
    header.purpose = "QC-F".to_owned();
    permits(&agreement, &header, noon).unwrap();
    // The answer is of the same operation; a record is of none.
    let mut answer = Header {
        kind: ExchangeKind::CallResponse.into(),
        sender_agency: "ramq".to_owned(),
        recipients: vec!["saaq".to_owned()],
        ..header.clone()
    };
    permits(&agreement, &answer, noon).unwrap();
    answer.operation = "autre".to_owned();
    assert_eq!(refused(&answer).reason, Reason::OperationNotCovered);
    let record = Header { kind: ExchangeKind::Record.into(), operation: String::new(), ..answer };
    permits(&agreement, &record, noon).unwrap();
}

#[test]
fn both_belong_to_the_seven_items() {
    let first = document(&[("/method", json!(["call"]))]);
    let operations = |name: &str| json!([{"service": "admissibilite", "operations": [name]}]);
    let fields = |pointer: &str| json!([{"allow": [pointer], "otherwise": "remove"}]);
    for (pointer, value, item) in [
        ("/operations", operations("lire"), StatutoryItem::Method),
        ("/fields", fields("/a"), StatutoryItem::Nature),
    ] {
        let newer = document(&[
            ("/method", json!(["call"])),
            ("/version", json!(2)),
            ("/supersedes", json!({"number": "ENT-2026-001", "version": 1})),
            (pointer, value),
        ]);
        let change = Change::between(first.agreement(), newer.agreement());
        assert_eq!(change, Change { items: vec![item], ground: false }, "{pointer}");
        assert!(!inherits_receipt(first.agreement(), newer.agreement()));
    }
    assert!(Document::parse(SAMPLE).unwrap().agreement().operations.is_empty());
}
