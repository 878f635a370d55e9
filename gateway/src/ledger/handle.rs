//! The handle that services hold: puts requests on the bounded queue and waits for the answer.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use passerelle_journal::Journal;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::Signer;
use passerelle_proto::{reason, wire};
use tokio::sync::{mpsc, oneshot, watch};

use super::request::{Request, Tidied};
use super::{
    Acknowledging, DenialNote, LedgerError, Logged, Mail, NewEvent, OpenError, Origin, Refused, Settings,
    Submission, open, segments,
};
use crate::log::{Entries, Publication, Tail};
use crate::state::State;
use crate::view::{Page, Query, View};

/// How long a request may wait for a place in the queue before it is refused as busy.
const QUEUE_WAIT: Duration = Duration::from_secs(2);

/// The ledger. Clones share it. Dropping the last clone ends the threads as a crash would, without an event; see
/// [`Ledger::stop`].
#[derive(Clone)]
pub struct Ledger {
    // First, so that it is dropped before `threads` waits for the sequencer, which ends when all senders are gone.
    pub(super) queue: mpsc::Sender<Request>,
    pub(super) shared: Arc<Shared>,
    #[expect(dead_code, reason = "held for its drop, which waits for the sequencer")]
    pub(super) threads: Arc<open::Threads>,
}

