//! Rules of validity, one broken at a time: number, legal ground, parties, assessment, release outside Québec.

use passerelle_proto::agreement::{Document, FORMAT, LegalBasis, LegalRegime};
use serde_json::{Value, json};

use crate::support::{OUTSIDE, Row, SAMPLE, each_is_the_only_mistake, edited, faults};

const ITEM_1: &str = "A-2.1, a. 68, mention 1 de 7";
const OFFICER: &str = "A-2.1, a. 8";
const S68: &str = "A-2.1, a. 68";
const S70_1: &str = "A-2.1, a. 70.1";
const REGIME: &str = "A-2.1, a. 2";
const BASIS: &str = "A-2.1, a. 59";

#[test]
fn which_agreement() {
    let rows: [Row; 19] = [
        ("/format", json!(""), "format", FORMAT, "MISSING"),
        ("/format", json!("passerelle-agreement/2"), "format", FORMAT, "UNKNOWN_FORMAT"),
        ("/number", Value::Null, "number", FORMAT, "MISSING"),
        ("/number", json!("ent-2026-001"), "number", FORMAT, "MALFORMED"),
        ("/number", json!("-ENT"), "number", FORMAT, "MALFORMED"),
        ("/number", json!("ENT-"), "number", FORMAT, "MALFORMED"),
        ("/number", json!("E1"), "number", FORMAT, "MALFORMED"),
        ("/number", json!("E".repeat(65)), "number", FORMAT, "MALFORMED"),
        ("/version", json!(0), "version", FORMAT, "OUT_OF_RANGE"),
        ("/version", json!(2), "supersedes", FORMAT, "MISSING"),
        (
            "/supersedes",
            json!({"number": "ENT-2026-001", "version": 1}),
            "supersedes.version",
            FORMAT,
            "CONTRADICTS",
        ),
        (
            "/supersedes",
            json!({"number": "ENT-2026-001", "version": 0}),
            "supersedes.version",
            FORMAT,
            "OUT_OF_RANGE",
        ),
        ("/supersedes", json!({"number": "x", "version": 1}), "supersedes.number", FORMAT, "MALFORMED"),
        ("/title/fr", json!(" \n"), "title.fr", FORMAT, "MISSING"),
        ("/title/en", Value::Null, "title.en", FORMAT, "MISSING"),
        ("/title/fr", json!("é".repeat(301)), "title.fr", FORMAT, "TOO_LONG"),
        ("/title/fr", json!("a\tb"), "title.fr", FORMAT, "FORBIDDEN_CHARACTER"),
        ("/enabling_provision", json!(""), "enabling_provision", "A-2.1, a. 67.3", "MISSING"),
        ("/enabling_provision", json!("a".repeat(4_001)), "enabling_provision", "A-2.1, a. 67.3", "TOO_LONG"),
    ];
    each_is_the_only_mistake(SAMPLE, &rows);
    let longest = [("/title/fr", json!("é".repeat(300))), ("/number", json!("E".repeat(64)))];
    assert!(Document::parse(edited(SAMPLE, &longest)).is_ok());
}

#[test]
fn texts_that_read_otherwise_than_they_are_stored() {
    for character in [
        '\0',
        '\u{7f}',
        '\u{85}',
        '\u{ad}',
        '\u{34f}',
        '\u{61c}',
        '\u{115f}',
        '\u{180e}',
        '\u{200b}',
        '\u{200f}',
        '\u{2028}',
        '\u{202e}',
        '\u{2060}',
        '\u{2069}',
        '\u{206a}',
        '\u{2800}',
        '\u{3164}',
        '\u{fe0f}',
        '\u{feff}',
        '\u{ffa0}',
        '\u{fff9}',
        '\u{e0041}',
        '\u{e0100}',
    ] {
        let rows =
            [("/title/fr", json!(format!("a{character}b")), "title.fr", FORMAT, "FORBIDDEN_CHARACTER")];
        each_is_the_only_mistake(SAMPLE, &rows);
    }
    let visible = "« Œuvre » – l’été, 1 000 $ ; 中文 ᐃᓄᒃᑎᑐᑦ\nligne 2\u{a0}!";
    assert!(Document::parse(edited(SAMPLE, &[("/title/fr", json!(visible))])).is_ok());
}

