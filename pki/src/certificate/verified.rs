//! Certificates that were verified: types that only the verifier makes.

use rustls_pki_types::CertificateDer;

use super::Usage;
use crate::clock::Timestamp;
use crate::key::{KeyId, PublicKey, sha256};
use crate::name::Identity;
use crate::profile::Leaf;

/// An authority whose certificate leads to the root (or is the root): its key may sign revocation lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerCertificate {
    pub(super) der: CertificateDer<'static>,
    pub(super) public_key: PublicKey,
    pub(super) serial: Vec<u8>,
    pub(super) subject: Vec<u8>,
    pub(super) not_after: Timestamp,
}

impl IssuerCertificate {
    /// The key that signs certificates and revocation lists.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The id of that key.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.public_key.key_id()
    }

    /// The serial number, big-endian without padding.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// The subject, DER with its SEQUENCE.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        &self.subject
    }

    /// End of validity.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The certificate, DER.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }
}

/// A leaf that was verified against a root, a usage and a moment: path, validity, profile and trust domain hold.
/// Whether it was revoked is for [`crate::revocation::Revocations`] to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCertificate {
    der: CertificateDer<'static>,
    identity: Identity,
    usage: Usage,
    public_key: PublicKey,
    hosts: Vec<String>,
    serial: Vec<u8>,
    thumbprint: [u8; 32],
    not_before: Timestamp,
    not_after: Timestamp,
    issuer: IssuerCertificate,
}

impl VerifiedCertificate {
    pub(super) fn new(
        der: &CertificateDer<'static>,
        serial: &[u8],
        leaf: Leaf,
        usage: Usage,
        issuer: IssuerCertificate,
    ) -> Self {
        Self {
            thumbprint: sha256(der),
            der: der.clone(),
            identity: leaf.identity,
            usage,
            public_key: leaf.public_key,
            hosts: leaf.hosts,
            serial: serial.to_vec(),
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            issuer,
        }
    }

    /// Whom the certificate speaks for.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What its key is for.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// The certified key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The id of the certified key.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.public_key.key_id()
    }

    /// Host names and addresses that a gateway's TLS certificate is for; empty for all others.
    #[must_use]
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// The serial number, 16 bytes big-endian.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// SHA-256 of the certificate's DER.
    #[must_use]
    pub fn thumbprint(&self) -> [u8; 32] {
        self.thumbprint
    }

    /// Start of validity.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// End of validity, inclusive.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The certificate, DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The authority that issued it.
    #[must_use]
    pub fn issuer(&self) -> &IssuerCertificate {
        &self.issuer
    }
}
