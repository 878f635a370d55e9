//! A sender, recipients and drafts for the tests.

use std::collections::BTreeSet;

use bytes::Bytes;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::{Ed25519Key, Signer};
use passerelle_pki::name::{AgencyCode, AgentId};
use passerelle_proto::envelope::{
    DecapsulationCache, EncapsulationCache, HeaderDraft, KemKey, KemKeys, OpenError, Opener,
    RecipientPublicKey, SealedRecord, Sealing, VerifiedEnvelope, seal_small, verify,
};
use passerelle_proto::statement::{self, payload_type};
use passerelle_proto::wire;
use prost::Message;
use ring::rand::SystemRandom;

/// 2026-03-02T12:00:00Z.
pub(crate) const NOW_MS: u64 = 1_772_452_800_000;

pub(crate) fn agency(code: &str) -> AgencyCode {
    code.parse().unwrap()
}

/// A sending agent.
pub(crate) struct Sender {
    pub(crate) id: AgentId,
    pub(crate) key: Ed25519Key,
    pub(crate) encapsulations: EncapsulationCache,
    pub(crate) random: SystemRandom,
}

impl Sender {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            id: id.parse().unwrap(),
            key: Ed25519Key::generate().unwrap(),
            encapsulations: EncapsulationCache::new(),
            random: SystemRandom::new(),
        }
    }

    pub(crate) fn sealing(&self) -> Sealing<'_> {
        Sealing { signer: &self.key, encapsulations: &self.encapsulations, random: &self.random }
    }

    pub(crate) fn draft(&self, recipients: &[&str]) -> HeaderDraft {
        HeaderDraft {
            kind: wire::ExchangeKind::Record,
            sender: self.id.clone(),
            recipients: recipients.iter().map(|code| agency(code)).collect(),
            agreement: wire::AgreementRef {
                number: "ENT-2026-001".into(),
                version: 1,
                digest: Bytes::from_static(&[7; 32]),
            },
            service: "permis-de-conduire".into(),
            operation: String::new(),
            purpose: "QC-A".into(),
            legal_basis: "A-2.1 s.68".into(),
            data_categories: BTreeSet::from(["identite".to_owned(), "adresse".to_owned()]),
            acting_user: None,
            subjects: Vec::new(),
            created: Timestamp::from_millis(NOW_MS),
            expires: Timestamp::from_millis(NOW_MS + 3_600_000),
            in_reply_to: None,
            order: None,
            content_type: "application/json".into(),
            attributes: wire::SealedAttributes::default(),
        }
    }

    pub(crate) fn seal(&self, recipients: &[&Recipient], plaintext: &[u8]) -> SealedRecord {
        let codes: Vec<&str> = recipients.iter().map(|recipient| recipient.agency.as_str()).collect();
        let keys: Vec<_> = recipients.iter().map(|recipient| recipient.public()).collect();
        seal_small(self.draft(&codes), &keys, self.sealing(), plaintext).unwrap()
    }

    pub(crate) fn verify(&self, envelope: &wire::Envelope) -> VerifiedEnvelope {
        verify(envelope, self.key.public_key()).unwrap()
    }
}

/// A receiving agent.
pub(crate) struct Recipient {
    pub(crate) agency: AgencyCode,
    pub(crate) keys: KemKeys,
    pub(crate) public: RecipientPublicKey,
    pub(crate) decapsulations: DecapsulationCache,
}

impl Recipient {
    pub(crate) fn new(code: &str) -> Self {
        let key = KemKey::generate(&SystemRandom::new()).unwrap();
        let public = RecipientPublicKey::new(agency(code), key.public_key().clone());
        Self { agency: agency(code), keys: key.into(), public, decapsulations: DecapsulationCache::default() }
    }

    pub(crate) fn public(&self) -> RecipientPublicKey {
        self.public.clone()
    }

    pub(crate) fn opener(&self, envelope: &VerifiedEnvelope) -> Result<Opener, OpenError> {
        Opener::new(envelope, &self.keys, &self.decapsulations)
    }

    pub(crate) fn open(&self, envelope: &VerifiedEnvelope, body: &[u8]) -> Result<Vec<u8>, OpenError> {
        self.opener(envelope)?.open_small(body)
    }
}

/// The header of an envelope, changed, and signed by `key` as its own.
pub(crate) fn resigned(
    envelope: &wire::Envelope,
    key: &dyn Signer,
    change: impl FnOnce(&mut wire::Header),
) -> wire::Envelope {
    let mut header = wire::Header::decode(&envelope.header[..]).unwrap();
    change(&mut header);
    signed(header.encode_to_vec(), key)
}

/// Any bytes, signed as a header.
pub(crate) fn signed(header: impl Into<Bytes>, key: &dyn Signer) -> wire::Envelope {
    let header = header.into();
    let signature = statement::signature(payload_type::HEADER, &header, key).unwrap();
    wire::Envelope { header, signatures: vec![signature] }
}
