//! How a command fails: what went wrong with all its causes, and what to do, in one place.

use std::error::Error;
use std::fmt;
use std::path::Path;

use crate::client::ClientError;
use crate::config::ConfigError;

/// Why a command did not do what it was asked; what people read.
#[derive(Debug)]
pub(super) struct Failure(String);

impl Failure {
    /// In our own words.
    pub(super) fn new(fr: &str, en: &str) -> Self {
        Self(format!("erreur : {fr}\nerror: {en}"))
    }

    /// A failure to do something to a file, with its cause.
    pub(super) fn file(path: &Path, error: &dyn Error) -> Self {
        Self(format!("{} : {}", path.display(), causes(error)))
    }

    /// An error that speaks both languages itself.
    pub(super) fn of(error: &dyn Error) -> Self {
        Self(causes(error))
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

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::of(&error)
    }
}

/// An error and its causes, one a line.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str("\n  ← ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
