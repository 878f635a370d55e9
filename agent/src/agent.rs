//! The facade: an agent that runs, as local interface and tests use it.
//!
//! `<data>/identity`, `directory.json`, `agreements.json`, `catalogue.json` and `services`: see their modules; `outbox` and
//! `inbox`: a journal and a folder of bodies each.

mod calling;
mod catalogue;
mod evidence;
mod running;
mod sending;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use passerelle_pki::certificate::TrustAnchor;
use passerelle_pki::clock::SharedClock;
use passerelle_pki::name::{AgencyCode, AgentId};
use passerelle_proto::agreement::{AgreementVersion, VerifiedAgreement};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire;
use tokio::sync::{Semaphore, watch};
use tonic::Status;

use crate::agreements::{Agreements, AgreementsError};
use crate::calls::{CallSettings, Calls};
use crate::catalogue::Catalogue;
use crate::checkpoint::Checkpoints;
use crate::directory::Directory;
use crate::folders::{Board, FolderSettings};
use crate::identity::Identity;
use crate::inbox::{Inbox, Waiting, Wanted};
use crate::inclusion::{CheckSettings, Receipts};
use crate::link::{GatewayAddress, Link};
use crate::metrics;
use crate::outbox::Outbox;
use crate::pkcs11::Pkcs11Settings;
use crate::records::plan::Planner;
use crate::records::trust::Refresher;
use crate::records::{
    AgentStatus, AgreementSummary, CheckpointStatus, EventCursor, InboxError, InboxFilter, InboxView,
    IncomingView, Limits, RecordFilter, RecordView,
};
use crate::systems::Caller;

pub use crate::inbox::InboxBody;
pub use evidence::{EvidenceOptions, NoEvidence};
pub use running::Running;

/// What an agent needs to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it keeps everything.
    pub data_dir: PathBuf,
    /// The root that it trusts.
    pub anchor: TrustAnchor,
    /// The gateway's listener for agents.
    pub agents: GatewayAddress,
    /// The gateway's public listener, where its log is published.
    pub public: GatewayAddress,
    /// Who the data folder must be of.
    pub expected: Option<AgentId>,
    /// The token of the signing key, when it is in one.
    pub signing: Option<Pkcs11Settings>,
    /// Refuse by the agreement before anything is sealed. Off only in trials, so that the gateway refuses.
    pub check_before_sending: bool,
    /// The key of the pseudonyms, when several agents of the agency share one; otherwise derived from the agent's own.
    pub pseudonym_key: Option<[u8; 32]>,
    /// When receipts are held against the log.
    pub checks: CheckSettings,
    /// How much it keeps.
    pub limits: Limits,
    /// Calls, and the agency's own services.
    pub calls: CallSettings,
    /// Folders for systems that only know files.
    pub folders: Vec<FolderSettings>,
}

/// An agent. Clones share it.
#[derive(Clone, Debug)]
pub struct Agent(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    identity: Identity,
    directory: Directory,
    agreements: Agreements,
    checkpoints: Checkpoints,
    catalogue: Catalogue,
    link: Link,
    outbox: Outbox,
    inbox: Inbox,
    receipts: Receipts,
    planner: Planner,
    calls: Calls,
    call_settings: CallSettings,
    refresher: Arc<Refresher>,
    /// Bodies that are being sealed at a time.
    sealing: Arc<Semaphore>,
    /// Bodies whose fields are looked at, at a time.
    minimising: Semaphore,
    changed: watch::Sender<u64>,
    folders: Board,
    clock: SharedClock,
}

impl Agent {
    /// Who this is.
    #[must_use]
    pub fn id(&self) -> AgentId {
        self.0.identity.agent().clone()
    }

