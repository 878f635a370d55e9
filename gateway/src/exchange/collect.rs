//! `Collect`: deliveries to a recipient's agent, its acknowledgements, and notices to a sender's.
//!
//! A session takes waiting records oldest first, each on a lease, and never has more unacknowledged than its credit. It
//! takes only what its agent can open, as long as another agent of the agency can. A record goes on waiting until its
//! acknowledgement is durable; what a session did not acknowledge when it ended is delivered again, to any agent of the
//! agency: the first acknowledgement that is logged decides which of them has it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use passerelle_proto::envelope::danger;
use passerelle_proto::wire::{
    self, AcknowledgementNotice, CollectFrame, Delivery, collect_frame::Frame, delivery::Delivery as Item,
};
use passerelle_proto::{acknowledgement, reason, statement};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::leases::Session;
use super::service::ExchangeService;
use crate::ledger::Acknowledging;
use crate::rpc::caller::AgentCaller;
use crate::rpc::status;

/// Deliveries that may be unacknowledged at a time.
const CREDIT_MAX: u32 = 1_024;
/// Records read from the journal at once: at 1 MiB each, what a session holds in memory.
const READ_AT_ONCE: usize = 16;
/// Notices told at once.
const NOTICES_AT_ONCE: usize = 64;

type Deliveries = mpsc::Sender<Result<Delivery, Status>>;

/// A session of one agent.
struct Collecting {
    service: ExchangeService,
    agent: Arc<AgentCaller>,
    agency: String,
    session: Session,
    credit: usize,
    /// Delivered and not acknowledged: exchange id to leaf.
    under_way: HashMap<Bytes, u64>,
    /// The first leaf that was not looked at since the last rewind.
    cursor: u64,
    /// Something was left to the agency's other agents, who have the keys.
    left: bool,
    deliveries: Deliveries,
}

impl ExchangeService {
    pub(super) fn collect_stream(
        &self,
        agent: Arc<AgentCaller>,
        frames: Streaming<CollectFrame>,
    ) -> impl Stream<Item = Result<Delivery, Status>> + Send + 'static {
        let (deliveries, stream) = mpsc::channel(READ_AT_ONCE);
        let agency = agent.id.agency.to_string();
        let collecting = Collecting {
            service: self.clone(),
            session: self.0.leases.session(&agency),
            agent,
            agency,
            credit: 0,
            under_way: HashMap::new(),
            cursor: 0,
            left: false,
            deliveries: deliveries.clone(),
        };
        let stop = self.0.parts.stop.clone();
        tokio::spawn(async move {
            let ended = tokio::select! {
                ended = collecting.run(frames) => ended,
                () = stop.cancelled() => Ok(()),
            };
            if let Err(status) = ended {
                drop(deliveries.send(Err(status)).await);
            }
        });
        ReceiverStream::new(stream)
    }
}

impl Collecting {
    async fn run(mut self, mut frames: Streaming<CollectFrame>) -> Result<(), Status> {
        self.credit = match frames.next().await.transpose()?.and_then(|frame| frame.frame) {
            Some(Frame::Credit(credit)) if (1..=CREDIT_MAX).contains(&credit) => credit as usize,
            _ => {
                return Err(status::invalid(
                    "Le premier message donne un crédit de 1 à 1024.",
                    "The first message gives a credit of 1 to 1,024.",
                ));
            }
        };
        let mut mail = self.service.0.parts.ledger.mail().subscribe(&self.agency);
        let mut released = self.session.released();
        let mut agents = self.service.0.parts.ledger.changes();
        loop {
            // Marked before looking, so that what comes while we look is seen by the next wait.
            mail.mark_unchanged();
            released.mark_unchanged();
            agents.mark_unchanged();
            self.deliver().await?;
            self.notify().await?;
            tokio::select! {
                frame = frames.next() => match frame.transpose()? {
                    Some(CollectFrame { frame: Some(Frame::Acknowledgement(statement)) }) => {
                        self.acknowledge(statement).await?;
                    }
                    Some(_) => return Err(status::invalid("Un accusé était attendu.", "An acknowledgement was expected.")),
                    None => return Ok(()),
                },
                changed = mail.changed() => changed.map_err(|_closed| stopping())?,
                changed = released.changed() => {
                    changed.map_err(|_closed| stopping())?;
                    self.cursor = 0;
                }
                // Who has the keys may be revoked.
                changed = agents.changed(), if self.left => {
                    changed.map_err(|_closed| stopping())?;
                    self.cursor = 0;
                }
                () = self.deliveries.closed() => return Ok(()),
            }
        }
    }

