//! A sample agreement to break, and a small house of certificates to sign it with.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use passerelle_pki::authority::Authority;
use passerelle_pki::certificate::{Chain, TrustAnchor, Usage};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::Ed25519Key;
use passerelle_pki::keyfile::Passphrase;
use passerelle_pki::name::Identity;
use passerelle_pki::request;
use passerelle_proto::agreement::{
    AgreementVersion, Document, FieldError, Standing, State, VerifiedAgreement, sign_document,
};
use passerelle_proto::wire;
use serde_json::Value;

/// Sample of s. 68: ramq releases to saaq and revenu-quebec.
pub(crate) const SAMPLE: &[u8] = include_bytes!("../../../docs/samples/entente-a68.json");
/// Sample of s. 67 with a consumer in Ontario.
pub(crate) const OUTSIDE: &[u8] = include_bytes!("../../../docs/samples/entente-a67-hors-quebec.json");

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// An instant in ISO 8601.
pub(crate) fn at(text: &str) -> Timestamp {
    let instant: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_millis(instant.as_millisecond().try_into().unwrap())
}

/// When the house was built and the parties sign.
pub(crate) fn signing_day() -> Timestamp {
    at("2026-09-20T15:00:00Z")
}

pub(crate) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// The document with values put in place; `null` takes the field out.
pub(crate) fn edited(bytes: &[u8], edits: &[(&str, Value)]) -> Vec<u8> {
    let mut document = json(bytes);
    for (pointer, value) in edits {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap() {
            Value::Object(fields) if value.is_null() => drop(fields.remove(key).unwrap()),
            Value::Object(fields) => drop(fields.insert(key.to_owned(), value.clone())),
            Value::Array(list) if key == list.len().to_string() => list.push(value.clone()),
            Value::Array(list) => list[key.parse::<usize>().unwrap()] = value.clone(),
            other => unreachable!("{pointer} leads into {other}"),
        }
    }
    serde_json::to_vec(&document).unwrap()
}

pub(crate) fn document(edits: &[(&str, Value)]) -> Document {
    Document::parse(edited(SAMPLE, edits)).unwrap()
}

/// What the reader has against a document: field, section, code.
pub(crate) fn faults(bytes: Vec<u8>) -> Vec<(String, String, &'static str)> {
    let told = |fault: &FieldError| (fault.path.clone(), fault.section.clone(), fault.code());
    Document::parse(bytes).map(drop).unwrap_err().iter().map(told).collect()
}

/// Each row breaks one rule of the sample: where, how; then the field, section and code of the one mistake expected.
pub(crate) type Row = (&'static str, Value, &'static str, &'static str, &'static str);

pub(crate) fn each_is_the_only_mistake(bytes: &[u8], rows: &[Row]) {
    for (pointer, value, path, section, code) in rows {
        let expected = ((*path).to_owned(), (*section).to_owned(), *code);
        let found = faults(edited(bytes, &[(pointer, value.clone())]));
        assert_eq!(found, [expected], "{pointer} = {value}");
    }
}

pub(crate) struct Credential {
    pub(crate) chain: Chain,
    pub(crate) key: Ed25519Key,
}

/// A root and what it certified on [`signing_day`] for 90 days.
pub(crate) struct House {
    pub(crate) anchor: TrustAnchor,
    credentials: BTreeMap<(Identity, Usage), Credential>,
}

pub(crate) static HOUSE: LazyLock<House> = LazyLock::new(House::build);
/// Another root, with the same names under it.
pub(crate) static OTHER_HOUSE: LazyLock<House> = LazyLock::new(House::build);

impl House {
    fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (domain, now) = ("qc.example".parse().unwrap(), signing_day());
        let passphrase = Passphrase::new("phrase de passe des essais".to_owned());
        let root = Authority::create_root(&folder.path().join("root"), &domain, &passphrase, now).unwrap();
        let issuing =
            Authority::create_issuing(&folder.path().join("issuing"), &root, &passphrase, now).unwrap();
        let agents = ["ramq/agent-1", "saaq/agent-1", "revenu-quebec/agent-1", "cnesst/agent-1"];
        let mut holders: Vec<(Identity, Usage)> =
            agents.iter().map(|agent| (Identity::Agent(agent.parse().unwrap()), Usage::Signing)).collect();
        holders.push((Identity::Agent("ramq/agent-1".parse().unwrap()), Usage::Tls));
        holders.push((Identity::Gateway("passerelle".parse().unwrap()), Usage::Signing));
        let certify = |(identity, usage): (Identity, Usage)| {
            let key = Ed25519Key::generate().unwrap();
            let request = request::create(&key, &identity, &domain).unwrap();
            let chain = issuing.issue(&request, &identity, usage, 90 * DAY, now, &[]).unwrap();
            ((identity, usage), Credential { chain, key })
        };
        let credentials = holders.into_iter().map(certify).collect();
        Self { anchor: issuing.trust_anchor().clone(), credentials }
    }

    /// The signing credential of an agency's agent.
    pub(crate) fn signer(&self, agency: &str) -> &Credential {
        let agent = format!("{agency}/agent-1").parse().unwrap();
        self.credential(Identity::Agent(agent), Usage::Signing)
    }

    pub(crate) fn credential(&self, identity: Identity, usage: Usage) -> &Credential {
        self.credentials.get(&(identity, usage)).unwrap()
    }
}

/// No certificate is revoked.
pub(crate) fn never(_: &[u8]) -> Option<Timestamp> {
    None
}

/// What `agency` signs.
pub(crate) fn sign(document: &Document, agency: &str) -> wire::PartySignature {
    let Credential { chain, key } = HOUSE.signer(agency);
    sign_document(document, key, chain, &agency.parse().unwrap()).unwrap()
}

/// The version with these agencies' signatures, taken on [`signing_day`].
pub(crate) fn signed_by(document: &Document, agencies: &[&str]) -> AgreementVersion {
    let mut version = AgreementVersion::proposed(document.clone());
    for agency in agencies {
        let signature = sign(document, agency);
        version.take_signature(&signature, &HOUSE.anchor, &never, signing_day()).unwrap();
    }
    version
}

/// Active, sent on 1 and received on 5 October 2026: clear of the Commission from 4 November.
pub(crate) fn active() -> Standing {
    Standing {
        state: State::Active,
        sent_to_cai_on: Some("2026-10-01".parse().unwrap()),
        received_by_cai_on: Some("2026-10-05".parse().unwrap()),
        activated: Some(at("2026-11-20T15:00:00Z")),
        note: String::new(),
    }
}

/// The sample with edits, signed by all, standing so.
pub(crate) fn verified(edits: &[(&str, Value)], standing: Standing) -> VerifiedAgreement {
    let version = signed_by(&document(edits), &["ramq", "saaq", "revenu-quebec"]);
    version.with_standing(standing).into_verified().unwrap()
}
