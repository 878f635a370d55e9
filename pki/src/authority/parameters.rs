//! From what is asked to what is encoded.
//!
//! Owns the translation of [`Rules`] into the encoder's parameters, and the signing of the result by a key that lints
//! first. Nothing else in this house signs a certificate.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, SanType, SerialNumber, SubjectPublicKeyInfo, date_time_ymd,
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls_pki_types::CertificateDer;

use super::AuthorityError;
use crate::certificate::Usage;
use crate::clock::Timestamp;
use crate::key::{KeyError, Signer};
use crate::name::Identity;
use crate::profile::{CertificateKey, Rules, SERIAL_LENGTH, Subject};

/// id-kp-documentSigning (RFC 9336).
const DOCUMENT_SIGNING: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 36];

/// A random serial number: the bits `01`, then 126 random bits.
pub(super) fn draw_serial() -> Result<Vec<u8>, AuthorityError> {
    let mut serial = vec![0; SERIAL_LENGTH];
    SystemRandom::new()
        .fill(&mut serial)
        .map_err(|_| AuthorityError::Key(KeyError::Unavailable("the system gave no randomness")))?;
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    Ok(serial)
}

/// The encoder's dates are the UNIX epoch and this much more, in whole seconds.
pub(super) fn since_epoch(moment: Timestamp) -> Duration {
    Duration::from_secs(moment.as_seconds())
}

/// Encodes, lints and signs one certificate. `issuer` is `None` for a root, which signs itself.
pub(super) fn sign(
    rules: &Rules,
    (not_before, not_after): (Timestamp, Timestamp),
    signer: &dyn Signer,
    issuer: Option<&CertificateDer<'static>>,
) -> Result<CertificateDer<'static>, AuthorityError> {
    let mut parameters = CertificateParams::default();
    parameters.not_before = date_time_ymd(1970, 1, 1) + since_epoch(not_before);
    parameters.not_after = date_time_ymd(1970, 1, 1) + since_epoch(not_after);
    parameters.serial_number = Some(SerialNumber::from_slice(&rules.serial));
    parameters.use_authority_key_identifier_extension = issuer.is_some();
    fill(&mut parameters, rules).map_err(AuthorityError::Encoding)?;

    let key = CertificateKey::new(signer, rules).map_err(AuthorityError::Key)?;
    let public =
        SubjectPublicKeyInfo::from_der(rules.public_key.spki_der()).map_err(AuthorityError::Encoding)?;
    let signed = match issuer {
        Some(issuer) => {
            Issuer::from_ca_cert_der(issuer, &key).and_then(|issuer| parameters.signed_by(&public, &issuer))
        }
        None => parameters.self_signed(&key),
    };
    match (signed, key.refusal()) {
        (Ok(certificate), None) => Ok(certificate.der().clone()),
        (_, Some(refusal)) => Err(AuthorityError::Lint(refusal)),
        (Err(error), None) => Err(AuthorityError::Encoding(error)),
    }
}

fn fill(parameters: &mut CertificateParams, rules: &Rules) -> Result<(), rcgen::Error> {
    let fingerprint = hex::encode(&rules.public_key.key_id().as_bytes()[..4]);
    match &rules.subject {
        Subject::Root => {
            parameters.distinguished_name = name("Passerelle", &format!("Racine {fingerprint}"));
            parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        }
        Subject::Issuing => {
            parameters.distinguished_name = name("Passerelle", &format!("Émission {fingerprint}"));
            parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        }
        Subject::Leaf { identity, usage, hosts } => {
            return fill_leaf(parameters, rules, identity, *usage, hosts);
        }
    }
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.subject_alt_names = vec![SanType::URI(format!("spiffe://{}", rules.domain).try_into()?)];
    Ok(())
}

fn fill_leaf(
    parameters: &mut CertificateParams,
    rules: &Rules,
    identity: &Identity,
    usage: Usage,
    hosts: &[String],
) -> Result<(), rcgen::Error> {
    parameters.is_ca = IsCa::ExplicitNoCa;
    // For people who look at the certificate; nothing is ever decided by it.
    parameters.distinguished_name = match identity {
        Identity::Agent(id) => name(id.agency.as_str(), id.agent.as_str()),
        Identity::Gateway(gateway) => name("Passerelle", gateway.as_str()),
        Identity::Operator(operator) => name("Passerelle", operator.as_str()),
    };
    parameters.subject_alt_names = vec![SanType::URI(identity.to_uri(&rules.domain).try_into()?)];
    for host in hosts {
        parameters.subject_alt_names.push(match host.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(host.as_str().try_into()?),
        });
    }
    (parameters.key_usages, parameters.extended_key_usages) = match (usage, identity) {
        (Usage::Tls, Identity::Gateway(_)) => (
            vec![KeyUsagePurpose::DigitalSignature],
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
        ),
        (Usage::Tls, _) => {
            (vec![KeyUsagePurpose::DigitalSignature], vec![ExtendedKeyUsagePurpose::ClientAuth])
        }
        (Usage::Signing, _) => (
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::ContentCommitment],
            vec![ExtendedKeyUsagePurpose::Other(DOCUMENT_SIGNING.to_vec())],
        ),
    };
    Ok(())
}

fn name(organization: &str, common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, organization);
    name.push(DnType::CommonName, common);
    name
}
