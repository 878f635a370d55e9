//! `Collect`: deliveries to a recipient's agent, its acknowledgements, and notices to a sender's.
//!
//! A session takes waiting records oldest first, each on a lease, and never has more unacknowledged than its credit. It
//! takes only what its agent can open, as long as another agent of the agency can. A record goes on waiting until its
//! acknowledgement is durable, and an ordered one is not in the mailbox before its turn; what a session did not acknowledge when it ended is delivered again, to any agent of the
//! agency: the first acknowledgement that is logged decides which of them has it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use passerelle_pki::name::AgentId;
use passerelle_proto::envelope::danger;
use passerelle_proto::wire::{
    self, AcknowledgementNotice, CollectFrame, Delivery, collect_frame::Frame, delivery::Delivery as Item,
};
use passerelle_proto::{acknowledgement, reason, statement};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::leases::Session;
use super::service::ExchangeService;
use crate::ledger::{Acknowledging, Waiting};
use crate::rpc::caller::AgentCaller;
use crate::rpc::status;

/// Deliveries that may be unacknowledged at a time.
const CREDIT_MAX: u32 = 1_024;
/// Records read from the journal at once: at 1 MiB each, what a session holds in memory.
const READ_AT_ONCE: usize = 16;
/// Notices told at once.
const NOTICES_AT_ONCE: usize = 64;

/// How long what was left to an agent that has the earlier records of a stream is not looked at again.
const AGAIN: Duration = Duration::from_secs(15);

/// Records that a session remembers to have left to others.
const LEFT_MAX: usize = 65_536;

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
    /// Leaves of what was left to the agency's other agents, who have the keys or the earlier records of a stream.
    left: Arc<HashSet<u64>>,
    /// When that is looked at again.
    again: Option<Instant>,
    /// The last count of ordered records whose turn has come.
    turns: u64,
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
            session: self.0.leases.session(&agent.id),
            agent,
            agency,
            credit: 0,
            under_way: HashMap::new(),
            cursor: 0,
            left: Arc::default(),
            again: None,
            turns: 0,
            deliveries: deliveries.clone(),
        };
        let (stop, replaced) = (self.0.parts.stop.clone(), collecting.session.replaced().clone());
        tokio::spawn(async move {
            let ended = tokio::select! {
                ended = collecting.run(frames) => ended,
                () = replaced.cancelled() => Err(Status::aborted(
                    "Une session plus récente du même agent a commencé. / A newer session of the same agent has begun.",
                )),
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
            let turns = mail.borrow_and_update().released;
            if std::mem::replace(&mut self.turns, turns) != turns {
                self.cursor = 0;
            }
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
                    self.look_again();
                }
                // Who has the keys may be revoked.
                changed = agents.changed(), if !self.left.is_empty() => {
                    changed.map_err(|_closed| stopping())?;
                    self.look_again();
                }
                // Who has the earlier ones may not come back.
                () = sleep_until(self.again.unwrap_or_else(Instant::now)), if self.again.is_some() => {
                    self.look_again();
                }
                () = self.deliveries.closed() => return Ok(()),
            }
        }
    }

    /// Delivers what waits, as far as the credit goes.
    async fn deliver(&mut self) -> Result<(), Status> {
        let ledger = self.service.0.parts.ledger.clone();
        while self.under_way.len() < self.credit {
            let most = READ_AT_ONCE.min(self.credit - self.under_way.len());
            let (held, left) = (self.session.held(), Arc::clone(&self.left));
            let passed_over = move |leaf| left.contains(&leaf) || held(leaf);
            let waiting = ledger.next_deliveries(&self.agency, self.cursor, most, passed_over).await?;
            self.cursor = waiting.next_leaf;
            for record in waiting.records {
                if !self.is_ours(&record) {
                    self.leave(record.leaf_index);
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

    /// Leaves a record to others; so many that they would fill memory are read again when the mailbox is.
    fn leave(&mut self, leaf: u64) {
        if self.left.len() >= LEFT_MAX {
            self.left = Arc::default();
        }
        Arc::make_mut(&mut self.left).insert(leaf);
    }

    /// Has what was left to others looked at again.
    fn look_again(&mut self) {
        self.left = Arc::default();
        (self.cursor, self.again) = (0, None);
    }

    /// Whether this agent is the one to open a record. One whose header cannot be read is refused by whoever takes it.
    /// Later records of a stream go to the agent that has the earlier ones, as long as it is expected: systems then find
    /// all of them in their order in one inbox.
    fn is_ours(&mut self, record: &Waiting) -> bool {
        let Some(header) = danger::peek(&record.envelope) else { return true };
        let mut keys = header.recipient_keys;
        keys.retain(|key| key.agency == self.agency);
        let (state, us) = (self.service.0.parts.ledger.state(), &self.agent.id);
        if !state.is_for_agent(us, &keys) {
            return false;
        }
        let Ok(agent) = record.keeper.parse() else { return true };
        let keeper = AgentId { agency: us.agency.clone(), agent };
        if keeper == *us || !state.holds_key(&keeper, &keys) || !self.service.0.leases.expects(&keeper) {
            return true;
        }
        self.again.get_or_insert_with(|| Instant::now() + AGAIN);
        false
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
