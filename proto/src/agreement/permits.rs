//! Does an agreement permit an exchange? The decision on one header, pure, the same in both agents and in the gateway.
//!
//! The first check that fails gives the reason, in this order:
//!
//! 1. the reference names this version, and the sender is a party: otherwise `AGREEMENT_NOT_FOUND`, so that nobody
//!    learns of agreements that are not its own;
//! 2. digest: `AGREEMENT_DIGEST_MISMATCH`;
//! 3. standing: `AGREEMENT_REVOKED`, `_REPLACED`, `_SUSPENDED`, or `_NOT_IN_FORCE` before activation;
//! 4. time: `AGREEMENT_EXPIRED`, then `AGREEMENT_NOT_IN_FORCE`;
//! 5. terms: `DIRECTION_`, `SERVICE_` (method included), `OPERATION_` (by its name, of calls), `PURPOSE_`,
//!    `LEGAL_BASIS_`, `CATEGORY_NOT_COVERED`;
//! 6. what the agreement requires: `CASE_REFERENCE_MISSING`, `ACTING_USER_MISSING`;
//! 7. size: `RECORD_TOO_LARGE`.
//!
//! Rates are not decided here: [`Permitted::limits`] carries them to who counts (`QUOTA_EXCEEDED`).

use passerelle_pki::clock::Timestamp;

use super::basis::Method;
use super::calendar;
use super::standing::State;
use super::terms::{Agreement, Limits};
use super::validate::is_word;
use super::version::VerifiedAgreement;
use crate::wire::{self, ExchangeKind, Header, Reason};

/// Proof that an agreement permitted an exchange. Only this module makes it.
#[derive(Clone, Debug)]
pub struct Permitted {
    agreement: VerifiedAgreement,
    at: Timestamp,
}

impl Permitted {
    /// The agreement that permitted it.
    #[must_use]
    pub fn agreement(&self) -> &VerifiedAgreement {
        &self.agreement
    }

    /// Volumes to count against, per sending agency and agreement number.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.agreement.agreement().limits
    }

    /// The instant for which it was decided.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

/// Why an exchange is not permitted. The sender is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Stable reason.
    pub reason: Reason,
    /// The fact behind it, `name=value` separated by `; `: a date, a limit, a field. The same in every language, and
    /// nothing of it is taken from the header but well-formed codes.
    pub detail: String,
}

impl Refusal {
    /// The refusal of a reference that leads nowhere. Whether the agreement does not exist or is others' is not told.
    #[must_use]
    pub fn not_found(reference: Option<&wire::AgreementRef>) -> Self {
        let detail = match reference {
            None => "field=agreement".to_owned(),
            Some(reference) => {
                format!("number={}; version={}", shown(&reference.number), reference.version)
            }
        };
        Self { reason: Reason::AgreementNotFound, detail }
    }
}

/// Decides on a header at an instant. For the sender's agent and the gateway, whose instant is now.
///
/// # Errors
/// The first failing check, in the order of this module.
pub fn permits(agreement: &VerifiedAgreement, header: &Header, now: Timestamp) -> Result<Permitted, Refusal> {
    reference(agreement, header)?;
    standing(agreement)?;
    covers(agreement, header, now)
}

/// Decides on a header that the gateway accepted at `accepted` (its receipt says when). For the recipient's agent: the
/// agreement may have been suspended, revoked or replaced between acceptance and delivery, which does not make the
/// exchange unlawful after the fact. All that the parties signed is checked; what only the gateway states is not.
///
/// # Errors
/// The first failing check, in the order of this module.
pub fn permitted_at_acceptance(
    agreement: &VerifiedAgreement,
    header: &Header,
    accepted: Timestamp,
) -> Result<Permitted, Refusal> {
    reference(agreement, header)?;
    match agreement.standing().state {
        State::Active | State::Suspended | State::Revoked | State::Replaced => {}
        State::Proposed | State::Signed | State::Rejected => standing(agreement)?,
    }
    covers(agreement, header, accepted)
}

fn covers(agreement: &VerifiedAgreement, header: &Header, at: Timestamp) -> Result<Permitted, Refusal> {
    time(agreement, at)?;
    let terms = agreement.agreement();
    direction(terms, header)?;
    service(terms, header)?;
    operation(terms, header)?;
    purpose(terms, header)?;
    legal_basis(terms, header)?;
    categories(terms, header)?;
    requirements(terms, header)?;
    size(terms, header)?;
    Ok(Permitted { agreement: agreement.clone(), at })
}

fn refuse<T>(reason: Reason, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { reason, detail: detail.into() })
}

fn reference(agreement: &VerifiedAgreement, header: &Header) -> Result<(), Refusal> {
    let terms = agreement.agreement();
    let Some(given) = &header.agreement else {
        return Err(Refusal::not_found(None));
    };
    let named = given.number == terms.number && given.version == terms.version;
    if !named || !terms.is_party(&header.sender_agency) {
        return Err(Refusal::not_found(Some(given)));
    }
    let digest = agreement.document().digest();
    if given.digest != digest[..] {
        return refuse(Reason::AgreementDigestMismatch, format!("expected={}", hex::encode(digest)));
    }
    Ok(())
}

fn standing(agreement: &VerifiedAgreement) -> Result<(), Refusal> {
    let reason = match agreement.standing().state {
        State::Active => return Ok(()),
        State::Proposed | State::Signed | State::Rejected => Reason::AgreementNotInForce,
        State::Suspended => Reason::AgreementSuspended,
        State::Revoked => Reason::AgreementRevoked,
        State::Replaced => Reason::AgreementReplaced,
    };
    refuse(reason, format!("state={}", agreement.standing().state.to_wire().as_str_name()))
}

