//! What is wrong with a configuration, as its author reads it: key, fact, what to do; French, then English.

use std::fmt;
use std::path::{Path, PathBuf};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where, as in `limits.header_skew_max_s`; empty when it is about the whole file.
    pub key: String,
    /// What is wrong and what to do, in French.
    pub fr: String,
    /// The same in English.
    pub en: String,
}

impl Mistake {
    /// A mistake at `key`.
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

    pub(super) fn unreadable(path: &Path, source: &std::io::Error) -> Self {
        let mistake = Mistake::new(
            "",
            format!("le fichier ne peut être lu ({source}); donner son chemin avec --config"),
            format!("the file cannot be read ({source}); give its path with --config"),
        );
        Self::new(path, vec![mistake])
    }

    pub(super) fn not_text(path: &Path) -> Self {
        let mistake = Mistake::new(
            "",
            "le fichier n'est pas du texte UTF-8; l'enregistrer en UTF-8",
            "the file is not UTF-8 text; save it as UTF-8",
        );
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
