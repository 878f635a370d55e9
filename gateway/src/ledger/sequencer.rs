//! The sequencer: one thread that decides batches, makes them durable, applies them and answers, in this order.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use passerelle_pki::clock::{SharedClock, Timestamp};
use passerelle_proto::{receipt, wire};
use ring::rand::SystemRandom;
use tokio::sync::mpsc;

use super::accept::{Counters, accept, deny};
use super::acknowledge::acknowledge;
use super::admission::Admit;
use super::answer::{Answer, Kept};
use super::handle::Shared;
use super::request::{Decide, Request, Tidied};
use super::stage::{Stage, Staged};
use super::tidy::{self, EXPIRED_LIMIT};
use super::{Durable, LedgerError, Logged, NewEvent};
use crate::view::{Finished, ViewBatch};

/// Requests in a batch.
const BATCH_REQUESTS: usize = 512;
/// Bytes of records in a batch, beyond which nothing more is taken in.
const BATCH_BYTES: usize = 8 << 20;

/// The thread's own things.
pub(super) struct Sequencer {
    pub(super) shared: Arc<Shared>,
    pub(super) durable: Arc<dyn Durable>,
    pub(super) admit: Admit,
    pub(super) clock: SharedClock,
    pub(super) random: SystemRandom,
    pub(super) counters: Counters,
    pub(super) finished: Option<mpsc::UnboundedSender<Finished>>,
    /// Time of the last event: the log's time never goes back.
    pub(super) last: Timestamp,
    /// Why nothing is logged any more until the gateway is started again.
    pub(super) failed: Option<String>,
    /// The event of the stop.
    pub(super) stopping: NewEvent,
    pub(super) publisher: Option<JoinHandle<()>>,
}

impl Sequencer {
    /// Serves requests until it is told to stop or every handle is gone.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        while let Some(first) = queue.blocking_recv() {
            let (batch, stop) = gather(first, &mut queue);
            if !batch.is_empty() {
                self.serve(batch);
            }
            if let Some(reply) = stop {
                queue.close();
                self.stop();
                if reply.send(()).is_err() {
                    tracing::debug!("whoever asked for the stop has gone");
                }
                return;
            }
        }
        self.shared.tail.abandon();
        self.join_publisher();
    }

    /// Logs one event of the gateway itself.
    pub(super) fn log_own(&mut self, event: NewEvent) -> Result<Logged, LedgerError> {
        let (reply, mut answer) = tokio::sync::oneshot::channel();
        self.serve(vec![Request::Decide { decide: Box::new(move |_state, _now| Ok(event)), reply }]);
        answer.try_recv().map_err(|_none| LedgerError::Stopped)?
    }

    fn serve(&mut self, batch: Vec<Request>) {
        let unusable = match &self.failed {
            Some(why) => Some(why.clone()),
            None if self.shared.tail.is_full() => Some("the log cannot be published".to_owned()),
            None => None,
        };
        if let Some(why) = unusable {
            batch.into_iter().for_each(|request| request.refuse(&why));
            return;
        }
        // A panic (sled's, on a damaged file) must not leave a half-applied batch behind that later ones build on.
        if catch_unwind(AssertUnwindSafe(|| self.decide_and_commit(batch))).is_err() {
            self.fail("the sequencer panicked");
        }
    }

    fn decide_and_commit(&mut self, batch: Vec<Request>) {
        let shared = Arc::clone(&self.shared);
        let view_batch = match ViewBatch::new(&shared.view, &shared.origin.origin) {
            Ok(view_batch) => view_batch,
            Err(error) => {
                self.fail(&error.to_string());
                return batch.into_iter().for_each(|request| request.refuse(&error.to_string()));
            }
        };
        let now = self.clock.now().max(self.last);
        let state = (*shared.state.load_full()).clone();
        let mut stage = Stage::new(&shared.view, &self.random, state, view_batch, now);
        let mut answers = Vec::with_capacity(batch.len());
        for request in batch {
            answers.push(decide_one(&mut stage, &mut self.counters, &shared, self.admit, request));
        }
        let committed = stage.finish().map_err(|error| {
            self.fail(&error.to_string());
            LedgerError::LogUnavailable(error.to_string())
        });
        match committed.and_then(|staged| self.commit(staged)) {
            Ok(receipts) => answers.into_iter().for_each(|answer| answer.give(&receipts)),
            Err(error) => answers.into_iter().for_each(|answer| answer.refuse(&error.to_string())),
        }
    }

    /// Makes the batch durable, then visible. On an error nothing of it is.
    fn commit(&mut self, staged: Staged) -> Result<Vec<wire::Receipt>, LedgerError> {
        let Staged { now, state, mut batch, commits, records, receipts } = staged;
        // Signed before anything is written: a key that fails refuses the batch whole.
        let receipts = receipt::sign_batch(&receipts, self.shared.receipt_key.as_ref())
            .map_err(|error| LedgerError::LogUnavailable(format!("receipts: {error}")))?;
        if commits.is_empty() {
            return Ok(receipts);
        }
        let entries: Vec<Vec<u8>> = commits.iter().map(super::Commit::to_entry).collect();
        let positions = self.durable.append(&entries).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "the journal cannot be written");
            LedgerError::LogUnavailable(error.to_string())
        })?;
        // From here on the batch is durable: what fails now is made good when the ledger is opened again.
        self.last = now;
        let (shared, end) = (Arc::clone(&self.shared), self.durable.end());
        shared.tail.push(commits.into_iter().flat_map(|commit| commit.entries), end);
        let attached = records.iter().try_for_each(|(commit, id)| match positions.get(*commit) {
            Some(position) => batch.attach(&shared.view, id, *position),
            None => Ok(()),
        });
        batch.applied_to(end);
        let changes = batch.changes().clone();
        if let Err(error) = attached.and_then(|()| shared.view.write(batch)) {
            self.fail(&format!("the view cannot be written: {error}"));
        }
        if let Some(state) = state {
            shared.state.store(Arc::new(state));
            shared.generation.send_modify(|generation| *generation += 1);
        }
        changes.released.iter().for_each(|agency| shared.mail.release(agency));
        changes.mail.iter().chain(&changes.notices).for_each(|agency| shared.mail.wake(agency));
        if let Some(finished) = &self.finished {
            // Nobody listens any more when the gateway stops; what is left is found again by its owner.
            changes.finished.into_iter().for_each(|done| drop(finished.send(done)));
        }
        Ok(receipts)
    }

    fn fail(&mut self, why: &str) {
        tracing::error!(why, "nothing more is logged until the gateway is started again");
        self.failed.get_or_insert_with(|| why.to_owned());
    }

    fn stop(&mut self) {
        let (reply, _answer) = tokio::sync::oneshot::channel();
        self.serve(vec![Request::Summarise { reply }]);
        if let Err(error) = self.log_own(self.stopping.clone()) {
            tracing::warn!(%error, "the stop cannot be logged");
        }
        self.shared.tail.stop();
        self.join_publisher();
        if let Err(error) = self.shared.view.flush() {
            tracing::warn!(error = &error as &dyn std::error::Error, "the view is rebuilt at the next start");
        }
    }

    fn join_publisher(&mut self) {
        if let Some(publisher) = self.publisher.take()
            && publisher.join().is_err()
        {
            tracing::error!("the publisher panicked");
        }
    }
}

