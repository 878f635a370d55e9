//! The roles of people. Systems have none: an agency's agent is known by its certificate.

use std::fmt;
use std::str::FromStr;

/// What a person may do. The text form is what tokens carry.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Registers agencies; cannot read the log.
    PlatformAdmin,
    /// Enrols the agents of one agency.
    AgencyAdmin,
    /// Drafts agreements.
    AgreementOfficer,
    /// Activates, rejects and revokes agreements.
    SigningAuthority,
    /// Records the Commission's dates, suspends agreements, reads its agency's lines of the log.
    PrivacyOfficer,
    /// Reads the whole log.
    Auditor,
    /// Revokes agents, suspends agencies and agreements.
    SecurityOperator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 7] = [
        Self::PlatformAdmin,
        Self::AgencyAdmin,
        Self::AgreementOfficer,
        Self::SigningAuthority,
        Self::PrivacyOfficer,
        Self::Auditor,
        Self::SecurityOperator,
    ];

    /// The text form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlatformAdmin => "platform_admin",
            Self::AgencyAdmin => "agency_admin",
            Self::AgreementOfficer => "agreement_officer",
            Self::SigningAuthority => "signing_authority",
            Self::PrivacyOfficer => "privacy_officer",
            Self::Auditor => "auditor",
            Self::SecurityOperator => "security_operator",
        }
    }

    /// Whether the role is held within one agency, so that a token with it must name the agency.
    #[must_use]
    pub const fn is_of_an_agency(self) -> bool {
        match self {
            Self::AgencyAdmin | Self::AgreementOfficer | Self::SigningAuthority | Self::PrivacyOfficer => {
                true
            }
            Self::PlatformAdmin | Self::Auditor | Self::SecurityOperator => false,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            format!("« {text} » : rôle inconnu / unknown role; {known}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_reads_back_and_nothing_else_does() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        for text in ["", "admin", "Auditor", "agency_system", "auditor "] {
            assert!(text.parse::<Role>().is_err(), "{text:?}");
        }
    }
}
