//! A request made into a header: what it leaves open is filled from the agreement, and the agreement decides.
//!
//! The agent's own check is the same function that the gateway runs, so that a record that would be refused is refused
//! here, before anything is sealed.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use passerelle_pki::clock::{SharedClock, Timestamp};
use passerelle_pki::name::AgencyCode;
use passerelle_proto::agreement::{self, Method, Refusal, VerifiedAgreement};
use passerelle_proto::envelope::limits::{LIFETIME_LIMIT_MS, STREAM_ID_SIZE};
use passerelle_proto::envelope::{EncapsulationCache, HeaderDraft, RecipientPublicKey};
use passerelle_proto::reason;
use passerelle_proto::wire::{self, ExchangeKind, Reason};

use super::sealing::Plan;
use super::{Limits, SendError, SendRequest};
use crate::agreements::Agreements;
use crate::catalogue::Operation;
use crate::directory::Directory;
use crate::identity::Identity;
use crate::pseudonyms::Pseudonyms;
use crate::spool::Spool;

/// What is planned.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Kind<'a> {
    /// A record.
    Record,
    /// The request of a call to this operation.
    Call(&'a Operation),
}

impl Kind<'_> {
    fn on_the_wire(self) -> ExchangeKind {
        match self {
            Self::Record => ExchangeKind::Record,
            Self::Call(_) => ExchangeKind::CallRequest,
        }
    }

    fn operation(self) -> String {
        match self {
            Self::Record => String::new(),
            Self::Call(operation) => operation.name.clone(),
        }
    }
}

/// Makes plans.
#[derive(Clone, Debug)]
pub(crate) struct Planner {
    pub(crate) identity: Identity,
    pub(crate) directory: Directory,
    pub(crate) agreements: Agreements,
    pub(crate) pseudonyms: Pseudonyms,
    pub(crate) encapsulations: Arc<EncapsulationCache>,
    pub(crate) clock: SharedClock,
    pub(crate) limits: Limits,
    /// Refuse what the agreement does not permit.
    pub(crate) check: bool,
}

impl Planner {
    /// The plan of a request, whose body goes to `spool` when it is large.
    pub(crate) fn plan(
        &self,
        request: &SendRequest,
        kind: Kind<'_>,
        spool: &Spool,
    ) -> Result<Plan, SendError> {
        let now = self.clock.now();
        let agreement = self.agreement(request, now)?;
        let draft = self.draft(request, kind, (agreement.as_ref(), now))?;
        self.of_draft(draft, agreement.as_ref(), spool)
    }

    /// The plan of a header that is filled already. The agreement decides on it as on any other.
    pub(crate) fn of_draft(
        &self,
        draft: HeaderDraft,
        agreement: Option<&VerifiedAgreement>,
        spool: &Spool,
    ) -> Result<Plan, SendError> {
        let mut length_max = self.limits.record_bytes;
        if let Some(agreement) = agreement.filter(|_| self.check) {
            agreement::permits(agreement, &header_of(&draft), draft.created).map_err(refused)?;
            length_max = agreement.agreement().limits.max_record_bytes.unwrap_or(u64::MAX).min(length_max);
        }
        // What a request of a call holds is the consumer's own; answers are looked at where they come from.
        let ours = agreement.filter(|_| self.check && draft.kind == ExchangeKind::Record);
        let rules = ours.and_then(|agreement| agreement.agreement().field_rules(&draft.service)).cloned();
        let recipients = self.keys(&draft.recipients)?;
        let (signer, encapsulations) = (self.identity.signer(), Arc::clone(&self.encapsulations));
        let (spool, numbering) = (spool.clone(), None);
        Ok(Plan { draft, recipients, signer, encapsulations, spool, length_max, rules, numbering })
    }

    /// The version to rely on. None only where nothing is checked.
    fn agreement(
        &self,
        request: &SendRequest,
        now: Timestamp,
    ) -> Result<Option<VerifiedAgreement>, SendError> {
        let number = request.agreement.clone();
        let found = match request.version {
            None => self.agreements.current(&number, now),
            Some(version) => self.agreements.by_ref(&wire::AgreementRef {
                number: number.clone(),
                version,
                digest: Bytes::new(),
            }),
        };
        if found.is_none() && self.check {
            let version = request.version.unwrap_or_default();
            let reference = wire::AgreementRef { number, version, digest: Bytes::new() };
            return Err(refused(Refusal::not_found(Some(&reference))));
        }
        Ok(found)
    }