#[test]
fn legal_ground() {
    let rows: [Row; 8] = [
        ("/legal_basis", json!("A-2.1 s.68.1"), "legal_basis", "A-2.1, a. 59 et 67.3", "REPEALED"),
        ("/legal_basis", json!("A-2.1 s.99"), "legal_basis", BASIS, "UNKNOWN_CODE"),
        ("/legal_basis", json!(""), "legal_basis", BASIS, "MISSING"),
        ("/legal_basis", json!("A-2.1 s.67"), "section_68_case", S68, "NOT_EXPECTED"),
        ("/legal_regime", json!("A-2"), "legal_regime", REGIME, "UNKNOWN_CODE"),
        ("/legal_regime", json!("R-22.1"), "legal_regime", REGIME, "CONTRADICTS"),
        ("/section_68_case", Value::Null, "section_68_case", S68, "MISSING"),
        ("/section_68_case", json!("4"), "section_68_case", S68, "UNKNOWN_CODE"),
    ];
    each_is_the_only_mistake(SAMPLE, &rows);
}

/// Which regime each basis goes with, written down by hand from the titles of the statutes.
#[test]
fn a_basis_goes_with_its_regime_only() {
    for basis in LegalBasis::ALL.iter().map(|basis| basis.code()) {
        for regime in LegalRegime::ALL.iter().map(|regime| regime.code()) {
            let mut edits = vec![("/legal_basis", json!(basis)), ("/legal_regime", json!(regime))];
            if basis != "A-2.1 s.68" {
                edits.push(("/section_68_case", Value::Null));
            }
            if basis == "A-2.1 s.70.1" {
                edits.push(("/consumers/1/jurisdiction", json!("FR")));
                edits.push(("/outside_quebec", json!([block("FR")])));
            }
            let goes = basis == "non-personal" || basis.starts_with(regime);
            let read = Document::parse(edited(SAMPLE, &edits));
            assert_eq!(read.is_ok(), goes, "{basis} with {regime}: {read:?}");
        }
    }
}

#[test]
fn parties() {
    let rows: [Row; 16] = [
        ("/provider/agency", json!("RAMQ"), "provider.agency", ITEM_1, "MALFORMED"),
        ("/provider/agency", json!(""), "provider.agency", ITEM_1, "MISSING"),
        ("/provider/name/en", json!(""), "provider.name.en", ITEM_1, "MISSING"),
        ("/provider/jurisdiction", json!(""), "provider.jurisdiction", S70_1, "MISSING"),
        ("/provider/jurisdiction", json!("CA"), "provider.jurisdiction", S70_1, "MALFORMED"),
        ("/provider/jurisdiction", json!("CA-QC"), "provider.jurisdiction", S70_1, "MALFORMED"),
        ("/provider/jurisdiction", json!("qc"), "provider.jurisdiction", S70_1, "MALFORMED"),
        ("/provider/jurisdiction", json!("FR-"), "provider.jurisdiction", S70_1, "MALFORMED"),
        ("/provider/privacy_officer/name", json!(""), "provider.privacy_officer.name", OFFICER, "MISSING"),
        ("/provider/privacy_officer/title", json!(""), "provider.privacy_officer.title", OFFICER, "MISSING"),
        (
            "/provider/privacy_officer/contact",
            Value::Null,
            "provider.privacy_officer.contact",
            OFFICER,
            "MISSING",
        ),
        ("/consumers", json!([]), "consumers", ITEM_1, "MISSING"),
        ("/consumers/0/agency", json!("ramq"), "consumers[0].agency", ITEM_1, "REPEATED"),
        ("/consumers/1/agency", json!("saaq"), "consumers[1].agency", ITEM_1, "REPEATED"),
        ("/consumers/1/agency", json!("a"), "consumers[1].agency", ITEM_1, "MALFORMED"),
        (
            "/consumers/1/privacy_officer/name",
            json!(""),
            "consumers[1].privacy_officer.name",
            OFFICER,
            "MISSING",
        ),
    ];
    each_is_the_only_mistake(SAMPLE, &rows);
    let one = crate::support::json(SAMPLE)["consumers"][0].clone();
    let many = |count: usize| -> Vec<Value> {
        let numbered = |index| {
            let mut party = one.clone();
            party["agency"] = json!(format!("organisme-{index}"));
            party
        };
        (0..count).map(numbered).collect()
    };
    assert!(Document::parse(edited(SAMPLE, &[("/consumers", json!(many(16)))])).is_ok());
    let found = faults(edited(SAMPLE, &[("/consumers", json!(many(17)))]));
    assert_eq!(found, [("consumers".to_owned(), ITEM_1.to_owned(), "TOO_MANY")]);
}

