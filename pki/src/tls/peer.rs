//! Who stands at the other end of a connection.

use crate::certificate::VerifiedCertificate;
use crate::clock::Timestamp;
use crate::key::KeyId;
use crate::name::Identity;

/// What the peer proved in its handshake. Made only from a certificate that was verified and, where lists are kept,
/// not revoked at that moment; a long connection has to be held against later revocations by whoever keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Whom the certificate speaks for.
    pub identity: Identity,
    /// SHA-256 of the certificate's DER.
    pub thumbprint: [u8; 32],
    /// Serial number, 16 bytes big-endian.
    pub serial: Vec<u8>,
    /// End of validity.
    pub not_after: Timestamp,
    /// The id of the peer's TLS key.
    pub key_id: KeyId,
    /// The id of the key of the authority that issued the certificate: with the serial number, what a revocation
    /// list names.
    pub issuer_key_id: KeyId,
}

impl From<&VerifiedCertificate> for PeerCertificate {
    fn from(certificate: &VerifiedCertificate) -> Self {
        Self {
            identity: certificate.identity().clone(),
            thumbprint: certificate.thumbprint(),
            serial: certificate.serial().to_vec(),
            not_after: certificate.not_after(),
            key_id: certificate.key_id(),
            issuer_key_id: certificate.issuer().key_id(),
        }
    }
}
