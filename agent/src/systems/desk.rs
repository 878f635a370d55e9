//! The agent as one caller may use it: what belongs to agreements or purposes that the caller is not bound to is not
//! there for it.

mod services;

use passerelle_proto::agreement::AgreementVersion;
use passerelle_proto::exchange_id::ExchangeId;
use tokio::io::AsyncRead;

pub use services::ServiceChangeError;

use super::{Action, Caller, CallerError};
use crate::agent::{Agent, EvidenceOptions, InboxBody, NoEvidence};
use crate::calls::{Answer, CallError, CallRequest};
use crate::inbox::Waiting;
use crate::records::{
    Accepted, AgentStatus, AgreementSummary, EventCursor, InboxError, InboxFilter, InboxView, IncomingView,
    RecordFilter, RecordView, SendError, SendRequest,
};

/// Records that are looked at at a time for a caller who may not see all.
const PAGE: usize = 1_000;

/// The agent, for one caller.
#[derive(Clone, Debug)]
pub struct Desk {
    agent: Agent,
    caller: Caller,
}

impl Desk {
    /// The agent, for this caller.
    #[must_use]
    pub fn new(agent: Agent, caller: Caller) -> Self {
        Self { agent, caller }
    }

    /// Who asks.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whether the caller may do such things.
    ///
    /// # Errors
    /// [`CallerError::NotAllowed`].
    pub fn allow(&self, action: Action) -> Result<(), CallerError> {
        self.caller.allow(action)
    }

    /// [`Agent::send`], under an agreement and for a purpose that the caller is bound to.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(
        &self,
        request: SendRequest,
        body: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<Accepted, SendError> {
        self.allow(Action::Send).map_err(SendError::Caller)?;
        // Before the agent looks whether there is such an agreement.
        self.caller.bound(&request.agreement, request.purpose.as_deref()).map_err(SendError::Caller)?;
        self.agent.send_for(self.caller.clone(), request, body).await
    }

    /// [`Agent::call`], under an agreement and for a purpose that the caller is bound to.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call(
        &self,
        request: CallRequest,
        body: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<Answer, CallError> {
        self.allow(Action::Call).map_err(|error| CallError::Request(SendError::Caller(error)))?;
        self.agent.call(CallRequest { caller: self.caller.clone(), ..request }, body).await
    }

    /// A sent record.
    #[must_use]
    pub fn record(&self, id: &ExchangeId) -> Option<RecordView> {
        self.agent.record(id).filter(|view| self.sees_record(view))
    }

    /// Sent records, newest first.
    #[must_use]
    pub fn records(&self, filter: &RecordFilter) -> Vec<RecordView> {
        if self.caller.is_local() {
            return self.agent.records(filter);
        }
        let (wanted, mut found) = (filter.effective_limit(), Vec::new());
        let mut page = RecordFilter { limit: PAGE, ..filter.clone() };
        loop {
            let views = self.agent.records(&page);
            let last = (views.len() == PAGE).then(|| views.last().map(|view| view.exchange_id)).flatten();
            found.extend(views.into_iter().filter(|view| self.sees_record(view)).take(wanted - found.len()));
            // Ids only get older: the end comes.
            match last {
                Some(last) if found.len() < wanted => page.after = Some(last),
                _ => return found,
            }
        }
    }

    fn sees_record(&self, view: &RecordView) -> bool {
        self.caller.may_use(&view.agreement.number, &view.purpose)
    }

    /// Received records, oldest first.
    ///
    /// # Errors
    /// [`InboxError`].
    pub async fn inbox(&self, filter: &InboxFilter) -> Result<Vec<InboxView>, InboxError> {
        self.agent.inbox_for(&self.caller, filter).await
    }

    /// Large records on their way in.
    #[must_use]
    pub fn incoming(&self) -> Vec<IncomingView> {
        let mut incoming = self.agent.incoming();
        incoming.retain(|view| self.caller.may_use(&view.agreement.number, &view.purpose));
        incoming
    }

