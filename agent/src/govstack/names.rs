//! The identifiers of a path, `{instance}/{class}/{member}/{application}`: a member is an agency, and each has one
//! application, its agent.

use passerelle_pki::name::AgencyCode;

use super::GovstackSettings;

/// The application of every member.
pub(super) const APPLICATION: &str = "passerelle";
/// Characters of an identifier.
const LENGTH_MAX: usize = 255;

/// Four identifiers that are well-formed; nobody may have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    instance: String,
    class: String,
    member: String,
    application: String,
}

impl Place {
    /// `None` when one is malformed. Quotes around an identifier are left out: a public suite sends them.
    pub(super) fn of(parts: [&str; 4]) -> Option<Self> {
        let bare = |part: &str| {
            let within = part.strip_prefix('"').and_then(|part| part.strip_suffix('"'));
            within.unwrap_or(part).to_owned()
        };
        let [instance, class, member, application] = parts.map(bare);
        let is_well_formed =
            is_identifier(&instance) && is_identifier(&class) && is_code(&member) && is_code(&application);
        is_well_formed.then_some(Self { instance, class, member, application })
    }

    /// As a client names itself in a header, `instance/class/member/application`.
    pub(super) fn of_header(value: &str) -> Option<Self> {
        let parts: Vec<&str> = value.split('/').collect();
        Self::of(parts.try_into().ok()?)
    }

    /// The agency that it names here; `None` when it names nobody.
    pub(super) fn agency(&self, settings: &GovstackSettings) -> Option<AgencyCode> {
        let is_here = self.instance == settings.instance
            && self.class == settings.class
            && self.application == APPLICATION;
        is_here.then(|| self.member.parse().ok()).flatten()
    }
}

/// Instances and classes: a letter, then letters and digits.
pub(crate) fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.len() <= LENGTH_MAX
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Members, applications and services: a letter or a digit, then also what our own codes have.
pub(super) fn is_code(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.len() <= LENGTH_MAX
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> GovstackSettings {
        let listen = "127.0.0.1:3366".parse().unwrap();
        GovstackSettings { listen, instance: "QC".into(), class: "GOV".into() }
    }

    #[test]
    fn a_well_formed_name_names_an_agency_or_nobody() {
        let agency = |parts| Place::of(parts).unwrap().agency(&settings());
        assert_eq!(agency(["QC", "GOV", "revenu-quebec", APPLICATION]).unwrap().as_str(), "revenu-quebec");
        assert_eq!(agency(["\"QC\"", "\"GOV\"", "\"saaq\"", "\"passerelle\""]).unwrap().as_str(), "saaq");
        let others = [
            ["identifier", "GOV", "saaq", APPLICATION],
            ["QC", "COM", "saaq", APPLICATION],
            ["QC", "GOV", "SAAQ", APPLICATION],
            ["QC", "GOV", "saaq", "autre"],
        ];
        for parts in others {
            assert_eq!(agency(parts), None, "{parts:?}");
        }
    }

    #[test]
    fn a_malformed_name_is_none() {
        let good = ["QC", "GOV", "saaq", APPLICATION];
        for wrong in ["", "_invalid", "\"", "\"\"", "a/b", "a%62", "é", "..", "a b", &"a".repeat(256)] {
            for place in 0..4 {
                let mut parts = good;
                parts[place] = wrong;
                assert_eq!(Place::of(parts), None, "{parts:?}");
            }
        }
        // The first two begin with a letter.
        assert_eq!(Place::of(["1nval1d", "GOV", "saaq", APPLICATION]), None);
        assert_eq!(Place::of(["QC", "1nval1d", "saaq", APPLICATION]), None);
        assert!(Place::of(["QC", "GOV", "12as12", "1"]).is_some());
        for header in ["QC/GOV/saaq", "QC/GOV/saaq/passerelle/x", "", "///"] {
            assert_eq!(Place::of_header(header), None, "{header}");
        }
    }
}
