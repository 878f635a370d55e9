//! One-time enrolment tokens: that one was issued, and that it was used.

use passerelle_pki::name::AgentId;

/// A token that was issued. Its secret part is its signature, which nobody keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Whom it enrols.
    pub agent: AgentId,
    /// Certificates were issued for it.
    pub used: bool,
}
