//! The writer of a log's files: which files, when, and what a damaged log makes of it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod tlog_support;

use std::sync::Arc;

use passerelle_pki::key::{Ed25519Key, Signer};
use passerelle_proto::tlog::checkpoint::CheckpointError;
use passerelle_proto::tlog::note::NoteError;
use passerelle_proto::tlog::tile::TileNodes;
use passerelle_proto::tlog::{
    AppendError, Checkpoint, Hash, LogWriter, Note, NoteSigner, ResumeError, TlogProof, VerifiedCheckpoint,
    leaf_hash, tree,
};
use tlog_support::Files;

fn entries(range: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    range.map(|n| format!("entrée {n}").into_bytes()).collect()
}

fn written(writer: &mut LogWriter, entries: &[Vec<u8>]) -> Vec<String> {
    writer.append(entries).unwrap().iter().map(|write| write.path.to_string()).collect()
}

#[test]
fn only_the_files_that_change_are_written() {
    let mut writer = LogWriter::new();
    assert!(written(&mut writer, &[]).is_empty());
    assert_eq!(written(&mut writer, &entries(0..3)), ["tile/entries/000.p/3", "tile/0/000.p/3"]);
    assert!(written(&mut writer, &[]).is_empty());
    assert_eq!(written(&mut writer, &entries(3..256)), ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(written(&mut writer, &entries(256..257)), ["tile/entries/001.p/1", "tile/0/001.p/1"]);
    let all = written(&mut writer, &entries(257..65_536));
    assert_eq!(
        all.len(),
        255 * 2 + 2,
        "255 more full bundles and tiles, one of level 1, one begun at level 2"
    );
    assert_eq!(all.last().unwrap(), "tile/2/000.p/1");
    assert!(all.contains(&"tile/1/000".to_owned()));
    assert_eq!(writer.size(), 65_536);
}

#[test]
fn a_refused_batch_changes_nothing() {
    let mut writer = LogWriter::new();
    writer.append(&entries(0..5)).unwrap();
    let (size, root) = (writer.size(), writer.root());
    let mut batch = entries(5..8);
    batch.push(vec![0; 65_536]);
    assert!(matches!(writer.append(&batch), Err(AppendError::Entry { index: 3, .. })));
    assert_eq!((writer.size(), writer.root()), (size, root));
    assert_eq!(written(&mut writer, &entries(5..6)), ["tile/entries/000.p/6", "tile/0/000.p/6"]);
}

#[test]
fn a_log_that_was_damaged_is_not_continued() {
    let (mut writer, mut files) = (LogWriter::new(), Files::default());
    files.write(writer.append(&entries(0..300)).unwrap());
    assert_eq!(LogWriter::resume(&files, 300).unwrap().root(), writer.root());

    let mut damaged = files.clone();
    damaged.0.remove(&"tile/1/000.p/1".parse().unwrap());
    assert!(matches!(LogWriter::resume(&damaged, 300), Err(ResumeError::Tiles(_))));

    let mut damaged = files.clone();
    damaged.0.remove(&"tile/entries/001.p/44".parse().unwrap());
    assert!(matches!(LogWriter::resume(&damaged, 300), Err(ResumeError::Bundle { .. })));

    let mut damaged = files.clone();
    damaged.0.get_mut(&"tile/entries/001.p/44".parse().unwrap()).unwrap()[5] ^= 1;
    assert!(matches!(LogWriter::resume(&damaged, 300), Err(ResumeError::OtherBundle { .. })));

    let mut damaged = files.clone();
    damaged.0.get_mut(&"tile/0/001.p/44".parse().unwrap()).unwrap().pop();
    assert!(matches!(LogWriter::resume(&damaged, 300), Err(ResumeError::Tiles(_))));
}

#[test]
fn a_log_is_continued_where_partial_files_were_replaced_by_full_ones() {
    struct Full(Files);
    impl passerelle_proto::tlog::TileSource for Full {
        type Error = String;
        fn tile(&self, path: passerelle_proto::tlog::TilePath) -> Result<Vec<u8>, String> {
            self.0.tile(path).or_else(|_| self.0.tile(path.full()))
        }
    }
    let mut files = Files::default();
    files.write(LogWriter::new().append(&entries(0..512)).unwrap());
    let writer = LogWriter::resume(&Full(files), 300);
    let mut expected = LogWriter::new();
    expected.append(&entries(0..300)).unwrap();
    // The level 1 tile has one hash at 300 entries and two at 512; the source has only the latter.
    assert!(matches!(writer, Err(ResumeError::Tiles(_))));

    let mut files = Files::default();
    files.write(LogWriter::new().append(&entries(0..256)).unwrap());
    let mut writer = LogWriter::resume(&Full(files), 100).unwrap();
    expected = LogWriter::new();
    expected.append(&entries(0..100)).unwrap();
    assert_eq!(writer.root(), expected.root());
    assert_eq!(writer.append(&entries(100..101)).unwrap(), expected.append(&entries(100..101)).unwrap());
}

#[test]
fn a_checkpoint_and_a_proof_of_ones_own_log_verify() {
    let key: Arc<dyn Signer> = Arc::new(Ed25519Key::generate().unwrap());
    let signer = NoteSigner::new("journal.example.qc.ca/essai".parse().unwrap(), key).unwrap();
    let (mut writer, mut files) = (LogWriter::new(), Files::default());
    files.write(writer.append(&entries(0..700)).unwrap());
    let checkpoint = Checkpoint::new("journal.example.qc.ca/essai".to_owned(), writer.size(), writer.root());
    let signed = checkpoint.sign(&signer).unwrap();
    let vkey = signer.verifier().to_string().parse().unwrap();
    assert_eq!(VerifiedCheckpoint::open(signed.note().as_bytes(), &vkey).unwrap(), signed);

    let proof = tree::inclusion_proof(&mut TileNodes::new(&files, 700), 433, 700).unwrap();
    let file = TlogProof { extra: None, index: 433, proof, checkpoint: signed.note().to_owned() };
    let read = TlogProof::parse(file.to_string().as_bytes()).unwrap();
    assert_eq!(read, file);
    assert_eq!(read.verify(leaf_hash("entrée 433".as_bytes()), &vkey).unwrap(), signed);
    assert!(read.verify(leaf_hash("entrée 434".as_bytes()), &vkey).is_err());
}

#[test]
fn what_would_not_be_read_back_is_not_signed() {
    let key: Arc<dyn Signer> = Arc::new(Ed25519Key::generate().unwrap());
    let signer = NoteSigner::new("journal".parse().unwrap(), key).unwrap();
    let root = Hash::from_bytes([1; 32]);
    let sign = |origin: &str, size, extensions: &[&str]| {
        let extensions = extensions.iter().map(|&line| line.to_owned()).collect();
        Checkpoint { origin: origin.to_owned(), size, root, extensions }.sign(&signer)
    };
    assert!(sign("journal", 1, &[]).is_ok());
    assert!(matches!(sign("autre", 1, &[]), Err(CheckpointError::OtherOrigin { .. })));
    assert!(matches!(sign("journal", 0, &[]), Err(CheckpointError::EmptyRoot)));
    assert!(matches!(sign("journal", u64::MAX, &[]), Err(CheckpointError::Size)));
    assert!(matches!(sign("journal", 1, &[""]), Err(CheckpointError::Extension(4))));
    assert!(sign("journal", 1, &["a\nb"]).is_err());
    assert!(sign("journal\n1", 1, &[]).is_err());
    for text in ["", "a", "a\r\n", "a\0\n"] {
        assert!(matches!(signer.sign(text), Err(NoteError::Text)), "{text:?}");
    }
    let note = signer.sign("a\n\nb\n").unwrap();
    assert_eq!(Note::parse(note.to_string().as_bytes()).unwrap(), note);
}
