//! What people read: the pages of docs/formats list exactly the codes that the crate knows.

use std::collections::BTreeSet;

use passerelle_proto::agreement::{
    IntervalKind, LegalBasis, LegalRegime, Method, Mistake, PurposeCode, Section68Case, State,
};
use passerelle_proto::reason;
use passerelle_proto::wire::Reason;

const REASONS: &str = include_str!("../../../docs/formats/reasons.md");
const AGREEMENT: &str = include_str!("../../../docs/formats/agreement.md");

#[test]
fn reasons_md_lists_every_code_with_its_words() {
    let rows: BTreeSet<&str> = REASONS.lines().filter(|line| line.starts_with("| `")).collect();
    let again = |reason| if reason::is_temporary(reason) { "yes" } else { "no" };
    let known = (1..=1_000).filter_map(|number| Reason::try_from(number).ok());
    let expected: BTreeSet<String> = known
        .map(|reason| {
            let reason::Text { fr, en } = reason::text(reason);
            format!(
                "| `{}` | {} | {} | {fr} | {en} |",
                reason::code(reason),
                i32::from(reason),
                again(reason)
            )
        })
        .collect();
    assert_eq!(rows, expected.iter().map(String::as_str).collect());
    assert_eq!(rows.len(), 39);
}

/// The codes in the first column of the table under a heading.
fn table(heading: &str) -> Vec<&'static str> {
    let (_, section) = AGREEMENT.split_once(&format!("### {heading}\n")).unwrap();
    let section = section.split("\n#").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split_once('`').unwrap().0).collect()
}

#[test]
fn agreement_md_lists_every_code() {
    fn codes<T: Copy>(all: &[T], code: impl Fn(T) -> &'static str) -> Vec<&'static str> {
        all.iter().map(|&one| code(one)).collect()
    }
    assert_eq!(table("Legal regimes"), codes(LegalRegime::ALL, LegalRegime::code));
    assert_eq!(table("Legal bases"), codes(LegalBasis::ALL, LegalBasis::code));
    assert_eq!(table("Cases of s. 68"), codes(Section68Case::ALL, Section68Case::code));
    assert_eq!(table("Purposes"), codes(PurposeCode::ALL, PurposeCode::code));
    assert_eq!(table("Methods"), codes(Method::ALL, Method::code));
    assert_eq!(table("Intervals"), codes(IntervalKind::ALL, IntervalKind::code));
}

#[test]
fn agreement_md_tells_what_waits_for_the_commission() {
    for line in AGREEMENT.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = line.split('|').map(str::trim);
        let code = cells.nth(1).unwrap().trim_matches('`');
        if let Some(basis) = LegalBasis::from_code(code).filter(|_| line.matches('|').count() == 7) {
            let expected = [
                basis.assessment_section().unwrap_or("no").to_owned(),
                if basis.needs_conclusions() { "yes" } else { "no" }.to_owned(),
                if basis.waits_for_commission() { "yes" } else { "no" }.to_owned(),
            ];
            let found: Vec<&str> = cells.skip(2).take(3).collect();
            assert_eq!(found, expected, "{code}");
        }
    }
}

#[test]
fn agreement_md_lists_every_mistake_and_state() {
    let all = [
        Mistake::DocumentTooLarge { limit: 1 },
        Mistake::Unreadable { detail: "x".to_owned() },
        Mistake::UnknownFormat,
        Mistake::Missing,
        Mistake::TooLong { limit: 1 },
        Mistake::TooMany { limit: 1 },
        Mistake::ForbiddenCharacter,
        Mistake::Malformed { expected: "x" },
        Mistake::UnknownCode { allowed: "x".to_owned() },
        Mistake::Repeated,
        Mistake::OutOfRange { min: 1, max: 2 },
        Mistake::Unfavourable,
        Mistake::Repealed,
        Mistake::NotExpected { because: "x" },
        Mistake::After { field: "x" },
        Mistake::Contradicts { field: "x" },
    ];
    assert_eq!(table("Mistakes"), all.iter().map(Mistake::code).collect::<Vec<_>>());
    for state in [
        State::Proposed,
        State::Signed,
        State::Active,
        State::Suspended,
        State::Revoked,
        State::Replaced,
        State::Rejected,
    ] {
        let name = state.to_wire().as_str_name().replace("AGREEMENT_STATE_", "");
        assert!(table("States").contains(&name.as_str()), "{name}");
    }
}
