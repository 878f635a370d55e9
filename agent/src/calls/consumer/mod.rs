//! The side that asks: the request is checked, sealed and sent; its answer is believed, or nothing of it is shown.
//!
//! Whoever drops the future, or the content of the answer, cancels the call: the stream goes, the gateway tells the
//! provider.
//!
//! [`calling`]: the stream of one call; [`content`]: the content of its answer.

mod calling;
mod content;

use std::io::{Cursor, Read};
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use passerelle_pki::clock::Timestamp;
use passerelle_proto::agreement::VerifiedAgreement;
use passerelle_proto::call::{self, head};
use passerelle_proto::envelope::{INLINE_BODY_LIMIT, Opener, VerifiedEnvelope};
use passerelle_proto::wire::{self, ExchangeKind, HttpRequestHead, HttpResponseHead, Reason, ReceiptBody};
use tokio::io::AsyncRead;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use tokio_util::io::SyncIoBridge;

use super::belief::Doubted;
use super::cut::Cut;
use super::fields;
use super::passing::Passing;
use super::{Answer, CallError, CallRequest, Calls};
use crate::inclusion::Side;
use crate::records::SendError;
use crate::records::blocking::blocking;
use crate::records::plan::Kind;
use crate::records::sealing::{self, Plan, Sealed};
use calling::Calling;

/// What the gateway is given beyond the deadline to say that it has passed.
const GRACE: Duration = Duration::from_secs(2);
/// What this agent knows is asked for again before it says no for want of it, when it is older.
const FRESH: Duration = Duration::from_secs(2);

/// What the answer must be an answer to.
#[derive(Debug)]
struct Asked {
    header: wire::Header,
    receipt: ReceiptBody,
}

