//! The privacy impact assessment (EFVP) with its four conclusions, and the block of s. 70.1.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::checker::{Checker, LONG, List, SHORT};
use super::mistake::Mistake;
use super::parties::is_state;
use crate::agreement::basis::{LegalBasis, Section68Case};
use crate::agreement::calendar;
use crate::agreement::draft::{Draft, DraftAssessment, DraftOutsideQuebec};
use crate::agreement::terms::{Assessment, OutsideQuebec, QUEBEC};

const STATES_MAX: usize = 16;
const OUTSIDE_SECTION: &str = "A-2.1, a. 70.1";
/// Cited when the basis itself demands no assessment: s. 63.5 demands one of every project.
const GENERAL_SECTION: &str = "A-2.1, a. 63.5";

/// Required where the basis demands it; never with an unfavourable conclusion; concluded before the exchange begins.
pub(super) fn efvp(checker: &mut Checker, draft: &Draft) -> Option<Option<Assessment>> {
    let demanded = checker.basis.and_then(LegalBasis::assessment_section);
    let section = demanded.unwrap_or(GENERAL_SECTION);
    let Some(given) = &draft.efvp else {
        if demanded.is_some() {
            checker.fault("efvp", section, Mistake::Missing);
            return None;
        }
        return Some(None);
    };
    let reference = checker.text("efvp.reference", section, &given.reference, SHORT);
    let date = concluded(checker, "efvp.date", section, &given.date, draft);
    let document_sha256 = checker.sha256("efvp.document_sha256", section, &given.document_sha256);
    let reviewer = checker.text("efvp.reviewer", section, &given.reviewer, SHORT);
    conclusions(checker, section, given)?;
    Some(Some(Assessment {
        reference: reference?,
        date: date?,
        document_sha256: document_sha256?,
        reviewer: reviewer?,
    }))
}

/// Stated where ss. 67.2.1 and 68 demand it; a « non » bars the exchange whatever the basis.
fn conclusions(checker: &mut Checker, section: &str, given: &DraftAssessment) -> Option<()> {
    let demanded = checker.basis.is_some_and(LegalBasis::needs_conclusions);
    let mut favourable = Some(());
    for (path, conclusion) in [
        ("efvp.objective_needs_identifying", given.objective_needs_identifying),
        ("efvp.consent_unreasonable", given.consent_unreasonable),
        ("efvp.interest_outweighs", given.interest_outweighs),
        ("efvp.confidentiality_ensured", given.confidentiality_ensured),
    ] {
        favourable = conclusion_holds(checker, path, section, conclusion, demanded).and(favourable);
    }
    favourable
}

fn conclusion_holds(
    checker: &mut Checker,
    path: &str,
    section: &str,
    conclusion: Option<bool>,
    demanded: bool,
) -> Option<()> {
    let mistake = match conclusion {
        Some(true) => return Some(()),
        None if !demanded => return Some(()),
        None => Mistake::Missing,
        Some(false) => Mistake::Unfavourable,
    };
    checker.fault(path, section, mistake);
    None
}

/// A block for every State where a party stands, unless the case or the nature of the information exempts it.
pub(super) fn outside_quebec(checker: &mut Checker, draft: &Draft) -> Option<Vec<OutsideQuebec>> {
    const PATH: &str = "outside_quebec";
    let given = &draft.outside_quebec;
    let complete = is_covered(checker.basis, draft);
    if !complete {
        checker.fault(PATH, OUTSIDE_SECTION, Mistake::Missing);
    }
    let blocks = if given.is_empty() {
        Some(Vec::new())
    } else {
        let list = List { path: PATH, section: OUTSIDE_SECTION, limit: STATES_MAX, unique: ".state" };
        checker.each(
            &list,
            given,
            |block| block.state.clone(),
            |checker, path, block| state_block(checker, path, block, draft),
        )
    };
    if complete { blocks } else { None }
}

/// Case 1.1 of s. 68 is exempt by s. 70.1 itself; without personal information there is nothing to assess.
fn is_covered(basis: Option<LegalBasis>, draft: &Draft) -> bool {
    let person_benefit = basis == Some(LegalBasis::Section68)
        && draft.section_68_case.as_deref() == Some(Section68Case::PersonBenefit.code());
    if person_benefit || basis == Some(LegalBasis::NonPersonal) {
        return true;
    }
    let assessed: BTreeSet<&str> = draft.outside_quebec.iter().map(|block| block.state.as_str()).collect();
    let parties = std::iter::once(&draft.provider).chain(&draft.consumers);
    let mut states = parties.map(|party| party.jurisdiction.as_str()).filter(|state| is_state(state));
    let nothing = assessed.is_empty() && basis == Some(LegalBasis::Section70_1);
    states.all(|state| assessed.contains(state)) && !nothing
}

fn state_block(
    checker: &mut Checker,
    path: &str,
    block: &DraftOutsideQuebec,
    draft: &Draft,
) -> Option<OutsideQuebec> {
    let at = |field: &str| format!("{path}.{field}");
    let state = is_state(&block.state).then(|| block.state.clone());
    if block.state == QUEBEC {
        checker.fault(&at("state"), OUTSIDE_SECTION, Mistake::NotExpected { because: QUEBEC });
    } else if state.is_none() {
        checker.malformed(&at("state"), OUTSIDE_SECTION, &block.state, "ISO 3166 (CA-ON, FR, US-NY)");
    }
    let reference = checker.text(&at("reference"), OUTSIDE_SECTION, &block.reference, SHORT);
    let date = concluded(checker, &at("date"), OUTSIDE_SECTION, &block.date, draft);
    let document_sha256 = checker.sha256(&at("document_sha256"), OUTSIDE_SECTION, &block.document_sha256);
    let mut factors = Some(());
    for (field, factor) in [
        ("sensitivity", &block.sensitivity),
        ("purpose", &block.purpose),
        ("protection_measures", &block.protection_measures),
        ("legal_framework", &block.legal_framework),
    ] {
        let stated = checker.bilingual(&at(field), OUTSIDE_SECTION, factor, LONG);
        factors = stated.and(factors);
    }
    let conclusion = block.adequate_protection;
    conclusion_holds(checker, &at("adequate_protection"), OUTSIDE_SECTION, conclusion, true).and(factors)?;
    Some(OutsideQuebec {
        state: state?,
        reference: reference?,
        date: date?,
        document_sha256: document_sha256?,
    })
}

/// The day of an assessment, which comes before the exchange: not after `valid_from`.
fn concluded(checker: &mut Checker, path: &str, section: &str, value: &str, draft: &Draft) -> Option<Date> {
    let date = checker.date(path, section, value)?;
    if calendar::parse(&draft.valid_from).is_some_and(|from| date > from) {
        checker.fault(path, section, Mistake::After { field: "valid_from" });
        return None;
    }
    Some(date)
}
