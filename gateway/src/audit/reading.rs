//! Reading tokens: for a few minutes, the whole log over HTTP, entries included.

use std::time::Duration;

use passerelle_pki::clock::{SharedClock, Timestamp};
use passerelle_pki::key::Ed25519Key;
use serde_json::{Map, json};

use crate::operators::jwt::{self, Expected, TokenError, VerifyingKey};
use crate::rpc::publication::OpensEntries;

/// `typ` of the header.
const TYPE: &str = "passerelle-reading+jwt";
/// Life of a token.
const LIFETIME: Duration = Duration::from_secs(600);

/// Makes a token for the reader called `subject`; gives it with its end.
pub(super) fn issue(
    key: &Ed25519Key,
    issuer: &str,
    subject: &str,
    now: Timestamp,
) -> Result<(String, Timestamp), TokenError> {
    let expires = now.plus(LIFETIME);
    let claims = [
        ("iss", json!(issuer)),
        ("aud", json!(issuer)),
        ("sub", json!(subject)),
        ("iat", json!(now.as_seconds())),
        ("exp", json!(expires.as_seconds())),
    ];
    let claims: Map<_, _> = claims.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok((jwt::sign(key, TYPE, &claims)?, expires))
}

/// Whether a bearer token opens the entries now.
#[must_use]
pub fn opens(key: &Ed25519Key, issuer: String, clock: SharedClock) -> OpensEntries {
    let key = VerifyingKey::ed25519(key.public_key());
    std::sync::Arc::new(move |token| {
        let expected = Expected {
            issuer: &issuer,
            audience: &issuer,
            typ: Some(TYPE),
            leeway: Duration::ZERO,
            lifetime_max: LIFETIME,
        };
        jwt::verify(token, &key, &expected, clock.now()).is_ok()
    })
}
