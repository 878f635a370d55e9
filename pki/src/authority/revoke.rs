//! Revoking, and publishing the list.

use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber,
    date_time_ymd,
};

use super::folder::{self, ISSUED, LIST_DER, LIST_PEM, REVOKED, replace};
use super::index::{self, IssuedRecord, RevokedRecord};
use super::parameters::since_epoch;
use super::{Authority, AuthorityError, LIST_VALIDITY, Reason};
use crate::certificate::pem_with_label;
use crate::clock::Timestamp;
use crate::files;
use crate::profile::BareKey;
use crate::revocation::{LIST_LIMIT, RevocationList};

impl Authority {
    /// Revokes a certificate of this authority and publishes a new list, which is returned (DER). Revoking again what
    /// is revoked changes nothing but publishes the list anew, so a caller that was cut off simply repeats.
    ///
    /// # Errors
    /// [`AuthorityError::UnknownSerial`] when it was never issued here; otherwise see [`AuthorityError`].
    pub fn revoke(&self, serial: &[u8], reason: Reason, now: Timestamp) -> Result<Vec<u8>, AuthorityError> {
        let serial = hex::encode(serial);
        let _lock = folder::lock(&self.directory)?;
        let issued: Vec<IssuedRecord> = index::read(&self.directory.join(ISSUED))?;
        if !issued.iter().any(|record| record.serial == serial) {
            return Err(AuthorityError::UnknownSerial(serial));
        }
        let path = self.directory.join(REVOKED);
        let revoked: Vec<RevokedRecord> = index::read(&path)?;
        if !revoked.iter().any(|record| record.serial == serial) {
            index::append(&path, &RevokedRecord { serial, reason, revoked_ms: now })?;
        }
        self.publish(now)
    }

    /// Publishes a fresh list of all that was revoked, in `crl.der` and `crl.pem`, and returns it (DER). It can be
    /// relied on for [`LIST_VALIDITY`].
    ///
    /// # Errors
    /// See [`AuthorityError`]; the former list then stays as it was.
    pub fn revocation_list(&self, now: Timestamp) -> Result<Vec<u8>, AuthorityError> {
        let _lock = folder::lock(&self.directory)?;
        self.publish(now)
    }

    /// Every revocation, oldest first.
    ///
    /// # Errors
    /// [`AuthorityError::File`] or [`AuthorityError::Index`].
    pub fn revoked(&self) -> Result<Vec<RevokedRecord>, AuthorityError> {
        index::read(&self.directory.join(REVOKED))
    }

    fn publish(&self, now: Timestamp) -> Result<Vec<u8>, AuthorityError> {
        let revoked_certs = self.revoked()?.iter().map(entry).collect::<Result<_, _>>()?;
        let parameters = CertificateRevocationListParams {
            this_update: date_time_ymd(1970, 1, 1) + since_epoch(now),
            next_update: date_time_ymd(1970, 1, 1) + since_epoch(now.plus(LIST_VALIDITY)),
            crl_number: SerialNumber::from(self.next_number(now)),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::PreSpecified(self.issuer_rules()?.key_identifier),
        };
        let key = BareKey::new(self.key.as_ref()).map_err(AuthorityError::Key)?;
        let list = Issuer::from_ca_cert_der(self.certificate_der(), &key)
            .and_then(|issuer| parameters.signed_by(&issuer))
            .map_err(AuthorityError::Encoding)?;
        let der = list.der().to_vec();
        RevocationList::verify(&der, self.issuer()).map_err(AuthorityError::Revocation)?;
        replace(&self.directory, LIST_DER, &der, files::PUBLIC)?;
        replace(&self.directory, LIST_PEM, pem_with_label("X509 CRL", &der).as_bytes(), files::PUBLIC)?;
        Ok(der)
    }

    /// Higher than that of the list in the folder, and than that of any list made earlier by the clock: numbers keep
    /// growing even if `crl.der` was lost.
    fn next_number(&self, now: Timestamp) -> u64 {
        let limit = u64::try_from(LIST_LIMIT).unwrap_or(u64::MAX);
        let former = files::read_limited(&self.directory.join(LIST_DER), limit)
            .ok()
            .and_then(|der| RevocationList::verify(&der, self.issuer()).ok());
        now.as_millis().max(former.map_or(0, |list| list.number() + 1))
    }
}

fn entry(record: &RevokedRecord) -> Result<RevokedCertParams, AuthorityError> {
    let serial =
        hex::decode(&record.serial).map_err(|_| AuthorityError::UnknownSerial(record.serial.clone()))?;
    Ok(RevokedCertParams {
        serial_number: SerialNumber::from_slice(&serial),
        revocation_time: date_time_ymd(1970, 1, 1) + since_epoch(record.revoked_ms),
        reason_code: Some(match record.reason {
            Reason::Unspecified => RevocationReason::Unspecified,
            Reason::KeyCompromise => RevocationReason::KeyCompromise,
            Reason::AffiliationChanged => RevocationReason::AffiliationChanged,
            Reason::Superseded => RevocationReason::Superseded,
            Reason::CessationOfOperation => RevocationReason::CessationOfOperation,
            Reason::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
        }),
        invalidity_date: None,
    })
}