/// The first request and what waits behind it, as far as a batch goes; and the reply to a stop, which ends it.
fn gather(
    first: Request,
    queue: &mut mpsc::Receiver<Request>,
) -> (Vec<Request>, Option<tokio::sync::oneshot::Sender<()>>) {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    let mut next = Some(first);
    while let Some(request) = next {
        if let Request::Stop { reply } = request {
            return (batch, Some(reply));
        }
        bytes += request.bytes();
        batch.push(request);
        if batch.len() >= BATCH_REQUESTS || bytes >= BATCH_BYTES {
            break;
        }
        next = queue.try_recv().ok();
    }
    (batch, None)
}

fn decide_one(
    stage: &mut Stage<'_>,
    counters: &mut Counters,
    shared: &Shared,
    admit: Admit,
    request: Request,
) -> Answer {
    match request {
        Request::Decide { decide, reply } => Answer::Logged { result: decided(stage, decide), reply },
        Request::Accept { submission, reply } => {
            let id = submission.envelope.header().exchange_id.clone();
            let result = accept(stage, counters, &shared.origin.origin, admit, *submission);
            Answer::Accepted { result, reply, kept: Kept::of(id) }
        }
        Request::Acknowledge { acknowledging, reply } => {
            Answer::Acknowledged { result: acknowledge(stage, counters, *acknowledging), reply }
        }
        Request::Deny { note, reply } => {
            let kept = Kept::denial(&note);
            Answer::Denied { result: deny(stage, counters, &note), reply, kept }
        }
        Request::Tidy { reply } => {
            let tidied = tidy::summaries(stage, counters, false).and_then(|()| {
                let expired = tidy::expire(stage, shared.entries.as_ref(), &shared.origin.gateway)?;
                Ok(Tidied { expired, dropped: 0, more: expired == EXPIRED_LIMIT })
            });
            Answer::Tidied { result: tidied, reply }
        }
        Request::Summarise { reply } => {
            let result = tidy::summaries(stage, counters, true).map(|()| Tidied::default());
            Answer::Tidied { result, reply }
        }
        // Taken out of the batch by `gather`.
        Request::Stop { reply } => Answer::Stopped { reply },
    }
}

fn decided(stage: &mut Stage<'_>, decide: Decide) -> Result<Logged, LedgerError> {
    let (state, now) = (stage.state(), stage.now());
    // The decision is others' code: a panic in it must not end the sequencer.
    match catch_unwind(AssertUnwindSafe(|| decide(state, now))) {
        Ok(Ok(event)) => stage.log(event, None),
        Ok(Err(mut refused)) => {
            if let Some(event) = refused.log.take() {
                stage.log(*event, None)?;
            }
            Err(refused.into())
        }
        Err(_panic) => Err(LedgerError::Internal("a decision panicked".to_owned())),
    }
}