    /// A received record.
    ///
    /// # Errors
    /// [`InboxError`].
    pub async fn inbox_entry(&self, id: &ExchangeId) -> Result<InboxView, InboxError> {
        self.agent.inbox_shown_to(id, &self.caller)?;
        self.agent.inbox_entry(id).await
    }

    /// Whether a received record is one that the caller may see, be it there still or not.
    #[must_use]
    pub fn shows(&self, id: &ExchangeId) -> bool {
        self.caller.is_local() || self.agent.inbox_shown_to(id, &self.caller).is_ok()
    }

    /// The content of a received record.
    ///
    /// # Errors
    /// [`InboxError`].
    pub async fn inbox_open(&self, id: &ExchangeId) -> Result<InboxBody, InboxError> {
        self.agent.inbox_shown_to(id, &self.caller)?;
        self.agent.inbox_open(id).await
    }

    /// [`Agent::evidence`], of an exchange that the caller may see.
    ///
    /// # Errors
    /// [`NoEvidence`].
    pub async fn evidence(&self, id: ExchangeId, options: EvidenceOptions) -> Result<Vec<u8>, NoEvidence> {
        if self.record(&id).is_none() {
            self.agent.inbox_shown_to(&id, &self.caller)?;
        }
        self.agent.evidence(id, options).await
    }

    /// Removes a received record that the system has. Doing so again does nothing.
    ///
    /// # Errors
    /// [`InboxError`].
    pub async fn inbox_confirm(&self, id: &ExchangeId) -> Result<(), InboxError> {
        self.agent.inbox_shown_to(id, &self.caller)?;
        self.agent.inbox_confirm(id).await
    }

    /// Received records that wait after the cursor; none of those that the caller may not see, or may not receive, is told.
    pub(crate) fn inbox_after(
        &self,
        cursor: EventCursor,
        most: usize,
    ) -> Vec<(EventCursor, Option<Waiting>)> {
        match self.caller.may(Action::Receive) {
            true => self.agent.inbox_after(cursor, most, &self.caller),
            false => Vec::new(),
        }
    }

    /// Sent records that changed after the cursor; none of those that the caller may not see is told.
    pub(crate) fn records_after(
        &self,
        cursor: EventCursor,
        most: usize,
    ) -> Vec<(EventCursor, Option<RecordView>)> {
        let changed = self.agent.records_after(cursor, most).into_iter();
        changed.map(|(cursor, view)| (cursor, Some(view).filter(|view| self.sees_record(view)))).collect()
    }

    /// Sent records whose bodies are being uploaded, of those that the caller may see.
    pub(crate) fn uploading(&self) -> Vec<RecordView> {
        self.agent.uploading().into_iter().filter(|view| self.sees_record(view)).collect()
    }

    /// [`Agent::status`], with the folders of agreements that the caller is bound to; what stands in the way of one is the
    /// agency's to know, since it tells of its machine. Totals are the whole agent's; missing exchanges are named to the agency itself. Blocking for a moment.
    #[must_use]
    pub fn status(&self) -> AgentStatus {
        let mut status = self.agent.status();
        if !self.caller.is_local() {
            status.folders.retain(|folder| self.caller.sees(&folder.agreement));
            // It names a record that may be another system's.
            status.inbox_alarm = None;
            // Exchanges that another system may not see.
            status.receipts.named.clear();
            status.folders.iter_mut().for_each(|folder| folder.trouble = None);
        }
        status
    }

    /// Every agreement version that the caller is bound to.
    #[must_use]
    pub fn agreements(&self) -> Vec<AgreementSummary> {
        let mut agreements = self.agent.agreements();
        agreements.retain(|agreement| self.caller.sees(&agreement.number));
        agreements
    }

    /// One of them, with its document.
    #[must_use]
    pub fn agreement(&self, number: &str, version: u32) -> Option<AgreementVersion> {
        self.caller.sees(number).then(|| self.agent.agreement(number, version)).flatten()
    }
}
