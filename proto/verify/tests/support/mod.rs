//! A log in a real folder, to be damaged.

#![allow(dead_code, unreachable_pub, clippy::allow_attributes, reason = "each test takes what it needs")]

pub mod server;

use std::path::PathBuf;
use std::sync::Arc;

use passerelle_pki::key::{Ed25519Key, Signer};
use passerelle_proto::tlog::{
    Checkpoint, Hash, LogWriter, NoteSigner, NoteVerifier, VerifiedCheckpoint, bundle,
};
use passerelle_verify::{Checks, Fault, Folder, LogSource, Verdict, VerifyError, verify_log};
use tempfile::TempDir;

pub const ORIGIN: &str = "journal.example.qc.ca/essai";

/// A log that is written as a gateway does, and its key.
pub struct Log {
    pub folder: TempDir,
    pub signer: NoteSigner,
    writer: LogWriter,
}

pub fn signer(origin: &str) -> NoteSigner {
    let key: Arc<dyn Signer> = Arc::new(Ed25519Key::generate().unwrap());
    NoteSigner::new(origin.parse().unwrap(), key).unwrap()
}

pub fn entry(index: u64) -> Vec<u8> {
    format!("entrée {index}").into_bytes()
}

impl Log {
    pub fn new() -> Self {
        let log = Self { folder: TempDir::new().unwrap(), signer: signer(ORIGIN), writer: LogWriter::new() };
        log.publish();
        log
    }

    /// A log of `size` entries, published in batches of at most `batch`.
    pub fn of(size: u64, batch: u64) -> Self {
        let mut log = Self::new();
        while log.writer.size() < size {
            let start = log.writer.size();
            log.append((start..size.min(start + batch)).map(entry));
        }
        log
    }

    pub fn append(&mut self, entries: impl Iterator<Item = Vec<u8>>) {
        let entries: Vec<_> = entries.collect();
        for write in self.writer.append(&entries).unwrap() {
            self.put(&write.path.to_string(), &write.bytes);
        }
        self.publish();
    }

    fn publish(&self) {
        let note = self.checkpoint(self.writer.size(), self.writer.root());
        self.put("checkpoint", note.note().as_bytes());
    }

    pub fn checkpoint(&self, size: u64, root: Hash) -> VerifiedCheckpoint {
        Checkpoint::new(ORIGIN.to_owned(), size, root).sign(&self.signer).unwrap()
    }

    /// The checkpoint as it is published.
    pub fn published(&self) -> VerifiedCheckpoint {
        VerifiedCheckpoint::open(&self.read("checkpoint"), self.verifier()).unwrap()
    }

    pub fn verifier(&self) -> &NoteVerifier {
        self.signer.verifier()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    /// Changes one bit of a file.
    pub fn flip(&self, name: &str, at: usize) {
        let mut bytes = self.read(name);
        bytes[at] ^= 1;
        self.put(name, &bytes);
    }

    /// Writes a bundle again with other entries.
    pub fn edit_bundle(&self, name: &str, width: u16, edit: impl FnOnce(&mut Vec<Vec<u8>>)) {
        let bytes = self.read(name);
        let mut entries: Vec<_> =
            bundle::parse(&bytes, width).unwrap().into_iter().map(<[u8]>::to_vec).collect();
        edit(&mut entries);
        let mut edited = Vec::new();
        for entry in entries {
            bundle::push(&mut edited, &entry).unwrap();
        }
        assert_ne!(edited, bytes);
        self.put(name, &edited);
    }

    pub fn source(&self) -> Folder {
        Folder::open(self.folder.path()).unwrap()
    }

    pub fn verify(&self) -> Result<Verdict, VerifyError> {
        verify(&self.source(), self.verifier(), None)
    }

    /// The first bad thing.
    pub fn fault(&self) -> Fault {
        fault(self.verify())
    }
}

pub fn verify(
    source: &dyn LogSource,
    log: &NoteVerifier,
    old: Option<&VerifiedCheckpoint>,
) -> Result<Verdict, VerifyError> {
    verify_log(source, &mut Checks { log, old, entry: None, progress: &mut |_, _| {} })
}

pub fn fault(outcome: Result<Verdict, VerifyError>) -> Fault {
    match outcome {
        Err(VerifyError::Bad(fault)) => {
            // Both languages have something to say about it.
            assert_ne!(fault.message_fr(), fault.message_en());
            *fault
        }
        other => panic!("no fault: {other:?}"),
    }
}