/// What the handle's clones and the sequencer share.
pub(super) struct Shared {
    pub(super) origin: Origin,
    pub(super) state: ArcSwap<State>,
    pub(super) generation: watch::Sender<u64>,
    pub(super) view: View,
    pub(super) tail: Arc<Tail>,
    pub(super) entries: Arc<Entries>,
    pub(super) publication: watch::Receiver<Publication>,
    pub(super) mail: Mail,
    pub(super) journal: Journal,
    pub(super) receipt_key: Arc<dyn Signer>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("origin", &self.shared.origin).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens the ledger: recovers what an earlier run left, publishes what it had not published, logs the start, and
    /// starts the threads. Makes an empty journal, log and view where there are none. Blocks; to be called where that
    /// is allowed.
    ///
    /// # Errors
    /// [`OpenError`]; the program should say it and end.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        open::open(settings, open::Seams::default())
    }

    /// Checks and logs as one step. `decide` runs in the sequencer against the state as of every earlier event; it
    /// must be quick and do no I/O. The event it returns is durable and applied when this resolves.
    ///
    /// # Errors
    /// [`LedgerError`]: the refusal of `decide`, or why nothing could be logged.
    pub async fn decide<F>(&self, decide: F) -> Result<Logged, LedgerError>
    where
        F: FnOnce(&State, Timestamp) -> Result<NewEvent, Refused> + Send + 'static,
    {
        self.ask(|reply| Request::Decide { decide: Box::new(decide), reply }).await?
    }

    /// Accepts a verified exchange, durably, or says why not. Both leave an event. The same exchange again gets the
    /// same receipt body.
    ///
    /// # Errors
    /// The denial, as the sender is to read it.
    pub async fn accept(&self, submission: Submission) -> Result<wire::Receipt, wire::Denial> {
        let id = submission.envelope.header().exchange_id.clone();
        match self.ask(|reply| Request::Accept { submission: Box::new(submission), reply }).await {
            Ok(accepted) => accepted,
            Err(error) => Err(denial_of(&error, &id)),
        }
    }

    /// Logs a verified acknowledgement and ends the delivery of what it names.
    ///
    /// # Errors
    /// The denial, as the recipient's agent is to read it.
    pub async fn acknowledge(
        &self,
        acknowledging: Acknowledging,
    ) -> Result<wire::AcknowledgementLogged, wire::Denial> {
        let asked =
            self.ask(|reply| Request::Acknowledge { acknowledging: Box::new(acknowledging), reply }).await;
        let settled = asked.map_err(|error| denial_of(&error, &Bytes::new()))??;
        if settled.proofs.is_empty() {
            return Ok(settled.answer);
        }
        let shared = Arc::clone(&self.shared);
        let proven = blocking(move || Ok(shared.prove(settled))).await;
        proven.map_err(|error| denial_of(&error, &Bytes::new()))
    }

    /// Logs a denial that was made before the sequencer, and gives it as the caller reads it. A caller that floods has
    /// its denials counted in one event.
    pub async fn deny(&self, note: DenialNote) -> wire::Denial {
        let (reason, detail, id) = (note.reason, note.detail.clone(), note.exchange_id.clone());
        match self.ask(|reply| Request::Deny { note: Box::new(note), reply }).await {
            Ok(denial) => denial,
            // The denial stands, unlogged.
            Err(_error) => reason::denial(reason, detail, id),
        }
    }

    /// Expires what is due and frees what nothing needs. To be called from time to time; again at once when
    /// [`Tidied::more`].
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn tidy(&self) -> Result<Tidied, LedgerError> {
        let tidied: Tidied = self.ask(|reply| Request::Tidy { reply }).await??;
        let shared = Arc::clone(&self.shared);
        let dropped = blocking(move || segments::drop_unneeded(&shared.journal, &shared.view, &shared.tail));
        Ok(Tidied { dropped: dropped.await?, ..tidied })
    }

    /// Publishes all that is durable now, without waiting for the interval.
    ///
    /// # Errors
    /// [`LedgerError::LogUnavailable`] when the attempt failed, [`LedgerError::Stopped`].
    pub async fn publish(&self) -> Result<(), LedgerError> {
        let target = self.shared.tail.end();
        let mut publication = self.shared.publication.clone();
        let failures = publication.borrow_and_update().failures;
        self.shared.tail.hurry();
        let done = publication
            .wait_for(|now| now.size >= target || now.failures > failures)
            .await
            .map_err(|_closed| LedgerError::Stopped)?;
        match &done.error {
            Some(error) if done.size < target => Err(LedgerError::LogUnavailable(error.clone())),
            _ => Ok(()),
        }
    }

    /// Logs the stop, publishes what is left and ends the threads, after all that was asked before. Later requests
    /// find it stopped.
    ///
    /// # Errors
    /// [`LedgerError::Stopped`] when it was stopped already.
    pub async fn stop(&self) -> Result<(), LedgerError> {
        self.ask(|reply| Request::Stop { reply }).await
    }

    /// The state as of the latest durable event.
    pub fn state(&self) -> Arc<State> {
        self.shared.state.load_full()
    }

    /// Rises with every batch of events that changes the state.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.generation.subscribe()
    }

    /// How far the log is published.
    pub fn publication(&self) -> watch::Receiver<Publication> {
        self.shared.publication.clone()
    }

    /// The derived rows.
    pub fn view(&self) -> &View {
        &self.shared.view
    }

    /// The exact entries of the log, published or not yet.
    pub fn entries(&self) -> &Arc<Entries> {
        &self.shared.entries
    }

    /// Who waits for mail.
    pub fn mail(&self) -> &Mail {
        &self.shared.mail
    }

    /// The log's name.
    pub fn origin(&self) -> &Origin {
        &self.shared.origin
    }

    /// Queries the log, newest first, off the I/O threads.
    ///
    /// # Errors
    /// [`LedgerError::Internal`] when the index or the log cannot be read.
    pub async fn query(&self, query: Query) -> Result<Page, LedgerError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let page = shared.view.query(&query, shared.entries.as_ref());
            page.map_err(|error| LedgerError::Internal(format!("query of the log: {error}")))
        })
        .await
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, LedgerError> {
        let place = tokio::time::timeout(QUEUE_WAIT, self.queue.reserve())
            .await
            .map_err(|_elapsed| LedgerError::Busy)?
            .map_err(|_closed| LedgerError::Stopped)?;
        let (reply, answer) = oneshot::channel();
        place.send(request(reply));
        answer.await.map_err(|_dropped| LedgerError::Stopped)
    }
}

/// Runs what reads disks off the I/O threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| LedgerError::Internal(error.to_string()))?
}

/// What a caller reads when the ledger itself cannot work.
fn denial_of(error: &LedgerError, exchange_id: &Bytes) -> wire::Denial {
    let reason = match error {
        LedgerError::Busy => wire::Reason::Busy,
        _ => wire::Reason::LogUnavailable,
    };
    reason::denial(reason, String::new(), exchange_id.clone())
}
