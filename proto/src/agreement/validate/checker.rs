//! The primitives of the checks: texts, codes, dates, numbers, lists. Each reports and goes on.

use std::collections::HashSet;
use std::hash::Hash;

use jiff::civil::Date;

use super::mistake::{FieldError, Mistake};
use crate::agreement::basis::{LegalBasis, StatutoryItem};
use crate::agreement::calendar;
use crate::agreement::draft::Bilingual;

/// Characters of a name, a title, a reference.
pub(super) const SHORT: usize = 300;
/// Characters of a paragraph.
pub(super) const LONG: usize = 4_000;

/// Collects the mistakes; knows the basis once it was read.
#[derive(Default)]
pub(super) struct Checker {
    faults: Vec<FieldError>,
    pub(super) basis: Option<LegalBasis>,
}

/// A list of the form: where it stands, who demands it, how long it may be, and the field that must not repeat.
pub(super) struct List<'a> {
    pub(super) path: &'a str,
    pub(super) section: &'a str,
    pub(super) limit: usize,
    /// With its dot, or empty when the elements themselves must not repeat.
    pub(super) unique: &'a str,
}

impl Checker {
    pub(super) fn into_faults(self) -> Vec<FieldError> {
        self.faults
    }

    pub(super) fn fault(&mut self, path: &str, section: &str, mistake: Mistake) {
        self.faults.push(FieldError { path: path.to_owned(), section: section.to_owned(), mistake });
    }

    /// Reports a value that is not of its form, or nothing at all.
    pub(super) fn malformed(&mut self, path: &str, section: &str, value: &str, expected: &'static str) {
        let mistake =
            if value.trim().is_empty() { Mistake::Missing } else { Mistake::Malformed { expected } };
        self.fault(path, section, mistake);
    }

    /// The section that demands one of the seven items, under the basis that was read.
    pub(super) fn item(&self, item: StatutoryItem) -> String {
        item.section(self.basis)
    }

    /// A text of at least one visible character.
    pub(super) fn text(&mut self, path: &str, section: &str, value: &str, limit: usize) -> Option<String> {
        let mistake = if value.trim().is_empty() {
            Mistake::Missing
        } else if value.chars().count() > limit {
            Mistake::TooLong { limit }
        } else if value.chars().any(misleading) {
            Mistake::ForbiddenCharacter
        } else {
            return Some(value.to_owned());
        };
        self.fault(path, section, mistake);
        None
    }

    /// A text in both languages.
    pub(super) fn bilingual(
        &mut self,
        path: &str,
        section: &str,
        value: &Bilingual,
        limit: usize,
    ) -> Option<Bilingual> {
        let fr = self.text(&format!("{path}.fr"), section, &value.fr, limit);
        let en = self.text(&format!("{path}.en"), section, &value.en, limit);
        Some(Bilingual { fr: fr?, en: en? })
    }

    /// A code of a closed list.
    pub(super) fn code<T: Copy>(
        &mut self,
        path: &str,
        section: &str,
        value: &str,
        (all, code): (&[T], impl Fn(T) -> &'static str),
    ) -> Option<T> {
        let found = all.iter().copied().find(|&one| code(one) == value);
        if found.is_none() {
            let mistake = if value.trim().is_empty() {
                Mistake::Missing
            } else {
                let allowed = all.iter().map(|&one| code(one)).collect::<Vec<_>>().join(", ");
                Mistake::UnknownCode { allowed }
            };
            self.fault(path, section, mistake);
        }
        found
    }

    /// A date `YYYY-MM-DD` of the years that [`calendar`] knows.
    pub(super) fn date(&mut self, path: &str, section: &str, value: &str) -> Option<Date> {
        let date = calendar::parse(value);
        if date.is_none() {
            self.malformed(path, section, value, "AAAA-MM-JJ / YYYY-MM-DD (2000-01-01 … 2199-12-31)");
        }
        date
    }

    /// A SHA-256 in lower-case hexadecimal.
    pub(super) fn sha256(&mut self, path: &str, section: &str, value: &str) -> Option<[u8; 32]> {
        let mut digest = [0; 32];
        let lower = !value.bytes().any(|byte| byte.is_ascii_uppercase());
        if lower && hex::decode_to_slice(value, &mut digest).is_ok() {
            return Some(digest);
        }
        self.malformed(path, section, value, "^[0-9a-f]{64}$");
        None
    }

    /// Checks each element of a list that must hold one at least, and that none comes twice. Elements over the limit
    /// are not looked at.
    pub(super) fn each<D, T, K: Eq + Hash>(
        &mut self,
        list: &List<'_>,
        drafts: &[D],
        key: impl Fn(&D) -> K,
        mut check: impl FnMut(&mut Self, &str, &D) -> Option<T>,
    ) -> Option<Vec<T>> {
        let List { path, section, limit, unique } = *list;
        if drafts.is_empty() {
            self.fault(path, section, Mistake::Missing);
            return None;
        }
        let mut complete = true;
        if drafts.len() > limit {
            self.fault(path, section, Mistake::TooMany { limit });
            complete = false;
        }
        let mut seen = HashSet::new();
        let mut all = Vec::with_capacity(drafts.len().min(limit));
        for (index, draft) in drafts.iter().take(limit).enumerate() {
            let element = format!("{path}[{index}]");
            let fresh = seen.insert(key(draft));
            let Some(checked) = check(self, &element, draft) else {
                complete = false;
                continue;
            };
            if !fresh {
                self.fault(&format!("{element}{unique}"), section, Mistake::Repeated);
                complete = false;
            }
            all.push(checked);
        }
        complete.then_some(all)
    }

    /// A number inside its bounds.
    pub(super) fn range(&mut self, path: &str, section: &str, value: u64, min: u64, max: u64) -> Option<u64> {
        if (min..=max).contains(&value) {
            return Some(value);
        }
        self.fault(path, section, Mistake::OutOfRange { min, max });
        None
    }
}

/// Control characters, and those that make a text read otherwise than it is stored.
pub(crate) fn misleading(character: char) -> bool {
    (character.is_control() && character != '\n')
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}
