//! Which agreement this is, and the law that it stands on.

use super::checker::{Checker, LONG, SHORT};
use super::mistake::Mistake;
use crate::agreement::FORMAT;
use crate::agreement::basis::{LegalBasis, LegalRegime, REPEALED_BASIS, Section68Case};
use crate::agreement::draft::{Bilingual, Draft};
use crate::agreement::terms::Supersedes;

const VERSION_MAX: u32 = 9_999;

/// Number, version and legal ground.
pub(super) struct Identity {
    pub(super) number: String,
    pub(super) version: u32,
    pub(super) supersedes: Option<Supersedes>,
    pub(super) title: Bilingual,
    pub(super) legal_regime: LegalRegime,
    pub(super) section_68_case: Option<Section68Case>,
    pub(super) enabling_provision: String,
}

/// Leaves the basis in the checker, for what follows.
pub(super) fn check(checker: &mut Checker, draft: &Draft) -> Option<Identity> {
    if draft.format != FORMAT {
        let mistake = if draft.format.is_empty() { Mistake::Missing } else { Mistake::UnknownFormat };
        checker.fault("format", FORMAT, mistake);
    }
    let number = number(checker, "number", &draft.number);
    let version = version(checker, "version", draft.version);
    let supersedes = supersedes(checker, draft);
    let title = checker.bilingual("title", FORMAT, &draft.title, SHORT);
    checker.basis = basis(checker, draft);
    let legal_regime = regime(checker, draft);
    let section_68_case = section_68_case(checker, draft);
    let enabling_provision =
        checker.text("enabling_provision", "A-2.1, a. 67.3", &draft.enabling_provision, LONG);
    Some(Identity {
        number: number?,
        version: version?,
        supersedes: supersedes?,
        title: title?,
        legal_regime: legal_regime?,
        section_68_case: section_68_case?,
        enabling_provision: enabling_provision?,
    })
}

fn number(checker: &mut Checker, path: &str, value: &str) -> Option<String> {
    let inner = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let well_formed = (3..=64).contains(&value.len())
        && value.bytes().all(|byte| inner(byte) || byte == b'-')
        && !value.starts_with('-')
        && !value.ends_with('-');
    if well_formed {
        return Some(value.to_owned());
    }
    checker.malformed(path, FORMAT, value, "^[A-Z0-9][A-Z0-9-]{1,62}[A-Z0-9]$ (ENT-2026-001)");
    None
}

fn version(checker: &mut Checker, path: &str, value: u32) -> Option<u32> {
    checker.range(path, FORMAT, value.into(), 1, VERSION_MAX.into()).map(|_| value)
}

/// Version 2 and later say what they replace, so that nobody signs a change without seeing that it is one.
fn supersedes(checker: &mut Checker, draft: &Draft) -> Option<Option<Supersedes>> {
    let Some(given) = &draft.supersedes else {
        if draft.version > 1 {
            checker.fault("supersedes", FORMAT, Mistake::Missing);
            return None;
        }
        return Some(None);
    };
    let number = number(checker, "supersedes.number", &given.number);
    let version = version(checker, "supersedes.version", given.version)?;
    if given.number == draft.number && version >= draft.version {
        checker.fault("supersedes.version", FORMAT, Mistake::Contradicts { field: "version" });
        return None;
    }
    Some(Some(Supersedes { number: number?, version }))
}

fn basis(checker: &mut Checker, draft: &Draft) -> Option<LegalBasis> {
    if draft.legal_basis == REPEALED_BASIS {
        checker.fault("legal_basis", "A-2.1, a. 59 et 67.3", Mistake::Repealed);
        return None;
    }
    checker.code("legal_basis", "A-2.1, a. 59", &draft.legal_basis, (LegalBasis::ALL, LegalBasis::code))
}

fn regime(checker: &mut Checker, draft: &Draft) -> Option<LegalRegime> {
    const SECTION: &str = "A-2.1, a. 2";
    let regime =
        checker.code("legal_regime", SECTION, &draft.legal_regime, (LegalRegime::ALL, LegalRegime::code))?;
    let demanded = checker.basis.and_then(LegalBasis::regime);
    if demanded.is_some_and(|demanded| demanded != regime) {
        checker.fault("legal_regime", SECTION, Mistake::Contradicts { field: "legal_basis" });
        return None;
    }
    Some(regime)
}

fn section_68_case(checker: &mut Checker, draft: &Draft) -> Option<Option<Section68Case>> {
    const PATH: &str = "section_68_case";
    const SECTION: &str = "A-2.1, a. 68";
    match (checker.basis, &draft.section_68_case) {
        (Some(LegalBasis::Section68), given) => {
            let given = given.as_deref().unwrap_or_default();
            checker.code(PATH, SECTION, given, (Section68Case::ALL, Section68Case::code)).map(Some)
        }
        (Some(_), Some(_)) => {
            checker.fault(PATH, SECTION, Mistake::NotExpected { because: "legal_basis" });
            None
        }
        // Without a basis the case can be neither demanded nor refused; the basis itself was reported.
        (Some(_), None) | (None, _) => Some(None),
    }
}
