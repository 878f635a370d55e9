//! Public vectors: RFC 6962, C2SP, golang/mod, transparency-dev (`vectors/tlog/public/README.md` has the sources).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod tlog_support;

use passerelle_proto::tlog::checkpoint::CheckpointError;
use passerelle_proto::tlog::hash::HashError;
use passerelle_proto::tlog::tile::{Level, hash_tiles, level_tiles, partial_tiles};
use passerelle_proto::tlog::tree::{self, Leaves};
use passerelle_proto::tlog::vkey::VkeyError;
use passerelle_proto::tlog::{
    Checkpoint, Frontier, Hash, LogWriter, Note, NoteVerifier, TilePath, TlogProof, VerifiedCheckpoint,
    leaf_hash,
};
use tlog_support::{Files, cases, hashes, number, shared_vectors, text, vectors};

#[test]
fn rfc_6962_reference_tree() {
    let file = vectors("public/rfc6962_reference_tree.json");
    let (leaf_hashes, roots) = (hashes(&file["leaf_hashes_hex"]), hashes(&file["roots_hex"]));
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root(), roots[0]);
    for (n, entry) in file["leaves_hex"].as_array().unwrap().iter().enumerate() {
        let leaf = leaf_hash(&hex::decode(entry.as_str().unwrap()).unwrap());
        assert_eq!(leaf, leaf_hashes[n]);
        frontier.push(leaf).unwrap();
        assert_eq!(frontier.root(), roots[n + 1]);
    }
    let mut tree = Leaves(&leaf_hashes);
    let (inclusion, consistency) =
        (file["inclusion"].as_array().unwrap(), file["consistency"].as_array().unwrap());
    assert_eq!((inclusion.len(), consistency.len()), (7, 4));
    for case in inclusion {
        let (index, size) = (number(case, "index"), number(case, "size"));
        let proof = tree::inclusion_proof(&mut tree, index, size).unwrap();
        assert_eq!(proof.hashes(), hashes(&case["proof_hex"]), "{index} of {size}");
        let at = |n: u64| usize::try_from(n).unwrap();
        proof.verify(leaf_hashes[at(index)], index, size, &roots[at(size)]).unwrap();
    }
    for case in consistency {
        let (old, new) = (number(case, "size1"), number(case, "size2"));
        let proof = tree::consistency_proof(&mut tree, old, new).unwrap();
        assert_eq!(proof.hashes(), hashes(&case["proof_hex"]), "{old} to {new}");
        let root = |n: u64| &roots[usize::try_from(n).unwrap()];
        proof.verify((old, root(old)), (new, root(new))).unwrap();
    }
}

#[test]
fn c2sp_and_go_signed_notes() {
    let file = vectors("public/signed_note.json");
    let (mut verified, mut refused) = (0, 0);
    for case in cases(&file, 5) {
        if let Some(note) = case["note"].as_str() {
            let keys: Vec<NoteVerifier> = case["vkeys"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| key.as_str().unwrap().parse().unwrap())
                .collect();
            let parsed = Note::parse(note.as_bytes()).unwrap();
            assert_eq!(parsed.verify(&keys).unwrap(), keys.len());
            assert_eq!(parsed.to_string(), note);
            verified += 1;
        }
        if let Some(vkey) = case["vkey_invalid"].as_str() {
            let error = vkey.parse::<NoteVerifier>().unwrap_err();
            assert!(
                matches!(error, VkeyError::Form | VkeyError::Key | VkeyError::Type(0x65)),
                "{vkey}: {error:?}"
            );
            refused += 1;
        }
    }
    assert_eq!((verified, refused), (2, 2));
}

