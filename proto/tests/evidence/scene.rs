//! One exchange from ramq to saaq and revenu-quebec, in a log with others, and everything that shows it.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::{Ed25519Key, Signer as _};
use passerelle_proto::acknowledgement::{self, Acknowledged};
use passerelle_proto::agreement::{Document, sign_document};
use passerelle_proto::envelope::{
    DecapsulationCache, EncapsulationCache, HeaderDraft, KemKey, KemKeys, Opener, RecipientPublicKey,
    SealedRecord, Sealing, danger, seal_small, verify,
};
use passerelle_proto::event::{self, exchange_detail};
use passerelle_proto::evidence::{FORMAT, Trust, Verdict, judge};
use passerelle_proto::tlog::tree::{self, Leaves};
use passerelle_proto::tlog::{Checkpoint, Hash, NoteSigner, leaf_hash};
use passerelle_proto::wire::{self, EventKind, Evidence, event::Detail};
use prost::Message;
use ring::rand::SystemRandom;

use crate::authority::StampAuthority;
use crate::house::{Agent, House, noon, signing_day};
use crate::policy::Witnesses;

pub(crate) const PLAINTEXT: &[u8] = b"{\"nam\":\"TREM 0101 0101\"}";
pub(crate) const ORIGIN: &str = "journal.qc.example/passerelle";
pub(crate) const SAMPLE: &[u8] = include_bytes!("../../../docs/samples/entente-a68.json");

pub(crate) static SCENE: LazyLock<Scene> = LazyLock::new(Scene::build);
/// The same names under another root, in another log.
pub(crate) static OTHER: LazyLock<Scene> = LazyLock::new(Scene::build);

pub(crate) struct Scene {
    pub(crate) house: House,
    pub(crate) ramq: Agent,
    pub(crate) saaq: Agent,
    pub(crate) revenu: Agent,
    pub(crate) cnesst: Agent,
    pub(crate) log: NoteSigner,
    pub(crate) stamps: StampAuthority,
    pub(crate) witnesses: Witnesses,
    pub(crate) evidence: Evidence,
    /// Another exchange of the same agencies under the same checkpoint.
    pub(crate) another: Evidence,
    pub(crate) trust: Trust,
}

/// A log being written.
struct Log {
    entries: Vec<Vec<u8>>,
}

impl Log {
    fn put(&mut self, at: Timestamp, kind: EventKind, detail: Detail) -> u64 {
        let event = wire::Event {
            nonce: vec![self.entries.len().try_into().unwrap(); 16].into(),
            time_ms: at.as_millis(),
            kind: kind.into(),
            actor: Some(wire::Actor {
                actor: Some(wire::actor::Actor::Gateway("passerelle".into())),
                ..wire::Actor::default()
            }),
            detail: Some(detail),
        };
        self.entries.push(event::encode(&event).unwrap());
        self.entries.len() as u64 - 1
    }

    fn noise(&mut self, count: usize) {
        for _ in 0..count {
            self.put(
                signing_day(),
                EventKind::GatewayStarted,
                Detail::Gateway(wire::GatewayDetail::default()),
            );
        }
    }
}

