//! The road in: what waits for this agency at the gateway is collected, verified, opened, made durable, acknowledged.
//!
//! In this order, so that an acknowledgement is never given for what could be lost. A record is refused, with a reason
//! that its sender reads, when it does not verify, is not permitted by its agreement, or does not open; it is left
//! waiting at the gateway when that is not sure yet (a key that the directory does not have and could not be asked for).
//!
//! [`session`]: one stream of deliveries; [`judge`]: what must hold of a record; [`settling`]: how much of the gateway's
//! answers is believed; [`download`]: bodies above 1 MiB.

mod download;
mod judge;
mod session;
mod settling;

use std::sync::Arc;

use passerelle_pki::clock::SharedClock;
use tokio::sync::Semaphore;
use tonic::Status;

use crate::identity::Identity;
use crate::inbox::Inbox;
use crate::records::StoreError;
use crate::sender::Sender;

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
        Self {
            identity,
            inbox,
            sender,
            clock,
            opening: Arc::new(opening),
            downloading: Arc::new(downloading),
        }
    }

    /// Collects, until stopped.
    pub(crate) async fn run(self) {
        let collect = |channel| async {
            self.room().await;
            self.collect(channel).await
        };
        self.sender.each_connection("collection", collect).await;
    }

    /// Waits until the inbox has room, or holds what only a collection can settle.
    async fn room(&self) {
        let mut changed = self.inbox.changed();
        while !self.inbox.has_room() && self.inbox.counts().pending == 0 {
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
