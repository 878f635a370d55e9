//! The people who run a network, each with a role and a token of their own: nobody does everything alone.

use std::path::PathBuf;

use anyhow::Context;

use super::Network;
use super::agreements::RAMQ;
use crate::roles::Role;

/// An operator of the sandbox.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operator {
    /// Registers agencies and issues enrolment tokens.
    Admin,
    /// Approves what the first admin registered.
    SecondAdmin,
    /// Suspends and revokes.
    Security,
    /// Resumes what the first suspended.
    SecondSecurity,
    /// Proposes agreements.
    AgreementOfficer,
    /// Activates and revokes agreements.
    SigningAuthority,
    /// Records the Commission's dates.
    PrivacyOfficer,
    /// Reads the log.
    Auditor,
}

impl Operator {
    /// Everyone.
    pub const ALL: [Self; 8] = [
        Self::Admin,
        Self::SecondAdmin,
        Self::Security,
        Self::SecondSecurity,
        Self::AgreementOfficer,
        Self::SigningAuthority,
        Self::PrivacyOfficer,
        Self::Auditor,
    ];

    /// Name in tokens and in the log.
    #[must_use]
    pub fn subject(self) -> &'static str {
        match self {
            Self::Admin => "amelie",
            Self::SecondAdmin => "bernard",
            Self::Security => "chloe",
            Self::SecondSecurity => "david",
            Self::AgreementOfficer => "elise",
            Self::SigningAuthority => "felix",
            Self::PrivacyOfficer => "gabrielle",
            Self::Auditor => "hugo",
        }
    }

    fn role(self) -> &'static str {
        match self {
            Self::Admin | Self::SecondAdmin => "platform_admin",
            Self::Security | Self::SecondSecurity => "security_operator",
            Self::AgreementOfficer => "agreement_officer",
            Self::SigningAuthority => "signing_authority",
            Self::PrivacyOfficer => "privacy_officer",
            Self::Auditor => "auditor",
        }
    }
}

impl Operator {
    /// The agency within which a role is held: the sandbox's agreements all have the RAMQ as a party.
    fn agency(self) -> Option<&'static str> {
        match self {
            Self::AgreementOfficer | Self::SigningAuthority | Self::PrivacyOfficer => Some(RAMQ.code),
            _ => None,
        }
    }
}

impl Network {
    /// The file with an operator's token.
    #[must_use]
    pub fn token_file(&self, operator: Operator) -> PathBuf {
        self.folder().join("operateurs").join(format!("{}.jwt", operator.subject()))
    }

    /// Makes every operator's token, as the gateway's host would.
    pub(super) fn issue_operator_tokens(&self) -> anyhow::Result<()> {
        std::fs::create_dir_all(self.folder().join("operateurs"))?;
        for operator in Operator::ALL {
            let config = self.gateway_config();
            let arguments = ["operator", "token", "--subject", operator.subject(), "--role", operator.role()];
            let mut arguments: Vec<_> = arguments.map(Into::into).to_vec();
            arguments.extend(["--config".into(), config.into_os_string()]);
            arguments
                .extend(operator.agency().into_iter().flat_map(|agency| ["--agency".into(), agency.into()]));
            let token = self.program().run(Role::Gateway, &arguments)?;
            let token = token.lines().last().context("a token")?;
            std::fs::write(self.token_file(operator), token)?;
        }
        Ok(())
    }

    /// Runs a command of the gateway as an operator, over its public listener; gives what it printed.
    ///
    /// # Errors
    /// When the command does not end well; with what it said.
    pub fn operate(&self, operator: Operator, arguments: &[&str]) -> anyhow::Result<String> {
        let mut all: Vec<std::ffi::OsString> = arguments.iter().map(Into::into).collect();
        all.extend(["--config".into(), self.gateway_config().into_os_string()]);
        all.extend(["--token-file".into(), self.token_file(operator).into_os_string()]);
        self.program().run(Role::Gateway, &all)
    }
}
