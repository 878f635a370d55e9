//! Keeping directory, agreements and catalogue up to date: at each connection, at each change that the gateway announces, and from
//! time to time, so that the revocation list never goes stale while there is a connection.

use std::time::Duration;

use passerelle_proto::wire;
use passerelle_proto::wire::agreements_client::AgreementsClient;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::{Agreements, AgreementsError};
use crate::catalogue::Catalogue;
use crate::directory::{Directory, DirectoryError};
use crate::identity::Identity;
use crate::link::{self, Backoff, Link};

/// The longest that nothing is asked.
const INTERVAL: Duration = Duration::from_secs(600);
/// The same while the catalogue could not be brought up to date.
const CATALOGUE_INTERVAL: Duration = Duration::from_secs(60);

/// Waiting times after a failure.
const BACKOFF: Backoff = Backoff { min: Duration::from_millis(250), max: Duration::from_secs(30) };

/// Why the caches were not brought up to date. It is tried again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The directory.
    #[error("l'annuaire / the directory")]
    Directory(#[source] DirectoryError),
    /// The agreements.
    #[error("les ententes / the agreements")]
    Agreements(#[source] AgreementsError),
    /// The stream of changes.
    #[error("l'annonce des changements / the announcement of changes: {}", .0.message())]
    Watch(Box<Status>),
}

/// Brings the caches up to date.
#[derive(Clone, Debug)]
pub struct Synchroniser {
    identity: Identity,
    link: Link,
    directory: Directory,
    agreements: Agreements,
    catalogue: Catalogue,
    done: watch::Sender<u64>,
}

impl Synchroniser {
    /// For these caches, over this link.
    #[must_use]
    pub fn new(
        identity: Identity,
        link: Link,
        directory: Directory,
        (agreements, catalogue): (Agreements, Catalogue),
    ) -> Self {
        Self { identity, link, directory, agreements, catalogue, done: watch::Sender::new(0) }
    }

    /// Counts how often the caches were brought up to date; 0 until the first time since the start.
    #[must_use]
    pub fn done(&self) -> watch::Receiver<u64> {
        self.done.subscribe()
    }

    /// Brings the caches up to date, once. The list of revocations comes first, since signatures on agreements are
    /// held against it; agencies met for the first time are looked up right after.
    ///
    /// # Errors
    /// [`SyncError`]; what is at hand stays. A catalogue that cannot be had is none: records do not need it.
    pub async fn refresh(&self, channel: Channel) -> Result<(), SyncError> {
        self.refreshed(channel).await.map(drop)
    }

    /// The same; whether the catalogue is up to date too.
    async fn refreshed(&self, channel: Channel) -> Result<bool, SyncError> {
        let known = self.agreements.agencies();
        self.directory.refresh(channel.clone(), &known).await.map_err(SyncError::Directory)?;
        self.link.check_peer();
        self.agreements.refresh(channel.clone()).await.map_err(SyncError::Agreements)?;
        let agencies = self.agreements.agencies();
        if agencies != known {
            self.directory.refresh(channel.clone(), &agencies).await.map_err(SyncError::Directory)?;
        }
        self.look_for_impostors();
        let listed = self.catalogue.refresh(channel.clone()).await;
        self.done.send_modify(|count| *count += 1);
        if let Err(error) = listed {
            tracing::warn!(error = %link::chain(&error), "catalogue not up to date");
            return Ok(false);
        }
        if let Err(error) = self.catalogue.keep_signed(&channel, &self.identity).await {
            tracing::warn!(error = %link::chain(&error), "a service keeps the signature of an earlier certificate");
        }
        Ok(true)
    }

    /// A certificate or key in our own name that is not ours is somebody else's.
    fn look_for_impostors(&self) {
        let ours = self.identity.agent();
        let (signing, kem_keys) = (self.identity.signing_certificate(), self.identity.kem_keys());
        for (_, listed) in self.directory.agents().iter().filter(|(agent, _)| agent == ours) {
            let newer = |certificate: &&passerelle_pki::certificate::VerifiedCertificate| {
                certificate.key_id() != signing.key_id() && certificate.not_before() > signing.not_before()
            };
            if let Some(certificate) = listed.certificates().find(newer) {
                let serial = hex::encode(certificate.serial());
                tracing::error!(agent = %ours, serial, "a signing certificate in our name that we did not ask for");
            }
            let bundle = listed.bundle(passerelle_pki::clock::Timestamp::default());
            if let Some(bundle) = bundle.filter(|bundle| kem_keys.find(bundle.key_id().as_ref()).is_none()) {
                tracing::error!(agent = %ours, key = %bundle.key_id(), "a key bundle in our name that is not ours");
            }
        }
    }

    /// Keeps the caches up to date, whenever there is a connection, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut delays = BACKOFF.delays();
        loop {
            let channel = tokio::select! {
                () = stop.cancelled() => return,
                channel = self.link.ready() => match channel { Some(channel) => channel, None => return },
            };
            let before = *self.done.borrow();
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.follow(channel) => ended,
            };
            if *self.done.borrow() != before {
                delays = BACKOFF.delays();
            }
            if let Err(error) = ended {
                tracing::warn!(error = %link::chain(&error), "directory and agreements not up to date");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(delays.next().unwrap_or(BACKOFF.max)) => {}
            }
        }
    }

    /// Follows one stream of changes to its end. The stream is opened before the first reading, so that no change falls
    /// between.
    async fn follow(&self, channel: Channel) -> Result<(), SyncError> {
        let mut client = AgreementsClient::new(channel.clone());
        let mut changes = link::call(client.watch(wire::WatchRequest {})).await.map_err(watch_error)?;
        // The first message gives the present value.
        next(&mut changes).await?;
        loop {
            let interval = if self.refreshed(channel.clone()).await? { INTERVAL } else { CATALOGUE_INTERVAL };
            match tokio::time::timeout(interval, changes.message()).await {
                Err(_) | Ok(Ok(Some(_))) => {}
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(status)) => return Err(watch_error(status)),
            }
        }
    }
}

async fn next(changes: &mut Streaming<wire::Change>) -> Result<(), SyncError> {
    match tokio::time::timeout(link::CALL_LIMIT, changes.message()).await {
        Ok(Ok(Some(_))) => Ok(()),
        Ok(Ok(None)) => Err(watch_error(Status::unavailable("fin / end"))),
        Ok(Err(status)) => Err(watch_error(status)),
        Err(_) => Err(watch_error(Status::deadline_exceeded("pas de réponse / no answer"))),
    }
}

fn watch_error(status: Status) -> SyncError {
    SyncError::Watch(Box::new(status))
}
