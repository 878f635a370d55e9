//! The publisher: turns durable entries into tiles, and signs the checkpoint over them. One thread, away from the
//! sequencer, so that nobody waits for it.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use passerelle_pki::key::Signer;
use passerelle_proto::tlog::{Checkpoint, Hash, LogWriter, NoteSigner, NoteVerifier};
use tokio::sync::watch;

use super::tail::Next;
use super::{LogError, LogFolder, Tail};
use crate::view::View;

/// Entries that one checkpoint adds at most, so that the tail shrinks while a long one is written.
const STEP: usize = 4_096;
/// Pause after an attempt that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// How far the log is published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    /// Entries that the published checkpoint covers.
    pub size: u64,
    /// Attempts that failed since the start.
    pub failures: u64,
    /// What the last attempt failed at; `None` when it did not.
    pub error: Option<String>,
}

/// The writer's end of the published log.
pub struct Publisher {
    folder: LogFolder,
    writer: LogWriter,
    signer: NoteSigner,
    origin: String,
    tail: Arc<Tail>,
    publication: watch::Sender<Publication>,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("size", &self.writer.size()).finish_non_exhaustive()
    }
}

impl Publisher {
    /// Continues the log called `origin` in `folder`: its checkpoint must be one that `key` signed, and its tiles must
    /// have the root that it signs.
    ///
    /// # Errors
    /// [`LogError`]; nothing is written then.
    pub fn open(folder: LogFolder, origin: &str, key: Arc<dyn Signer>) -> Result<Self, LogError> {
        let name = origin.parse().map_err(|_error| LogError::Origin(origin.to_owned()))?;
        let signer = NoteSigner::new(name, key).map_err(LogError::Key)?;
        let writer = match folder.checkpoint(signer.verifier())? {
            None => LogWriter::new(),
            Some(checkpoint) => {
                let writer = LogWriter::resume(&folder, checkpoint.size())
                    .map_err(|error| LogError::Edge(error.to_string()))?;
                if writer.root() != *checkpoint.root() {
                    return Err(LogError::OtherTree);
                }
                writer
            }
        };
        let size = writer.size();
        let publication = watch::Sender::new(Publication { size, ..Publication::default() });
        Ok(Self {
            folder,
            writer,
            signer,
            origin: origin.to_owned(),
            tail: Arc::new(Tail::new(size)),
            publication,
        })
    }

    /// Entries that are published.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.writer.size()
    }

    /// Root of the published tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.writer.root()
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &LogFolder {
        &self.folder
    }

    /// What verifies the checkpoints.
    #[must_use]
    pub fn key(&self) -> &NoteVerifier {
        self.signer.verifier()
    }

    /// Where entries wait for this publisher.
    #[must_use]
    pub fn tail(&self) -> Arc<Tail> {
        Arc::clone(&self.tail)
    }

    /// Tells how far the log is published.
    #[must_use]
    pub fn publication(&self) -> watch::Receiver<Publication> {
        self.publication.subscribe()
    }

    /// Publishes all that waits.
    ///
    /// # Errors
    /// [`LogError`]; what was signed before still verifies, and what waits still waits.
    pub fn publish(&mut self) -> Result<(), LogError> {
        loop {
            let entries = self.tail.peek(STEP);
            if entries.is_empty() {
                return Ok(());
            }
            // A copy: after a failed write, the next attempt starts from what is published.
            let mut writer = self.writer.clone();
            let files = writer.append(&entries).map_err(LogError::Append)?;
            self.folder.write(&files)?;
            let checkpoint = Checkpoint::new(self.origin.clone(), writer.size(), writer.root());
            let signed = checkpoint.sign(&self.signer).map_err(LogError::Checkpoint)?;
            self.folder.write_checkpoint(signed.note())?;
            let before = self.writer.size();
            self.writer = writer;
            self.tail.published(entries.len());
            self.folder.remove_partial(before, self.writer.size());
            let size = self.writer.size();
            self.publication.send_modify(|publication| {
                publication.size = size;
                publication.error = None;
            });
        }
    }

    /// Starts the thread: it publishes `interval` after something came, tells `view` how far it is, and ends when the
    /// tail is stopped.
    pub(crate) fn start(mut self, interval: Duration, view: View) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("publisher".to_owned()).spawn(move || {
            while self.tail.wait(interval) == Next::Publish {
                let published = self.publish();
                self.remember(&view);
                let Err(error) = published else { continue };
                tracing::error!(error = &error as &dyn std::error::Error, "the log cannot be published");
                self.publication.send_modify(|publication| {
                    publication.failures += 1;
                    publication.error = Some(error.to_string());
                });
                if !self.tail.pause(PAUSE) {
                    break;
                }
            }
        })
    }

    /// So that the next start reads the journal from here. Forgotten, the start takes longer.
    fn remember(&self, view: &View) {
        if let Some(mark) = self.tail.published_mark()
            && let Err(error) = view.set_published(mark)
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the view does not take how far the log is published"
            );
        }
    }
}