    /// Whether there is a connection to the gateway.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        *self.0.link.connected().borrow()
    }

    /// A sent record.
    #[must_use]
    pub fn record(&self, id: &ExchangeId) -> Option<RecordView> {
        self.0.outbox.record(id)
    }

    /// Sent records, newest first.
    #[must_use]
    pub fn records(&self, filter: &RecordFilter) -> Vec<RecordView> {
        self.0.outbox.records(filter)
    }

    /// Told whenever a sent record or the inbox has changed.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Received records, oldest first. One that does not open any more is left out and reported.
    ///
    /// # Errors
    /// [`InboxError::Store`].
    pub async fn inbox(&self, filter: &InboxFilter) -> Result<Vec<InboxView>, InboxError> {
        self.inbox_for(&Caller::local(), filter).await
    }

    /// The same, as far as the caller is bound to what they came under.
    ///
    /// # Errors
    /// [`InboxError::Store`].
    pub async fn inbox_for(
        &self,
        caller: &Caller,
        filter: &InboxFilter,
    ) -> Result<Vec<InboxView>, InboxError> {
        self.0.inbox.list(filter, caller, self.0.identity.kem_keys()).await
    }

    /// Whether a received record is there for a caller, waiting or confirmed before.
    ///
    /// # Errors
    /// [`InboxError::NotFound`].
    pub fn inbox_shown_to(&self, id: &ExchangeId, caller: &Caller) -> Result<(), InboxError> {
        self.0.inbox.shown_to(id, caller)
    }

    /// Where a reader of events goes on that comes back with this id: at the beginning, when it knows more than this agent.
    #[must_use]
    pub fn known_cursor(&self, cursor: EventCursor) -> EventCursor {
        let (inbox, records) =
            (self.0.inbox.known_place(cursor.inbox), self.0.outbox.known_change(cursor.records));
        EventCursor { inbox, records }
    }

    /// Received records that wait after the cursor, each with the cursor behind it.
    pub(crate) fn inbox_after(
        &self,
        cursor: EventCursor,
        most: usize,
        caller: &Caller,
    ) -> Vec<(EventCursor, Option<Waiting>)> {
        let waiting = self.0.inbox.shown_after(cursor.inbox, most, caller);
        waiting.into_iter().map(|(inbox, waiting)| (EventCursor { inbox, ..cursor }, waiting)).collect()
    }

    /// Sent records that changed after the cursor, each with the cursor behind it.
    pub(crate) fn records_after(&self, cursor: EventCursor, most: usize) -> Vec<(EventCursor, RecordView)> {
        let changed = self.0.outbox.changed_after(cursor.records, most);
        changed.into_iter().map(|(records, view)| (EventCursor { records, ..cursor }, view)).collect()
    }

    /// Sent records whose bodies are being uploaded.
    pub(crate) fn uploading(&self) -> Vec<RecordView> {
        self.0.outbox.uploading()
    }

    /// The first `most` received records, in the order in which systems see them, of those that are wanted by id and
    /// number of the agreement.
    pub(crate) fn inbox_pick(
        &self,
        most: usize,
        wants: &dyn Fn(&ExchangeId, &str) -> bool,
    ) -> Vec<ExchangeId> {
        self.0.inbox.pick(most, wants)
    }

    /// The same, of those in a stream one and in its order.
    pub(crate) fn inbox_pick_in_order(
        &self,
        most: usize,
        wants: &dyn Fn(&ExchangeId, &str) -> Wanted,
    ) -> Vec<ExchangeId> {
        self.0.inbox.pick_in_order(most, wants)
    }

    /// Large records on their way in.
    #[must_use]
    pub fn incoming(&self) -> Vec<IncomingView> {
        self.0.inbox.incoming().list(self.0.clock.now())
    }

    /// A received record.
    ///
    /// # Errors
    /// [`InboxError`].
    pub async fn inbox_entry(&self, id: &ExchangeId) -> Result<InboxView, InboxError> {
        self.0.inbox.view(*id, self.0.identity.kem_keys()).await
    }

    /// The content of a received record, verified chunk by chunk.
    ///
    /// # Errors
    /// [`InboxError`].
    pub async fn inbox_open(&self, id: &ExchangeId) -> Result<InboxBody, InboxError> {
        self.0.inbox.open_body(*id, self.0.identity.kem_keys()).await
    }

    /// Removes a received record that the agency's system has. Doing so again does nothing.
    ///
    /// # Errors
    /// [`InboxError`].
    pub async fn inbox_confirm(&self, id: &ExchangeId) -> Result<(), InboxError> {
        self.0.inbox.confirm(*id).await
    }

    /// Every agreement version known.
    #[must_use]
    pub fn agreements(&self) -> Vec<AgreementSummary> {
        self.0.agreements.list().iter().map(AgreementSummary::of).collect()
    }

    /// Agreements that are in force now.
    #[must_use]
    pub fn agreements_in_force(&self) -> Vec<VerifiedAgreement> {
        self.0.agreements.in_force(self.0.clock.now())
    }

    /// The agency itself and every agency that it has an agreement with.
    #[must_use]
    pub fn agencies(&self) -> BTreeSet<AgencyCode> {
        self.0.agreements.agencies()
    }

    /// One agreement version, with its document.
    #[must_use]
    pub fn agreement(&self, number: &str, version: u32) -> Option<AgreementVersion> {
        self.0.agreements.version(number, version)
    }

    /// Signs an agreement version for the agency. `shown` is the digest of the document that was read before deciding.
    ///
    /// # Errors
    /// [`AgreementsError`]; also when there is no connection to the gateway.
    pub async fn sign_agreement(
        &self,
        number: &str,
        version: u32,
        shown: Option<[u8; 32]>,
    ) -> Result<wire::AgreementStanding, AgreementsError> {
        let away = || Status::unavailable("pas de connexion à la passerelle / no connection to the gateway");
        let channel = self.0.link.channel().ok_or_else(|| AgreementsError::Refused(Box::new(away())))?;
        self.0.agreements.sign(channel, &self.0.identity, (number, version), shown).await
    }

    /// Measures in the text format of Prometheus. Blocking for a moment.
    ///
    /// # Errors
    /// When they cannot be written: ours.
    pub fn metrics(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut counts = self.0.outbox.tally().counts();
        counts.extend(self.0.inbox.tally().counts());
        metrics::text(&self.status(), &counts, self.0.clock.now())
    }

    /// How it is doing. Blocking for a moment.
    #[must_use]
    pub fn status(&self) -> AgentStatus {
        let (summary, outbox, inbox) =
            (self.0.identity.summary(), self.0.outbox.counts(), self.0.inbox.counts());
        AgentStatus {
            others: self.0.directory.others_of(&summary.agent),
            agent: summary.agent,
            trust_domain: summary.trust_domain.to_string(),
            connected: self.is_connected(),
            last_failure: self.0.link.last_failure(),
            queued: outbox.queued,
            on_the_way: outbox.on_the_way,
            inbox: inbox.records,
            inbox_pending: inbox.pending,
            inbox_contested: inbox.contested,
            inbox_alarm: self.0.inbox.alarm(),
            queued_bytes: outbox.queued_bytes,
            inbox_bytes: inbox.bytes,
            oldest_queued_at: outbox.oldest,
            oldest_inbox_at: inbox.oldest,
            checkpoint: self
                .0
                .checkpoints
                .seen()
                .map(|seen| CheckpointStatus { size: seen.size, seen_at: seen.at }),
            checkpoint_alarm: self.0.checkpoints.alarm().map(|alarm| alarm.to_string()),
            receipts: self.0.receipts.status(),
            agreements: self.0.agreements.list().len(),
            directory_at: self.0.directory.fetched(),
            agreements_at: self.0.agreements.fetched(),
            tls_until: summary.tls_until,
            signing_until: summary.signing_until,
            bundle_until: summary.bundle_until,
            log_vkey: summary.log_vkey,
            folders: self.0.folders.list(),
        }
    }
}
