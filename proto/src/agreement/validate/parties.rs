//! Who is bound (1st of the seven items), and who answers for personal information there.

use passerelle_pki::name::AgencyCode;

use super::checker::{Checker, List, SHORT};
use super::mistake::Mistake;
use crate::agreement::basis::StatutoryItem;
use crate::agreement::draft::{Draft, DraftParty, PrivacyOfficer};
use crate::agreement::terms::{Party, QUEBEC};

const CONSUMERS_MAX: usize = 16;
const OFFICER_SECTION: &str = "A-2.1, a. 8";

pub(super) fn provider(checker: &mut Checker, draft: &DraftParty) -> Option<Party> {
    party(checker, "provider", draft)
}

/// At least one; none twice; never the provider, which needs no agreement with itself.
pub(super) fn consumers(checker: &mut Checker, draft: &Draft) -> Option<Vec<Party>> {
    let section = checker.item(StatutoryItem::Parties);
    let provider = &draft.provider.agency;
    let list = List { path: "consumers", section: &section, limit: CONSUMERS_MAX, unique: ".agency" };
    checker.each(
        &list,
        &draft.consumers,
        |draft| draft.agency.clone(),
        |checker, path, draft| {
            let party = party(checker, path, draft)?;
            if party.agency.as_str() == provider {
                checker.fault(&format!("{path}.agency"), &section, Mistake::Repeated);
                return None;
            }
            Some(party)
        },
    )
}

fn party(checker: &mut Checker, path: &str, draft: &DraftParty) -> Option<Party> {
    let section = checker.item(StatutoryItem::Parties);
    let agency = agency(checker, &format!("{path}.agency"), &section, &draft.agency);
    let name = checker.bilingual(&format!("{path}.name"), &section, &draft.name, SHORT);
    let jurisdiction = jurisdiction(checker, &format!("{path}.jurisdiction"), &draft.jurisdiction);
    let privacy_officer = officer(checker, &format!("{path}.privacy_officer"), &draft.privacy_officer);
    Some(Party {
        agency: agency?,
        name: name?,
        jurisdiction: jurisdiction?,
        privacy_officer: privacy_officer?,
    })
}

fn agency(checker: &mut Checker, path: &str, section: &str, value: &str) -> Option<AgencyCode> {
    let agency = AgencyCode::try_from(value).ok();
    if agency.is_none() {
        checker.malformed(path, section, value, "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])$ (ramq)");
    }
    agency
}

fn officer(checker: &mut Checker, path: &str, draft: &PrivacyOfficer) -> Option<PrivacyOfficer> {
    let name = checker.text(&format!("{path}.name"), OFFICER_SECTION, &draft.name, SHORT);
    let title = checker.text(&format!("{path}.title"), OFFICER_SECTION, &draft.title, SHORT);
    let contact = checker.text(&format!("{path}.contact"), OFFICER_SECTION, &draft.contact, SHORT);
    Some(PrivacyOfficer { name: name?, title: title?, contact: contact? })
}

/// `QC`, or a State outside Québec.
fn jurisdiction(checker: &mut Checker, path: &str, value: &str) -> Option<String> {
    if value == QUEBEC || is_state(value) {
        return Some(value.to_owned());
    }
    checker.malformed(path, "A-2.1, a. 70.1", value, "QC | ISO 3166 (CA-ON, FR, US-NY)");
    None
}

/// An ISO 3166-1 alpha-2 code, with a subdivision of ISO 3166-2 if it has one. `CA-QC` is Québec under another name,
/// and `CA` alone would hide which legal framework was assessed.
pub(super) fn is_state(value: &str) -> bool {
    let (country, subdivision) = match value.split_once('-') {
        Some((country, subdivision)) => (country, Some(subdivision)),
        None => (value, None),
    };
    let upper = |byte: u8| byte.is_ascii_uppercase();
    country.len() == 2
        && country.bytes().all(upper)
        && country != QUEBEC
        && !matches!(value, "CA" | "CA-QC")
        && subdivision.is_none_or(|part| {
            (1..=3).contains(&part.len()) && part.bytes().all(|byte| upper(byte) || byte.is_ascii_digit())
        })
}
