//! How a command fails: what went wrong with all its causes, in one place.

use std::error::Error;
use std::fmt;

use tonic::{Code, Status};

use crate::config::ConfigError;
use crate::serve::ServeError;

/// Why a command did not do what it was asked; what people read.
#[derive(Debug)]
pub(super) struct Failure(String);

impl Failure {
    pub(super) fn new(fr: &str, en: &str) -> Self {
        Self(format!("erreur : {fr}\nerror: {en}"))
    }

    /// A failure to do something to a file, with its cause.
    pub(super) fn file(path: &std::path::Path, error: &dyn Error) -> Self {
        Self(format!("{} : {}", path.display(), chain(error)))
    }

    /// An error that speaks both languages itself.
    pub(super) fn of(error: &dyn Error) -> Self {
        Self(chain(error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self(error.to_string())
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        Self(chain(&error))
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let code = match status.code() {
            Code::Unauthenticated => "jeton refusé / token refused",
            Code::PermissionDenied => "non autorisé / not allowed",
            Code::NotFound => "introuvable / not found",
            Code::AlreadyExists => "existe déjà / exists already",
            Code::InvalidArgument => "demande incorrecte / incorrect request",
            Code::FailedPrecondition => "impossible dans cet état / not in this state",
            Code::Unavailable => "passerelle inaccessible ou occupée / gateway unreachable or busy",
            _ => "échec / failure",
        };
        Self(format!("{code}\n{}", status.message()))
    }
}

/// An error and its causes, one a line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str("\n  ← ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