impl Calls {
    /// Makes a call. `body` is read to its end before anything is sent.
    pub(crate) async fn call(
        &self,
        request: CallRequest,
        body: impl AsyncRead + Send + Unpin + 'static,
        deadline: Duration,
    ) -> Result<Answer, CallError> {
        let until = Instant::now() + deadline;
        let place = timeout_at(until, Arc::clone(&self.0.asking).acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(CallError::busy()) };
        match timeout_at(until + GRACE, self.run(request, body, (until, deadline), place)).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::timed_out(None)),
        }
    }

    async fn run(
        &self,
        mut request: CallRequest,
        body: impl AsyncRead + Send + Unpin + 'static,
        (until, deadline): (Instant, Duration),
        place: OwnedSemaphorePermit,
    ) -> Result<Answer, CallError> {
        request.terms.recipients = [request.provider.clone()].into();
        request.terms.service = Some(request.service.clone());
        request.terms.content_type = Some(call::MEDIA_TYPE.to_owned());
        request.terms.expires_in = Some(deadline);
        let plan = self.fresh(|| self.plan(&request)).await?;
        let head = HttpRequestHead {
            method: request.method.clone(),
            path: request.path.as_str().to_owned(),
            query: request.query.clone(),
            fields: request.fields.clone(),
        };
        let head = head::encode(&head).map_err(|error| {
            tracing::debug!(%error, "the head of a request");
            SendError::Invalid { field: "request", fr: WRONG_HEAD.0, en: WRONG_HEAD.1 }
        })?;
        let (sealed, passing) = self.seal_request(plan, head, body).await?;
        let mut calling = Calling::open(self, sealed, (passing, place), until).await?;
        let (asked, answered) = calling.answered(self).await?;
        self.answer(asked, answered, calling).await
    }

    fn plan(&self, request: &CallRequest) -> Result<Plan, CallError> {
        let CallRequest { caller, provider, service, method, path, .. } = request;
        let planner = &self.0.planner;
        let mut terms = request.terms.clone();
        if terms.agreement.is_empty() {
            terms.agreement = planner.for_calls(provider, service, |number| caller.sees(number))?;
        }
        // Before the agent looks whether there is such an agreement.
        caller.bound(&terms.agreement, terms.purpose.as_deref()).map_err(SendError::Caller)?;
        let operation = self.0.catalogue.operation(provider, service, method, path)?;
        let content_type = request.fields.iter().find(|field| field.name == CONTENT_TYPE.as_str());
        let content_type = content_type.and_then(|field| std::str::from_utf8(&field.value).ok());
        operation.check(&request.query, content_type, request.has_content)?;
        let plan = planner.plan(&terms, Kind::Call(&operation), &self.0.spool)?;
        caller.bound(&terms.agreement, Some(&plan.draft.purpose)).map_err(SendError::Caller)?;
        let agreement = self.0.belief.trust.agreement(&plan.draft.agreement);
        let covers = |found: VerifiedAgreement| found.agreement().allows_path(service, method, path);
        if planner.check && !agreement.is_some_and(covers) {
            return Err(CallError::refused(Reason::OperationNotCovered, "path=not covered by the agreement"));
        }
        Ok(plan)
    }

    /// What `work` gives, with fresh agreements, keys and services before it is refused for want of them.
    async fn fresh<T>(&self, work: impl Fn() -> Result<T, CallError>) -> Result<T, CallError> {
        let asked = Instant::now();
        match work() {
            Err(CallError::Request(SendError::Refused(denial))) if self.may_be_behind(denial.reason()) => {
                self.0.belief.refresher.refresh(asked).await;
                work()
            }
            worked => worked,
        }
    }

    fn may_be_behind(&self, reason: Reason) -> bool {
        match reason {
            Reason::RecipientKeyUnknown | Reason::ServiceUnknown => true,
            Reason::AgreementNotFound | Reason::AgreementNotInForce | Reason::OperationNotCovered => {
                self.0.planner.agreements.age().is_none_or(|age| age > FRESH)
            }
            _ => false,
        }
    }

    /// Reads the body to its end, and seals it behind the head.
    async fn seal_request(
        &self,
        plan: Plan,
        head: Vec<u8>,
        body: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<(Sealed, Option<Passing>), CallError> {
        let length_max = (plan.length_max, self.0.planner.limits.record_bytes);
        match self.seal(plan, head, body).await {
            // By the agreement, in the words of the gateway.
            Err(SendError::TooLarge(limit)) if limit == length_max.0 && limit < length_max.1 => {
                Err(CallError::refused(Reason::RecordTooLarge, format!("max_record_bytes={limit}")))
            }
            sealed => Ok(sealed?),
        }
    }

    /// Reads a body to its end and seals it behind its head. One that went to the spool is removed when its guard goes; one
    /// that is being read when nobody waits any more is let go.
    pub(super) async fn seal(
        &self,
        plan: Plan,
        head: Vec<u8>,
        body: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<(Sealed, Option<Passing>), SendError> {
        let (body, _cut) = Cut::new(body);
        let body = SyncIoBridge::new_with_handle(body, Handle::current());
        let content = Cursor::new(head).chain(body);
        let spool = self.0.spool.clone();
        let sealed = blocking(move || {
            let sealed = sealing::seal(plan, content, |_| {})?;
            let passing = sealed.body.is_none().then(|| Passing::new(&spool, sealed.exchange_id));
            Ok::<_, SendError>((sealed, passing))
        });
        sealed.await?
    }

    /// Believes an answer, or shows nothing of it.
    async fn answer(
        &self,
        asked: Asked,
        answered: wire::AnsweredCall,
        calling: Calling,
    ) -> Result<Answer, CallError> {
        let id = calling.id();
        let doubted = |doubted| CallError::doubted(doubted, id);
        let envelope = answered.envelope.unwrap_or_default();
        let verified = self.0.belief.envelope(&envelope).await.map_err(doubted)?;
        is_answer(&verified, &asked.header).map_err(doubted)?;
        let named = (verified.exchange_id(), verified.header_digest());
        let receipt =
            self.0.belief.receipt(Side::Called, answered.receipt.as_ref(), named).await.map_err(doubted)?;
        let accepted = Timestamp::from_millis(receipt.accepted_ms);
        let permitted = self.0.belief.permitted(verified.header(), accepted).await.map_err(doubted)?;
        let rules = permitted.agreement().agreement().field_rules(&verified.header().service);
        let keys = self.0.planner.identity.kem_keys();
        let opener = Opener::new(&verified, &keys, &self.0.decapsulations);
        let opener = opener.map_err(|error| CallError::NotBelieved(Box::new(error), id))?;
        let (head, length, content) = if verified.sealed_length() > INLINE_BODY_LIMIT {
            if rules.is_some() {
                let detail = "answer=too long for rules on fields";
                return Err(doubted(Doubted::new(Reason::FieldNotCovered, detail)));
            }
            content::flowing(opener, verified.clone(), calling).await?
        } else {
            content::whole(opener, answered.body, (id, rules)).await?
        };
        let HttpResponseHead { status, fields } = head;
        let status = u16::try_from(status).ok().and_then(|status| http::StatusCode::from_u16(status).ok());
        let status = status.ok_or_else(|| doubted(Doubted::new(Reason::HeaderMalformed, "field=status")))?;
        Ok(Answer {
            status,
            fields: fields::from_wire(&fields),
            length,
            content,
            request_id: id,
            request_receipt: asked.receipt,
            answer_id: verified.exchange_id(),
            answer_receipt: receipt,
        })
    }
}

const WRONG_HEAD: (&str, &str) = (
    "méthode, paramètres ou en-têtes qui ne peuvent voyager : au plus 128 en-têtes, 64 Kio en tout, 8192 octets de paramètres",
    "method, query or headers that cannot travel: at most 128 headers, 64 KiB in all, 8,192 bytes of query",
);

/// Whether it answers this very request, by the provider, to us alone, under the same terms.
fn is_answer(answer: &VerifiedEnvelope, request: &wire::Header) -> Result<(), Doubted> {
    let header = answer.header();
    let same = [
        ("kind", answer.kind() == ExchangeKind::CallResponse),
        ("sender_agency", request.recipients == [header.sender_agency.clone()]),
        ("recipients", header.recipients == [request.sender_agency.clone()]),
        ("in_reply_to", header.in_reply_to == request.exchange_id),
        ("agreement", header.agreement == request.agreement),
        ("service", header.service == request.service),
        ("operation", header.operation == request.operation),
        ("purpose", header.purpose == request.purpose),
        ("content_type", header.content_type == call::MEDIA_TYPE),
    ];
    match same.iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(Doubted::new(Reason::HeaderMalformed, format!("field={field}"))),
        None => Ok(()),
    }
}
