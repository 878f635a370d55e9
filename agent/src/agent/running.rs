//! Starting and stopping.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use passerelle_pki::clock::SharedClock;
use passerelle_proto::envelope::EncapsulationCache;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Agent, Inner, Settings};
use crate::agreements::{Agreements, Synchroniser};
use crate::calls::Calls;
use crate::calls::provider::Provider;
use crate::catalogue::Catalogue;
use crate::checkpoint::{Checkpoints, Follower};
use crate::directory::Directory;
use crate::folders;
use crate::identity::{Identity, IdentityError};
use crate::inbox::Inbox;
use crate::inclusion::{Receipts, Watcher};
use crate::link::{self, Backoff, GatewayAddress, Link, LinkSettings};
use crate::outbox::Outbox;
use crate::pkcs11::Token;
use crate::pseudonyms::Pseudonyms;
use crate::receiver::Receiver;
use crate::records::plan::Planner;
use crate::records::trust::{Believed, Refresher};
use crate::records::{StartError, StoreError};
use crate::renewal::Renewal;
use crate::sender::Sender;

/// Bodies whose fields are looked at, at a time: each is in memory, up to the limit of the configuration.
const MINIMISED_AT_ONCE: usize = 4;
/// Bodies that are sealed at a time.
const SEALED_AT_ONCE: usize = 64;
/// Bodies that are uploaded at a time: a small one need not wait for one of many gigabytes.
const UPLOADED_AT_ONCE: usize = 3;
/// How often what is not needed any more is looked for.
const TIDYING: Duration = Duration::from_secs(60);
/// How long work under way may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// An agent that runs, until it is shut down.
#[derive(Debug)]
pub struct Running {
    /// The agent.
    pub agent: Agent,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    link: JoinHandle<()>,
}

impl Running {
    /// Stops everything and waits for it. What was durable stays; the folder can be opened again once every clone of the
    /// agent is gone.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            tracing::warn!("work under way did not end; it is cut");
        }
        self.tasks.shutdown().await;
        self.agent.0.link.stop();
        if let Err(error) = self.link.await {
            tracing::error!(%error, "the connection's task has failed");
        }
    }
}

/// What is read from the data folder.
struct Opened {
    identity: Identity,
    directory: Directory,
    agreements: Agreements,
    checkpoints: Checkpoints,
    catalogue: Catalogue,
    outbox: Outbox,
    inbox: Inbox,
    receipts: Receipts,
    pseudonyms: Pseudonyms,
}

fn open(
    settings: &Settings,
    clock: &SharedClock,
    changed: &watch::Sender<u64>,
) -> Result<Opened, StartError> {
    let Settings { data_dir, anchor, limits, .. } = settings;
    let token = Token::of(settings.signing.as_ref())
        .map_err(|error| StartError::Identity(IdentityError::Token(error)))?;
    let identity = Identity::open_with(data_dir, anchor, token).map_err(StartError::Identity)?;
    let here = identity.agent().clone();
    if let Some(expected) = settings.expected.clone().filter(|expected| *expected != here) {
        return Err(StartError::OtherAgent { here, expected });
    }
    let directory = Directory::open(data_dir, anchor, Arc::clone(clock)).map_err(StartError::Directory)?;
    let agreements = Agreements::open(data_dir, anchor, &here.agency, &directory, Arc::clone(clock))
        .map_err(StartError::Agreements)?;
    let log_key = identity.log_vkey().parse().ok();
    let checkpoints =
        Checkpoints::open(data_dir, log_key.as_ref(), Arc::clone(clock)).map_err(StartError::Checkpoint)?;
    let catalogue = Catalogue::open(data_dir, &here.agency, &directory, Arc::clone(clock))
        .map_err(StartError::Catalogue)?;
    let pseudonyms = match &settings.pseudonym_key {
        Some(key) => Pseudonyms::new(key),
        None => Pseudonyms::of_agent(identity.storage_key()).map_err(StartError::Pseudonyms)?,
    };
    let folder = |name: &str| -> Result<_, StoreError> {
        let path = data_dir.join(name);
        create(&path).map_err(StoreError::file(&path))?;
        Ok(path)
    };
    let outbox = folder("outbox")
        .and_then(|path| Outbox::open(&path, limits.clone(), Arc::clone(clock), changed.clone()))
        .map_err(StartError::Outbox)?;
    let inbox = folder("inbox")
        .and_then(|path| Inbox::open(&path, limits.clone(), Arc::clone(clock), changed.clone()))
        .map_err(StartError::Inbox)?;
    let receipts = folder("receipts")
        .and_then(|path| Receipts::open(&path, settings.checks, Arc::clone(clock)))
        .map_err(StartError::Receipts)?;
    Ok(Opened {
        identity,
        directory,
        agreements,
        checkpoints,
        catalogue,
        outbox,
        inbox,
        receipts,
        pseudonyms,
    })
}

fn create(path: &Path) -> std::io::Result<()> {
    if path.is_dir() { Ok(()) } else { passerelle_pki::files::create_private_directory(path) }
}

