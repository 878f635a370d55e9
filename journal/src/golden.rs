//! Format version 1 against a file that was made from its description by other code (`tests/golden/segment_v1.py`).

use crate::frame::{self, Link};
use crate::{Journal, Options, Position, segment};
use std::fs;

const GOLDEN: &[u8] = include_bytes!("../tests/golden/segment-v1.bin");
const SALT: frame::Salt =
    [0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf];
const FIRST: Link = Link { sequence: 41, previous: 0x0102_0304 };

fn batches() -> [Vec<Vec<u8>>; 2] {
    [vec!["données".into(), Vec::new(), (0..=255).collect()], vec![b"last".to_vec()]]
}

#[test]
fn version_1_is_written_as_described() {
    let mut bytes = segment::encode_head(7, FIRST, &SALT).to_vec();
    let mut link = FIRST;
    for batch in batches() {
        let (encoded, _, next) = frame::encode(&batch, link, &SALT);
        bytes.extend(encoded);
        link = next;
    }
    let (written, blank) = GOLDEN.split_at(bytes.len());
    assert_eq!(bytes, written);
    assert!(blank.iter().all(|byte| *byte == 0));
}

#[test]
fn version_1_is_read_and_continued() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(segment::path(folder.path(), 7), GOLDEN).expect("the golden segment");
    let (journal, recovered) = Journal::open(folder.path(), Options::default()).expect("opened");
    assert_eq!((recovered.segments, recovered.entries_in_last, recovered.cut_bytes), (1, 4, 0));
    journal.append_batch(&["continued"]).expect("appended");
    let reader = journal.read_from(Position::START).expect("a reader");
    let read: Vec<_> = reader.map(|entry| entry.expect("an entry").payload.to_vec()).collect();
    let mut expected = batches().concat();
    expected.push(b"continued".to_vec());
    assert_eq!(read, expected);
}
