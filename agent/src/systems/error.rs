//! Why a caller is refused, and why the systems of a configuration cannot serve.

use super::{Action, TokenError};

/// What a caller may not do. The caller's, or the administrator's who bound it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallerError {
    /// Another agreement or purpose than it is bound to.
    #[error(
        "le système {system} n'est lié ni à l'entente {agreement} ni à la finalité {purpose} ensemble; l'administrateur de l'agent \
         peut l'y lier dans [systems.{system}] / the system {system} is not bound to the agreement {agreement} with the \
         purpose {purpose}; the agent's administrator can bind it in [systems.{system}]"
    )]
    NotBound {
        /// The system.
        system: String,
        /// The agreement asked for.
        agreement: String,
        /// The purpose, `*` when none was looked at.
        purpose: String,
    },
    /// An action that it has no right to.
    #[error(
        "le système {system} n'a pas le droit « {} »; l'administrateur de l'agent peut le lui donner dans [systems.{system}] may / \
         the system {system} has no right to \"{}\"; the agent's administrator can give it in [systems.{system}] may",
        .action.word(), .action.word()
    )]
    NotAllowed {
        /// The system.
        system: String,
        /// What it wanted to do.
        action: Action,
    },
}

/// Why nobody knows who asks.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unidentified {
    /// No token, or a wrong one.
    #[error("no token, or a wrong one")]
    Token,
    /// The client's certificate is nobody's.
    #[error("the client's certificate is bound to no system")]
    Certificate,
    /// The Unix user is nobody's, and shows no token.
    #[error("the Unix user {0} is bound to no system")]
    User(u32),
    /// What was shown is of two systems.
    #[error("what was shown is of two systems")]
    Two,
}

/// Why the systems cannot serve. The agent's administrator is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SystemsError {
    /// A token.
    #[error("le jeton de « {system} » / the token of \"{system}\"")]
    Token {
        /// Whose.
        system: String,
        /// What is wrong with it.
        #[source]
        source: TokenError,
    },
    /// Two have the same token.
    #[error(
        "« {0} » et « {1} » ont le même jeton; supprimer l'un des fichiers, l'agent en refera un / \"{0}\" and \"{1}\" have \
         the same token; delete one of the files, the agent will make another"
    )]
    SameToken(String, String),
}
