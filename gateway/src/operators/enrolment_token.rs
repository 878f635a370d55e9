//! One-time enrolment tokens (JWT, EdDSA, a key of their own): they name one agent and live an hour at most. That one
//! was used is a fact of the state, not of the token.

use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::Ed25519Key;
use passerelle_pki::name::AgentId;
use serde_json::{Map, json};

use super::jwt::{self, Expected, TokenError, VerifyingKey};

/// `typ` of the header.
pub const TYPE: &str = "passerelle-enrolment+jwt";
/// Longest life of a token.
pub const LIFETIME_MAX: Duration = Duration::from_secs(3_600);
/// Life of a token when nobody says otherwise.
pub const LIFETIME: Duration = Duration::from_secs(900);

/// What a token lets its bearer do, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentGrant {
    /// Whom it enrols.
    pub agent: AgentId,
    /// Its id, 32 hexadecimal digits.
    pub id: String,
}

/// Makes a token for `grant`, in the name of the gateway called `issuer`.
///
/// # Errors
/// [`TokenError::Signing`].
pub fn issue(
    key: &Ed25519Key,
    issuer: &str,
    grant: &EnrolmentGrant,
    lifetime: Duration,
    now: Timestamp,
) -> Result<String, TokenError> {
    let expires = now.plus(lifetime.min(LIFETIME_MAX));
    let claims = [
        ("iss", json!(issuer)),
        ("aud", json!(issuer)),
        ("sub", json!(grant.agent.to_string())),
        ("jti", json!(grant.id)),
        ("iat", json!(now.as_seconds())),
        ("exp", json!(expires.as_seconds())),
    ];
    let claims: Map<_, _> = claims.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    jwt::sign(key, TYPE, &claims)
}

/// Verifies a token.
///
/// # Errors
/// [`TokenError`]; nothing of the token may be believed then.
pub fn verify(
    token: &str,
    key: &Ed25519Key,
    issuer: &str,
    now: Timestamp,
) -> Result<EnrolmentGrant, TokenError> {
    let expected = Expected {
        issuer,
        audience: issuer,
        typ: Some(TYPE),
        leeway: Duration::ZERO,
        lifetime_max: LIFETIME_MAX,
    };
    let claims = jwt::verify(token, &VerifyingKey::ed25519(key.public_key()), &expected, now)?;
    let agent = claims.subject.parse().map_err(|_error| TokenError::Claim("sub"))?;
    let id = jwt::text(&claims.all, "jti").ok_or(TokenError::Claim("jti"))?.to_owned();
    Ok(EnrolmentGrant { agent, id })
}
