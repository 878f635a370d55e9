//! The project's own vectors of the log's formats, most of which must fail, each for the reason it names.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod tlog_support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use passerelle_proto::tlog::bundle;
use passerelle_proto::tlog::note::{NOTE_LIMIT, NoteError};
use passerelle_proto::tlog::tile::Level;
use passerelle_proto::tlog::tlog_proof::{EXTRA_LIMIT, PROOF_FILE_LIMIT, TlogProofError};
use passerelle_proto::tlog::{
    ConsistencyProof, InclusionProof, Note, NoteVerifier, TilePath, TlogProof, VerifiedCheckpoint, leaf_hash,
};
use serde_json::Value;
use tlog_support::{cases, expect, hash, hashes, number, text, vectors};

fn key(file: &Value) -> NoteVerifier {
    text(file, "vkey").parse().unwrap()
}

#[test]
fn notes() {
    let file = vectors("notes.json");
    for case in cases(&file, 36) {
        let outcome = Note::parse(text(case, "note").as_bytes())
            .and_then(|note| note.verify(&[key(&file)]).map(|_| note));
        if let Some(note) = expect(case, outcome) {
            assert_eq!(note.to_string(), text(case, "note"), "one form only");
        }
    }
}

#[test]
fn a_note_over_the_limit_is_refused_before_it_is_read() {
    let file = vectors("notes.json");
    let mut note = "a\n".repeat(NOTE_LIMIT / 2);
    note.push_str(text(&cases(&file, 1)[0], "note"));
    assert!(matches!(Note::parse(note.as_bytes()), Err(NoteError::TooLong(_))));
}

#[test]
fn a_note_is_utf_8() {
    assert!(matches!(Note::parse(b"\xff\n\n\n"), Err(NoteError::Characters)));
}

#[test]
fn verifier_keys() {
    let file = vectors("vkeys.json");
    for case in cases(&file, 20) {
        if let Some(key) = expect(case, text(case, "text").parse::<NoteVerifier>()) {
            assert_eq!(key.to_string(), text(case, "text"), "one form only");
        }
    }
}

#[test]
fn checkpoints() {
    let file = vectors("checkpoints.json");
    for case in cases(&file, 30) {
        let outcome = VerifiedCheckpoint::open(text(case, "note").as_bytes(), &key(&file));
        if let Some(opened) = expect(case, outcome) {
            assert_eq!(opened.note(), text(case, "note"), "one form only");
            assert!(opened.note().starts_with(&opened.checkpoint().to_string()));
        }
    }
}

#[test]
fn inclusion_proofs() {
    let file = vectors("inclusion.json");
    for case in cases(&file, 78 + 12) {
        let outcome = InclusionProof::new(hashes(&case["proof"])).and_then(|proof| {
            let (index, size) = (number(case, "index"), number(case, "size"));
            proof.verify(hash(&case["leaf"]), index, size, &hash(&case["root"]))
        });
        expect(case, outcome);
    }
}

#[test]
fn consistency_proofs() {
    let file = vectors("consistency.json");
    for case in cases(&file, 78 + 12) {
        let outcome = ConsistencyProof::new(hashes(&case["proof"])).and_then(|proof| {
            let (old, new) = (hash(&case["old_root"]), hash(&case["root"]));
            proof.verify((number(case, "old_size"), &old), (number(case, "size"), &new))
        });
        expect(case, outcome);
    }
}

#[test]
fn proof_files() {
    let file = vectors("proof_files.json");
    for case in cases(&file, 28) {
        let outcome = TlogProof::parse(text(case, "text").as_bytes()).and_then(|proof| {
            proof.verify(leaf_hash(text(case, "entry").as_bytes()), &key(&file)).map(|_| proof)
        });
        if let Some(proof) = expect(case, outcome) {
            assert_eq!(proof.to_string(), text(case, "text"), "one form only");
        }
    }
}

#[test]
fn proof_files_are_bounded() {
    let file = vectors("proof_files.json");
    let whole = text(&cases(&file, 1)[0], "text");
    let with_extra = |length: usize| {
        let extra = format!("extra {}\nindex", STANDARD.encode(vec![0; length]));
        TlogProof::parse(whole.replacen("index", &extra, 1).as_bytes())
    };
    assert_eq!(with_extra(EXTRA_LIMIT).unwrap().extra.unwrap().len(), EXTRA_LIMIT);
    assert!(matches!(with_extra(EXTRA_LIMIT + 1), Err(TlogProofError::TooLong)));
    assert!(matches!(TlogProof::parse(&vec![b'\n'; PROOF_FILE_LIMIT + 1]), Err(TlogProofError::TooLong)));
    assert!(matches!(TlogProof::parse(b"\xff"), Err(TlogProofError::Characters)));
}

#[test]
fn tile_paths() {
    let file = vectors("paths.json");
    for case in cases(&file, 30) {
        if let Some(path) = expect(case, text(case, "text").parse::<TilePath>()) {
            let level = match case["level"].as_u64() {
                Some(level) => Level::Hashes(u8::try_from(level).unwrap()),
                None => Level::Entries,
            };
            let width = u16::try_from(number(case, "width")).unwrap();
            assert_eq!(path, TilePath::new(level, number(case, "index"), width).unwrap());
            assert_eq!(path.to_string(), text(case, "text"), "one form only");
        }
    }
}

#[test]
fn entry_bundles() {
    let file = vectors("bundles.json");
    for case in cases(&file, 9) {
        let bytes = hex::decode(text(case, "hex")).unwrap();
        let width = u16::try_from(number(case, "width")).unwrap();
        if let Some(entries) = expect(case, bundle::parse(&bytes, width)) {
            let entries: Vec<_> = entries.iter().map(hex::encode).collect();
            assert_eq!(Value::from(entries), case["entries"]);
        }
    }
}

#[test]
fn an_entry_has_at_most_65535_bytes() {
    let mut bytes = Vec::new();
    let longest = vec![b'z'; 65_535];
    bundle::push(&mut bytes, &longest).unwrap();
    assert_eq!(bundle::parse(&bytes, 1).unwrap(), [longest.as_slice()]);
    assert_eq!(bundle::push(&mut bytes, &[0; 65_536]), Err(bundle::BundleError::EntryTooLong(65_536)));
    assert_eq!(bytes.len(), 65_537, "unchanged after a refusal");
}