    /// The number of the only agreement in force, of those `seen`, by which `provider` answers calls of `service` to this
    /// agency.
    pub(crate) fn for_calls(
        &self,
        provider: &AgencyCode,
        service: &str,
        seen: impl Fn(&str) -> bool,
    ) -> Result<String, SendError> {
        let us = self.identity.agent().agency.as_str();
        let serves = |found: &VerifiedAgreement| {
            let terms = found.agreement();
            let named = terms.services.iter().any(|name| name == service);
            named
                && seen(&terms.number)
                && terms.provider.agency == *provider
                && terms.is_consumer(us)
                && terms.methods.contains(&Method::Call)
        };
        let mut found = self.agreements.in_force(self.clock.now()).into_iter().filter(serves);
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only.agreement().number.clone()),
            (None, _) => Err(refused(Refusal::not_found(None))),
            (Some(_), Some(_)) => Err(SendError::Invalid {
                field: "agreement",
                fr: "précisez-la : plus d'une entente en vigueur prévoit ce service",
                en: "name it: more than one agreement in force covers this service",
            }),
        }
    }

    fn draft(
        &self,
        request: &SendRequest,
        kind: Kind<'_>,
        (agreement, created): (Option<&VerifiedAgreement>, Timestamp),
    ) -> Result<HeaderDraft, SendError> {
        let terms = agreement.map(VerifiedAgreement::agreement);
        let services = terms.map(|terms| terms.services.clone()).unwrap_or_default();
        let purposes =
            terms.map(|terms| terms.purposes.iter().map(|purpose| purpose.code.code().to_owned()).collect());
        let basis = terms.map(|terms| terms.legal_basis.code().to_owned());
        Ok(HeaderDraft {
            kind: kind.on_the_wire(),
            sender: self.identity.agent().clone(),
            recipients: recipients(request, agreement)?,
            agreement: reference(request, agreement),
            service: given(request.service.as_ref(), services, SERVICE)?,
            operation: kind.operation(),
            purpose: given(request.purpose.as_ref(), purposes.unwrap_or_default(), PURPOSE)?,
            legal_basis: given(request.legal_basis.as_ref(), basis.into_iter().collect(), LEGAL_BASIS)?,
            data_categories: categories(request, kind, agreement)?,
            acting_user: request.acting_user.as_deref().map(|user| self.pseudonyms.acting_user(user)),
            subjects: request.subjects.iter().map(|subject| self.pseudonyms.subject(subject)).collect(),
            created,
            expires: self.expires(request, created)?,
            in_reply_to: request.in_reply_to,
            order: request.ordered.then(longest_order),
            content_type: request
                .content_type
                .clone()
                .unwrap_or_else(|| "application/octet-stream".to_owned()),
            attributes: wire::SealedAttributes {
                file_name: request.file_name.clone().unwrap_or_default(),
                case_reference: request.case_reference.clone().unwrap_or_default(),
                case_salt: Bytes::new(),
                acting_user: request.acting_user.clone().unwrap_or_default(),
                subjects: request.subjects.clone(),
            },
        })
    }

    fn expires(&self, request: &SendRequest, created: Timestamp) -> Result<Timestamp, SendError> {
        let lifetime = request.expires_in.unwrap_or(self.limits.lifetime);
        if (1..=u128::from(LIFETIME_LIMIT_MS)).contains(&lifetime.as_millis()) {
            return Ok(created.plus(lifetime));
        }
        Err(SendError::Invalid {
            field: "expires_in",
            fr: "donnez de 1 ms à 31 jours",
            en: "give from 1 ms to 31 days",
        })
    }

    /// A key for every active agent of every recipient.
    fn keys(&self, recipients: &BTreeSet<AgencyCode>) -> Result<Vec<RecipientPublicKey>, SendError> {
        let mut keys = Vec::new();
        for agency in recipients {
            let found = self.directory.recipients(agency);
            if found.is_empty() {
                let detail = format!("agency={agency}");
                let denial = reason::denial(Reason::RecipientKeyUnknown, detail, Bytes::new());
                return Err(SendError::Refused(Box::new(denial)));
            }
            keys.extend(found);
        }
        Ok(keys)
    }
}

