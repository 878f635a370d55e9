//! The commands of the house in one executable: `sandbox as gateway serve …` is `passerelle-gateway serve …`.

use std::ffi::OsString;
use std::process::ExitCode;

/// A command of the house.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// `passerelle-pki`.
    Pki,
    /// `passerelle-gateway`.
    Gateway,
    /// `passerelle-agent`.
    Agent,
    /// `passerelle-verify`.
    Verify,
    /// What the bench measures beside the gateway.
    Echo,
}

impl Role {
    const ALL: [Self; 5] = [Self::Pki, Self::Gateway, Self::Agent, Self::Verify, Self::Echo];

    /// The word after `as`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pki => "pki",
            Self::Gateway => "gateway",
            Self::Agent => "agent",
            Self::Verify => "verify",
            Self::Echo => "echo",
        }
    }

    /// The name of the command itself.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Pki => "passerelle-pki",
            Self::Gateway => "passerelle-gateway",
            Self::Agent => "passerelle-agent",
            Self::Verify => "passerelle-verify",
            Self::Echo => "echo",
        }
    }

    fn run(self, arguments: Vec<OsString>) -> ExitCode {
        match self {
            Self::Pki => passerelle_pki::run(arguments),
            Self::Gateway => passerelle_gateway::run(arguments),
            Self::Agent => passerelle_agent::run(arguments),
            Self::Verify => passerelle_verify::run(arguments.into_iter()),
            Self::Echo => crate::bench::echo::run(&arguments),
        }
    }
}

/// Runs this process as another command of the house when its arguments say `as ROLE …`.
#[must_use]
pub fn dispatch(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != "as" {
        return None;
    }
    let word = arguments.next()?;
    let role = Role::ALL.into_iter().find(|role| word == role.word())?;
    let program = OsString::from(role.program());
    Some(role.run(std::iter::once(program).chain(arguments).collect()))
}
