//! Checks a form and reports every mistake together, each with its field, the section of law, and what to do.
//!
//! A check returns `None` exactly when it has reported a mistake; the agreement is made when nothing was reported.

mod assessment;
mod checker;
mod identity;
mod mistake;
mod parties;
mod scope;
mod terms;

pub(crate) use checker::misleading;
pub use mistake::{FieldError, Mistake};
pub(crate) use scope::is_operation_name;
pub(crate) use terms::is_word;

use self::checker::Checker;
use super::calendar;
use super::draft::Draft;
use super::terms::Agreement;

/// The agreement, or all that is wrong with the form.
pub(super) fn check(draft: &Draft) -> Result<Agreement, Vec<FieldError>> {
    let mut checker = Checker::default();
    let agreement = assemble(&mut checker, draft);
    let faults = checker.into_faults();
    match agreement {
        Some(agreement) if faults.is_empty() => Ok(agreement),
        _ => Err(faults),
    }
}

/// Runs every check before it gives up on any.
fn assemble(checker: &mut Checker, draft: &Draft) -> Option<Agreement> {
    let identity = identity::check(checker, draft);
    let legal_basis = checker.basis;
    let provider = parties::provider(checker, &draft.provider);
    let consumers = parties::consumers(checker, draft);
    let purposes = terms::purposes(checker, &draft.purposes);
    let data_categories = terms::categories(checker, &draft.data_categories);
    let methods = terms::methods(checker, &draft.method);
    let services = terms::services(checker, &draft.services);
    let operations = scope::operations(checker, draft);
    let fields = scope::fields(checker, draft);
    let security_measures = terms::security_measures(checker, &draft.security_measures);
    let interval = terms::interval(checker, &draft.interval);
    let duration = terms::duration(checker, draft);
    let efvp = assessment::efvp(checker, draft);
    let outside_quebec = assessment::outside_quebec(checker, draft);
    let limits = terms::limits(checker, &draft.limits);
    let retention_days = terms::retention(checker, draft.retention_days);

    let identity = identity?;
    let (valid_from, valid_to) = duration?;
    Some(Agreement {
        number: identity.number,
        version: identity.version,
        supersedes: identity.supersedes,
        title: identity.title,
        legal_regime: identity.legal_regime,
        legal_basis: legal_basis?,
        section_68_case: identity.section_68_case,
        enabling_provision: identity.enabling_provision,
        provider: provider?,
        consumers: consumers?,
        purposes: purposes?,
        data_categories: data_categories?,
        methods: methods?,
        services: services?,
        operations: operations?,
        fields: fields?,
        security_measures: security_measures?,
        interval: interval?,
        valid_from,
        valid_to,
        efvp: efvp?,
        outside_quebec: outside_quebec?,
        requires: draft.requires,
        limits: limits?,
        retention_days: retention_days?,
        validity: (calendar::start_of(valid_from)?, calendar::start_of(calendar::after(valid_to, 1)?)?),
    })
}
