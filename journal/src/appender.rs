//! Group commit: many tasks wait, one thread writes and syncs for all of them.

use crate::{Journal, JournalError, Position};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::{mpsc, oneshot};

/// Entries that may wait; beyond this, `append` waits for room, so memory is bounded.
const WAITING_MAX: usize = 4_096;

/// A clone for each task that appends.
#[derive(Clone, Debug)]
pub struct Appender {
    committer: Arc<Committer>,
}

/// The thread that commits and the way to it. It holds the journal, so it has ended when this is dropped: the folder can then be
/// opened again at once.
#[derive(Debug)]
struct Committer {
    /// Taken only by the drop.
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Committer {
    fn drop(&mut self) {
        drop(self.requests.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that commits had panicked");
        }
    }
}

#[derive(Debug)]
struct Request {
    entry: Vec<u8>,
    done: oneshot::Sender<Result<Position, JournalError>>,
}

impl Appender {
    pub(crate) fn start(journal: Journal, batch_bytes_max: usize) -> io::Result<Self> {
        let (requests, waiting) = mpsc::channel(WAITING_MAX);
        let thread = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || commit_until_closed(&journal, waiting, batch_bytes_max))?;
        Ok(Self { committer: Arc::new(Committer { requests: Some(requests), thread: Some(thread) }) })
    }

    /// Appends one entry: when this resolves with a position, the entry is on disk. An append that was dropped before may
    /// or may not be there.
    ///
    /// # Errors
    /// As [`Journal::append_batch`], for the batch that the entry was in; too large an entry fails alone.
    pub async fn append(&self, entry: Vec<u8>) -> Result<Position, JournalError> {
        let (done, result) = oneshot::channel();
        let requests = self.committer.requests.as_ref().ok_or(JournalError::Closed)?;
        requests.send(Request { entry, done }).await.map_err(|_| JournalError::Closed)?;
        result.await.map_err(|_| JournalError::Closed)?
    }
}

fn commit_until_closed(journal: &Journal, mut waiting: mpsc::Receiver<Request>, batch_bytes_max: usize) {
    while let Some(first) = waiting.blocking_recv() {
        let mut bytes = first.entry.len();
        let mut batch = vec![first];
        while bytes < batch_bytes_max {
            let Ok(request) = waiting.try_recv() else { break };
            bytes += request.entry.len();
            batch.push(request);
        }
        commit(journal, batch);
    }
}

fn commit(journal: &Journal, batch: Vec<Request>) {
    let (entries, callers): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|request| (request.entry, request.done)).unzip();
    match journal.append_batch(&entries) {
        Ok(positions) => {
            for (caller, position) in callers.into_iter().zip(positions) {
                answer(caller, Ok(position));
            }
        }
        // One entry over the limit must not fail its neighbours.
        Err(JournalError::EntryTooLarge { .. }) => {
            for (caller, entry) in callers.into_iter().zip(&entries) {
                let alone = journal.append_batch(std::slice::from_ref(entry));
                answer(
                    caller,
                    alone.and_then(|positions| positions.first().copied().ok_or(JournalError::Closed)),
                );
            }
        }
        Err(error) => callers.into_iter().for_each(|caller| answer(caller, Err(error.clone()))),
    }
}

fn answer(caller: oneshot::Sender<Result<Position, JournalError>>, result: Result<Position, JournalError>) {
    // A caller that stopped waiting has dropped its end; the entry is durable all the same.
    drop(caller.send(result));
}
