//! Operators: the people who administer and audit, known by signed tokens (JWT, RFC 7519).
//!
//! [`Operators`] turns a token into an [`Operator`]; [`allow`] is the one table of who may call what. Nobody is an
//! operator by the network they come from.
//!
//! What is checked of every token: its signature under a key whose algorithm is pinned, issuer, audience, subject,
//! `exp`, `nbf` and `iat` by the gateway's clock, and that it does not live longer than the configuration allows
//! (RFC 8725).

pub mod allow;
pub mod enrolment_token;
pub mod guard;
mod issuers;
mod jwks;
pub mod jwt;
mod role;
pub mod token;

use std::collections::BTreeSet;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::AgencyCode;
use passerelle_proto::wire;

pub use allow::Rpc;
pub use issuers::{IssuerError, Operators};
pub use role::Role;

/// A person whose token was verified. Only [`Operators::authenticate`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    issuer: String,
    subject: String,
    roles: BTreeSet<Role>,
    agency: Option<AgencyCode>,
    expires: Timestamp,
}

impl Operator {
    /// `issuer|subject`: the person, as events name them. Two tokens of one person give the same name, and no two
    /// persons have one: an issuer has no `|` in it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}|{}", self.issuer, self.subject)
    }

    /// What the person may do.
    #[must_use]
    pub fn roles(&self) -> &BTreeSet<Role> {
        &self.roles
    }

    /// The agency that the person acts for; `None` for the staff of the platform.
    #[must_use]
    pub fn agency(&self) -> Option<&AgencyCode> {
        self.agency.as_ref()
    }

    /// End of the token.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Whether one of the person's roles is among `roles` and reaches one of `agencies`, the agencies that the matter
    /// is about. Who acts for an agency reaches that agency alone; a role held within an agency reaches nothing
    /// without one.
    #[must_use]
    pub fn reaches(&self, roles: &[Role], agencies: &[&AgencyCode]) -> bool {
        let holds = |role: &Role| self.roles.contains(role);
        match &self.agency {
            Some(agency) => roles.iter().any(holds) && agencies.contains(&agency),
            None => roles.iter().any(|role| holds(role) && !role.is_of_an_agency()),
        }
    }

    /// The actor of events that this person causes.
    #[must_use]
    pub fn actor(&self) -> wire::Actor {
        wire::Actor {
            actor: Some(wire::actor::Actor::Operator(self.name())),
            tls_certificate: bytes::Bytes::new(),
            roles: self.roles.iter().map(ToString::to_string).collect(),
        }
    }
}
