//! A small house for the tests: a root, an issuing authority, a clock that stands still, and members with their keys.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use passerelle_pki::authority::{Authority, Reason};
use passerelle_pki::certificate::{Chain, TrustAnchor, Usage};
use passerelle_pki::clock::{Clock, ManualClock, SharedClock, Timestamp};
use passerelle_pki::key::{Ed25519Key, PublicKey, Signer};
use passerelle_pki::keyfile::Passphrase;
use passerelle_pki::name::{AgencyCode, AgentId, Identity as Name};
use passerelle_pki::request;
use passerelle_pki::revocation::{RevocationList, Revocations};
use passerelle_pki::tls::Credential;
use passerelle_proto::agreement::draft::{
    DraftAssessment, DraftCategory, DraftInterval, DraftParty, DraftPurpose, PrivacyOfficer,
};
use passerelle_proto::agreement::{Bilingual, Document, Draft, sign_document};
use passerelle_proto::envelope::KemKey;
use passerelle_proto::tlog::vkey::NoteVerifier;
use passerelle_proto::{bundle, wire};
use ring::rand::SystemRandom;

use super::{Enrolling, Identity, Issued, Requests};

pub(crate) const DAY: Duration = Duration::from_secs(86_400);
pub(crate) const HOST: &str = "127.0.0.1";

/// 2026-01-15T12:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_768_478_400);

/// A trust domain with its authorities in a temporary folder.
pub(crate) struct House {
    folder: tempfile::TempDir,
    pub(crate) issuing: Authority,
    pub(crate) clock: Arc<ManualClock>,
}

/// An agent of the house, with every key in the test's hands.
pub(crate) struct Member {
    pub(crate) id: AgentId,
    pub(crate) signing: Credential,
    pub(crate) kem: KemKey,
}

impl House {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::new("phrase de passe des essais".to_owned());
        let domain = "qc.example".parse().unwrap();
        let root = Authority::create_root(&folder.path().join("root"), &domain, &passphrase, START).unwrap();
        let issuing =
            Authority::create_issuing(&folder.path().join("issuing"), &root, &passphrase, START).unwrap();
        Self { folder, issuing, clock: Arc::new(ManualClock::new(START)) }
    }

    /// A data folder of this name.
    pub(crate) fn data_dir(&self, name: &str) -> std::path::PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn shared_clock(&self) -> SharedClock {
        Arc::<ManualClock>::clone(&self.clock)
    }

    pub(crate) fn anchor(&self) -> TrustAnchor {
        self.issuing.trust_anchor().clone()
    }

    /// A certificate of 90 days for a fresh key.
    pub(crate) fn certify(&self, short: &str, usage: Usage) -> Credential {
        let name: Name = short.parse().unwrap();
        let key = Arc::new(Ed25519Key::generate().unwrap());
        let request = request::create(key.as_ref(), &name, self.issuing.domain()).unwrap();
        Credential { chain: self.issue(&request, &name, usage), key }
    }

    pub(crate) fn issue(&self, request: &[u8], name: &Name, usage: Usage) -> Chain {
        let hosts = match (name, usage) {
            (Name::Gateway(_), Usage::Tls) => vec![HOST.to_owned()],
            _ => Vec::new(),
        };
        self.issuing.issue(request, name, usage, 90 * DAY, self.now(), &hosts).unwrap()
    }

    /// What a gateway gives for an agent's requests.
    pub(crate) fn certify_requests(&self, short: &str, requests: &Requests) -> Issued {
        let name: Name = short.parse().unwrap();
        Issued {
            tls: self.issue(&requests.tls, &name, Usage::Tls),
            signing: self.issue(&requests.signing, &name, Usage::Signing),
        }
    }

    pub(crate) fn log_key(&self) -> NoteVerifier {
        NoteVerifier::ed25519("journal.qc.example".parse().unwrap(), PublicKey::from_raw32([7; 32]))
    }

    /// An enrolled agent's identity, in a data folder of its own.
    pub(crate) fn enrolled(&self, short: &str) -> Identity {
        self.enrolled_in(&self.data_dir(&short.replace('/', "-")), short)
    }

    pub(crate) fn enrolled_in(&self, data_dir: &Path, short: &str) -> Identity {
        let agent = short.parse().unwrap();
        let mut enrolling = Enrolling::begin(data_dir, &self.anchor(), &agent, false).unwrap();
        let issued = self.certify_requests(short, &enrolling.requests().unwrap());
        enrolling.finish(&issued, &self.log_key(), self.now()).unwrap()
    }

    pub(crate) fn member(&self, short: &str) -> Member {
        Member {
            id: short.parse().unwrap(),
            signing: self.certify(short, Usage::Signing),
            kem: KemKey::generate(&SystemRandom::new()).unwrap(),
        }
    }

    pub(crate) fn revocation_list(&self) -> Vec<u8> {
        self.issuing.revocation_list(self.now()).unwrap()
    }

    pub(crate) fn revocations(&self) -> Revocations {
        let revocations = Revocations::new();
        let list = RevocationList::verify(&self.revocation_list(), self.issuing.issuer()).unwrap();
        revocations.replace(list).unwrap();
        revocations
    }

    /// Revokes a certificate of this house.
    pub(crate) fn revoke(&self, credential: &Credential, usage: Usage) {
        let certificate = self.anchor().verify(&credential.chain, usage, self.now()).unwrap();
        self.issuing.revoke(certificate.serial(), Reason::KeyCompromise, self.now()).unwrap();
    }

    /// The answer that lists these entries, with the revocation list of now.
    pub(crate) fn answer(&self, agents: Vec<wire::AgentEntry>) -> wire::LookupReply {
        let revocation_list = self.revocation_list().into();
        wire::LookupReply { agents, revocation_list, ..wire::LookupReply::default() }
    }
}