/// What one exchange left.
struct Exchange {
    record: SealedRecord,
    key: [u8; 32],
    acknowledgements: Vec<wire::Statement>,
    leaves: Vec<u64>,
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

pub(crate) fn signer(name: &str) -> NoteSigner {
    NoteSigner::new(name.parse().unwrap(), Arc::new(Ed25519Key::generate().unwrap())).unwrap()
}

fn seal(document: &Document, ramq: &Agent, keys: &[&KemKey], at: Timestamp) -> SealedRecord {
    let agencies = ["revenu-quebec", "saaq"];
    let recipients: Vec<_> = agencies
        .iter()
        .zip(keys)
        .map(|(agency, key)| RecipientPublicKey::new(agency.parse().unwrap(), key.public_key().clone()))
        .collect();
    let draft = HeaderDraft {
        kind: wire::ExchangeKind::Record,
        sender: ramq.id.clone(),
        recipients: agencies.iter().map(|code| code.parse().unwrap()).collect(),
        agreement: document.reference(),
        service: "admissibilite".into(),
        operation: String::new(),
        purpose: "QC-F".into(),
        legal_basis: "A-2.1 s.68".into(),
        data_categories: BTreeSet::from(["admissibilite".to_owned(), "identite".to_owned()]),
        acting_user: Some([2; 32]),
        subjects: vec![[3; 32]],
        created: at,
        expires: at.plus(minutes(60)),
        in_reply_to: None,
        content_type: "application/json".into(),
        order: None,
        attributes: wire::SealedAttributes {
            case_reference: "DOSSIER-1".into(),
            acting_user: "agent.x".into(),
            subjects: vec!["TREM 0101 0101".into()],
            ..wire::SealedAttributes::default()
        },
    };
    let (encapsulations, random) = (EncapsulationCache::new(), SystemRandom::new());
    let sealing = Sealing { signer: &ramq.key, encapsulations: &encapsulations, random: &random };
    seal_small(draft, &recipients, sealing, PLAINTEXT).unwrap()
}

fn exchange(document: &Document, agents: (&Agent, [&Agent; 2]), log: &mut Log, at: Timestamp) -> Exchange {
    let (ramq, recipients) = agents;
    let keys = [(); 2].map(|()| KemKey::generate(&SystemRandom::new()).unwrap());
    let record = seal(document, ramq, &[&keys[0], &keys[1]], at);
    let verified = verify(&record.envelope, ramq.key.public_key()).unwrap();
    let [key, _] = keys;
    let opener = Opener::new(&verified, &KemKeys::from(key), &DecapsulationCache::default()).unwrap();
    let key = *danger::content_key(&opener);
    let digest = verified.header_digest();
    let detail = exchange_detail(verified.header(), &digest, &ramq.key.key_id());
    let mut leaves = vec![log.put(at, EventKind::ExchangeAccepted, Detail::Exchange(detail))];
    log.noise(3);
    let mut acknowledgements = Vec::new();
    for agent in recipients {
        let at = at.plus(Duration::from_secs(2));
        let acknowledged =
            Acknowledged { exchange_id: verified.exchange_id(), header_digest: digest, refused: None };
        let statement =
            acknowledgement::sign(&agent.id, at.as_millis(), &[acknowledged], &agent.key).unwrap();
        acknowledgements.push(statement.clone());
        let detail = wire::AcknowledgementDetail { statement: Some(statement) };
        leaves.push(log.put(at, EventKind::ExchangeAcknowledged, Detail::Acknowledgement(detail)));
    }
    Exchange { record, key, acknowledgements, leaves }
}

impl Scene {
    fn build() -> Self {
        let house = House::build();
        let [ramq, saaq, revenu, cnesst] =
            ["ramq/agent-1", "saaq/agent-1", "revenu-quebec/agent-1", "cnesst/agent-1"]
                .map(|name| house.certify(name));
        let document = Document::parse(SAMPLE).unwrap();
        let mut log = Log { entries: Vec::new() };
        log.noise(5);
        let governed = govern(&document, &mut log);
        log.noise(7);
        let earlier_size = log.entries.len();
        let agents = (&ramq, [&saaq, &revenu]);
        let first = exchange(&document, agents, &mut log, noon());
        let second = exchange(&document, agents, &mut log, noon().plus(Duration::from_secs(5)));
        log.noise(9);
        let leaves: Vec<Hash> = log.entries.iter().map(|entry| leaf_hash(entry)).collect();

        let (signer, stamps, witnesses) = (signer(ORIGIN), StampAuthority::build(), Witnesses::build());
        let checkpoint = |size: usize, at: Timestamp| -> String {
            let root = tree::root(&mut Leaves(&leaves[..size]), size as u64).unwrap();
            let note = Checkpoint::new(ORIGIN.to_owned(), size as u64, root).sign(&signer).unwrap();
            witnesses.cosign(note.note(), at, 3)
        };
        let size = leaves.len();
        let (before, after) = (noon().minus(minutes(10)), noon().plus(minutes(10)));
        let (earlier, last) = (checkpoint(earlier_size, before), checkpoint(size, after));
        let consistency =
            tree::consistency_proof(&mut Leaves(&leaves), earlier_size as u64, size as u64).unwrap();
        let path =
            |hashes: &[Hash]| hashes.iter().map(|hash| Bytes::copy_from_slice(hash.as_ref())).collect();
        let entry = |leaf: u64| wire::EvidenceEntry {
            leaf_index: leaf,
            entry: log.entries[usize::try_from(leaf).unwrap()].clone().into(),
            path: path(tree::inclusion_proof(&mut Leaves(&leaves), leaf, size as u64).unwrap().hashes()),
        };
        let sign = |agent: &Agent| wire::PartySignature {
            received_ms: signing_day().as_millis(),
            ..sign_document(&document, &agent.key, &agent.chain, &agent.id.agency).unwrap()
        };
        let whole = |exchange: Exchange| Evidence {
            format: FORMAT.to_owned(),
            exchange_id: exchange.record.exchange_id.to_wire(),
            envelope: Some(exchange.record.envelope),
            sealed_body: exchange.record.body,
            acknowledgements: exchange.acknowledgements,
            entries: governed.iter().chain(&exchange.leaves).map(|leaf| entry(*leaf)).collect(),
            checkpoint: last.clone().into(),
            timestamp: stamps.stamp(last.as_bytes(), after).into(),
            earlier: Some(wire::EarlierCheckpoint {
                checkpoint: earlier.clone().into(),
                consistency: path(consistency.hashes()),
                timestamp: stamps.stamp(earlier.as_bytes(), before).into(),
            }),
            agreement: Some(wire::AgreementRecord {
                document: document.bytes().clone(),
                signatures: [&ramq, &saaq, &revenu].map(sign).to_vec(),
                standing: None,
            }),
            chains: [&ramq, &saaq, &revenu].map(Agent::wire_chain).to_vec(),
            revocation_lists: vec![house.list(noon().plus(minutes(20))).into()],
            content_key: exchange.key.to_vec().into(),
            policy: String::new(),
            made_by: "essai".into(),
        };
        let (evidence, another) = (whole(first), whole(second));
        let trust = Trust {
            log: witnesses.policy(&signer, 3),
            roots: vec![house.anchor()],
            authorities: stamps.authorities(),
        };
        Self { house, ramq, saaq, revenu, cnesst, log: signer, stamps, witnesses, evidence, another, trust }
    }

    pub(crate) fn judge(&self, evidence: &Evidence) -> Verdict {
        judge(&evidence.encode_to_vec(), &self.trust, None).unwrap()
    }
}

/// The agreement's road in the log.
fn govern(document: &Document, log: &mut Log) -> Vec<u64> {
    let detail = |on: &str| {
        Detail::Agreement(wire::AgreementDetail {
            agreement: Some(document.reference()),
            on: on.to_owned(),
            ..wire::AgreementDetail::default()
        })
    };
    let steps = [
        (EventKind::AgreementSentToCai, "2026-10-01"),
        (EventKind::AgreementReceivedByCai, "2026-10-05"),
        (EventKind::AgreementActivated, ""),
    ];
    let at = crate::house::at("2026-11-20T15:00:00Z");
    steps.iter().map(|(kind, on)| log.put(at, *kind, detail(on))).collect()
}