#[test]
fn the_assessment_and_its_four_conclusions() {
    let rows: [Row; 14] = [
        ("/efvp", Value::Null, "efvp", S68, "MISSING"),
        ("/efvp/reference", json!(""), "efvp.reference", S68, "MISSING"),
        ("/efvp/reviewer", json!(""), "efvp.reviewer", S68, "MISSING"),
        ("/efvp/date", json!("2026-02-30"), "efvp.date", S68, "MALFORMED"),
        ("/efvp/date", json!("2026-12-02"), "efvp.date", S68, "AFTER"),
        (
            "/efvp/document_sha256",
            json!("ABCDEF0123456789".repeat(4)),
            "efvp.document_sha256",
            S68,
            "MALFORMED",
        ),
        ("/efvp/document_sha256", json!("00"), "efvp.document_sha256", S68, "MALFORMED"),
        (
            "/efvp/objective_needs_identifying",
            json!(false),
            "efvp.objective_needs_identifying",
            S68,
            "UNFAVOURABLE",
        ),
        ("/efvp/consent_unreasonable", json!(false), "efvp.consent_unreasonable", S68, "UNFAVOURABLE"),
        ("/efvp/interest_outweighs", json!(false), "efvp.interest_outweighs", S68, "UNFAVOURABLE"),
        ("/efvp/confidentiality_ensured", json!(false), "efvp.confidentiality_ensured", S68, "UNFAVOURABLE"),
        (
            "/efvp/objective_needs_identifying",
            Value::Null,
            "efvp.objective_needs_identifying",
            S68,
            "MISSING",
        ),
        ("/efvp/interest_outweighs", Value::Null, "efvp.interest_outweighs", S68, "MISSING"),
        ("/efvp/confidentiality_ensured", Value::Null, "efvp.confidentiality_ensured", S68, "MISSING"),
    ];
    each_is_the_only_mistake(SAMPLE, &rows);
    assert!(Document::parse(edited(SAMPLE, &[("/efvp/date", json!("2026-12-01"))])).is_ok());
}

#[test]
fn which_basis_demands_an_assessment() {
    for (basis, regime, section) in [
        ("A-2.1 s.64", "A-2.1", Some("A-2.1, a. 64")),
        ("A-2.1 s.66", "A-2.1", None),
        ("A-2.1 s.67", "A-2.1", None),
        ("A-2.1 s.67.1", "A-2.1", None),
        ("A-2.1 s.67.2", "A-2.1", None),
        ("A-2.1 s.67.2.1", "A-2.1", Some("A-2.1, a. 67.2.1")),
        ("A-6.002 s.69.1", "A-6.002", None),
        ("R-22.1", "R-22.1", None),
        ("G-1.03", "G-1.03", Some("G-1.03, a. 12.16")),
        ("non-personal", "G-1.03", None),
    ] {
        let mut edits = vec![
            ("/legal_basis", json!(basis)),
            ("/legal_regime", json!(regime)),
            ("/section_68_case", Value::Null),
            ("/efvp", Value::Null),
        ];
        match section {
            None => assert!(Document::parse(edited(SAMPLE, &edits)).is_ok(), "{basis}"),
            Some(section) => {
                let missing = ("efvp".to_owned(), section.to_owned(), "MISSING");
                assert_eq!(faults(edited(SAMPLE, &edits)), [missing]);
            }
        }
        // A « non » bars the exchange whatever the basis.
        edits.pop();
        edits.push(("/efvp/consent_unreasonable", json!(false)));
        let section = section.unwrap_or("A-2.1, a. 63.5").to_owned();
        let unfavourable = ("efvp.consent_unreasonable".to_owned(), section, "UNFAVOURABLE");
        assert_eq!(faults(edited(SAMPLE, &edits)), [unfavourable], "{basis}");
    }
}

