//! The signature algorithms that are taken, by their names in CMS (RFC 5754, RFC 5758, RFC 8419).

use der::asn1::ObjectIdentifier;
use ring::digest::{self, Digest};
use rustls_pki_types::SignatureVerificationAlgorithm;
use webpki::ring as algorithms;

pub(super) const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const ECDSA_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// For certificates of authorities.
pub(super) const ALL: &[&dyn SignatureVerificationAlgorithm] = &[
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::ED25519,
];

/// The digest of `bytes`, when the algorithm is taken.
pub(super) fn hash(algorithm: ObjectIdentifier, bytes: &[u8]) -> Option<Digest> {
    let algorithm = match algorithm {
        SHA_256 => &digest::SHA256,
        SHA_384 => &digest::SHA384,
        SHA_512 => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(algorithm, bytes))
}

/// What a signature may be verified with; the certificate's key decides which of them fits. Empty: not taken.
pub(super) fn signatures(
    algorithm: ObjectIdentifier,
    digest: ObjectIdentifier,
) -> Vec<&'static dyn SignatureVerificationAlgorithm> {
    match (algorithm, digest) {
        (RSA_SHA_256, _) | (RSA, SHA_256) => vec![algorithms::RSA_PKCS1_2048_8192_SHA256],
        (RSA_SHA_384, _) | (RSA, SHA_384) => vec![algorithms::RSA_PKCS1_2048_8192_SHA384],
        (RSA_SHA_512, _) | (RSA, SHA_512) => vec![algorithms::RSA_PKCS1_2048_8192_SHA512],
        (ECDSA_SHA_256, _) => vec![algorithms::ECDSA_P256_SHA256, algorithms::ECDSA_P384_SHA256],
        (ECDSA_SHA_384, _) => vec![algorithms::ECDSA_P256_SHA384, algorithms::ECDSA_P384_SHA384],
        (ED25519, _) => vec![algorithms::ED25519],
        _ => Vec::new(),
    }
}
