//! One revocation list, verified.
//!
//! webpki parses the list strictly (version 2, CRL number and next update present, no delta, no critical extension
//! that it does not know); x509-parser gives the signed bytes and the dates; the signature is checked with the
//! issuer's verified key.

use webpki::{BorrowedCertRevocationList, CertRevocationList};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::RevocationError;
use crate::certificate::IssuerCertificate;
use crate::clock::Timestamp;
use crate::key::KeyId;
use crate::profile;

/// Bytes that a list may have: room for 200,000 revocations.
pub const LIST_LIMIT: usize = 8 * 1024 * 1024;

/// A revocation list whose signature was verified.
#[derive(Debug)]
pub struct RevocationList {
    der: Vec<u8>,
    parsed: CertRevocationList<'static>,
    issuer: KeyId,
    number: u64,
    this_update: Timestamp,
    next_update: Timestamp,
    length: usize,
}

impl RevocationList {
    /// Verifies a list, DER, against the authority that should have signed it.
    ///
    /// # Errors
    /// [`RevocationError::TooLarge`], [`RevocationError::Malformed`], [`RevocationError::OtherIssuer`] or
    /// [`RevocationError::Signature`].
    pub fn verify(der: &[u8], issuer: &IssuerCertificate) -> Result<Self, RevocationError> {
        if der.len() > LIST_LIMIT {
            return Err(RevocationError::TooLarge(der.len()));
        }
        let (rest, list) =
            CertificateRevocationList::from_der(der).map_err(|_| RevocationError::Malformed)?;
        let tbs = &list.tbs_cert_list;
        let ed25519 = profile::is_ed25519(&tbs.signature) && profile::is_ed25519(&list.signature_algorithm);
        if !rest.is_empty() || !ed25519 {
            return Err(RevocationError::Malformed);
        }
        if tbs.issuer.as_raw() != issuer.subject_der() {
            return Err(RevocationError::OtherIssuer);
        }
        profile::verify_signed(der, tbs.as_ref(), issuer.public_key())
            .map_err(|_| RevocationError::Signature)?;
        let number = list.crl_number().and_then(|number| u64::try_from(number).ok());
        let next_update = list.next_update().and_then(|time| moment(time.timestamp()));
        let parsed = BorrowedCertRevocationList::from_der(der)
            .and_then(|list| list.to_owned())
            .map_err(|_| RevocationError::Malformed)?;
        Ok(Self {
            der: der.to_vec(),
            parsed: parsed.into(),
            issuer: issuer.key_id(),
            number: number.ok_or(RevocationError::Malformed)?,
            this_update: moment(list.last_update().timestamp()).ok_or(RevocationError::Malformed)?,
            next_update: next_update.ok_or(RevocationError::Malformed)?,
            length: list.iter_revoked_certificates().count(),
        })
    }

    /// Whether a serial number (big-endian, without padding) is on the list.
    #[must_use]
    pub fn contains(&self, serial: &[u8]) -> bool {
        // An entry that cannot be read counts as a hit: better refused than let through.
        !matches!(self.parsed.find_serial(serial), Ok(None))
    }

    /// Since when a serial number (big-endian, without padding) is revoked; `None` when it is not on the list.
    #[must_use]
    pub fn revoked_since(&self, serial: &[u8]) -> Option<Timestamp> {
        match self.parsed.find_serial(serial) {
            Ok(None) => None,
            Ok(Some(entry)) => Some(Timestamp::from_seconds(entry.revocation_date.as_secs())),
            // An entry that cannot be read counts as a hit, since ever.
            Err(_) => Some(Timestamp::from_millis(0)),
        }
    }

    /// The CRL number (RFC 5280 section 5.2.3): grows with every list.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When the list was made.
    #[must_use]
    pub fn this_update(&self) -> Timestamp {
        self.this_update
    }

    /// By when the next list must be there; afterwards this one proves nothing.
    #[must_use]
    pub fn next_update(&self) -> Timestamp {
        self.next_update
    }

    /// How many certificates are on the list.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing was revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The id of the key that signed the list.
    #[must_use]
    pub fn issuer_key_id(&self) -> KeyId {
        self.issuer
    }

    /// The list, DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether a serial number of this list's issuer is still believed at a moment.
    pub(super) fn check(&self, serial: &[u8], at: Timestamp) -> Result<(), RevocationError> {
        if self.contains(serial) {
            return Err(RevocationError::Revoked(hex::encode(serial)));
        }
        if at > self.next_update {
            return Err(RevocationError::Stale(self.next_update));
        }
        Ok(())
    }
}

fn moment(seconds: i64) -> Option<Timestamp> {
    u64::try_from(seconds).ok().map(Timestamp::from_seconds)
}
