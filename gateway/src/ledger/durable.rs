//! The seam between the sequencer and the disk: what makes a batch durable. The journal is the one that runs; tests
//! put a full or broken disk here.

use passerelle_journal::{Journal, JournalError, Position};

/// Makes entries durable, all or none.
pub trait Durable: Send + Sync + 'static {
    /// Appends `entries` in order with one sync. On an error nothing was appended, or the journal refuses all that
    /// follows.
    fn append(&self, entries: &[Vec<u8>]) -> Result<Vec<Position>, JournalError>;

    /// One past the last durable entry.
    fn end(&self) -> Position;
}

impl Durable for Journal {
    fn append(&self, entries: &[Vec<u8>]) -> Result<Vec<Position>, JournalError> {
        self.append_batch(entries)
    }

    fn end(&self) -> Position {
        Self::end(self)
    }
}