#[test]
fn transparency_dev_checkpoint_bodies() {
    let file = vectors("public/checkpoint_body_parse.json");
    let mut stricter = 0;
    for case in cases(&file, 12) {
        let outcome = Checkpoint::parse(text(case, "body"));
        if case["want_err"].as_bool().unwrap() {
            assert!(outcome.is_err(), "{}", case["desc"]);
            continue;
        }
        // Their roots are words, not hashes: all is well up to there, and tlog-checkpoint refuses that.
        let error = outcome.unwrap_err();
        assert!(matches!(error, CheckpointError::Root(HashError::Length(_))), "{}: {error:?}", case["desc"]);
        stricter += 1;
    }
    assert_eq!(stricter, 5);
    // The same bodies with a root of 32 bytes.
    let root = Hash::from_bytes([7; 32]);
    for (case, accepted) in cases(&file, 12).iter().zip([true, true, true, true, false]) {
        let body = text(case, "body");
        let old = body.lines().nth(2).unwrap();
        assert_eq!(
            Checkpoint::parse(&body.replace(old, &root.to_string())).is_ok(),
            accepted,
            "{}",
            case["desc"]
        );
    }
}

#[test]
fn transparency_dev_proof_files() {
    let file = vectors("public/tlog_proof_parse.json");
    for case in cases(&file, 10) {
        let outcome = TlogProof::parse(text(case, "text").as_bytes());
        assert_eq!(outcome.is_ok(), case["parses"].as_bool().unwrap(), "{}", case["desc"]);
        if let Ok(proof) = outcome {
            assert_eq!(proof.index, number(case, "index"));
            assert_eq!(u64::try_from(proof.proof.hashes().len()).unwrap(), number(case, "n_hashes"));
        }
    }
}

#[test]
fn c2sp_tile_arithmetic() {
    let file = vectors("public/tiles.json");
    for case in file["paths"].as_array().unwrap() {
        let path = TilePath::new(Level::Hashes(3), number(case, "n"), 256).unwrap();
        assert_eq!(path.to_string(), format!("tile/3/{}", text(case, "encoded")));
    }
    for shape in file["shapes"].as_array().unwrap() {
        let size = number(shape, "tree_size");
        let mut expected = 0;
        for level in 0..8 {
            let full = shape["full"][level.to_string()].as_u64().unwrap_or(0);
            let partial = shape["partial"][level.to_string()].as_u64();
            let tiles: Vec<_> = level_tiles(Level::Hashes(level), size).collect();
            let found = tiles.iter().filter(|tile| tile.is_full()).count();
            assert_eq!(u64::try_from(found).unwrap(), full, "full tiles of level {level} in {size}");
            let found = tiles.iter().find(|tile| !tile.is_full()).map(|tile| u64::from(tile.width()));
            assert_eq!(found, partial, "partial tile of level {level} in {size}");
            expected += tiles.len();
        }
        assert_eq!(hash_tiles(size).count(), expected);
        let partial = partial_tiles(size).iter().filter(|tile| tile.level() != Level::Entries).count();
        assert_eq!(partial, shape["partial"].as_object().unwrap().len());
    }
}

#[test]
fn tessera_checkpoints_are_signed_over_the_tree_of_its_entries() {
    let file = vectors("public/tessera_testlog.json");
    let key: NoteVerifier = text(&file, "vkey").parse().unwrap();
    let checkpoints = file["checkpoints"].as_array().unwrap();
    assert_eq!(checkpoints.len(), 16);
    let mut writer = LogWriter::new();
    for (size, note) in (0u64..).zip(checkpoints) {
        let opened = VerifiedCheckpoint::open(note.as_str().unwrap().as_bytes(), &key).unwrap();
        assert_eq!((opened.size(), *opened.root()), (writer.size(), writer.root()), "size {size}");
        if let Some(entry) = file["entries"][usize::try_from(size).unwrap()].as_str() {
            writer.append(&[entry]).unwrap();
        }
    }
    assert_eq!(writer.size(), 15);
}

#[test]
fn the_writer_gives_tessera_s_files_byte_for_byte() {
    let Some(folder) = shared_vectors() else { return };
    let log = folder.join("tessera-testlog/testdata/log");
    let file = vectors("public/tessera_testlog.json");
    let (mut writer, mut files) = (LogWriter::new(), Files::default());
    for entry in file["entries"].as_array().unwrap() {
        files.write(writer.append(&[entry.as_str().unwrap()]).unwrap());
    }
    assert_eq!(files.0.len(), 30, "a tile and a bundle for each size");
    for (path, bytes) in &files.0 {
        assert_eq!(std::fs::read(log.join(path.to_string())).unwrap(), *bytes, "{path}");
    }
}
