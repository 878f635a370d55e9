//! The road out: what waits in the outbox is submitted until there is an answer, and followed until it is settled.
//!
//! Three lanes run side by side, each over the one connection: bodies above 1 MiB are uploaded ([`upload`]), records are
//! submitted ([`submit`]), and those accepted are asked about ([`follow`]), since a notice that was told to a connection
//! that broke is not told again. What the gateway says is believed only with its signature, or the recipient's.

mod flight;
mod follow;
mod settle;
mod submit;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use passerelle_pki::clock::{SharedClock, Timestamp};
use passerelle_proto::acknowledgement::VerifiedAcknowledgement;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Channel;

use crate::inclusion::Receipts;
use crate::link::{self, Backoff, Link};
use crate::outbox::{Lane, Outbox};
use crate::records::StoreError;
use crate::records::trust::{self, Doubt, Refresher, Trust};

/// Waiting times after a stream has failed.
const BACKOFF: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(10) };

/// The first waiting time of a record that was put off; it doubles.
const PUT_OFF: Duration = Duration::from_millis(200);
/// The longest.
const PUT_OFF_MAX: Duration = Duration::from_secs(30);

/// Sends. Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) outbox: Outbox,
    pub(crate) receipts: Receipts,
    pub(crate) link: Link,
    pub(crate) trust: Arc<dyn Trust>,
    pub(crate) refresher: Arc<Refresher>,
    pub(crate) clock: SharedClock,
    pub(crate) stop: CancellationToken,
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// The gateway, or the connection to it.
    #[error("{}", .0.message())]
    Gateway(Box<Status>),
    /// Ours.
    #[error("the outbox")]
    Store(#[from] StoreError),
}

impl From<Status> for StreamError {
    fn from(status: Status) -> Self {
        Self::Gateway(Box::new(status))
    }
}

impl Sender {
    /// Submits what waits, until stopped.
    pub(crate) async fn submit(self) {
        self.each_connection("submission", |channel| self.submit_stream(channel)).await;
    }

    /// Uploads what waits, until stopped.
    pub(crate) async fn upload(self) {
        self.each_connection("upload", |channel| self.upload_all(channel)).await;
    }

    /// Follows what was accepted, until stopped.
    pub(crate) async fn follow(self) {
        self.each_connection("follow-up", |channel| self.follow_all(channel)).await;
    }

    /// Runs `work` on every connection, until stopped; again after a pause when it ends, and on the next connection when
    /// there is one.
    pub(crate) async fn each_connection<F, W, E>(&self, name: &'static str, work: W)
    where
        W: Fn(Channel) -> F,
        F: Future<Output = Result<(), E>>,
        E: std::error::Error + 'static,
    {
        let (mut delays, mut channels) = (BACKOFF.delays(), self.link.channels());
        loop {
            let channel = tokio::select! {
                () = self.stop.cancelled() => return,
                found = channels.wait_for(Option::is_some) => found.ok().and_then(|found| found.clone()),
            };
            let Some(channel) = channel else { return };
            let begun = Instant::now();
            let ended = tokio::select! {
                () = self.stop.cancelled() => return,
                ended = work(channel) => ended,
                _ = channels.changed() => Ok(()),
            };
            if begun.elapsed() > BACKOFF.max {
                delays = BACKOFF.delays();
            }
            if let Err(error) = ended {
                tracing::info!(stream = name, error = %link::chain(&error), "stream ended; it is opened again");
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(delays.next().unwrap_or(BACKOFF.max)) => {}
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits until something waits in a lane.
    async fn next(&self, lane: Lane) -> ExchangeId {
        let mut work = self.outbox.work();
        loop {
            work.mark_unchanged();
            if let Some(id) = self.outbox.take(lane) {
                return id;
            }
            if work.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Lets a record be taken again after a while, longer each time.
    fn put_off(&self, id: ExchangeId) {
        let times = self.outbox.failed(id).min(16);
        let pause = PUT_OFF.saturating_mul(1 << times).min(PUT_OFF_MAX);
        let (outbox, stop) = (self.outbox.clone(), self.stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => outbox.give_back([id]),
            }
        });
    }

    /// Notes what a recipient's agent has acknowledged, once it is verified. What names no record of ours is passed
    /// over.
    pub(crate) async fn acknowledged(&self, signed: &wire::Statement) -> Result<(), StoreError> {
        let verified = match self.verify_acknowledgement(signed, Instant::now()).await {
            Ok(verified) => verified,
            Err(doubt) => {
                tracing::error!(error = %link::chain(&doubt), "an acknowledgement is not believed");
                return Ok(());
            }
        };
        let agency = verified.agent().agency.as_str();
        for exchange in verified.exchanges() {
            if self.outbox.header_digest(&exchange.exchange_id) == Some(exchange.header_digest) {
                let outcome = (exchange.refused, verified.received_ms());
                self.outbox.acknowledged(exchange.exchange_id, agency, outcome).await?;
            }
        }
        Ok(())
    }

    /// Verifies what an agent acknowledged, with a directory that is no older than `asked` when it needs one.
    pub(crate) async fn verify_acknowledgement(
        &self,
        signed: &wire::Statement,
        asked: Instant,
    ) -> Result<VerifiedAcknowledgement, Doubt> {
        match trust::acknowledgement(self.trust.as_ref(), signed) {
            Err(doubt) if doubt.may_be_ours() && self.refresher.refresh(asked).await => {
                trust::acknowledgement(self.trust.as_ref(), signed)
            }
            verified => verified,
        }
    }

    async fn verify_receipt(
        &self,
        receipt: &wire::Receipt,
        (id, header_digest): (ExchangeId, [u8; 32]),
    ) -> Result<wire::ReceiptBody, Doubt> {
        let asked = Instant::now();
        match trust::receipt(self.trust.as_ref(), receipt, id, header_digest) {
            Err(doubt) if doubt.may_be_ours() && self.refresher.refresh(asked).await => {
                trust::receipt(self.trust.as_ref(), receipt, id, header_digest)
            }
            verified => verified,
        }
    }
}
