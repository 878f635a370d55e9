//! Documents as bytes: samples, digests, and strict reading.

use bytes::Bytes;
use passerelle_proto::agreement::{
    DOCUMENT_LIMIT, Document, Draft, FORMAT, FieldError, Mistake, PAYLOAD_TYPE,
};
use passerelle_proto::{statement, wire};
use serde::Deserialize;
use serde_json::json;

use crate::support::{OUTSIDE, SAMPLE, edited, faults, json};

#[derive(Deserialize)]
struct File {
    payload_type: String,
    key: String,
    documents: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    file: String,
    number: String,
    version: u32,
    digest: String,
    pae_digest: String,
    key_id: String,
    signature: String,
}

fn hex(text: &str) -> Bytes {
    hex::decode(text).unwrap().into()
}

#[test]
fn the_samples_are_lawful_and_digest_as_elsewhere() {
    let file: File = serde_json::from_str(include_str!("../vectors/agreement.json")).unwrap();
    assert_eq!(file.payload_type, PAYLOAD_TYPE);
    let key = passerelle_pki::key::PublicKey::from_raw32(hex(&file.key)[..].try_into().unwrap());
    assert_eq!(file.documents.len(), 2);
    for vector in file.documents {
        let bytes = if vector.file == "entente-a68.json" { SAMPLE } else { OUTSIDE };
        let document = Document::parse(bytes).unwrap();
        assert_eq!(document.bytes()[..], *bytes);
        assert_eq!(hex::encode(document.digest()), vector.digest, "{}", vector.file);
        let reference = wire::AgreementRef {
            number: vector.number,
            version: vector.version,
            digest: hex(&vector.digest),
        };
        assert_eq!(document.reference(), reference);
        let statement = wire::Statement {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: document.bytes().clone(),
            signatures: vec![wire::Signature {
                key_id: hex(&vector.key_id),
                signature: hex(&vector.signature),
            }],
        };
        assert_eq!(hex::encode(statement::digest(&statement)), vector.pae_digest);
        statement::verify(&statement, PAYLOAD_TYPE, &key).unwrap();
    }
}

#[test]
fn the_digest_is_of_the_bytes_and_not_of_the_terms() {
    let (pretty, dense) = (Document::parse(SAMPLE).unwrap(), Document::parse(edited(SAMPLE, &[])).unwrap());
    assert_eq!(pretty.agreement(), dense.agreement());
    assert_ne!(pretty.digest(), dense.digest());
}

#[test]
fn a_form_filled_in_a_program_reads_back() {
    let draft: Draft = serde_json::from_slice(SAMPLE).unwrap();
    let again = Document::parse(draft.to_json().unwrap()).unwrap();
    assert_eq!(*again.agreement(), draft.check().unwrap());
}

/// The one mistake of bytes that cannot be read.
fn unreadable(bytes: impl Into<Bytes>) -> (String, String) {
    let mut faults = Document::parse(bytes).map(drop).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    match faults.remove(0) {
        FieldError { path, section, mistake: Mistake::Unreadable { detail } } if section == FORMAT => {
            (path, detail)
        }
        other => unreachable!("{other}"),
    }
}

#[test]
fn what_is_not_the_form_is_refused_at_its_place() {
    let text = String::from_utf8(SAMPLE.to_vec()).unwrap();
    let (after_version, version) = ("\"version\": 1,", "\"version\": ");
    let with_version = |value: &str| text.replacen(after_version, &format!("{version}{value},"), 1);
    let rows = [
        ("unknown field", text.replacen('{', "{\"note\": 1,", 1), "note", "unknown field `note`"),
        (
            "unknown field within",
            text.replacen("\"agency\"", "\"x\": 1, \"agency\"", 1),
            "provider.x",
            "unknown",
        ),
        ("field given twice", text.replacen('{', "{\"version\": 1,", 1), "", "duplicate field"),
        (
            "field given twice, once escaped",
            text.replacen('{', "{\"\\u0076ersion\": 1,", 1),
            "",
            "duplicate field `version`",
        ),
        ("capital letters", text.replacen("\"version\"", "\"Version\"", 1), "Version", "unknown field"),
        ("a float", with_version("1.0"), "version", "floating point"),
        ("an exponent", with_version("1e0"), "version", "floating point"),
        ("minus zero", with_version("-0"), "version", "floating point"),
        ("a negative number", with_version("-1"), "version", "invalid value"),
        ("more than 32 bits", with_version("4294967296"), "version", "invalid value"),
        ("a leading zero", with_version("01"), "version", ""),
        ("a number as text", with_version("\"1\""), "version", "invalid type: string"),
        ("null", with_version("null"), "version", "invalid type: null"),
        ("not a number", with_version("NaN"), "version", "expected value"),
        ("a comment", text.replacen('{', "{ // x\n", 1), "", "key must be a string"),
        ("a comma too many", text.replacen("730\n", "730,\n", 1), "", "trailing comma"),
        (
            "an unpaired surrogate",
            text.replacen("Revenu", "\\ud800", 1),
            "consumers[1].name.fr",
            "hex escape",
        ),
        ("cut off", text[..text.len() - 3].to_owned(), "", "EOF"),
        ("another document behind", format!("{text}{{}}"), "", "trailing characters"),
        ("a byte behind", format!("{text}\0"), "", "trailing characters"),
        ("a mark before", format!("\u{feff}{text}"), "", "expected value"),
        ("nothing", String::new(), "", "EOF"),
        ("a list", "[]".to_owned(), "", "list"),
    ];
    for (name, bytes, path, detail) in rows {
        let (found_path, found_detail) = unreadable(bytes);
        assert!(found_detail.contains(detail), "{name}: {found_detail}");
        assert_eq!(found_path, path, "{name}");
    }
}

