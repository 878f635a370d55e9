//! What is wrong with a configuration, as its author reads it: key, fact, what to do; French, then English.

use std::fmt;
use std::path::{Path, PathBuf};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where, as in `local.listen`; empty when it is about the whole file.
    pub key: String,
    /// What is wrong and what to do, in French.
    pub fr: String,
    /// The same in English.
    pub en: String,
}

impl Mistake {
    pub(super) fn new(key: impl Into<String>, fr: impl Into<String>, en: impl Into<String>) -> Self {
        Self { key: key.into(), fr: fr.into(), en: en.into() }
    }
}

/// Every mistake of a configuration file. The author of the file is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    path: PathBuf,
    mistakes: Vec<Mistake>,
}

impl ConfigError {
    pub(super) fn new(path: &Path, mistakes: Vec<Mistake>) -> Self {
        Self { path: path.to_owned(), mistakes }
    }

    pub(super) fn one(path: &Path, mistake: Mistake) -> Self {
        Self::new(path, vec![mistake])
    }

    /// The mistakes, in the order in which they were found.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.mistakes.len();
        write!(f, "{} : {count} erreur(s) / {count} mistake(s)", self.path.display())?;
        for mistake in &self.mistakes {
            let key = if mistake.key.is_empty() { "-" } else { &mistake.key };
            write!(f, "\n  {key}\n    fr : {}\n    en : {}", mistake.fr, mistake.en)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
