//! One webhook as it is configured.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;

use crate::systems::Caller;

/// Which agreements' records a webhook has: each agreement has one webhook at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Covers {
    /// These.
    Only(BTreeSet<String>),
    /// All, `"*"`, but those that other webhooks name.
    AllBut(BTreeSet<String>),
}

impl Covers {
    /// Whether records of this agreement are its.
    #[must_use]
    pub fn has(&self, agreement: &str) -> bool {
        match self {
            Self::Only(names) => names.contains(agreement),
            Self::AllBut(others) => !others.contains(agreement),
        }
    }

    /// Whether the caller is bound to an agreement of these.
    #[must_use]
    pub fn is_shown_to(&self, caller: &Caller) -> bool {
        match self {
            Self::Only(names) => names.iter().any(|agreement| caller.sees(agreement)),
            Self::AllBut(_) => true,
        }
    }
}

/// What is posted.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// The content, with what is said about it in header fields.
    Content,
    /// JSON, the content in base64: all of it is signed.
    Json,
}

/// One webhook.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Its name.
    pub name: String,
    /// Where to post: https, or http on this machine.
    pub url: Uri,
    /// File of the secret that signs.
    pub secret_file: PathBuf,
    /// Which agreements' records.
    pub covers: Covers,
    /// Authorities of the server's certificate, PEM; none: the system's.
    pub ca_file: Option<PathBuf>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Attempts at a time.
    pub at_once: usize,
    /// Longer contents are not posted, only told of.
    pub content_bytes_max: u64,
    /// Attempts before a record is given up.
    pub attempts_max: u32,
    /// How long a record is tried before it is given up.
    pub give_up_after: Duration,
    /// What is posted.
    pub format: Format,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn settings(name: &str, attempts_max: u32, give_up_after: Duration) -> WebhookSettings {
        WebhookSettings {
            name: name.to_owned(),
            url: Uri::from_static("http://127.0.0.1:9/"),
            secret_file: PathBuf::new(),
            covers: Covers::AllBut(BTreeSet::new()),
            ca_file: None,
            timeout: Duration::from_secs(5),
            at_once: 1,
            content_bytes_max: 1_024,
            attempts_max,
            give_up_after,
            format: Format::Content,
        }
    }
}
