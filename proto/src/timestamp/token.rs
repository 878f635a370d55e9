//! What a token proves (RFC 3161 section 2.4.2, RFC 5652 section 5.4, RFC 5816).

use std::time::Duration;

use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use der::asn1::{ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode};
use passerelle_pki::clock::Timestamp;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage};
use x509_tsp::TstInfo;

use super::algorithm::{self, SHA_256};
use super::{TOKEN_LIMIT, TimestampError};
use crate::statement::sha256;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
/// id-kp-timeStamping, 1.3.6.1.5.5.7.3.8, as the content bytes of its OID.
const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// The certificates of authorities (roots) by which the reader takes time-stamps.
#[derive(Clone, Debug, Default)]
pub struct Authorities(Vec<TrustAnchor<'static>>);

/// What a token that was verified says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// The bytes existed before this instant; the authority's stated accuracy is added.
    pub before: Timestamp,
}

impl Authorities {
    /// The certificates of a PEM text; none when it is empty.
    ///
    /// # Errors
    /// [`TimestampError::Authority`] when it holds anything but certificates of authorities.
    pub fn from_pem(text: &[u8]) -> Result<Self, TimestampError> {
        let mut anchors = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(text) {
            let certificate = certificate.map_err(|_| TimestampError::Authority)?;
            let anchor = webpki::anchor_from_trusted_cert(&certificate);
            anchors.push(anchor.map_err(|_| TimestampError::Authority)?.to_owned());
        }
        Ok(Self(anchors))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Verifies that a trusted authority stamped exactly these bytes.
///
/// # Errors
/// [`TimestampError`] when the token does not show it.
pub fn verify(token: &[u8], message: &[u8], authorities: &Authorities) -> Result<Stamped, TimestampError> {
    let (signed, content) = signed_data(token)?;
    let info = TstInfo::from_der(&content).map_err(|_| TimestampError::Malformed)?;
    let imprint = &info.message_imprint;
    if imprint.hash_algorithm.oid != SHA_256 || imprint.hashed_message.as_bytes() != sha256(message) {
        return Err(TimestampError::OtherBytes);
    }
    let generated = info.gen_time.to_unix_duration();
    let signers: Vec<&SignerInfo> = signed.signer_infos.0.iter().collect();
    let [signer] = signers.as_slice() else { return Err(TimestampError::Malformed) };
    verify_signer(&signed, signer, &content, authorities, generated)?;
    let accuracy = info.accuracy.map_or(Duration::ZERO, |accuracy| {
        let small = |value: Option<i16>| u64::try_from(value.unwrap_or(0)).unwrap_or(0);
        Duration::from_secs(accuracy.seconds.unwrap_or(0))
            .saturating_add(Duration::from_millis(small(accuracy.millis)))
            .saturating_add(Duration::from_micros(small(accuracy.micros)))
    });
    Ok(Stamped { before: Timestamp::from_seconds(generated.as_secs()).plus(accuracy) })
}

/// What a token says, unverified.
pub(super) fn tst_info(token: &[u8]) -> Result<TstInfo, TimestampError> {
    TstInfo::from_der(&signed_data(token)?.1).map_err(|_| TimestampError::Malformed)
}

/// The signed data and the exact content that is signed.
fn signed_data(token: &[u8]) -> Result<(SignedData, Vec<u8>), TimestampError> {
    let read = || -> der::Result<Option<(SignedData, Vec<u8>)>> {
        let info = ContentInfo::from_der(token)?;
        if info.content_type != SIGNED_DATA {
            return Ok(None);
        }
        let signed: SignedData = info.content.decode_as()?;
        if signed.encap_content_info.econtent_type != TST_INFO {
            return Ok(None);
        }
        let Some(content) = &signed.encap_content_info.econtent else { return Ok(None) };
        let content = content.decode_as::<OctetStringRef<'_>>()?.as_bytes().to_vec();
        Ok(Some((signed, content)))
    };
    if token.len() > TOKEN_LIMIT {
        return Err(TimestampError::Malformed);
    }
    read().ok().flatten().ok_or(TimestampError::Malformed)
}

fn verify_signer(
    signed: &SignedData,
    signer: &SignerInfo,
    content: &[u8],
    authorities: &Authorities,
    at: Duration,
) -> Result<(), TimestampError> {
    let (leaf, others) = certificates(signed, signer)?;
    let attributes = signer.signed_attrs.as_ref().ok_or(TimestampError::Signature)?;
    let one = |kind: ObjectIdentifier| {
        let mut found = attributes.iter().filter(|attribute| attribute.oid == kind);
        match (found.next(), found.next()) {
            (Some(attribute), None) if attribute.values.len() == 1 => attribute.values.get(0),
            _ => None,
        }
    };
    let digest = algorithm::hash(signer.digest_alg.oid, content).ok_or(TimestampError::Algorithm)?;
    let content_type = one(CONTENT_TYPE).and_then(|value| value.decode_as::<ObjectIdentifier>().ok());
    let stated = one(MESSAGE_DIGEST).and_then(|value| value.decode_as::<OctetStringRef<'_>>().ok());
    if content_type != Some(TST_INFO) || stated.map(|stated| stated.as_bytes()) != Some(digest.as_ref()) {
        return Err(TimestampError::Signature);
    }
    // The attribute names the signer's certificate by its digest, which stands in it as it is.
    let named = one(SIGNING_CERTIFICATE_V2).map(|value| (value, sha256(&leaf).to_vec())).or_else(|| {
        let sha1 = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &leaf);
        one(SIGNING_CERTIFICATE).map(|value| (value, sha1.as_ref().to_vec()))
    });
    let names = |(value, digest): (&der::Any, Vec<u8>)| {
        value.value().windows(digest.len()).any(|window| window == digest)
    };
    if !named.is_some_and(names) {
        return Err(TimestampError::Signature);
    }
    let message = attributes.to_der().map_err(|_| TimestampError::Malformed)?;
    let leaf = EndEntityCert::try_from(&leaf).map_err(|_| TimestampError::Malformed)?;
    let algorithms = algorithm::signatures(signer.signature_algorithm.oid, signer.digest_alg.oid);
    if algorithms.is_empty() {
        return Err(TimestampError::Algorithm);
    }
    let signature = signer.signature.as_bytes();
    if !algorithms.iter().any(|algorithm| leaf.verify_signature(*algorithm, &message, signature).is_ok()) {
        return Err(TimestampError::Signature);
    }
    let usage = KeyUsage::required(TIME_STAMPING);
    let time = UnixTime::since_unix_epoch(at);
    leaf.verify_for_usage(algorithm::ALL, &authorities.0, &others, time, usage, None, None)
        .map(drop)
        .map_err(|_| TimestampError::Untrusted)
}

/// The signer's certificate, and the others that came with it.
fn certificates(
    signed: &SignedData,
    signer: &SignerInfo,
) -> Result<(CertificateDer<'static>, Vec<CertificateDer<'static>>), TimestampError> {
    let (mut leaf, mut others) = (None, Vec::new());
    for choice in signed.certificates.iter().flat_map(|set| set.0.iter()) {
        let CertificateChoices::Certificate(certificate) = choice else { continue };
        let der = CertificateDer::from(certificate.to_der().map_err(|_| TimestampError::Malformed)?);
        let tbs = &certificate.tbs_certificate;
        let is_signer = match &signer.sid {
            SignerIdentifier::IssuerAndSerialNumber(named) => {
                named.issuer == tbs.issuer && named.serial_number == tbs.serial_number
            }
            SignerIdentifier::SubjectKeyIdentifier(_) => false,
        };
        if is_signer { leaf = Some(der) } else { others.push(der) }
    }
    Ok((leaf.ok_or(TimestampError::Signature)?, others))
}
