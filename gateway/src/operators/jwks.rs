//! The keys of an identity provider: a JWK set (RFC 7517) in a file, read again when the file changes.
//!
//! Each key has one algorithm: the one it states, or the only one its curve has. A key that states none and could have
//! several (RSA), a symmetric key, and a key for encryption are left out.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::jwt::VerifyingKey;

/// Bytes that a file of keys may have.
const FILE_LIMIT: u64 = 1024 * 1024;

type Keys = BTreeMap<String, VerifyingKey>;
/// What tells that a file was replaced or written: inode, length, time of change.
type Fingerprint = Option<(u64, u64, i64, i64)>;

/// Why a file of keys is not taken. The operator is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum JwksError {
    /// The file system refused.
    #[error("{} ne peut être lu / cannot be read", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Not a JWK set.
    #[error("{} n'est pas un jeu de clés (JWKS) / is not a JWK set", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// No key with an id and one algorithm.
    #[error("{} n'a aucune clé utilisable / has no usable key", .0.display())]
    Empty(PathBuf),
    /// Two keys with the same id.
    #[error("{} a deux clés « {kid} » / has two keys \"{kid}\"", .path.display())]
    Repeated {
        /// The file.
        path: PathBuf,
        /// The key id.
        kid: String,
    },
}

/// The keys of one provider.
#[derive(Debug)]
pub(super) struct Jwks {
    path: PathBuf,
    loaded: ArcSwap<(Fingerprint, Keys)>,
}

impl Jwks {
    pub(super) fn open(path: &Path) -> Result<Self, JwksError> {
        let seen = fingerprint(path);
        let keys = read(path)?;
        Ok(Self { path: path.to_owned(), loaded: ArcSwap::from_pointee((seen, keys)) })
    }

    /// The key of this id, by the file as it is now: a key that the provider withdrew is gone with the next call. A
    /// file that cannot be read any more changes nothing, and is not tried again until it changes.
    pub(super) fn find(&self, kid: &str) -> Option<VerifyingKey> {
        let seen = fingerprint(&self.path);
        if seen != self.loaded.load().0 {
            let keys = match read(&self.path) {
                Ok(keys) => keys,
                Err(error) => {
                    tracing::warn!(file = %self.path.display(), %error, "provider's keys not taken");
                    self.loaded.load().1.clone()
                }
            };
            self.loaded.store(Arc::new((seen, keys)));
        }
        self.loaded.load().1.get(kid).cloned()
    }
}

fn fingerprint(path: &Path) -> Fingerprint {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec()))
}

fn read(path: &Path) -> Result<Keys, JwksError> {
    let bytes = passerelle_pki::files::read_limited(path, FILE_LIMIT)
        .map_err(|source| JwksError::File { path: path.to_owned(), source })?;
    let set: JwkSet =
        serde_json::from_slice(&bytes).map_err(|source| JwksError::Json { path: path.to_owned(), source })?;
    let mut keys = Keys::new();
    for (kid, key) in set.keys.iter().filter_map(usable) {
        if keys.insert(kid.clone(), key).is_some() {
            return Err(JwksError::Repeated { path: path.to_owned(), kid });
        }
    }
    if keys.is_empty() { Err(JwksError::Empty(path.to_owned())) } else { Ok(keys) }
}

fn usable(jwk: &Jwk) -> Option<(String, VerifyingKey)> {
    if matches!(&jwk.common.public_key_use, Some(usage) if *usage != PublicKeyUse::Signature) {
        return None;
    }
    let kid = jwk.common.key_id.clone()?;
    let algorithm = algorithm(jwk)?;
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some((kid, VerifyingKey::new(key, algorithm)))
}

/// The one algorithm of a key: stated and fitting its type, or the only one of its curve.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let stated = jwk.common.key_algorithm;
    let (only, its_name) = match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => {
            (Algorithm::ES384, KeyAlgorithm::ES384)
        }
        AlgorithmParameters::RSA(_) => return rsa(stated?),
        _ => return None,
    };
    (stated.is_none() || stated == Some(its_name)).then_some(only)
}

fn rsa(stated: KeyAlgorithm) -> Option<Algorithm> {
    match stated {
        KeyAlgorithm::RS256 => Some(Algorithm::RS256),
        KeyAlgorithm::RS384 => Some(Algorithm::RS384),
        KeyAlgorithm::RS512 => Some(Algorithm::RS512),
        KeyAlgorithm::PS256 => Some(Algorithm::PS256),
        KeyAlgorithm::PS384 => Some(Algorithm::PS384),
        KeyAlgorithm::PS512 => Some(Algorithm::PS512),
        _ => None,
    }
}