#[test]
fn other_encodings_are_refused() {
    let text = String::from_utf8(SAMPLE.to_vec()).unwrap();
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    unreadable(utf_16);
    let latin_1: Vec<u8> =
        text.chars().map(|character| u8::try_from(u32::from(character)).unwrap_or(b'?')).collect();
    let (path, detail) = unreadable(latin_1);
    assert!(path == "provider.name.fr" || path == "title.fr", "{path}");
    assert!(detail.contains("unicode"), "{detail}");
}

#[test]
fn a_list_does_not_pass_for_an_object() {
    for (pointer, value, path) in [
        ("/title", json!(["Titre", "Title"]), "title"),
        ("/consumers/1/name", json!(["Revenu Québec", "Revenu Québec"]), "consumers[1].name"),
        ("/requires", json!([true, true]), "requires"),
        ("/limits", json!([1, 2]), "limits"),
        ("/security_measures/0", json!(["Mesure", "Measure"]), "security_measures[0]"),
        ("/operations", json!([["admissibilite", ["lire"]]]), "operations[0]"),
        ("/fields", json!([[["admissibilite"], ["/a"], "remove"]]), "fields[0]"),
    ] {
        assert_eq!(unreadable(edited(SAMPLE, &[(pointer, value)])).0, path);
    }
}

#[test]
fn the_limit_is_on_bytes() {
    let mut bytes = SAMPLE.to_vec();
    bytes.resize(DOCUMENT_LIMIT, b' ');
    assert!(Document::parse(bytes.clone()).is_ok());
    bytes.push(b' ');
    assert_eq!(faults(bytes), [(String::new(), FORMAT.to_owned(), "DOCUMENT_TOO_LARGE")]);
}

#[test]
fn null_is_the_same_as_leaving_out_an_optional_field() {
    let mut value = json(SAMPLE);
    value["supersedes"] = json!(null);
    assert_eq!(
        Document::parse(serde_json::to_vec(&value).unwrap()).unwrap().agreement(),
        Document::parse(SAMPLE).unwrap().agreement()
    );
}

#[test]
fn an_empty_form_names_all_that_is_missing() {
    let found = faults(b"{}".to_vec());
    let paths: Vec<&str> = found.iter().map(|(path, _, _)| path.as_str()).collect();
    for path in [
        "format",
        "number",
        "version",
        "title.fr",
        "title.en",
        "legal_basis",
        "legal_regime",
        "enabling_provision",
        "provider.agency",
        "provider.jurisdiction",
        "provider.privacy_officer.name",
        "consumers",
        "purposes",
        "data_categories",
        "method",
        "services",
        "security_measures",
        "interval.kind",
        "interval.text.fr",
        "valid_from",
        "valid_to",
        "retention_days",
    ] {
        assert!(paths.contains(&path), "{path} is not among {paths:?}");
    }
    assert!(found.iter().all(|(path, _, code)| *code == "MISSING" || path == "version"), "{found:?}");
}

#[test]
fn mistakes_are_told_together_in_the_order_of_the_form() {
    let bytes = edited(
        SAMPLE,
        &[
            ("/retention_days", json!(0)),
            ("/efvp/interest_outweighs", json!(false)),
            ("/efvp/consent_unreasonable", json!(false)),
            ("/consumers/0/agency", json!("ramq")),
            ("/legal_basis", json!("A-2.1 s.68.1")),
            ("/number", json!("ent 1")),
        ],
    );
    let faults = Document::parse(bytes).unwrap_err();
    let told: Vec<(&str, &str)> = faults.iter().map(|fault| (fault.path.as_str(), fault.code())).collect();
    let expected = [
        ("number", "MALFORMED"),
        ("legal_basis", "REPEALED"),
        ("consumers[0].agency", "REPEATED"),
        ("efvp.consent_unreasonable", "UNFAVOURABLE"),
        ("efvp.interest_outweighs", "UNFAVOURABLE"),
        ("retention_days", "OUT_OF_RANGE"),
    ];
    assert_eq!(told, expected);
    let line = faults[5].to_string();
    assert_eq!(
        line,
        "retention_days (A-2.1, a. 73) [OUT_OF_RANGE] Nombre hors limites. Donner un nombre de 1 à 36525. / Number out of range. Give a number from 1 to 36525."
    );
}
