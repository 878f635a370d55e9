//! Opening: journal, published log and view are brought together, then the threads start.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use arc_swap::ArcSwap;
use passerelle_journal::{Journal, JournalError};
use passerelle_pki::clock::Timestamp;
use passerelle_proto::wire::{self, EventKind, event::Detail};
use ring::rand::SystemRandom;
use tokio::sync::{mpsc, watch};

use super::accept::Counters;
use super::admission::{self, Admit};
use super::handle::Shared;
use super::recovery::{self, Recovered};
use super::sequencer::Sequencer;
use super::tidy::gateway_actor;
use super::{Durable, Ledger, Mail, NewEvent, OpenError, Settings};
use crate::log::{Entries, LogFolder, Publisher};

/// Requests that may wait. Their bodies are in memory.
const QUEUE: usize = 512;

/// What tests replace.
pub(super) struct Seams {
    /// What makes batches durable, around the journal.
    pub(super) durable: Box<dyn FnOnce(Journal) -> Arc<dyn Durable>>,
    /// How exchanges are admitted.
    pub(super) admit: Admit,
}

impl Default for Seams {
    fn default() -> Self {
        Self { durable: Box::new(|journal| Arc::new(journal)), admit: admission::admit }
    }
}

/// Waits for the sequencer when the last handle is dropped.
#[derive(Debug)]
pub(super) struct Threads(Mutex<Option<JoinHandle<()>>>);

impl Drop for Threads {
    fn drop(&mut self) {
        let sequencer = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // The last handle may have been held by a decision: the sequencer cannot wait for itself.
        if let Some(sequencer) = sequencer.filter(|thread| thread.thread().id() != thread::current().id())
            && sequencer.join().is_err()
        {
            tracing::error!("the sequencer panicked");
        }
    }
}

/// See [`Ledger::open`].
pub(super) fn open(settings: &Settings, seams: Seams) -> Result<Ledger, OpenError> {
    let folder = LogFolder::open(&settings.log).map_err(OpenError::Log)?;
    // First the journal's lock: until it is held, another gateway may still be publishing.
    let journal = open_journal(settings)?;
    let mut publisher = Publisher::open(folder, &settings.origin.origin, Arc::clone(&settings.log_key))
        .map_err(OpenError::Log)?;
    let tail = publisher.tail();
    let entries =
        Arc::new(Entries::new(publisher.folder().clone(), Arc::clone(&tail), publisher.key().clone()));
    let Recovered { view, state, last_ms } = recovery::recover(settings, &journal, &publisher, &entries)?;
    // What a crash left unpublished, or half published, comes first: the same entries give the same files.
    publisher.publish().map_err(OpenError::Log)?;

    let shared = Arc::new(Shared {
        origin: settings.origin.clone(),
        state: ArcSwap::from_pointee(state),
        generation: watch::Sender::new(0),
        view: view.clone(),
        tail,
        entries,
        publication: publisher.publication(),
        mail: Mail::default(),
        journal: journal.clone(),
        receipt_key: Arc::clone(&settings.receipt_key),
    });
    let mut sequencer = Sequencer {
        shared: Arc::clone(&shared),
        durable: (seams.durable)(journal),
        admit: seams.admit,
        clock: Arc::clone(&settings.clock),
        random: SystemRandom::new(),
        counters: Counters::default(),
        finished: settings.finished.clone(),
        last: Timestamp::from_millis(last_ms),
        failed: None,
        stopping: own_event(settings, EventKind::GatewayStopped),
        publisher: None,
    };
    sequencer.log_own(own_event(settings, EventKind::GatewayStarted)).map_err(OpenError::Start)?;
    sequencer.publisher = Some(publisher.start(settings.publish_interval, view).map_err(OpenError::Thread)?);
    let (queue, waiting) = mpsc::channel(QUEUE);
    let thread = thread::Builder::new()
        .name("sequencer".to_owned())
        .spawn(move || sequencer.run(waiting))
        .map_err(OpenError::Thread);
    let thread = thread.inspect_err(|_error| shared.tail.abandon())?;
    Ok(Ledger { queue, shared, threads: Arc::new(Threads(Mutex::new(Some(thread)))) })
}

/// Opens the journal; makes one only where nothing was ever published.
fn open_journal(settings: &Settings) -> Result<Journal, OpenError> {
    match Journal::open(&settings.journal, settings.segments) {
        Ok((journal, _recovered)) => Ok(journal),
        Err(JournalError::NotFound(_)) => match settings.log.join("checkpoint").try_exists() {
            Ok(false) => Journal::create(&settings.journal, settings.segments).map_err(OpenError::Journal),
            _ => Err(OpenError::JournalMissing {
                journal: settings.journal.clone(),
                log: settings.log.clone(),
            }),
        },
        Err(error) => Err(OpenError::Journal(error)),
    }
}

fn own_event(settings: &Settings, kind: EventKind) -> NewEvent {
    let detail = wire::GatewayDetail {
        name: settings.origin.gateway.clone(),
        version: settings.version.clone(),
        configuration_digest: bytes::Bytes::copy_from_slice(&settings.configuration_digest),
    };
    NewEvent { kind, actor: gateway_actor(&settings.origin.gateway), detail: Detail::Gateway(detail) }
}
