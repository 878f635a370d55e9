//! Asking what became of records that were accepted: at each connection, and from time to time.
//!
//! Notices come by themselves as long as a connection lasts; that a record expired undelivered is only learned by asking.

use std::collections::HashMap;
use std::time::Duration;

use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::exchange_client::ExchangeClient;
use passerelle_proto::wire::{StateReply, StateRequest};
use tokio::time::Instant;
use tonic::Code;
use tonic::transport::Channel;

use super::{Sender, StreamError};
use crate::link;
use crate::records::StoreError;

/// How often the list is gone through.
const ROUND: Duration = Duration::from_secs(30);
/// How long nothing is asked about a record that notices may settle.
const INTERVAL: Duration = Duration::from_secs(900);

impl Sender {
    /// Asks about every record on its way, round after round, until something fails.
    pub(super) async fn follow_all(&self, channel: Channel) -> Result<(), StreamError> {
        let mut asked: HashMap<ExchangeId, Instant> = HashMap::new();
        loop {
            let mut next = HashMap::new();
            for (id, expires) in self.outbox.on_the_way() {
                let due = asked.get(&id).is_none_or(|at| at.elapsed() >= INTERVAL);
                if due || expires <= self.now() {
                    self.ask(channel.clone(), id).await?;
                    next.insert(id, Instant::now());
                } else {
                    next.extend(asked.get(&id).map(|at| (id, *at)));
                }
            }
            asked = next;
            tokio::time::sleep(ROUND).await;
        }
    }

    async fn ask(&self, channel: Channel, id: ExchangeId) -> Result<(), StreamError> {
        let request = StateRequest { exchange_id: id.to_wire() };
        match link::call(ExchangeClient::new(channel).state(request)).await {
            Ok(reply) => Ok(self.told(id, reply).await?),
            Err(status) if status.code() == Code::NotFound => {
                tracing::error!(%id, "the gateway does not know an exchange that it gave a receipt for");
                Ok(())
            }
            Err(status) => Err(status.into()),
        }
    }

    async fn told(&self, id: ExchangeId, reply: StateReply) -> Result<(), StoreError> {
        for recipient in reply.recipients {
            match recipient.acknowledgement {
                Some(signed) => self.acknowledged(&signed).await?,
                None if recipient.expired => self.outbox.expired(id, &recipient.agency).await?,
                None => {}
            }
        }
        Ok(())
    }
}