/// In force from the first instant that the law allows until the end of the last day.
fn time(agreement: &VerifiedAgreement, at: Timestamp) -> Result<(), Refusal> {
    let terms = agreement.agreement();
    let standing = agreement.standing();
    let until = calendar::in_force_until(terms);
    if at >= until {
        let end = calendar::display(until);
        return refuse(
            Reason::AgreementExpired,
            format!("valid_to={}; in_force_until={end}", terms.valid_to),
        );
    }
    let received = match standing.received_by_cai_on {
        Some(date) if terms.legal_basis.waits_for_commission() => format!("; received_by_cai_on={date}"),
        _ => String::new(),
    };
    match calendar::in_force_from(terms, standing) {
        None => refuse(Reason::AgreementNotInForce, "received_by_cai_on=unknown"),
        Some(from) if at < from => refuse(
            Reason::AgreementNotInForce,
            format!("in_force_from={}; valid_from={}{received}", calendar::display(from), terms.valid_from),
        ),
        Some(_) => Ok(()),
    }
}

/// Records and responses go from the provider to consumers, requests from a consumer to the provider.
fn direction(terms: &Agreement, header: &Header) -> Result<(), Refusal> {
    let provider = terms.provider.agency.as_str();
    let kind = ExchangeKind::try_from(header.kind).unwrap_or(ExchangeKind::Unspecified);
    let covered = match kind {
        ExchangeKind::Unspecified => return refuse(Reason::DirectionNotCovered, "field=kind"),
        ExchangeKind::Record | ExchangeKind::CallResponse => {
            header.sender_agency == provider
                && !header.recipients.is_empty()
                && header.recipients.iter().all(|recipient| terms.is_consumer(recipient))
        }
        ExchangeKind::CallRequest => {
            terms.is_consumer(&header.sender_agency) && header.recipients == [provider]
        }
    };
    if covered {
        return Ok(());
    }
    let consumers: Vec<&str> = terms.consumers.iter().map(|party| party.agency.as_str()).collect();
    refuse(
        Reason::DirectionNotCovered,
        format!("kind={}; provider={provider}; consumers={}", kind.as_str_name(), consumers.join(",")),
    )
}

/// The service by name, and the method by the kind of exchange: both are the 4th of the seven items.
fn service(terms: &Agreement, header: &Header) -> Result<(), Refusal> {
    if !terms.services.contains(&header.service) {
        return refuse(Reason::ServiceNotCovered, format!("service={}", shown(&header.service)));
    }
    let call = header.kind != i32::from(ExchangeKind::Record);
    if terms.methods.iter().any(|&method| (method == Method::Call) == call) {
        return Ok(());
    }
    let methods: Vec<&str> = terms.methods.iter().map(|method| method.code()).collect();
    refuse(Reason::ServiceNotCovered, format!("method={}", methods.join(",")))
}

/// The operation by name. Its path is sealed: the provider's agent checks it with [`Agreement::allows_path`].
fn operation(terms: &Agreement, header: &Header) -> Result<(), Refusal> {
    let record = header.kind == i32::from(ExchangeKind::Record);
    if record || terms.allows_operation(&header.service, &header.operation) {
        return Ok(());
    }
    refuse(Reason::OperationNotCovered, format!("operation={}", shown(&header.operation)))
}

fn purpose(terms: &Agreement, header: &Header) -> Result<(), Refusal> {
    if terms.purposes.iter().any(|purpose| purpose.code.code() == header.purpose) {
        return Ok(());
    }
    refuse(Reason::PurposeNotCovered, format!("purpose={}", shown(&header.purpose)))
}

fn legal_basis(terms: &Agreement, header: &Header) -> Result<(), Refusal> {
    if header.legal_basis == terms.legal_basis.code() {
        return Ok(());
    }
    refuse(Reason::LegalBasisNotCovered, format!("legal_basis={}", terms.legal_basis))
}

/// Every category is covered, and there is one at least: the log must tell what was released.
fn categories(terms: &Agreement, header: &Header) -> Result<(), Refusal> {
    if header.data_categories.is_empty() {
        return refuse(Reason::CategoryNotCovered, "field=data_categories");
    }
    let covered = |code: &&String| terms.data_categories.iter().any(|category| category.code == **code);
    match header.data_categories.iter().find(|code| !covered(code)) {
        Some(code) => refuse(Reason::CategoryNotCovered, format!("data_category={}", shown(code))),
        None => Ok(()),
    }
}

fn requirements(terms: &Agreement, header: &Header) -> Result<(), Refusal> {
    if terms.requires.case_reference && header.case_commitment.is_empty() {
        return refuse(Reason::CaseReferenceMissing, "field=case_reference");
    }
    if terms.requires.acting_user && header.acting_user.is_empty() {
        return refuse(Reason::ActingUserMissing, "field=acting_user");
    }
    Ok(())
}

fn size(terms: &Agreement, header: &Header) -> Result<(), Refusal> {
    match terms.limits.max_record_bytes {
        Some(limit) if header.plaintext_length > limit => refuse(
            Reason::RecordTooLarge,
            format!("max_record_bytes={limit}; length={}", header.plaintext_length),
        ),
        _ => Ok(()),
    }
}

/// A code of the header, when it is one; anything else could be what a sender typed by mistake about somebody.
fn shown(code: &str) -> &str {
    if is_word(code) { code } else { "?" }
}
