//! The journal under outbox and inbox: entries appended by many, folded at open, old segments given up.
//!
//! An entry is applied in memory only when it is durable, and both under a gate, so that tidying (which holds the gate
//! alone) sees everything that its segments hold. An append goes on to its end when the caller that waited for it is gone.

use std::path::Path;
use std::sync::Arc;

use passerelle_journal::{Appender, Journal, JournalError, Options, Position, Reader, SegmentInfo};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

use super::StoreError;

/// Small segments, so that space comes back soon.
const OPTIONS: Options =
    Options { segment_bytes: 16 << 20, entry_bytes_max: 4 << 20, batch_bytes_max: 4 << 20 };

/// Entries that are re-appended at once while tidying.
const CARRIED_BYTES: usize = 2 << 20;

/// Bytes of closed segments that are borne beside twice what is needed.
const SLACK_BYTES: u64 = 64 << 20;

/// The journal of one store. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct RecordLog {
    journal: Journal,
    appender: Appender,
    gate: Arc<RwLock<()>>,
}

impl RecordLog {
    /// Opens the journal in a folder, or begins it.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        let journal = match Journal::open(folder, OPTIONS) {
            Ok((journal, _)) => journal,
            Err(JournalError::NotFound(_)) => Journal::create(folder, OPTIONS)?,
            Err(error) => return Err(error.into()),
        };
        let appender = journal.appender()?;
        Ok(Self { journal, appender, gate: Arc::default() })
    }

    /// Everything, from the first entry on.
    pub(crate) fn read(&self) -> Result<Reader, StoreError> {
        Ok(self.journal.read_from(Position::START)?)
    }

    /// One entry. Blocking.
    pub(crate) fn entry(&self, position: Position) -> Result<bytes::Bytes, StoreError> {
        Ok(self.journal.entry(position)?)
    }

    /// Appends an entry; once it is durable, `apply` is told where it is, before anything else happens to the store.
    pub(crate) async fn append<T: Send + 'static>(
        &self,
        entry: Vec<u8>,
        apply: impl FnOnce(Position) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let this = self.clone();
        let task = tokio::spawn(async move {
            let _gate = this.gate.read().await;
            let position = this.appender.append(entry).await?;
            Ok::<_, JournalError>(apply(position))
        });
        Ok(task.await.map_err(|_| StoreError::Stopping)??)
    }

    /// Waits until nothing is being appended, and lets nothing be appended while the guard lives.
    pub(crate) async fn alone(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).write_owned().await
    }

    /// Segments that could be dropped, oldest first.
    pub(crate) fn closed(&self) -> Vec<SegmentInfo> {
        self.journal.segments().into_iter().filter(|segment| !segment.open).collect()
    }

    /// The oldest segment, when the journal holds much more than `live` bytes that are still needed. Always the oldest
    /// goes first: an entry that changes another is never older than it.
    pub(crate) fn excess(&self, live: u64) -> Option<SegmentInfo> {
        let closed = self.closed();
        let bytes: u64 = closed.iter().map(|segment| segment.bytes).sum();
        let bearable = live.saturating_mul(2).saturating_add(SLACK_BYTES);
        closed.into_iter().next().filter(|_| bytes > bearable)
    }

    /// Appends entries again that a segment to be dropped still holds. Blocking; only under [`RecordLog::alone`].
    pub(crate) fn carry(&self, entries: Vec<Vec<u8>>) -> Result<Vec<Position>, StoreError> {
        let mut positions = Vec::with_capacity(entries.len());
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for entry in entries {
            bytes += entry.len();
            batch.push(entry);
            if bytes >= CARRIED_BYTES {
                positions.extend(self.journal.append_batch(&std::mem::take(&mut batch))?);
                bytes = 0;
            }
        }
        positions.extend(self.journal.append_batch(&batch)?);
        Ok(positions)
    }

    /// Drops a segment that holds nothing needed. Blocking.
    pub(crate) fn drop_segment(&self, segment: u64) -> Result<(), StoreError> {
        self.journal.drop_segment(segment)?;
        Ok(())
    }
}
