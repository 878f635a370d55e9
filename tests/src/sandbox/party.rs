//! An agency with its certified keys: seals, opens and acknowledges, and believes nothing that it did not verify.

use crate::generator::Record;
use anyhow::Context;
use passerelle_pki::authority::Authority;
use passerelle_pki::certificate::{Chain, TrustAnchor, Usage};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::{Ed25519Key, PublicKey};
use passerelle_pki::keyfile::Passphrase;
use passerelle_pki::name::{AgentId, Identity, TrustDomain};
use passerelle_pki::request;
use passerelle_proto::acknowledgement::{self, Acknowledged};
use passerelle_proto::envelope::{
    self, DecapsulationCache, EncapsulationCache, HeaderDraft, KemKey, KemKeys, Opener, RecipientPublicKey,
    SealedRecord, Sealing, VerifiedEnvelope,
};
use passerelle_proto::{bundle, wire};
use ring::rand::SystemRandom;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The authorities of the sandbox.
pub(super) struct Trust {
    issuing: Authority,
    anchor: TrustAnchor,
}

impl Trust {
    pub(super) fn create(folder: &Path, now: Timestamp) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let domain: TrustDomain = "sandbox.passerelle.example".parse()?;
        let passphrase = Passphrase::new("sandbox only".to_owned());
        let root = Authority::create_root(&folder.join("root"), &domain, &passphrase, now)?;
        let issuing = Authority::create_issuing(&folder.join("issuing"), &root, &passphrase, now)?;
        let anchor = root.trust_anchor().clone();
        Ok(Self { issuing, anchor })
    }
}

/// One agency's agent.
pub(super) struct Party {
    pub(super) id: AgentId,
    anchor: TrustAnchor,
    signing: Ed25519Key,
    chain: Chain,
    kem: KemKeys,
    bundle: wire::Statement,
    encapsulations: EncapsulationCache,
    decapsulations: DecapsulationCache,
}

/// A record as its recipient has it.
pub(super) struct Opened {
    pub(super) plaintext: Vec<u8>,
    envelope: VerifiedEnvelope,
}

impl Party {
    /// Makes the keys, has the signing key certified, and signs the bundle of the KEM key.
    pub(super) fn enrol(trust: &Trust, name: &str, now: Timestamp) -> anyhow::Result<Self> {
        let (agency, agent) = name.split_once('/').context("agency/agent")?;
        let id = AgentId { agency: agency.parse()?, agent: agent.parse()? };
        let identity = Identity::Agent(id.clone());
        let signing = Ed25519Key::generate()?;
        let request = request::create(&signing, &identity, trust.anchor.domain())?;
        let chain = trust.issuing.issue(&request, &identity, Usage::Signing, DAY * 30, now, &[])?;
        let kem = KemKey::generate(&SystemRandom::new())?;
        let bundle = bundle::sign(&id, kem.public_key(), (now, now.plus(DAY)), &signing)?;
        Ok(Self {
            id,
            anchor: trust.anchor.clone(),
            signing,
            chain,
            kem: KemKeys::new(vec![kem]),
            bundle,
            encapsulations: EncapsulationCache::new(),
            decapsulations: DecapsulationCache::new(envelope::DEFAULT_CAPACITY),
        })
    }

    /// This party's signing key, as another party finds it: from the certificate, verified to the root.
    pub(super) fn verified_key(&self, anchor: &TrustAnchor, now: Timestamp) -> anyhow::Result<PublicKey> {
        let certificate = anchor.verify(&self.chain, Usage::Signing, now)?;
        anyhow::ensure!(certificate.identity().agent() == Some(&self.id), "a certificate of somebody else");
        Ok(certificate.public_key().clone())
    }

    pub(super) fn anchor(&self) -> &TrustAnchor {
        &self.anchor
    }

    /// The recipient's KEM key, from a bundle that the recipient itself signed.
    fn key_of(&self, other: &Self, now: Timestamp) -> anyhow::Result<RecipientPublicKey> {
        let key = other.verified_key(&self.anchor, now)?;
        Ok(bundle::verify(&other.bundle, &key, &other.id, now)?.recipient_key().clone())
    }

    pub(super) fn seal(&self, to: &Self, record: &Record, now: Timestamp) -> anyhow::Result<SealedRecord> {
        let draft = HeaderDraft {
            kind: wire::ExchangeKind::Record,
            sender: self.id.clone(),
            recipients: BTreeSet::from([to.id.agency.clone()]),
            agreement: wire::AgreementRef {
                number: "ENT-BAC-A-SABLE".to_owned(),
                version: 1,
                digest: vec![0; 32].into(),
            },
            service: "dossiers".to_owned(),
            operation: String::new(),
            purpose: "QC-F".to_owned(),
            legal_basis: "A-2.1 s.68".to_owned(),
            data_categories: BTreeSet::from(["identification".to_owned()]),
            acting_user: None,
            subjects: Vec::new(),
            created: now,
            expires: now.plus(DAY),
            in_reply_to: None,
            content_type: "application/json".to_owned(),
            attributes: wire::SealedAttributes {
                case_reference: record.case_reference.clone(),
                ..wire::SealedAttributes::default()
            },
        };
        let sealing = Sealing {
            signer: &self.signing,
            encapsulations: &self.encapsulations,
            random: &SystemRandom::new(),
        };
        Ok(envelope::seal_small(draft, &[self.key_of(to, now)?], sealing, &record.body)?)
    }

    /// Verifies the sender's certificate and signature, then opens.
    pub(super) fn open(&self, from: &Self, envelope: &wire::Envelope, body: &[u8]) -> anyhow::Result<Opened> {
        let created = envelope::danger::peek(envelope).context("a header")?.created_ms;
        let key = from.verified_key(&self.anchor, Timestamp::from_millis(created))?;
        let envelope = envelope::verify(envelope, &key)?;
        let opener = Opener::new(&envelope, &self.kem, &self.decapsulations)?;
        let plaintext = opener.open_small(body)?;
        Ok(Opened { plaintext, envelope })
    }

    pub(super) fn acknowledge(&self, opened: &Opened, now: Timestamp) -> anyhow::Result<wire::Statement> {
        let exchange = Acknowledged {
            exchange_id: opened.envelope.exchange_id(),
            header_digest: opened.envelope.header_digest(),
            refused: None,
        };
        Ok(acknowledgement::sign(&self.id, now.as_millis(), &[exchange], &self.signing)?)
    }
}
