//! Issuing and renewing.

use std::net::IpAddr;
use std::time::Duration;

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::create::validity;
use super::folder::{ISSUED, REVOKED};
use super::index::{self, IssuedRecord, RevokedRecord};
use super::{Authority, AuthorityError, Kind, folder, parameters};
use crate::certificate::{CertificateError, Chain, Usage, VerifiedCertificate};
use crate::clock::Timestamp;
use crate::key::KeyId;
use crate::name::Identity;
use crate::profile::{self, IssuerRules, ProfileError, Rules, Subject};
use crate::request;

impl Authority {
    /// Certifies the key of a request for an identity that the caller has established by other means (a token, an
    /// earlier certificate, a person's decision). The request must name that identity and nothing else.
    ///
    /// The certificate is valid from five minutes ago until `length` from now, but not longer than this authority
    /// itself. `hosts` are the host names and addresses of a gateway's TLS certificate; for anyone else there are
    /// none. When this returns, the certificate stands in the index on the disk.
    ///
    /// # Errors
    /// [`AuthorityError::Request`] when the request is refused, [`AuthorityError::KeyInUse`] when its key is certified
    /// for somebody or something else, [`AuthorityError::Lint`] when the result would break the profile; otherwise
    /// see [`AuthorityError`].
    pub fn issue(
        &self,
        request_der: &[u8],
        expected: &Identity,
        usage: Usage,
        length: Duration,
        now: Timestamp,
        hosts: &[String],
    ) -> Result<Chain, AuthorityError> {
        if self.kind != Kind::Issuing {
            return Err(AuthorityError::WrongKind(self.kind));
        }
        let request = request::check(request_der).map_err(AuthorityError::Request)?;
        request.expect(expected, self.domain()).map_err(AuthorityError::Request)?;
        let rules = Rules {
            domain: self.domain().clone(),
            subject: Subject::Leaf { identity: expected.clone(), usage, hosts: checked_hosts(hosts)? },
            public_key: request.public_key().clone(),
            serial: parameters::draw_serial()?,
            issuer: Some(self.issuer_rules()?),
        };
        let validity = self.clip(validity(now, length))?;

        let _lock = folder::lock(&self.directory)?;
        self.refuse_other_use(request.public_key().key_id(), expected, usage)?;
        let der = parameters::sign(&rules, validity, self.key.as_ref(), Some(self.certificate_der()))?;
        let chain = Chain::from_ders(&[der.as_ref(), self.certificate_der().as_ref()])
            .map_err(AuthorityError::Certificate)?;
        // A last look through the eyes of whoever will verify it.
        self.root.verify(&chain, usage, now).map_err(AuthorityError::Certificate)?;
        let record = IssuedRecord {
            serial: hex::encode(&rules.serial),
            identity: Some(expected.clone()),
            usage: Some(usage),
            key_id: request.public_key().key_id().to_string(),
            not_before_ms: validity.0,
            not_after_ms: validity.1,
            issued_ms: now,
            certificate: hex::encode(&der),
        };
        index::append(&self.directory.join(ISSUED), &record)?;
        Ok(chain)
    }

    /// Issues the next certificate for the holder of one that is in force: same identity, usage and host names.
    ///
    /// # Errors
    /// [`AuthorityError::OtherIssuer`] when the certificate is not of this authority, [`AuthorityError::Revoked`] when
    /// it was revoked; otherwise as [`Authority::issue`].
    pub fn renew(
        &self,
        request_der: &[u8],
        current: &VerifiedCertificate,
        length: Duration,
        now: Timestamp,
    ) -> Result<Chain, AuthorityError> {
        if current.issuer().key_id() != self.key_id() {
            return Err(AuthorityError::OtherIssuer);
        }
        if now.as_seconds() > current.not_after().as_seconds() {
            return Err(AuthorityError::Certificate(CertificateError::Expired(current.not_after())));
        }
        let serial = hex::encode(current.serial());
        let revoked: Vec<RevokedRecord> = index::read(&self.directory.join(REVOKED))?;
        if revoked.iter().any(|record| record.serial == serial) {
            return Err(AuthorityError::Revoked);
        }
        self.issue(request_der, current.identity(), current.usage(), length, now, current.hosts())
    }

    /// Every certificate that this authority has issued, oldest first.
    ///
    /// # Errors
    /// [`AuthorityError::File`] or [`AuthorityError::Index`].
    pub fn issued(&self) -> Result<Vec<IssuedRecord>, AuthorityError> {
        index::read(&self.directory.join(ISSUED))
    }

    /// A key has one holder and one job: certified before for another, it is refused.
    fn refuse_other_use(&self, key: KeyId, identity: &Identity, usage: Usage) -> Result<(), AuthorityError> {
        let other = self.issued()?.into_iter().find(|record| {
            record.certifies(key)
                && (record.identity.as_ref() != Some(identity) || record.usage != Some(usage))
        });
        match other {
            None => Ok(()),
            Some(IssuedRecord { identity: Some(identity), usage: Some(usage), .. }) => {
                Err(AuthorityError::KeyInUse(format!("{identity} ({usage})")))
            }
            Some(_) => Err(AuthorityError::KeyInUse("an authority".to_owned())),
        }
    }

    /// What of this authority its certificates must repeat.
    pub(super) fn issuer_rules(&self) -> Result<IssuerRules, AuthorityError> {
        let malformed = || AuthorityError::Certificate(CertificateError::Malformed);
        let (_, certificate) = X509Certificate::from_der(self.certificate_der()).map_err(|_| malformed())?;
        let tbs = &certificate.tbs_certificate;
        let (not_before, not_after) = profile::validity(tbs).ok_or_else(malformed)?;
        Ok(IssuerRules {
            subject_der: tbs.subject().as_raw().to_vec(),
            key_identifier: profile::subject_key_identifier(tbs).map_err(AuthorityError::Lint)?,
            not_before,
            not_after,
        })
    }

    /// Keeps a validity within this authority's own.
    pub(super) fn clip(
        &self,
        (not_before, not_after): (Timestamp, Timestamp),
    ) -> Result<(Timestamp, Timestamp), AuthorityError> {
        let issuer = self.issuer_rules()?;
        let clipped = (not_before.max(issuer.not_before), not_after.min(issuer.not_after));
        if clipped.0 < clipped.1 { Ok(clipped) } else { Err(AuthorityError::NoValidity) }
    }
}

/// Host names in lower case, addresses in their one spelling.
fn checked_hosts(hosts: &[String]) -> Result<Vec<String>, AuthorityError> {
    let check = |host: &String| match host.parse::<IpAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => profile::host_name(host),
    };
    let checked: Result<Vec<_>, ProfileError> = hosts.iter().map(check).collect();
    checked.map_err(AuthorityError::HostNames)
}