    /// Delivers what waits, as far as the credit goes.
    async fn deliver(&mut self) -> Result<(), Status> {
        let ledger = self.service.0.parts.ledger.clone();
        if self.cursor == 0 {
            self.left = false;
        }
        while self.under_way.len() < self.credit {
            let most = READ_AT_ONCE.min(self.credit - self.under_way.len());
            let waiting =
                ledger.next_deliveries(&self.agency, self.cursor, most, self.session.held()).await?;
            self.cursor = waiting.next_leaf;
            for record in waiting.records {
                if !self.is_ours(&record.envelope) {
                    self.left = true;
                    continue;
                }
                if !self.session.take(record.leaf_index) {
                    continue;
                }
                self.under_way.insert(record.exchange_id, record.leaf_index);
                let delivered = Item::Record(wire::DeliveredRecord {
                    envelope: Some(record.envelope),
                    body: record.body,
                    receipt: Some(record.receipt),
                });
                self.tell(delivered).await?;
            }
            if !waiting.more {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether this agent is the one to open a record. One whose header cannot be read is refused by whoever takes it.
    fn is_ours(&self, envelope: &wire::Envelope) -> bool {
        let Some(header) = danger::peek(envelope) else { return true };
        let mut keys = header.recipient_keys;
        keys.retain(|key| key.agency == self.agency);
        self.service.0.parts.ledger.state().is_for_agent(&self.agent.id, &keys)
    }

    /// Tells a sender's agent what was acknowledged.
    async fn notify(&self) -> Result<(), Status> {
        loop {
            let notices = self.service.0.parts.ledger.take_notices(&self.agent.id, NOTICES_AT_ONCE).await?;
            if notices.is_empty() {
                return Ok(());
            }
            for (leaf_index, statement) in notices {
                let notice = AcknowledgementNotice { acknowledgement: Some(statement), leaf_index };
                self.tell(Item::Notice(notice)).await?;
            }
        }
    }

    /// Verifies an acknowledgement, has it logged, and ends the deliveries that it names.
    async fn acknowledge(&mut self, signed: wire::Statement) -> Result<(), Status> {
        let parts = &self.service.0.parts;
        let body = {
            let (state, now) = (parts.ledger.state(), parts.clock.now());
            let key = statement::key_hint(&signed)
                .and_then(|key_id| state.signing_key(&self.agent.id, key_id, now))
                .ok_or_else(|| {
                    refused("la clé de signature n'est pas en règle", "the signing key is not in force")
                })?;
            acknowledgement::verify(&signed, key, &self.agent.id)
                .map_err(|error| refused(&error.to_string(), &error.to_string()))?
        };
        let acknowledging = Acknowledging {
            caller: self.agent.id.clone(),
            tls_certificate: self.agent.certificate.thumbprint,
            body: body.exchanges().to_vec(),
            statement: signed,
        };
        let logged =
            parts.ledger.acknowledge(acknowledging).await.map_err(|denial| match denial.reason() {
                denied if reason::is_temporary(denied) => Status::unavailable(denial.message_en),
                _ => refused(&denial.detail, &denial.detail),
            })?;
        let elsewhere = logged.elsewhere.iter().map(|ended| &ended.exchange_id);
        for id in logged.exchange_ids.iter().chain(elsewhere) {
            if let Some(leaf) = self.under_way.remove(id) {
                self.session.done(leaf);
            }
        }
        self.tell(Item::Acknowledged(logged)).await
    }

    async fn tell(&self, item: Item) -> Result<(), Status> {
        let sent = self.deliveries.send(Ok(Delivery { delivery: Some(item) })).await;
        sent.map_err(|_gone| Status::cancelled("l'agent est parti / the agent is gone"))
    }
}

fn refused(fr: &str, en: &str) -> Status {
    status::invalid(
        &format!("Accusé de réception refusé : {fr}."),
        &format!("Acknowledgement refused: {en}."),
    )
}

fn stopping() -> Status {
    Status::unavailable("La passerelle s'arrête. / The gateway is stopping.")
}
