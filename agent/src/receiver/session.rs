//! One stream of deliveries: records are taken side by side, and acknowledged in batches as they become durable. What the
//! gateway answers decides whether systems see a record ([`Inbox::acknowledged`](crate::inbox::Inbox::acknowledged)); what
//! was left unanswered by an earlier stream is acknowledged again first.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use passerelle_proto::acknowledgement::{self, Acknowledged, EXCHANGES_LIMIT};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::exchange_client::ExchangeClient;
use passerelle_proto::wire::{
    AcknowledgementLogged, CollectFrame, collect_frame::Frame, delivery::Delivery as Item,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Channel;

use super::{Receiver, SessionError};
use crate::link;
use crate::records::blocking::blocking;

/// Deliveries that may be unacknowledged: at 1 MiB each, what a session holds in memory.
const CREDIT: usize = 32;
/// How long nothing may happen before what could not be judged is asked for again.
const AGAIN: Duration = Duration::from_secs(10);

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
        let (mut not_yet, mut full) = (false, false);
        loop {
            // Together what is ready together: one signature, and one event in the log.
            while let Some(Some(taken)) = taking.next().now_or_never() {
                note(taken, &mut ready, &mut not_yet)?;
            }
            self.acknowledge(&frames, &mut ready, &mut unanswered).await?;
            // One after the other, so that systems see records in the order of the answers.
            if settling.is_empty() && !answered.is_empty() {
                let (inbox, Answered { ours, elsewhere, .. }) = (&self.inbox, std::mem::take(&mut answered));
                settling.push(async move { inbox.acknowledged(&ours, &elsewhere).await });
            }
            // Not before what is pending has its answers: they may make the room.
            if full && taking.is_empty() && unanswered.is_empty() && settling.is_empty() {
                return Err(SessionError::Full);
            }
            tokio::select! {
                Some(taken) = taking.next(), if !taking.is_empty() => note(taken, &mut ready, &mut not_yet)?,
                Some(settled) = settling.next(), if !settling.is_empty() => settled?,
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
                            answered.take(asked, &answer)?;
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

/// What the gateway said of statements.
#[derive(Debug, Default)]
struct Answered {
    ours: Vec<ExchangeId>,
    elsewhere: Vec<ExchangeId>,
    /// To be acknowledged again, without the others.
    again: Vec<Acknowledged>,
}

impl Answered {
    /// Reads the answer to the statement that named `asked`.
    fn take(&mut self, asked: Vec<Acknowledged>, answer: &AcknowledgementLogged) -> Result<(), Status> {
        let ours: HashSet<&[u8]> = answer.exchange_ids.iter().map(|id| &id[..]).collect();
        let ended = answer.elsewhere.iter().map(|ended| (&ended.exchange_id[..], ended.agent.as_str()));
        let elsewhere: HashMap<&[u8], &str> = ended.collect();
        let (asked_for, before) = (asked.len(), self.again.len());
        for exchange in asked {
            let id = exchange.exchange_id;
            match elsewhere.get(&id.as_bytes()[..]) {
                _ if ours.contains(&id.as_bytes()[..]) => self.ours.push(id),
                Some(agent) => {
                    tracing::info!(%id, agent, "a record is another agent's of the agency, or has expired; it is dropped");
                    self.elsewhere.push(id);
                }
                None => self.again.push(exchange),
            }
        }
        // Otherwise the same would be asked for ever.
        if self.again.len() == before + asked_for { Err(unasked()) } else { Ok(()) }
    }

    fn is_empty(&self) -> bool {
        self.ours.is_empty() && self.elsewhere.is_empty()
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

fn unasked() -> Status {
    Status::internal("the gateway's answer is to another acknowledgement")
}

fn ended() -> Status {
    Status::unavailable("the gateway has ended the collection")
}

#[cfg(test)]
mod tests {
    use passerelle_pki::clock::Timestamp;
    use passerelle_proto::wire::EndedElsewhere;
    use ring::rand::SystemRandom;

    use super::*;

    #[test]
    fn an_answer_sorts_what_was_asked_and_one_that_settles_nothing_is_refused() {
        let asked: Vec<_> = (1..4)
            .map(|byte| Acknowledged {
                exchange_id: ExchangeId::draw(Timestamp::from_millis(byte), &SystemRandom::new()).unwrap(),
                header_digest: [1; 32],
                refused: None,
            })
            .collect();
        let id = |at: usize| asked[at].exchange_id;
        let answer = AcknowledgementLogged {
            exchange_ids: vec![id(1).to_wire()],
            leaf_index: 7,
            elsewhere: vec![EndedElsewhere { exchange_id: id(0).to_wire(), agent: "agent-2".to_owned() }],
        };
        let mut answered = Answered::default();
        answered.take(asked.clone(), &answer).unwrap();
        assert!(Answered::default().take(asked.clone(), &AcknowledgementLogged::default()).is_err());
        assert_eq!((answered.ours, answered.elsewhere), (vec![id(1)], vec![id(0)]));
        assert_eq!(answered.again, [asked[2]]);
    }
}
