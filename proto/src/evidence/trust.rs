//! What the judge trusts. It comes from the judge's own files, never from the evidence.

use passerelle_pki::certificate::TrustAnchor;

use super::policy::LogPolicy;
use crate::timestamp::Authorities;
use crate::tlog::NoteVerifier;

/// What the judge trusts.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Keys of logs, witnesses and their quorum.
    pub log: LogPolicy,
    /// Root certificates of the agencies' trust domain.
    pub roots: Vec<TrustAnchor>,
    /// Roots of time-stamp authorities; may be empty.
    pub authorities: Authorities,
}

impl Trust {
    pub(super) fn logs(&self) -> &[NoteVerifier] {
        self.log.logs()
    }
}
