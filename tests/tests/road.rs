//! The road of records, as the sandbox walks it.

#![expect(clippy::expect_used, reason = "a test says what went wrong by panicking")]

use passerelle_pki::clock::SystemClock;
use passerelle_tests::generator::{Generator, Kind};
use passerelle_tests::sandbox;
use std::fs;
use std::path::Path;

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, found) } else { found.push(fs::read(path).expect("a file")) }
    }
}

#[test]
fn records_arrive_byte_for_byte_and_the_log_verifies() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = sandbox::tour(folder.path(), 300, 5, &SystemClock).expect("the tour");
    assert_eq!((report.records_sent, report.records_delivered), (300, 300));
    assert_eq!(report.audit_entries, 600, "one entry accepted, one acknowledged, for each");
    assert!(report.byte_identical && report.log_verified);
}

/// The centre's disk holds neither a body, nor an identifier, nor a case reference.
#[test]
fn the_centre_keeps_nothing_that_it_may_not_see() {
    const SEED: u64 = 9;
    let folder = tempfile::tempdir().expect("a folder");
    sandbox::tour(folder.path(), 4, SEED, &SystemClock).expect("the tour");
    let mut kept = Vec::new();
    files(&folder.path().join("gateway"), &mut kept);
    let holds =
        |needle: &[u8]| kept.iter().any(|file| file.windows(needle.len()).any(|window| window == needle));
    assert!(holds(b"ramq") && holds(b"application/json"), "the search finds what the header says");
    let mut generator = Generator::new(SEED);
    for kind in Kind::ALL {
        let record = generator.record(kind);
        assert!(!holds(record.subject.as_bytes()), "an identifier in clear");
        assert!(!holds(record.case_reference.as_bytes()), "a case reference in clear");
        assert!(!holds(&record.body[..24]), "a body in clear");
    }
}