impl Agent {
    /// Opens everything in the data folder and begins to work. Call it inside a Tokio runtime.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(settings: Settings, clock: SharedClock) -> Result<Running, StartError> {
        let changed = watch::Sender::new(0);
        let (given, at, told) = (settings.clone(), Arc::clone(&clock), changed.clone());
        let opened = tokio::task::spawn_blocking(move || open(&given, &at, &told)).await;
        let opened = opened.map_err(|_| StartError::Outbox(StoreError::Stopping))??;
        let Opened {
            identity,
            directory,
            agreements,
            checkpoints,
            catalogue,
            outbox,
            inbox,
            receipts,
            pseudonyms,
        } = opened;
        let (link, link_task) = Link::start(LinkSettings {
            address: settings.agents.clone(),
            identity: identity.clone(),
            revocations: directory.revocations().clone(),
            backoff: Backoff::default(),
            clock: Arc::clone(&clock),
        })
        .map_err(StartError::Tls)?;
        let synchroniser = Synchroniser::new(
            identity.clone(),
            link.clone(),
            directory.clone(),
            (agreements.clone(), catalogue.clone()),
        );
        let refresher = Arc::new(Refresher::new(synchroniser.clone(), link.clone()));
        let planner = Planner {
            identity: identity.clone(),
            directory: directory.clone(),
            agreements: agreements.clone(),
            pseudonyms,
            encapsulations: Arc::new(EncapsulationCache::new()),
            clock: Arc::clone(&clock),
            limits: settings.limits,
            check: settings.check_before_sending,
        };
        let folder = settings.data_dir.join("calls");
        let believing = (Arc::clone(&refresher), receipts.clone());
        let calls = Calls::new(planner.clone(), catalogue.clone(), link.clone(), believing, &folder);
        let calls = calls.map_err(StartError::Calls)?;
        let agent = Self(Arc::new(Inner {
            identity,
            directory,
            agreements,
            checkpoints,
            catalogue,
            link,
            outbox,
            inbox,
            receipts,
            planner,
            calls,
            call_settings: settings.calls,
            refresher,
            sealing: Arc::new(Semaphore::new(SEALED_AT_ONCE)),
            minimising: Semaphore::new(MINIMISED_AT_ONCE),
            changed,
            folders: folders::board(&settings.folders),
            clock,
        }));
        let stop = CancellationToken::new();
        let mut tasks = agent.spawn(&stop, synchroniser, settings.public)?;
        folders::spawn(&mut tasks, &agent, settings.folders, &agent.0.folders, &stop);
        Ok(Running { agent, stop, tasks, link: link_task })
    }

    fn spawn(
        &self,
        stop: &CancellationToken,
        synchroniser: Synchroniser,
        public: GatewayAddress,
    ) -> Result<JoinSet<()>, StartError> {
        let inner = &self.0;
        let sender = Sender {
            outbox: inner.outbox.clone(),
            receipts: inner.receipts.clone(),
            link: inner.link.clone(),
            trust: Arc::new(Believed {
                directory: inner.directory.clone(),
                agreements: inner.agreements.clone(),
            }),
            refresher: Arc::clone(&inner.refresher),
            clock: Arc::clone(&inner.clock),
            stop: stop.clone(),
        };
        let clock = Arc::clone(&inner.clock);
        let receiver =
            Receiver::new(inner.identity.clone(), inner.inbox.clone(), sender.clone(), Arc::clone(&clock));
        let follower = Follower {
            checkpoints: inner.checkpoints.clone(),
            identity: inner.identity.clone(),
            public,
            clock: Arc::clone(&clock),
        };
        let provider = Provider::new(inner.calls.clone(), sender.clone(), &inner.call_settings)?;
        let watcher = Watcher::new(inner.receipts.clone(), follower.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(watcher.run(stop.clone()));
        tasks.spawn(follower.run(inner.link.clone(), stop.clone()));
        tasks.spawn(synchroniser.run(stop.clone()));
        tasks.spawn(Renewal::new(inner.identity.clone(), clock).run(inner.link.clone(), stop.clone()));
        tasks.spawn(sender.clone().submit());
        for _ in 0..UPLOADED_AT_ONCE {
            tasks.spawn(sender.clone().upload());
        }
        tasks.spawn(sender.follow());
        tasks.spawn(receiver.run());
        tasks.spawn(provider.run());
        tasks.spawn(self.clone().keep_house(stop.clone()));
        Ok(tasks)
    }

    /// Gives up what is not needed any more, from time to time.
    async fn keep_house(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(TIDYING) => {}
            }
            for tidied in [self.0.outbox.tidy().await, self.0.inbox.tidy().await] {
                if let Err(error) = tidied {
                    tracing::error!(error = %link::chain(&error), "the local journal could not be tidied");
                }
            }
            let this = self.clone();
            let forgotten = tokio::task::spawn_blocking(move || {
                let needed = this.0.inbox.keys_needed();
                let is_needed = |key: &passerelle_pki::key::KeyId| needed.contains(&key.as_bytes()[..]);
                this.0.identity.forget_kem_keys(this.0.clock.now(), &is_needed)
            });
            if let Ok(Err(error)) = forgotten.await {
                tracing::error!(error = %link::chain(&error), "old KEM keys are still kept");
            }
        }
    }
}
