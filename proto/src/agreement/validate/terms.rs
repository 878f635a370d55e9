//! What is exchanged, how, how often, how long (2nd to 7th of the seven items), and in what volume.

use jiff::civil::Date;

use super::checker::{Checker, LONG, List, SHORT};
use super::mistake::Mistake;
use crate::agreement::FORMAT;
use crate::agreement::basis::{IntervalKind, Method, PurposeCode, StatutoryItem};
use crate::agreement::draft::{Bilingual, Draft, DraftCategory, DraftInterval, DraftLimits, DraftPurpose};
use crate::agreement::terms::{Category, Interval, Limits, Purpose};

const CATEGORIES_MAX: usize = 64;
const SERVICES_MAX: usize = 64;
const MEASURES_MAX: usize = 32;
/// 100 years with their leap days.
const RETENTION_DAYS_MAX: u64 = 36_525;
const PER_SECOND_MAX: u64 = 1_000_000;
const PER_DAY_MAX: u64 = PER_SECOND_MAX * 86_400;
/// What a record may have at most: `envelope::PLAINTEXT_LIMIT`.
const RECORD_BYTES_MAX: u64 = crate::envelope::PLAINTEXT_LIMIT;
/// 1 PiB.
const BYTES_PER_DAY_MAX: u64 = 1 << 50;

pub(super) fn purposes(checker: &mut Checker, drafts: &[DraftPurpose]) -> Option<Vec<Purpose>> {
    let section = checker.item(StatutoryItem::Purposes);
    let list = List { path: "purposes", section: &section, limit: PurposeCode::ALL.len(), unique: ".code" };
    checker.each(
        &list,
        drafts,
        |draft| draft.code.clone(),
        |checker, path, draft| {
            let codes = (PurposeCode::ALL, PurposeCode::code);
            let code = checker.code(&format!("{path}.code"), "G-1.03, a. 12.10", &draft.code, codes);
            let dpv = match &draft.dpv {
                Some(term) => checker.text(&format!("{path}.dpv"), FORMAT, term, SHORT).map(Some),
                None => Some(None),
            };
            let text = checker.bilingual(&format!("{path}.text"), &section, &draft.text, LONG);
            Some(Purpose { code: code?, dpv: dpv?, text: text? })
        },
    )
}

pub(super) fn categories(checker: &mut Checker, drafts: &[DraftCategory]) -> Option<Vec<Category>> {
    let section = checker.item(StatutoryItem::Nature);
    let list = List { path: "data_categories", section: &section, limit: CATEGORIES_MAX, unique: ".code" };
    checker.each(
        &list,
        drafts,
        |draft| draft.code.clone(),
        |checker, path, draft| {
            let code = word(checker, &format!("{path}.code"), &section, &draft.code);
            let label = checker.bilingual(&format!("{path}.label"), &section, &draft.label, SHORT);
            if draft.sensitive.is_none() {
                checker.fault(&format!("{path}.sensitive"), "A-2.1, a. 59", Mistake::Missing);
            }
            Some(Category { code: code?, label: label?, sensitive: draft.sensitive? })
        },
    )
}

pub(super) fn methods(checker: &mut Checker, drafts: &[String]) -> Option<Vec<Method>> {
    let section = checker.item(StatutoryItem::Method);
    let list = List { path: "method", section: &section, limit: Method::ALL.len(), unique: "" };
    checker.each(&list, drafts, String::clone, |checker, path, draft| {
        checker.code(path, &section, draft, (Method::ALL, Method::code))
    })
}

pub(super) fn services(checker: &mut Checker, drafts: &[String]) -> Option<Vec<String>> {
    let section = checker.item(StatutoryItem::Method);
    let list = List { path: "services", section: &section, limit: SERVICES_MAX, unique: "" };
    checker.each(&list, drafts, String::clone, |checker, path, draft| word(checker, path, &section, draft))
}

pub(super) fn security_measures(checker: &mut Checker, drafts: &[Bilingual]) -> Option<Vec<Bilingual>> {
    let section = checker.item(StatutoryItem::SecurityMeasures);
    let list = List { path: "security_measures", section: &section, limit: MEASURES_MAX, unique: "" };
    checker.each(&list, drafts, Bilingual::clone, |checker, path, draft| {
        checker.bilingual(path, &section, draft, LONG)
    })
}

pub(super) fn interval(checker: &mut Checker, draft: &DraftInterval) -> Option<Interval> {
    let section = checker.item(StatutoryItem::Interval);
    let codes = (IntervalKind::ALL, IntervalKind::code);
    let kind = checker.code("interval.kind", &section, &draft.kind, codes);
    let text = checker.bilingual("interval.text", &section, &draft.text, LONG);
    Some(Interval { kind: kind?, text: text? })
}

/// First and last day, in order.
pub(super) fn duration(checker: &mut Checker, draft: &Draft) -> Option<(Date, Date)> {
    let section = checker.item(StatutoryItem::Duration);
    let from = checker.date("valid_from", &section, &draft.valid_from);
    let to = checker.date("valid_to", &section, &draft.valid_to);
    let (from, to) = (from?, to?);
    if from > to {
        checker.fault("valid_from", &section, Mistake::After { field: "valid_to" });
        return None;
    }
    Some((from, to))
}

/// Each inside its bounds, and none that another makes unreachable.
pub(super) fn limits(checker: &mut Checker, draft: &DraftLimits) -> Option<Limits> {
    let mut bounded = |path: &str, value: Option<u64>, max| match value {
        Some(value) => checker.range(path, FORMAT, value, 1, max).map(Some),
        None => Some(None),
    };
    let per_second = bounded("limits.per_second", draft.per_second, PER_SECOND_MAX);
    let per_day = bounded("limits.per_day", draft.per_day, PER_DAY_MAX);
    let bytes_per_day = bounded("limits.bytes_per_day", draft.bytes_per_day, BYTES_PER_DAY_MAX);
    let max_record_bytes = bounded("limits.max_record_bytes", draft.max_record_bytes, RECORD_BYTES_MAX);
    let limits = Limits {
        per_second: per_second?,
        per_day: per_day?,
        bytes_per_day: bytes_per_day?,
        max_record_bytes: max_record_bytes?,
    };
    let mut coherent = Some(limits);
    for (part, whole, path, field) in [
        (limits.per_second, limits.per_day, "limits.per_second", "limits.per_day"),
        (limits.max_record_bytes, limits.bytes_per_day, "limits.max_record_bytes", "limits.bytes_per_day"),
    ] {
        if part.zip(whole).is_some_and(|(part, whole)| part > whole) {
            checker.fault(path, FORMAT, Mistake::Contradicts { field });
            coherent = None;
        }
    }
    coherent
}

pub(super) fn retention(checker: &mut Checker, days: Option<u32>) -> Option<u32> {
    const PATH: &str = "retention_days";
    const SECTION: &str = "A-2.1, a. 73";
    let Some(days) = days else {
        checker.fault(PATH, SECTION, Mistake::Missing);
        return None;
    };
    checker.range(PATH, SECTION, days.into(), 1, RETENTION_DAYS_MAX).map(|_| days)
}

/// A code that headers carry: see [`is_word`].
fn word(checker: &mut Checker, path: &str, section: &str, value: &str) -> Option<String> {
    if is_word(value) {
        return Some(value.to_owned());
    }
    checker.malformed(path, section, value, "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$");
    None
}

/// 1 to 64 ASCII letters, digits, `.`, `_` and `-`, the first a letter or digit.
pub(crate) fn is_word(value: &str) -> bool {
    value.len() <= 64
        && value.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
