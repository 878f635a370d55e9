//! A time-stamp authority of the tests: a root, a signer, and tokens as OpenSSL makes them.

use cms::cert::x509::Certificate;
use cms::cert::x509::attr::Attribute;
use cms::cert::x509::spki::AlgorithmIdentifierOwned;
use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use der::asn1::{GeneralizedTime, Int, ObjectIdentifier, OctetString, SetOfVec};
use der::{Any, Decode, Encode, Tag};
use passerelle_pki::clock::Timestamp;
use passerelle_proto::timestamp::Authorities;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, SigningKey,
};
use ring::digest::{SHA256, digest};
use x509_tsp::{Accuracy, MessageImprint, TspVersion, TstInfo};

fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new(text).unwrap()
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

fn algorithm(text: &str) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid: oid(text), parameters: None }
}

const SHA_256: &str = "2.16.840.1.101.3.4.2.1";
const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";

pub(crate) struct StampAuthority {
    root_pem: String,
    certificate: Certificate,
    key: KeyPair,
}

impl StampAuthority {
    pub(crate) fn build() -> Self {
        Self::for_purpose(ExtendedKeyUsagePurpose::TimeStamping)
    }

    /// One whose signer is certified for something.
    pub(crate) fn for_purpose(purpose: ExtendedKeyUsagePurpose) -> Self {
        let root_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut root = CertificateParams::default();
        root.distinguished_name.push(DnType::CommonName, "Racine d'horodatage");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_certificate = root.self_signed(&root_key).unwrap();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut leaf = CertificateParams::default();
        leaf.distinguished_name.push(DnType::CommonName, "Horodatage");
        leaf.extended_key_usages = vec![purpose];
        let issuer = Issuer::from_params(&root, &root_key);
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        let certificate = Certificate::from_der(leaf.der()).unwrap();
        Self { root_pem: root_certificate.pem(), certificate, key }
    }

    pub(crate) fn authorities(&self) -> Authorities {
        Authorities::from_pem(self.root_pem.as_bytes()).unwrap()
    }

    /// A token over `message` at an instant.
    pub(crate) fn stamp(&self, message: &[u8], at: Timestamp) -> Vec<u8> {
        let time = std::time::Duration::from_secs(at.as_seconds());
        let info = TstInfo {
            version: TspVersion::V1,
            policy: oid("1.2.3.4.1"),
            message_imprint: MessageImprint {
                hash_algorithm: algorithm(SHA_256),
                hashed_message: OctetString::new(sha256(message)).unwrap(),
            },
            serial_number: Int::new(&[1]).unwrap(),
            gen_time: GeneralizedTime::from_unix_duration(time).unwrap(),
            accuracy: Some(Accuracy { seconds: Some(1), millis: None, micros: None }),
            ordering: false,
            nonce: None,
            tsa: None,
            extensions: None,
        };
        self.sign(&info.to_der().unwrap())
    }

    fn sign(&self, content: &[u8]) -> Vec<u8> {
        let attribute = |kind: &str, value: Any| Attribute {
            oid: oid(kind),
            values: SetOfVec::try_from(vec![value]).unwrap(),
        };
        let certificate = self.certificate.to_der().unwrap();
        // SigningCertificateV2: a sequence of ESSCertIDv2 with the default SHA-256.
        let octets = OctetString::new(sha256(&certificate)).unwrap().to_der().unwrap();
        let nested =
            (0..3).fold(octets, |inner, _| Any::new(Tag::Sequence, inner).unwrap().to_der().unwrap());
        let attributes = SetOfVec::try_from(vec![
            attribute("1.2.840.113549.1.9.3", Any::encode_from(&oid(TST_INFO)).unwrap()),
            attribute(
                "1.2.840.113549.1.9.4",
                Any::encode_from(&OctetString::new(sha256(content)).unwrap()).unwrap(),
            ),
            attribute("1.2.840.113549.1.9.16.2.47", Any::from_der(&nested).unwrap()),
        ])
        .unwrap();
        let signature = self.key.sign(&attributes.to_der().unwrap()).unwrap();
        let signer = SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: self.certificate.tbs_certificate.issuer.clone(),
                serial_number: self.certificate.tbs_certificate.serial_number.clone(),
            }),
            digest_alg: algorithm(SHA_256),
            signed_attrs: Some(attributes),
            signature_algorithm: algorithm("1.2.840.10045.4.3.2"),
            signature: OctetString::new(signature).unwrap(),
            unsigned_attrs: None,
        };
        let content = OctetString::new(content).unwrap();
        let signed = SignedData {
            version: CmsVersion::V3,
            digest_algorithms: SetOfVec::try_from(vec![algorithm(SHA_256)]).unwrap(),
            encap_content_info: EncapsulatedContentInfo {
                econtent_type: oid(TST_INFO),
                econtent: Some(Any::encode_from(&content).unwrap()),
            },
            certificates: Some(
                CertificateSet::try_from(vec![CertificateChoices::Certificate(self.certificate.clone())])
                    .unwrap(),
            ),
            crls: None,
            signer_infos: SignerInfos::try_from(vec![signer]).unwrap(),
        };
        let info = ContentInfo {
            content_type: oid("1.2.840.113549.1.7.2"),
            content: Any::encode_from(&signed).unwrap(),
        };
        info.to_der().unwrap()
    }
}