fn block(state: &str) -> Value {
    let mut block = crate::support::json(OUTSIDE)["outside_quebec"][0].clone();
    block["state"] = json!(state);
    block
}

#[test]
fn release_outside_quebec() {
    let rows: [Row; 14] = [
        ("/outside_quebec", Value::Null, "outside_quebec", S70_1, "MISSING"),
        ("/outside_quebec/0/reference", json!(""), "outside_quebec[0].reference", S70_1, "MISSING"),
        ("/outside_quebec/0/date", json!(""), "outside_quebec[0].date", S70_1, "MISSING"),
        ("/outside_quebec/0/date", json!("2026-12-02"), "outside_quebec[0].date", S70_1, "AFTER"),
        (
            "/outside_quebec/0/document_sha256",
            json!(""),
            "outside_quebec[0].document_sha256",
            S70_1,
            "MISSING",
        ),
        ("/outside_quebec/0/sensitivity/fr", json!(""), "outside_quebec[0].sensitivity.fr", S70_1, "MISSING"),
        ("/outside_quebec/0/purpose/en", json!(""), "outside_quebec[0].purpose.en", S70_1, "MISSING"),
        (
            "/outside_quebec/0/protection_measures/fr",
            json!(""),
            "outside_quebec[0].protection_measures.fr",
            S70_1,
            "MISSING",
        ),
        (
            "/outside_quebec/0/legal_framework/fr",
            json!(""),
            "outside_quebec[0].legal_framework.fr",
            S70_1,
            "MISSING",
        ),
        (
            "/outside_quebec/0/adequate_protection",
            json!(false),
            "outside_quebec[0].adequate_protection",
            S70_1,
            "UNFAVOURABLE",
        ),
        (
            "/outside_quebec/0/adequate_protection",
            Value::Null,
            "outside_quebec[0].adequate_protection",
            S70_1,
            "MISSING",
        ),
        ("/outside_quebec/1", block("CA-ON"), "outside_quebec[1].state", S70_1, "REPEATED"),
        ("/outside_quebec/1", block("QC"), "outside_quebec[1].state", S70_1, "NOT_EXPECTED"),
        ("/outside_quebec/1", block("France"), "outside_quebec[1].state", S70_1, "MALFORMED"),
    ];
    each_is_the_only_mistake(OUTSIDE, &rows);
    let another_state = [("/consumers/0/jurisdiction", json!("CA-NB"))];
    assert_eq!(faults(edited(OUTSIDE, &another_state))[0].2, "MISSING");
}

/// S. 70.1 itself exempts case 1.1 of s. 68; without personal information there is nothing to assess.
#[test]
fn who_is_exempt_from_section_70_1() {
    let abroad = ("/consumers/1/jurisdiction", json!("FR"));
    for (case, exempt) in [("1", false), ("1.1", true), ("2", false), ("3", false)] {
        let read = Document::parse(edited(SAMPLE, &[abroad.clone(), ("/section_68_case", json!(case))]));
        assert_eq!(read.is_ok(), exempt, "case {case}");
        assert!(read.is_err() || read.unwrap().agreement().leaves_quebec());
    }
    let data = [abroad, ("/legal_basis", json!("non-personal")), ("/section_68_case", Value::Null)];
    assert!(Document::parse(edited(SAMPLE, &data)).is_ok());
    let nowhere = [("/legal_basis", json!("A-2.1 s.70.1")), ("/section_68_case", Value::Null)];
    let missing = ("outside_quebec".to_owned(), S70_1.to_owned(), "MISSING");
    assert_eq!(faults(edited(SAMPLE, &nowhere)), [missing]);
}