impl Member {
    pub(crate) fn bundle(&self, created: Timestamp) -> wire::Statement {
        self.bundle_of(&self.id, created, self.signing.key.as_ref())
    }

    pub(crate) fn bundle_of(
        &self,
        agent: &AgentId,
        created: Timestamp,
        signer: &dyn Signer,
    ) -> wire::Statement {
        bundle::sign(agent, self.kem.public_key(), (created, created.plus(90 * DAY)), signer).unwrap()
    }

    /// As an honest directory lists it.
    pub(crate) fn entry(&self, now: Timestamp) -> wire::AgentEntry {
        wire::AgentEntry {
            agency: self.id.agency.to_string(),
            agent: self.id.agent.to_string(),
            signing_chain: self.signing.chain.to_ders().into_iter().map(Into::into).collect(),
            key_bundle: Some(self.bundle(now)),
            revoked: false,
            earlier_signing_certificates: Vec::new(),
        }
    }

    /// Its signature over a document, taken at `received`.
    pub(crate) fn sign(&self, document: &Document, received: Timestamp) -> wire::PartySignature {
        let signature =
            sign_document(document, self.signing.key.as_ref(), &self.signing.chain, &self.id.agency);
        wire::PartySignature { received_ms: received.as_millis(), ..signature.unwrap() }
    }
}

pub(crate) fn agency(code: &str) -> AgencyCode {
    code.parse().unwrap()
}

fn both(text: &str) -> Bilingual {
    Bilingual::new(text, text)
}

fn party(agency: &str) -> DraftParty {
    DraftParty {
        agency: agency.to_owned(),
        name: both(agency),
        jurisdiction: "QC".to_owned(),
        privacy_officer: PrivacyOfficer {
            name: "Lise Tremblay".to_owned(),
            title: "Responsable".to_owned(),
            contact: "acces@example.qc.ca".to_owned(),
        },
    }
}

/// An agreement under s. 67, which waits for nobody; in force through 2026.
pub(crate) fn draft(number: &str, version: u32, provider: &str, consumer: &str) -> Draft {
    Draft {
        format: passerelle_proto::agreement::FORMAT.to_owned(),
        number: number.to_owned(),
        version,
        supersedes: (version > 1).then(|| passerelle_proto::agreement::draft::DraftSupersedes {
            number: number.to_owned(),
            version: version - 1,
        }),
        title: both("Entente d'essai"),
        legal_regime: "A-2.1".to_owned(),
        legal_basis: "A-2.1 s.67".to_owned(),
        enabling_provision: "Loi d'essai, art. 1".to_owned(),
        provider: party(provider),
        consumers: vec![party(consumer)],
        purposes: vec![DraftPurpose { code: "QC-A".to_owned(), dpv: None, text: both("Essai") }],
        data_categories: vec![DraftCategory {
            code: "adresse".to_owned(),
            label: both("Adresse"),
            sensitive: Some(false),
        }],
        method: vec!["record".to_owned()],
        services: vec!["changement-adresse".to_owned()],
        security_measures: vec![both("Chiffrement")],
        interval: DraftInterval { kind: "continuous".to_owned(), text: both("En continu") },
        valid_from: "2026-01-01".to_owned(),
        valid_to: "2026-12-31".to_owned(),
        efvp: Some(DraftAssessment {
            reference: "EFVP-1".to_owned(),
            date: "2025-12-01".to_owned(),
            document_sha256: "ab".repeat(32),
            objective_needs_identifying: Some(true),
            consent_unreasonable: Some(true),
            interest_outweighs: Some(true),
            confidentiality_ensured: Some(true),
            reviewer: "Lise Tremblay".to_owned(),
        }),
        retention_days: Some(365),
        ..Draft::default()
    }
}

pub(crate) fn document(draft: &Draft) -> Document {
    Document::parse(draft.to_json().unwrap()).unwrap()
}

/// A record in a state, with these signatures.
pub(crate) fn record(
    document: &Document,
    state: wire::AgreementState,
    signatures: Vec<wire::PartySignature>,
) -> wire::AgreementRecord {
    wire::AgreementRecord {
        document: document.bytes().clone(),
        signatures,
        standing: Some(wire::AgreementStanding {
            state: state.into(),
            activated_ms: START.as_millis(),
            ..wire::AgreementStanding::default()
        }),
    }
}
