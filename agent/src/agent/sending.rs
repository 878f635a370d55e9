//! Taking a record over: the request is checked, the body sealed as it is read, and both are made durable.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::reason;
use passerelle_proto::wire::Reason;
use tokio::io::AsyncRead;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::io::SyncIoBridge;

use super::Agent;
use crate::metrics::Counted;
use crate::minimisation;
use crate::outbox::{Claim, KeyHeld, Numbering, StreamKey};
use crate::pseudonyms::finished;
use crate::records::blocking::blocking;
use crate::records::plan::Kind;
use crate::records::sealing::{self, Plan};
use crate::records::{Accepted, SendError, SendRequest, StoreError};
use crate::systems::Caller;

/// What the agent knows is asked for again before a refusal that newer agreements or keys may lift, when it is older.
const FRESH: Duration = Duration::from_secs(2);

impl Agent {
    /// Takes a record over: when this returns, it is sealed and durable in the outbox. It goes on to its end when the
    /// caller stops waiting.
    ///
    /// # Errors
    /// [`SendError`]; nothing is sent then.
    pub async fn send(
        &self,
        request: SendRequest,
        body: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<Accepted, SendError> {
        self.send_for(Caller::local(), request, body).await
    }

    /// The same for a system of the agency: only for a purpose that it is bound to, whoever filled it in, and with
    /// idempotency keys of its own.
    ///
    /// # Errors
    /// [`SendError`]; nothing is sent then.
    pub async fn send_for(
        &self,
        caller: Caller,
        request: SendRequest,
        body: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<Accepted, SendError> {
        let this = self.clone();
        let taken = tokio::spawn(async move { this.take_over(&caller, request, body).await });
        let taken = taken.await.map_err(|_| SendError::Store(StoreError::Stopping))?;
        if let Err(SendError::Refused(denial)) = &taken {
            self.0.outbox.tally().count_for(Counted::RefusedHere, denial.reason());
        }
        taken
    }

    /// The record that was taken over under an idempotency key of the agency itself, as long as it is remembered.
    pub(crate) fn sent_under(&self, key: &str) -> Option<ExchangeId> {
        self.0.outbox.under_key(&self.0.planner.pseudonyms.idempotency_key(&Caller::local(), key))
    }

    async fn take_over(
        &self,
        caller: &Caller,
        request: SendRequest,
        body: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<Accepted, SendError> {
        let stopping = |_| SendError::Store(StoreError::Stopping);
        let _place = Arc::clone(&self.0.sealing).acquire_owned().await.map_err(stopping)?;
        let pseudonyms = &self.0.planner.pseudonyms;
        let held = match request.idempotency_key.as_deref().map(|key| pseudonyms.idempotency_key(caller, key))
        {
            None => None,
            Some(key) => match self.0.outbox.claim(key) {
                Claim::Fresh(held) => Some(held),
                Claim::UnderWay => return Err(SendError::UnderWay),
                Claim::Known(exchange_id, state, asked) => {
                    let known = self.0.outbox.record(&exchange_id);
                    let removed_fields = known.map(|known| known.removed_fields).unwrap_or_default();
                    let repeated = Accepted { exchange_id, state, repeated: true, removed_fields };
                    return self.repeated(&request, body, (repeated, asked)).await;
                }
            },
        };
        self.0.outbox.room(0)?;
        let plan = self.plan(&request).await?;
        caller.bound(&request.agreement, Some(&plan.draft.purpose)).map_err(SendError::Caller)?;
        self.seal(&request, plan, (body, held)).await
    }

    /// The same request again gives the same record; another one under the same key is the caller's mistake.
    async fn repeated(
        &self,
        request: &SendRequest,
        body: impl AsyncRead + Send + Unpin + 'static,
        (repeated, asked): (Accepted, Bytes),
    ) -> Result<Accepted, SendError> {
        let mut seen = self.0.planner.pseudonyms.request(&request.canonical());
        let body = SyncIoBridge::new_with_handle(body, Handle::current());
        let digest = blocking(move || sealing::look(body, &mut seen).map(|()| finished(seen))).await?;
        match digest.map_err(SendError::Body)?[..] == asked {
            true => Ok(repeated),
            false => Err(SendError::KeyReused(repeated.exchange_id)),
        }
    }

    /// The plan, with fresh agreements and keys before it is refused for want of them.
    async fn plan(&self, request: &SendRequest) -> Result<Plan, SendError> {
        let (asked, spool) = (Instant::now(), self.0.outbox.spool());
        let mut plan = match self.0.planner.plan(request, Kind::Record, spool) {
            Err(SendError::Refused(denial)) if self.may_be_behind(denial.reason()) => {
                self.0.refresher.refresh(asked).await;
                self.0.planner.plan(request, Kind::Record, spool)?
            }
            plan => plan?,
        };
        plan.numbering = request.ordered.then(|| Numbering {
            outbox: self.0.outbox.clone(),
            key: StreamKey {
                agreement: plan.draft.agreement.number.clone(),
                recipients: plan.draft.recipients.iter().map(ToString::to_string).collect(),
            },
        });
        Ok(plan)
    }

    fn may_be_behind(&self, reason: Reason) -> bool {
        match reason {
            // Keys of an agency that was met a moment ago come after its agreement.
            Reason::RecipientKeyUnknown => true,
            Reason::AgreementNotFound | Reason::AgreementNotInForce => {
                self.0.agreements.age().is_none_or(|age| age > FRESH)
            }
            _ => false,
        }
    }

    async fn seal(
        &self,
        request: &SendRequest,
        mut plan: Plan,
        (body, held): (impl AsyncRead + Send + Unpin + 'static, Option<KeyHeld>),
    ) -> Result<Accepted, SendError> {
        let mut seen = self.0.planner.pseudonyms.request(&request.canonical());
        let (length_max, record_bytes) = (plan.length_max, self.0.planner.limits.record_bytes);
        let body = SyncIoBridge::new_with_handle(body, Handle::current());
        let rules = plan.rules.take();
        // What is read whole is read by few at a time.
        let _place = match &rules {
            None => None,
            Some(_) => Some(self.0.minimising.acquire().await.map_err(|_| StoreError::Stopping)?),
        };
        let minimised_bytes = self.0.planner.limits.minimised_bytes;
        let sealed = blocking(move || {
            let sealed = match rules {
                None => sealing::seal(plan, body, |chunk| seen.update(chunk))?,
                Some(rules) => {
                    let content = minimisation::whole(body, minimised_bytes)?;
                    seen.update(&content);
                    minimisation::sealed(plan, &rules, &content)?
                }
            };
            Ok::<_, SendError>((sealed, finished(seen)))
        });
        let (sealed, digest) = match sealed.await? {
            // By the agreement, in the words of the gateway.
            Err(SendError::TooLarge(limit)) if limit == length_max && limit < record_bytes => {
                let detail = format!("max_record_bytes={limit}");
                let denial = reason::denial(Reason::RecordTooLarge, detail, Bytes::new());
                return Err(SendError::Refused(Box::new(denial)));
            }
            sealed => sealed?,
        };
        self.0.outbox.add(sealed, held.map(|held| (held, digest))).await
    }
}
