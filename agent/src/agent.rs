//! The facade: an agent that runs, as local interface and tests use it.

use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use passerelle_pki::certificate::TrustAnchor;
use passerelle_pki::clock::SharedClock;
use passerelle_pki::name::AgentId;
use passerelle_proto::agreement::AgreementVersion;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire;
use tokio::io::AsyncRead;
use tokio::sync::watch;

use crate::agreements::AgreementsError;
use crate::link::GatewayAddress;
use crate::records::{
    Accepted, AgentStatus, AgreementSummary, InboxError, InboxFilter, InboxView, Limits, RecordFilter, RecordView,
    SendError, SendRequest, StartError,
};

/// What an agent needs to run.
#[derive(Debug)]
pub struct Settings {
    /// Where it keeps everything.
    pub data_dir: PathBuf,
    /// The root that it trusts.
    pub anchor: TrustAnchor,
    /// The gateway's listener for agents.
    pub agents: GatewayAddress,
    /// Who the data folder must be of.
    pub expected: Option<AgentId>,
    /// Refuse by the agreement before anything is sealed. Off only in trials, so that the gateway refuses.
    pub check_before_sending: bool,
    /// The key of the pseudonyms, when several agents of the agency share one; otherwise derived from the agent's own.
    pub pseudonym_key: Option<[u8; 32]>,
    /// How much it keeps.
    pub limits: Limits,
}

/// An agent. Clones share it.
#[derive(Clone, Debug)]
pub struct Agent;

/// An agent that runs, until it is shut down.
#[derive(Debug)]
pub struct Running {
    /// The agent.
    pub agent: Agent,
}

impl Running {
    /// Stops everything and waits for it: what was durable stays.
    pub async fn shutdown(self) {
        todo!()
    }
}

/// The plaintext of a record, chunk by chunk. It is whole and authentic only when the stream ends without an error.
#[derive(Debug)]
pub struct InboxBody;

impl InboxBody {
    /// Plaintext bytes in all.
    #[must_use]
    pub fn length(&self) -> u64 {
        todo!()
    }
}

impl Stream for InboxBody {
    type Item = Result<Bytes, InboxError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        todo!()
    }
}

impl Agent {
    /// Opens everything in the data folder and begins to work. Call it inside a Tokio runtime.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(settings: Settings, clock: SharedClock) -> Result<Running, StartError> {
        todo!("{settings:?} {clock:?}")
    }

    /// Who this is.
    #[must_use]
    pub fn id(&self) -> AgentId {
        todo!()
    }

    /// Takes a record over: when this returns, it is sealed and durable in the outbox.
    ///
    /// # Errors
    /// [`SendError`]; nothing is sent then.
    pub async fn send(
        &self,
        request: SendRequest,
        body: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<Accepted, SendError> {
        let _ = body;
        todo!("{request:?}")
    }

    /// A sent record.
    #[must_use]
    pub fn record(&self, id: &ExchangeId) -> Option<RecordView> {
        todo!("{id}")
    }

    /// Sent records, newest first.
    #[must_use]
    pub fn records(&self, filter: &RecordFilter) -> Vec<RecordView> {
        todo!("{filter:?}")
    }

    /// Told whenever a sent record or the inbox has changed.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        todo!()
    }

    /// Received records, oldest first.
    ///
    /// # Errors
    /// [`InboxError`].
    pub async fn inbox(&self, filter: &InboxFilter) -> Result<Vec<InboxView>, InboxError> {
        todo!("{filter:?}")
    }

    /// A received record.
    ///
    /// # Errors
    /// [`InboxError`].
    pub async fn inbox_entry(&self, id: &ExchangeId) -> Result<InboxView, InboxError> {
        todo!("{id}")
    }

    /// The content of a received record.
    ///
    /// # Errors
    /// [`InboxError`].
    pub async fn inbox_open(&self, id: &ExchangeId) -> Result<InboxBody, InboxError> {
        todo!("{id}")
    }

    /// Removes a received record that the system has taken. Doing so again does nothing.
    ///
    /// # Errors
    /// [`InboxError`].
    pub async fn inbox_confirm(&self, id: &ExchangeId) -> Result<(), InboxError> {
        todo!("{id}")
    }

    /// Every agreement version known.
    #[must_use]
    pub fn agreements(&self) -> Vec<AgreementSummary> {
        todo!()
    }

    /// One agreement version, with its document.
    #[must_use]
    pub fn agreement(&self, number: &str, version: u32) -> Option<AgreementVersion> {
        todo!("{number} {version}")
    }

    /// Signs an agreement version for the agency. `shown` is the digest of the document that was read before deciding.
    ///
    /// # Errors
    /// [`AgreementsError`].
    pub async fn sign_agreement(
        &self,
        number: &str,
        version: u32,
        shown: Option<[u8; 32]>,
    ) -> Result<wire::AgreementStanding, AgreementsError> {
        todo!("{number} {version} {shown:?}")
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> AgentStatus {
        todo!()
    }
}
