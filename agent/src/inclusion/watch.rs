//! When the log is looked at: from time to time, as long as a receipt is to be checked.

use std::sync::Arc;

use passerelle_proto::tlog::VerifiedCheckpoint;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::Receipts;
use super::tiles::{Cache, Tiles};
use crate::checkpoint::{FollowError, Follower};
use crate::link;
use crate::records::StoreError;

/// Batches of one round at most: what is left waits for the next.
const BATCHES: usize = 64;

/// Why a round did not come to its end. It is tried again.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Log(FollowError),
    #[error("les reçus / the receipts")]
    Store(#[from] StoreError),
}

/// Checks the receipts of an agent.
#[derive(Debug)]
pub(crate) struct Watcher {
    pub(crate) receipts: Receipts,
    pub(crate) follower: Follower,
    cache: Arc<Cache>,
}

impl Watcher {
    pub(crate) fn new(receipts: Receipts, follower: Follower) -> Self {
        Self { receipts, follower, cache: Arc::default() }
    }

    /// Checks, until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            let rounded = tokio::select! {
                () = stop.cancelled() => return,
                rounded = self.round() => rounded,
            };
            if let Err(error) = rounded {
                tracing::info!(error = %link::chain(&error), "receipts were not checked");
            }
            // Also when the log could not be looked at: that is an alarm of its own.
            self.receipts.tell();
            if let Err(error) = self.receipts.tidy().await {
                tracing::error!(error = %link::chain(&error), "the journal of receipts could not be tidied");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.receipts.0.settings.every) => {}
            }
        }
    }

    async fn round(&self) -> Result<(), RoundError> {
        if self.receipts.batch((0, None)).is_none() {
            return Ok(());
        }
        self.follower.look().await.map_err(RoundError::Log)?;
        let Some(checkpoint) = self.follower.checkpoints.largest() else { return Ok(()) };
        let line = self.follower.line().await.map_err(RoundError::Log)?;
        let checked = self.check(&checkpoint, &line.channel()).await;
        line.cut();
        checked
    }

    async fn check(
        &self,
        checkpoint: &VerifiedCheckpoint,
        channel: &tonic::transport::Channel,
    ) -> Result<(), RoundError> {
        let mut from = (0, None);
        for _ in 0..BATCHES {
            let Some(batch) = self.receipts.batch(from) else { break };
            let (cache, channel, runtime) = (Arc::clone(&self.cache), channel.clone(), Handle::current());
            let under = checkpoint.clone();
            let looking = tokio::task::spawn_blocking(move || {
                let looked = batch.look(Tiles { channel, cache: &cache, runtime }, &under);
                if looked.is_doubtful() {
                    cache.clear();
                }
                (batch, looked)
            });
            let (batch, looked) = looking.await.map_err(|_| StoreError::Stopping)?;
            match self.receipts.take(&batch, looked, checkpoint).await? {
                Some(next) => from = next,
                None => break,
            }
        }
        Ok(())
    }
}
