//! Operators' tokens of the local issuer: made from the data directory, by whoever may read its key.
//!
//! For bootstrap and the sandbox; in production people come from an identity provider (`[[operators.oidc]]`) and
//! `operators.local` is `false`.

use std::collections::BTreeSet;
use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::Ed25519Key;
use passerelle_pki::name::AgencyCode;
use serde_json::{Map, Value, json};

use super::Role;
use super::jwt::{self, CLAIM_LIMIT, TokenError};

/// `typ` of the header.
pub const TYPE: &str = "passerelle-operator+jwt";

/// Who is given which roles.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The person.
    pub subject: String,
    /// At least one.
    pub roles: BTreeSet<Role>,
    /// The person's agency; needed for roles that are held within an agency.
    pub agency: Option<AgencyCode>,
    /// How long the token is valid.
    pub lifetime: Duration,
}

/// Why a grant is none. Whoever asks for the token is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// Empty, too long, or with control characters.
    #[error("sujet : 1 à {CLAIM_LIMIT} octets imprimables / subject: 1 to {CLAIM_LIMIT} printable bytes")]
    Subject,
    /// No role at all.
    #[error("donner au moins un rôle avec --role / give at least one role with --role")]
    NoRole,
    /// The role is held within an agency, and none is given.
    #[error("le rôle {0} demande --agency / the role {0} needs --agency")]
    NoAgency(Role),
    /// The token could not be signed.
    #[error("le jeton n'a pu être signé / the token could not be signed")]
    Token(#[source] TokenError),
}

/// Makes a token for `grant` in the name of `issuer`, for `audience`.
///
/// # Errors
/// See [`GrantError`].
pub fn issue(
    key: &Ed25519Key,
    (issuer, audience): (&str, &str),
    grant: &Grant,
    now: Timestamp,
) -> Result<String, GrantError> {
    let subject = &grant.subject;
    if subject.is_empty() || subject.len() > CLAIM_LIMIT || subject.chars().any(char::is_control) {
        return Err(GrantError::Subject);
    }
    if grant.roles.is_empty() {
        return Err(GrantError::NoRole);
    }
    if grant.agency.is_none()
        && let Some(role) = grant.roles.iter().find(|role| role.is_of_an_agency())
    {
        return Err(GrantError::NoAgency(*role));
    }
    let mut claims = Map::new();
    let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    claim("iss", json!(issuer));
    claim("aud", json!(audience));
    claim("sub", json!(subject));
    claim("iat", json!(now.as_seconds()));
    claim("nbf", json!(now.as_seconds()));
    claim("exp", json!(now.plus(grant.lifetime).as_seconds()));
    claim("roles", grant.roles.iter().map(|role| role.as_str()).collect());
    if let Some(agency) = &grant.agency {
        claim("agency", json!(agency.as_str()));
    }
    jwt::sign(key, TYPE, &claims).map_err(GrantError::Token)
}
