//! What the judge trusts. It comes from the judge's own files, never from the evidence.

use passerelle_pki::certificate::TrustAnchor;

use crate::timestamp::Authorities;
use crate::tlog::Policy;

/// What the judge trusts.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Keys of logs, witnesses and their quorum.
    pub log: Policy,
    /// Root certificates of the agencies' trust domain.
    pub roots: Vec<TrustAnchor>,
    /// Roots of time-stamp authorities; may be empty.
    pub authorities: Authorities,
}
