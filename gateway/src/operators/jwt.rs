//! JSON Web Tokens (RFC 7519), signed and verified by `jsonwebtoken`, judged by the gateway's clock.
//!
//! One way in for every token of the gateway: operators', one-time enrolment tokens, readings. Each kind has an
//! audience, a type header and (for our own) a key of its own, so that none passes for another (RFC 8725, 3.9 to 3.12).

use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::{Ed25519Key, KeyId, PublicKey};
use serde_json::{Map, Value};

/// Bytes that a token may have.
pub const TOKEN_LIMIT: usize = 16 * 1024;
/// Bytes that an issuer, a subject or an id may have.
pub const CLAIM_LIMIT: usize = 200;

/// Why a token is not believed. The one who shows it is at fault, except for [`TokenError::Signing`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Longer than [`TOKEN_LIMIT`].
    #[error("the token is too long")]
    TooLong,
    /// Not a token: not three parts, not base64url, not JSON, or an algorithm that is none.
    #[error("this is not a token")]
    Malformed,
    /// The token's type is not the one expected here.
    #[error("the token is of another type")]
    Type,
    /// The header has parts that must be understood and are not (RFC 7515, 4.1.11).
    #[error("the token has critical headers that are not known here")]
    Critical,
    /// The key is not known, or the token names none.
    #[error("the token's key is not known here")]
    Key,
    /// The algorithm is not the one that the key is for.
    #[error("the token's algorithm is not that of its key")]
    Algorithm,
    /// The signature does not hold.
    #[error("the token's signature is wrong")]
    Signature,
    /// Made by another issuer.
    #[error("the token is of another issuer")]
    Issuer,
    /// Made for another audience.
    #[error("the token is for another audience")]
    Audience,
    /// A claim is missing or does not have its form.
    #[error("the claim `{0}` is missing or malformed")]
    Claim(&'static str),
    /// The period has ended.
    #[error("the token expired on {0}")]
    Expired(Timestamp),
    /// The period has not begun.
    #[error("the token is not valid before {0}")]
    NotYet(Timestamp),
    /// The token lives longer than the configuration allows.
    #[error("the token is valid for longer than {} s", .0.as_secs())]
    LivesTooLong(Duration),
    /// Ours: the token could not be signed.
    #[error("the token could not be signed")]
    Signing,
}

/// What a token must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// `aud`, or one of them.
    pub audience: &'a str,
    /// `typ` of the header; `None` takes any, for tokens of other issuers.
    pub typ: Option<&'a str>,
    /// Clock difference that is borne with.
    pub leeway: Duration,
    /// Longest remaining life.
    pub lifetime_max: Duration,
}

/// A key that verifies tokens, with the one algorithm that it is for.
#[derive(Clone)]
pub struct VerifyingKey {
    key: DecodingKey,
    algorithm: Algorithm,
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyingKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl VerifyingKey {
    pub(super) fn new(key: DecodingKey, algorithm: Algorithm) -> Self {
        Self { key, algorithm }
    }

    /// An Ed25519 key of our own (RFC 8037).
    #[must_use]
    pub fn ed25519(key: &PublicKey) -> Self {
        Self { key: DecodingKey::from_ed_der(key.raw()), algorithm: Algorithm::EdDSA }
    }
}

/// A token whose signature, issuer, audience and period were checked.
#[derive(Clone, Debug)]
pub struct Claims {
    /// `sub`: see [`text`].
    pub subject: String,
    /// `exp`.
    pub expires: Timestamp,
    /// All claims.
    pub all: Map<String, Value>,
}

/// The key id that a token names. A hint: it selects a key, it proves nothing.
///
/// # Errors
/// [`TokenError::Malformed`] when it is no token, [`TokenError::TooLong`], or [`TokenError::Key`] when it names none.
pub fn key_hint(token: &str) -> Result<String, TokenError> {
    if token.len() > TOKEN_LIMIT {
        return Err(TokenError::TooLong);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_error| TokenError::Malformed)?;
    header.kid.filter(|kid| kid.len() <= CLAIM_LIMIT).ok_or(TokenError::Key)
}

/// Verifies a token.
///
/// # Errors
/// See [`TokenError`]; nothing of the token may be believed then.
pub fn verify(
    token: &str,
    key: &VerifyingKey,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<Claims, TokenError> {
    if token.len() > TOKEN_LIMIT {
        return Err(TokenError::TooLong);
    }
    let mut validation = Validation::new(key.algorithm);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The library would ask the system for the time; ours is the clock that we were given, below.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let data = jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &validation)
        .map_err(|error| blame(error.kind()))?;
    if data.header.crit.is_some() {
        return Err(TokenError::Critical);
    }
    if expected.typ.is_some() && data.header.typ.as_deref() != expected.typ {
        return Err(TokenError::Type);
    }
    let all = data.claims;
    // The library takes a list of issuers too; a token has one.
    if all.get("iss").and_then(Value::as_str) != Some(expected.issuer) {
        return Err(TokenError::Issuer);
    }
    let subject = text(&all, "sub").ok_or(TokenError::Claim("sub"))?.to_owned();
    let expires = period(&all, expected, now)?;
    Ok(Claims { subject, expires, all })
}

/// A text claim that is not empty, not over [`CLAIM_LIMIT`] and without control characters.
#[must_use]
pub fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    let text = claims.get(name)?.as_str()?;
    let fits = !text.is_empty() && text.len() <= CLAIM_LIMIT && !text.chars().any(char::is_control);
    fits.then_some(text)
}

/// Signs claims with a key of our own (EdDSA).
///
/// # Errors
/// [`TokenError::Signing`] when the key cannot be used.
pub fn sign(key: &Ed25519Key, typ: &str, claims: &Map<String, Value>) -> Result<String, TokenError> {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(typ.to_owned());
    header.kid = Some(kid(key.public_key().key_id()));
    let key = EncodingKey::from_ed_der(&key.to_pkcs8());
    jsonwebtoken::encode(&header, claims, &key).map_err(|_error| TokenError::Signing)
}

/// How our own tokens name their key.
#[must_use]
pub fn kid(key: KeyId) -> String {
    key.to_string()
}

fn period(
    claims: &Map<String, Value>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<Timestamp, TokenError> {
    let expires = moment(claims, "exp")?.ok_or(TokenError::Claim("exp"))?;
    if expires.plus(expected.leeway) <= now {
        return Err(TokenError::Expired(expires));
    }
    for name in ["nbf", "iat"] {
        match moment(claims, name)? {
            Some(start) if start > now.plus(expected.leeway) => return Err(TokenError::NotYet(start)),
            _ => {}
        }
    }
    if expires > now.plus(expected.lifetime_max).plus(expected.leeway) {
        return Err(TokenError::LivesTooLong(expected.lifetime_max));
    }
    Ok(expires)
}

/// A NumericDate (RFC 7519, 2): seconds. A fraction, which no issuer we know writes, is refused.
fn moment(claims: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, TokenError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_u64().ok_or(TokenError::Claim(name))?;
    Ok(Some(Timestamp::from_seconds(seconds)))
}

fn blame(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::MissingRequiredClaim(claim) => TokenError::Claim(match claim.as_str() {
            "exp" => "exp",
            "iss" => "iss",
            "aud" => "aud",
            _ => "sub",
        }),
        _ => TokenError::Malformed,
    }
}
