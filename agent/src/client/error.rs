//! Why a request to the local interface had no good answer; people read these.

use std::io;
use std::path::PathBuf;

use crate::local::model::Problem;

/// Why there is no answer, or which refusal it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody answers there.
    #[error(
        "l'agent ne répond pas à {endpoint} ; est-il démarré (passerelle-agent serve) sous cette configuration ? / \
         the agent does not answer at {endpoint}; does it run (passerelle-agent serve) under this configuration?"
    )]
    NotReached {
        /// Where.
        endpoint: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The token of the local interface cannot be read.
    #[error(
        "{} : le jeton local ne peut être lu ; démarrez l'agent (passerelle-agent serve), qui le crée, et lancez cette \
         commande sous un utilisateur qui peut le lire / the local token cannot be read; start the agent \
         (passerelle-agent serve), which makes it, and run this command as a user who may read it", .path.display()
    )]
    Token {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The agent said no, and why.
    #[error("{}", shown(.0))]
    Refused(Box<Problem>),
    /// The connection broke, or the body could not be read to its end.
    #[error(
        "la connexion à l'agent s'est rompue ; recommencez, et voyez son journal / \
         the connection to the agent broke; try again, and see its log"
    )]
    Broken(#[source] hyper::Error),
    /// Nothing moves any more.
    #[error(
        "l'agent ne donne plus rien ; voyez son journal / nothing comes from the agent any more; see its log"
    )]
    Stalled,
    /// The answer is none of this interface.
    #[error(
        "réponse {status} inattendue : autre chose que l'agent répond là ? / \
         unexpected answer {status}: does something else than the agent answer there?"
    )]
    Unreadable {
        /// HTTP status.
        status: u16,
        /// What is wrong with it.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// The answer is longer than this interface gives.
    #[error("réponse de plus de {0} octets / answer of more than {0} bytes")]
    TooLong(usize),
    /// A field of the request cannot be sent.
    #[error(
        "« {0} » contient des caractères qui ne peuvent être transmis / holds characters that cannot be sent"
    )]
    Field(&'static str),
}

fn shown(problem: &Problem) -> String {
    let clean = |text: &str| {
        text.chars().filter(|letter| !letter.is_control() || *letter == '\n').collect::<String>()
    };
    let fact = problem.fact.as_deref().map(|fact| format!(" ({})", clean(fact))).unwrap_or_default();
    format!("{}{fact} : {}\n{}", clean(&problem.code), clean(&problem.detail), clean(&problem.detail_en))
}
