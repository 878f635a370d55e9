//! Logs that are whole and signed with the real key, of any entries.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use passerelle_pki::key::{Ed25519Key, Signer};
use passerelle_proto::tlog::{Checkpoint, LogWriter, NoteSigner, NoteVerifier};

use super::keys;
use crate::network::Network;

/// The files of a log, by their paths.
#[derive(Clone, Debug, Default)]
pub struct Forged(BTreeMap<String, Vec<u8>>);

impl Forged {
    /// A log of these entries, under the name and with the key of the network's own.
    ///
    /// # Errors
    /// When the gateway's keys cannot be read.
    pub fn of(network: &Network, entries: &[Vec<u8>]) -> anyhow::Result<Self> {
        let verifier: NoteVerifier = fs::read_to_string(network.log_key_file())?.trim().parse()?;
        let key: Arc<dyn Signer> = Arc::<Ed25519Key>::clone(&keys(network)?.log);
        let signer = NoteSigner::new(verifier.name().clone(), key)?;
        let mut writer = LogWriter::new();
        let written = writer.append(entries)?;
        let mut files: BTreeMap<_, _> =
            written.into_iter().map(|write| (write.path.to_string(), write.bytes)).collect();
        let origin = verifier.name().to_string();
        let checkpoint = Checkpoint::new(origin, writer.size(), writer.root()).sign(&signer)?;
        files.insert("checkpoint".to_owned(), checkpoint.note().as_bytes().to_vec());
        Ok(Self(files))
    }

    /// The same with one bit of a file changed; nothing is signed again.
    #[must_use]
    pub fn with_flipped(mut self, path: &str, byte: usize) -> Self {
        if let Some(byte) = self.0.get_mut(path).and_then(|bytes| bytes.get_mut(byte)) {
            *byte ^= 1;
        }
        self
    }

    /// The same under the checkpoint of another.
    #[must_use]
    pub fn under(mut self, other: &Self) -> Self {
        self.0.extend(other.0.get_key_value("checkpoint").map(|(path, bytes)| (path.clone(), bytes.clone())));
        self
    }

    /// A file of it.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.0.get(path).cloned()
    }

    /// Writes it to a folder.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_to(&self, folder: &Path) -> anyhow::Result<()> {
        for (path, bytes) in &self.0 {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            fs::write(path, bytes)?;
        }
        Ok(())
    }
}
