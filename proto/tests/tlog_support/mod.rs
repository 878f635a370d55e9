//! What the tests of the log share: reading vectors, and a log's files in memory.

#![allow(dead_code, unreachable_pub, clippy::allow_attributes, reason = "each test takes what it needs")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use passerelle_proto::tlog::{FileWrite, Hash, TilePath, TileSource};
use serde_json::Value;

/// A vector file beside the tests.
pub fn vectors(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tlog").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The cases of a vector file; at least `least` of them, so that an emptied file does not pass.
pub fn cases(file: &Value, least: usize) -> &[Value] {
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() >= least, "only {} cases", cases.len());
    cases
}

/// Folder of the public vectors that do not travel with the code; says loudly when it is absent.
pub fn shared_vectors() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let folder = std::env::var_os("PASSERELLE_VECTORS").map_or(beside, PathBuf::from);
    if folder.join("tessera-testlog").is_dir() {
        return Some(folder);
    }
    eprintln!("\n*** NOT RUN: no public vectors in {}; set PASSERELLE_VECTORS ***\n", folder.display());
    None
}

/// A field of a case as text.
pub fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("{case}: no text {field}"))
}

/// A field of a case as a number.
pub fn number(case: &Value, field: &str) -> u64 {
    case[field].as_u64().unwrap_or_else(|| panic!("{case}: no number {field}"))
}

/// A hash in hexadecimal.
pub fn hash(value: &Value) -> Hash {
    Hash::try_from(hex::decode(value.as_str().unwrap()).unwrap().as_slice()).unwrap()
}

/// A list of hashes in hexadecimal.
pub fn hashes(value: &Value) -> Vec<Hash> {
    value.as_array().unwrap().iter().map(hash).collect()
}

/// Compares an outcome with the error that the case names (the beginning of its `Debug`), or with success.
pub fn expect<T: std::fmt::Debug, E: std::fmt::Debug>(case: &Value, outcome: Result<T, E>) -> Option<T> {
    let name = &case["desc"];
    match (case["error"].as_str(), outcome) {
        (None, Ok(value)) => Some(value),
        (None, Err(error)) => panic!("{name}: refused with {error:?}"),
        (Some(expected), Ok(value)) => panic!("{name}: {value:?} accepted, {expected} was due"),
        (Some(expected), Err(error)) => {
            let found = format!("{error:?}");
            assert!(found.starts_with(expected), "{name}: {found}, not {expected}");
            None
        }
    }
}

/// The files of a log.
#[derive(Clone, Debug, Default)]
pub struct Files(pub BTreeMap<TilePath, Vec<u8>>);

impl Files {
    /// Writes what a writer gave; a full file is only ever written once.
    pub fn write(&mut self, writes: Vec<FileWrite>) {
        for write in writes {
            assert!(write.bytes.len() <= write.path.byte_limit());
            let before = self.0.insert(write.path, write.bytes.clone());
            assert!(before.is_none_or(|before| before == write.bytes), "{} changed", write.path);
        }
    }
}

impl TileSource for Files {
    type Error = String;

    fn tile(&self, path: TilePath) -> Result<Vec<u8>, String> {
        self.0.get(&path).cloned().ok_or_else(|| format!("no {path}"))
    }
}
