//! One stream of deliveries: records are taken side by side, and acknowledged in batches as they become durable. What the
//! gateway answers decides whether systems see a record ([`settling`](super::settling)); what was left unanswered by an
//! earlier stream is acknowledged again first.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use passerelle_proto::acknowledgement::{self, Acknowledged, EXCHANGES_LIMIT};
use passerelle_proto::wire::exchange_client::ExchangeClient;
use passerelle_proto::wire::{CollectFrame, collect_frame::Frame, delivery::Delivery as Item};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Channel;

use super::settling::{Answered, unasked};
use super::{Receiver, SessionError};
use crate::link;
use crate::records::blocking::blocking;

/// Deliveries that may be unacknowledged: at 1 MiB each, what a session holds in memory.
const CREDIT: usize = 32;
/// How long nothing may happen before what could not be judged is asked for again.
const AGAIN: Duration = Duration::from_secs(10);
/// When what the gateway said and did not prove is acknowledged again.
const DOUBTED_AGAIN: Duration = Duration::from_secs(60);

impl Receiver {
    /// Collects on one stream, until it ends.
    pub(super) async fn collect(&self, channel: Channel) -> Result<(), SessionError> {
        // An acknowledgement is of deliveries that the gateway still counts, or of a few that an earlier stream left: there
        // is always room for it.
        let (frames, stream) = mpsc::channel(CREDIT + 1);
        put(&frames, Frame::Credit(CREDIT as u32))?;
        let mut client = ExchangeClient::new(channel.clone());
        let mut deliveries = link::call(client.collect(ReceiverStream::new(stream))).await?;
        let mut taking = FuturesUnordered::new();
        let mut settling = FuturesUnordered::new();
        let (mut ready, mut unanswered) = (self.inbox.pending(), VecDeque::new());
        let mut answered = Answered::default();
        let (mut doubted, mut doubted_again) = (Vec::new(), Instant::now());
        let (mut not_yet, mut full) = (false, false);
        loop {
            // Together what is ready together: one signature, and one event in the log.
            while let Some(Some(taken)) = taking.next().now_or_never() {
                note(taken, &mut ready, &mut not_yet)?;
            }
            self.acknowledge(&frames, &mut ready, &mut unanswered).await?;
            // One after the other, so that systems see records in the order of the answers.
            if settling.is_empty() && !answered.is_empty() {
                settling.push(self.settle(std::mem::take(&mut answered)));
            }
            // Not before what is pending has its answers: they may make the room.
            if full && taking.is_empty() && unanswered.is_empty() && settling.is_empty() {
                return Err(SessionError::Full);
            }
            tokio::select! {
                Some(taken) = taking.next(), if !taking.is_empty() => note(taken, &mut ready, &mut not_yet)?,
                Some(settled) = settling.next(), if !settling.is_empty() => {
                    if doubted.is_empty() {
                        doubted_again = Instant::now() + DOUBTED_AGAIN;
                    }
                    settled?.into_iter().for_each(|exchange| add(&mut doubted, exchange));
                }
                () = tokio::time::sleep_until(doubted_again), if !doubted.is_empty() => ready.append(&mut doubted),
                delivery = deliveries.message(), if taking.len() < CREDIT => {
                    let Some(delivery) = delivery? else { return Err(ended().into()) };
                    match delivery.delivery {
                        Some(Item::Record(record)) if self.inbox.has_room() => {
                            taking.push(self.take(channel.clone(), record));
                        }
                        // It waits at the gateway.
                        Some(Item::Record(_)) => full = true,
                        Some(Item::Notice(notice)) => {
                            if let Some(signed) = &notice.acknowledgement {
                                self.sender.acknowledged(signed).await?;
                            }
                        }
                        Some(Item::Acknowledged(answer)) => {
                            let asked = unanswered.pop_front().ok_or_else(unasked)?;
                            answered.take(asked, answer)?;
                            ready.append(&mut answered.again);
                        }
                        None => {}
                    }
                }
                () = tokio::time::sleep(AGAIN), if not_yet && taking.is_empty() => return Err(SessionError::NotYet),
            }
        }
    }

    /// Signs what is ready, and sends it.
    async fn acknowledge(
        &self,
        frames: &mpsc::Sender<CollectFrame>,
        ready: &mut Vec<Acknowledged>,
        unanswered: &mut VecDeque<Vec<Acknowledged>>,
    ) -> Result<(), SessionError> {
        let batch = std::mem::take(ready);
        for exchanges in batch.chunks(EXCHANGES_LIMIT) {
            let (now, batch, identity) =
                (self.clock.now().as_millis(), exchanges.to_vec(), self.identity.clone());
            // A token signs in its own time.
            let signed = blocking(move || {
                acknowledgement::sign(identity.agent(), now, &batch, identity.signer().as_ref())
            });
            let signed = signed.await.map_err(|error| Status::cancelled(link::chain(&error)))?;
            let signed = signed.map_err(|error| Status::internal(link::chain(&error)))?;
            put(frames, Frame::Acknowledgement(signed))?;
            unanswered.push_back(exchanges.to_vec());
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
        Ok(Some(acknowledged)) => add(ready, acknowledged),
        Ok(None) | Err(SessionError::NotYet) => *not_yet = true,
        Err(error) => return Err(error),
    }
    Ok(())
}

fn add(exchanges: &mut Vec<Acknowledged>, exchange: Acknowledged) {
    if !exchanges.iter().any(|other| other.exchange_id == exchange.exchange_id) {
        exchanges.push(exchange);
    }
}

fn put(frames: &mpsc::Sender<CollectFrame>, frame: Frame) -> Result<(), Status> {
    frames.try_send(CollectFrame { frame: Some(frame) }).map_err(|_| ended())
}

fn ended() -> Status {
    Status::unavailable("the gateway has ended the collection")
}
