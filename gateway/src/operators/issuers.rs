//! Whose tokens are believed: the local issuer and the identity providers, each with its own keys and audience.

use std::collections::BTreeSet;
use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::PublicKey;
use passerelle_pki::name::AgencyCode;
use serde_json::{Map, Value};

use super::jwks::Jwks;
use super::jwt::{self, Claims, Expected, TokenError, VerifyingKey};
use super::{Operator, Role, token};
use crate::config;

/// Roles that a token may list; what goes beyond is no token of ours.
const ROLES_LIMIT: usize = 256;

/// Why the issuers could not be set up. The operator is at fault.
#[derive(Debug, thiserror::Error)]
#[error("clés de l'émetteur {issuer} / keys of the issuer {issuer}")]
pub struct IssuerError {
    issuer: String,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// The issuers whose tokens are believed.
#[derive(Debug)]
pub struct Operators {
    local: Option<Local>,
    providers: Vec<Provider>,
    leeway: Duration,
    lifetime_max: Duration,
}

#[derive(Debug)]
struct Local {
    issuer: String,
    audience: String,
    kid: String,
    key: VerifyingKey,
}

#[derive(Debug)]
struct Provider {
    issuer: String,
    audience: String,
    keys: Jwks,
    roles_claim: Vec<String>,
    agency_claim: Vec<String>,
}

impl Operators {
    /// The issuers of the configuration. `local_key` is the public half of the local issuer's key.
    ///
    /// # Errors
    /// [`IssuerError`] when a provider's keys cannot be read.
    pub fn new(config: &config::Operators, local_key: &PublicKey) -> Result<Self, IssuerError> {
        let local = config.local_issuer.clone().map(|issuer| Local {
            issuer,
            audience: config.audience.clone(),
            kid: jwt::kid(local_key.key_id()),
            key: VerifyingKey::ed25519(local_key),
        });
        let mut providers = Vec::with_capacity(config.oidc.len());
        for provider in &config.oidc {
            let keys = Jwks::open(&provider.jwks_file).map_err(|source| IssuerError {
                issuer: provider.issuer.clone(),
                source: Box::new(source),
            })?;
            let path = |claim: &str| claim.split('.').map(str::to_owned).collect();
            providers.push(Provider {
                issuer: provider.issuer.clone(),
                audience: provider.audience.clone(),
                keys,
                roles_claim: path(&provider.roles_claim),
                agency_claim: path(&provider.agency_claim),
            });
        }
        Ok(Self { local, providers, leeway: config.leeway, lifetime_max: config.lifetime_max })
    }

    /// The person whom a token speaks for. Blocking, shortly: it looks whether a provider's file has changed.
    ///
    /// # Errors
    /// [`TokenError`] when it is not believed.
    pub fn authenticate(&self, token: &str, now: Timestamp) -> Result<Operator, TokenError> {
        let kid = jwt::key_hint(token)?;
        if let Some(local) = self.local.as_ref().filter(|local| local.kid == kid) {
            let expected = self.expected(&local.issuer, &local.audience, Some(token::TYPE));
            let claims = jwt::verify(token, &local.key, &expected, now)?;
            return operator(&local.issuer, &claims, &["roles"], &["agency"]);
        }
        // Two providers may have keys of one name: signature and issuer tell whose token it is.
        let mut refusal = TokenError::Key;
        for provider in &self.providers {
            let Some(key) = provider.keys.find(&kid) else { continue };
            let expected = self.expected(&provider.issuer, &provider.audience, None);
            match jwt::verify(token, &key, &expected, now) {
                Ok(claims) => {
                    let (roles, agency) = (&provider.roles_claim, &provider.agency_claim);
                    return operator(&provider.issuer, &claims, roles, agency);
                }
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    fn expected<'a>(&self, issuer: &'a str, audience: &'a str, typ: Option<&'a str>) -> Expected<'a> {
        Expected { issuer, audience, typ, leeway: self.leeway, lifetime_max: self.lifetime_max }
    }
}

fn operator<T: AsRef<str>>(
    issuer: &str,
    claims: &Claims,
    roles_claim: &[T],
    agency_claim: &[T],
) -> Result<Operator, TokenError> {
    let listed = match at(&claims.all, roles_claim) {
        None => &[][..],
        Some(Value::Array(listed)) if listed.len() <= ROLES_LIMIT => listed,
        Some(_) => return Err(TokenError::Claim("roles")),
    };
    // A provider's token lists roles of other systems too: those that are not ours give nothing.
    let roles: BTreeSet<Role> =
        listed.iter().filter_map(Value::as_str).filter_map(|role| role.parse().ok()).collect();
    let agency = match at(&claims.all, agency_claim) {
        None => None,
        Some(Value::String(code)) => {
            Some(AgencyCode::try_from(code.as_str()).map_err(|_error| TokenError::Claim("agency"))?)
        }
        Some(_) => return Err(TokenError::Claim("agency")),
    };
    let (issuer, subject) = (issuer.to_owned(), claims.subject.clone());
    Ok(Operator { issuer, subject, roles, agency, expires: claims.expires })
}

/// The claim at a path of names.
fn at<'a, T: AsRef<str>>(claims: &'a Map<String, Value>, path: &[T]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(claims.get(first.as_ref())?, |value, name| value.get(name.as_ref()))
}
