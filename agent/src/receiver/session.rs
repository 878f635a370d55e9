//! One stream of deliveries: records are taken side by side, and acknowledged in batches as they become durable.

use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use passerelle_proto::acknowledgement::{self, Acknowledged, EXCHANGES_LIMIT};
use passerelle_proto::wire::exchange_client::ExchangeClient;
use passerelle_proto::wire::{CollectFrame, collect_frame::Frame, delivery::Delivery as Item};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Channel;

use super::{Receiver, SessionError};
use crate::link;

/// Deliveries that may be unacknowledged: at 1 MiB each, what a session holds in memory.
const CREDIT: usize = 32;
/// How long nothing may happen before what could not be judged is asked for again.
const AGAIN: Duration = Duration::from_secs(10);

impl Receiver {
    /// Collects on one stream, until it ends.
    pub(super) async fn collect(&self, channel: Channel) -> Result<(), SessionError> {
        // An acknowledgement is of deliveries that the gateway still counts: there is always room for it.
        let (frames, stream) = mpsc::channel(CREDIT + 1);
        put(&frames, Frame::Credit(CREDIT as u32))?;
        let mut client = ExchangeClient::new(channel.clone());
        let mut deliveries = link::call(client.collect(ReceiverStream::new(stream))).await?;
        let mut taking = FuturesUnordered::new();
        let mut ready: Vec<Acknowledged> = Vec::new();
        let mut not_yet = false;
        loop {
            // Together what is ready together: one signature, and one event in the log.
            while let Some(Some(taken)) = taking.next().now_or_never() {
                note(taken, &mut ready, &mut not_yet)?;
            }
            self.acknowledge(&frames, &mut ready)?;
            tokio::select! {
                Some(taken) = taking.next(), if !taking.is_empty() => note(taken, &mut ready, &mut not_yet)?,
                delivery = deliveries.message(), if taking.len() < CREDIT => {
                    let Some(delivery) = delivery? else { return Err(ended().into()) };
                    match delivery.delivery {
                        Some(Item::Record(record)) if self.inbox.has_room() => {
                            taking.push(self.take(channel.clone(), record));
                        }
                        Some(Item::Record(_)) => return Err(SessionError::Full),
                        Some(Item::Notice(notice)) => {
                            if let Some(signed) = &notice.acknowledgement {
                                self.sender.acknowledged(signed).await?;
                            }
                        }
                        Some(Item::Acknowledged(_)) | None => {}
                    }
                }
                () = tokio::time::sleep(AGAIN), if not_yet && taking.is_empty() => return Err(SessionError::NotYet),
            }
        }
    }

    /// Signs what is ready, and sends it.
    fn acknowledge(
        &self,
        frames: &mpsc::Sender<CollectFrame>,
        ready: &mut Vec<Acknowledged>,
    ) -> Result<(), SessionError> {
        let batch = std::mem::take(ready);
        for exchanges in batch.chunks(EXCHANGES_LIMIT) {
            let now = self.clock.now().as_millis();
            let signed =
                acknowledgement::sign(self.identity.agent(), now, exchanges, self.identity.signer().as_ref())
                    .map_err(|error| Status::internal(link::chain(&error)))?;
            put(frames, Frame::Acknowledgement(signed))?;
        }
        Ok(())
    }
}

fn note(
    taken: Result<Option<Acknowledged>, SessionError>,
    ready: &mut Vec<Acknowledged>,
    not_yet: &mut bool,
) -> Result<(), SessionError> {
    match taken {
        // The same exchange may have been delivered twice; a batch names it once.
        Ok(Some(acknowledged)) => {
            if !ready.iter().any(|other| other.exchange_id == acknowledged.exchange_id) {
                ready.push(acknowledged);
            }
        }
        Ok(None) | Err(SessionError::NotYet) => *not_yet = true,
        Err(error) => return Err(error),
    }
    Ok(())
}

fn put(frames: &mpsc::Sender<CollectFrame>, frame: Frame) -> Result<(), Status> {
    frames.try_send(CollectFrame { frame: Some(frame) }).map_err(|_| ended())
}

fn ended() -> Status {
    Status::unavailable("the gateway has ended the collection")
}
