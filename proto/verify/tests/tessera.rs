//! The test log of transparency-dev/tessera, end to end, at each of its checkpoints.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod support;

use std::path::{Path, PathBuf};

use passerelle_proto::tlog::NoteVerifier;
use passerelle_verify::{Fetched, Folder, LogSource, SourceError, Which, open_checkpoint};
use support::verify;

/// The key of that log, from its repository.
const VKEY: &str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

/// The log as it was at one size.
struct At(Folder, u64);

impl LogSource for At {
    fn fetch(&self, path: &str, limit: usize) -> Result<Fetched, SourceError> {
        let earlier = format!("checkpoint.{}", self.1);
        self.0.fetch(if path == "checkpoint" { &earlier } else { path }, limit)
    }

    fn names(&self, folder: &str) -> Result<Option<Vec<String>>, SourceError> {
        self.0.names(folder)
    }

    fn visit_files(&self, visit: &mut dyn FnMut(&str)) -> Result<bool, SourceError> {
        self.0.visit_files(visit)
    }
}

fn tessera() -> Option<Folder> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let vectors = std::env::var_os("PASSERELLE_VECTORS").map_or(beside, PathBuf::from);
    let log = Folder::open(&vectors.join("tessera-testlog/testdata/log"));
    if log.is_err() {
        eprintln!("\n*** NOT RUN: no public vectors in {}; set PASSERELLE_VECTORS ***\n", vectors.display());
    }
    log.ok()
}

#[test]
fn the_tessera_test_log_is_good_at_every_size() {
    let Some(folder) = tessera() else { return };
    let key: NoteVerifier = VKEY.parse().unwrap();
    let mut old = None;
    for size in 0..=15 {
        let source = At(folder.clone(), size);
        let verdict = verify(&source, &key, old.as_ref()).unwrap();
        assert_eq!(verdict.size, size);
        // 16 checkpoints and 4 files of its writer beside the tiles, and the tiles of later sizes.
        assert_eq!(verdict.strays.unwrap().count, 16 + 4 + 2 * (15 - size), "size {size}");
        let Fetched::Bytes(note) = source.fetch("checkpoint", 10_000).unwrap() else {
            panic!("no checkpoint")
        };
        old = Some(open_checkpoint(&note, &key, Which::Old).unwrap());
    }
}