/// Keeps the room that a number may need; the number itself is taken when the body is sealed.
fn longest_order() -> wire::Order {
    wire::Order { stream: Bytes::from_static(&[0; STREAM_ID_SIZE]), sequence: u64::MAX }
}

type Field = (&'static str, &'static str, &'static str);

const SERVICE: Field = (
    "service",
    "précisez-le : l'entente n'en a pas un seul",
    "name it: the agreement does not have just one",
);
const PURPOSE: Field = (
    "purpose",
    "précisez-la : l'entente n'en a pas une seule",
    "name it: the agreement does not have just one",
);
const LEGAL_BASIS: Field = ("legal_basis", "précisez-le", "name it");

/// What was given, or the only one there is.
fn given(asked: Option<&String>, only: Vec<String>, (field, fr, en): Field) -> Result<String, SendError> {
    let only = <[String; 1]>::try_from(only).ok().map(|[only]| only);
    asked.cloned().or(only).ok_or(SendError::Invalid { field, fr, en })
}

fn recipients(
    request: &SendRequest,
    agreement: Option<&VerifiedAgreement>,
) -> Result<BTreeSet<AgencyCode>, SendError> {
    let consumers = || agreement.into_iter().flat_map(|agreement| &agreement.agreement().consumers);
    let recipients = match request.recipients.is_empty() {
        true => consumers().map(|party| party.agency.clone()).collect(),
        false => request.recipients.clone(),
    };
    if recipients.is_empty() {
        return Err(SendError::Invalid { field: "recipients", fr: "précisez-les", en: "name them" });
    }
    Ok(recipients)
}

fn categories(
    request: &SendRequest,
    kind: Kind<'_>,
    agreement: Option<&VerifiedAgreement>,
) -> Result<BTreeSet<String>, SendError> {
    if !request.data_categories.is_empty() {
        return Ok(request.data_categories.clone());
    }
    if let Kind::Call(operation) = kind
        && !operation.data_categories.is_empty()
    {
        return Ok(operation.data_categories.iter().cloned().collect());
    }
    let known: Vec<String> = agreement
        .into_iter()
        .flat_map(|agreement| {
            agreement.agreement().data_categories.iter().map(|category| category.code.clone())
        })
        .collect();
    let field = (
        "data_categories",
        "précisez-les : l'entente n'en a pas une seule",
        "name them: the agreement does not have just one",
    );
    Ok(BTreeSet::from([given(None, known, field)?]))
}

fn reference(request: &SendRequest, agreement: Option<&VerifiedAgreement>) -> wire::AgreementRef {
    match agreement {
        Some(agreement) => wire::AgreementRef {
            number: agreement.agreement().number.clone(),
            version: agreement.agreement().version,
            digest: agreement.document().digest().to_vec().into(),
        },
        None => wire::AgreementRef {
            number: request.agreement.clone(),
            version: request.version.unwrap_or(1),
            digest: Bytes::from_static(&[0; 32]),
        },
    }
}

/// The header as far as an agreement looks at it; the length is held against the agreement while sealing.
fn header_of(draft: &HeaderDraft) -> wire::Header {
    let committed = !draft.attributes.case_reference.is_empty();
    wire::Header {
        kind: draft.kind.into(),
        sender_agency: draft.sender.agency.to_string(),
        sender_agent: draft.sender.agent.to_string(),
        recipients: draft.recipients.iter().map(ToString::to_string).collect(),
        agreement: Some(draft.agreement.clone()),
        service: draft.service.clone(),
        operation: draft.operation.clone(),
        purpose: draft.purpose.clone(),
        legal_basis: draft.legal_basis.clone(),
        data_categories: draft.data_categories.iter().cloned().collect(),
        case_commitment: if committed { Bytes::from_static(&[0; 32]) } else { Bytes::new() },
        acting_user: draft.acting_user.map(|user| user.to_vec().into()).unwrap_or_default(),
        created_ms: draft.created.as_millis(),
        expires_ms: draft.expires.as_millis(),
        ..wire::Header::default()
    }
}

fn refused(refusal: Refusal) -> SendError {
    SendError::Refused(Box::new(reason::denial(refusal.reason, refusal.detail, Bytes::new())))
}
