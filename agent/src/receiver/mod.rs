//! The road in: what waits for this agency at the gateway is collected, verified, opened, made durable, acknowledged.
//!
//! In this order, so that an acknowledgement is never given for what could be lost. A record is refused, with a reason
//! that its sender reads, when it does not verify, is not permitted by its agreement, or does not open; it is left
//! waiting at the gateway when that is not sure yet (a key that the directory does not have and could not be asked for).
//!
//! [`session`]: one stream of deliveries; [`judge`]: what must hold of a record; [`download`]: bodies above 1 MiB.

mod download;
mod judge;
mod session;

use std::sync::Arc;
use std::time::Duration;

use passerelle_pki::clock::SharedClock;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tonic::Status;

use crate::identity::Identity;
use crate::inbox::Inbox;
use crate::link::{self, Backoff};
use crate::records::StoreError;
use crate::sender::Sender;

/// Waiting times after a session has ended.
const BACKOFF: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(10) };
/// Records that are opened at a time: it takes the processor, and as much memory again.
const OPENED_AT_ONCE: usize = 4;
/// Bodies that are downloaded at a time.
const DOWNLOADS_AT_ONCE: usize = 2;

/// Receives. Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    pub(crate) identity: Identity,
    pub(crate) inbox: Inbox,
    /// For notices, and for what both ask of the gateway.
    pub(crate) sender: Sender,
    pub(crate) clock: SharedClock,
    opening: Arc<Semaphore>,
    downloading: Arc<Semaphore>,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The gateway, or the connection to it.
    #[error("{}", .0.message())]
    Gateway(Box<Status>),
    /// Ours.
    #[error("the inbox")]
    Store(#[from] StoreError),
    /// The inbox is full.
    #[error("the inbox is full: confirm what was taken")]
    Full,
    /// Something is not known yet.
    #[error("a record could not be judged yet")]
    NotYet,
}

impl From<Status> for SessionError {
    fn from(status: Status) -> Self {
        Self::Gateway(Box::new(status))
    }
}

impl Receiver {
    pub(crate) fn new(identity: Identity, inbox: Inbox, sender: Sender, clock: SharedClock) -> Self {
        let (opening, downloading) = (Semaphore::new(OPENED_AT_ONCE), Semaphore::new(DOWNLOADS_AT_ONCE));
        Self { identity, inbox, sender, clock, opening: Arc::new(opening), downloading: Arc::new(downloading) }
    }

    /// Collects, until stopped.
    pub(crate) async fn run(self) {
        let (link, stop) = (self.sender.link.clone(), self.sender.stop.clone());
        let mut delays = BACKOFF.delays();
        loop {
            let channel = tokio::select! {
                () = stop.cancelled() => return,
                () = self.room() => tokio::select! {
                    () = stop.cancelled() => return,
                    channel = link.ready() => match channel { Some(channel) => channel, None => return },
                },
            };
            let begun = Instant::now();
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.collect(channel) => ended,
            };
            if begun.elapsed() > BACKOFF.max {
                delays = BACKOFF.delays();
            }
            if let Err(error) = ended {
                tracing::info!(error = %link::chain(&error), "collection ended; it is begun again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(delays.next().unwrap_or(BACKOFF.max)) => {}
            }
        }
    }

    /// Waits until the inbox has room.
    async fn room(&self) {
        let mut changed = self.inbox.changed();
        while !self.inbox.has_room() {
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
