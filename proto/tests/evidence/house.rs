//! A root, an issuing authority, and the agents that it certified.

use std::time::Duration;

use passerelle_pki::authority::{Authority, Reason};
use passerelle_pki::certificate::{Chain, TrustAnchor, Usage};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::Ed25519Key;
use passerelle_pki::keyfile::Passphrase;
use passerelle_pki::name::{AgentId, Identity};
use passerelle_pki::request;
use passerelle_proto::wire;
use tempfile::TempDir;

const DAY: Duration = Duration::from_secs(86_400);

/// An instant in ISO 8601.
pub(crate) fn at(text: &str) -> Timestamp {
    let instant: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_millis(instant.as_millisecond().try_into().unwrap())
}

/// When the house was built and the parties signed; certificates are good for 90 days.
pub(crate) fn signing_day() -> Timestamp {
    at("2026-09-20T15:00:00Z")
}

/// When the exchange was accepted.
pub(crate) fn noon() -> Timestamp {
    at("2026-12-15T17:00:00Z")
}

pub(crate) struct Agent {
    pub(crate) id: AgentId,
    pub(crate) key: Ed25519Key,
    pub(crate) chain: Chain,
}

pub(crate) struct House {
    pub(crate) issuing: Authority,
    _folder: TempDir,
}

impl House {
    pub(crate) fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (domain, now) = ("qc.example".parse().unwrap(), signing_day());
        let passphrase = Passphrase::new("phrase de passe des essais".to_owned());
        let root = Authority::create_root(&folder.path().join("root"), &domain, &passphrase, now).unwrap();
        let issuing =
            Authority::create_issuing(&folder.path().join("issuing"), &root, &passphrase, now).unwrap();
        Self { issuing, _folder: folder }
    }

    pub(crate) fn anchor(&self) -> TrustAnchor {
        self.issuing.trust_anchor().clone()
    }

    pub(crate) fn certify(&self, name: &str) -> Agent {
        let id: AgentId = name.parse().unwrap();
        let key = Ed25519Key::generate().unwrap();
        let identity = Identity::Agent(id.clone());
        let request = request::create(&key, &identity, self.issuing.domain()).unwrap();
        let chain =
            self.issuing.issue(&request, &identity, Usage::Signing, 90 * DAY, signing_day(), &[]).unwrap();
        Agent { id, key, chain }
    }

    /// The list of revocations made at an instant.
    pub(crate) fn list(&self, now: Timestamp) -> Vec<u8> {
        self.issuing.revocation_list(now).unwrap()
    }

    /// The list after this agent's certificate was revoked.
    pub(crate) fn revoke(&self, agent: &Agent, now: Timestamp) -> Vec<u8> {
        let certificate = self.anchor().verify(&agent.chain, Usage::Signing, signing_day()).unwrap();
        self.issuing.revoke(certificate.serial(), Reason::KeyCompromise, now).unwrap()
    }
}

impl Agent {
    pub(crate) fn wire_chain(&self) -> wire::EvidenceChain {
        wire::EvidenceChain { certificates: self.chain.to_ders().into_iter().map(Into::into).collect() }
    }
}
