//! A gateway that lies about what was agreed.

use std::time::Duration;

use passerelle_pki::certificate::Usage;
use passerelle_pki::tls::ClientAuth;
use passerelle_proto::agreement::{Document, verify_signature};
use passerelle_proto::wire::AgreementState;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::catalogue::Catalogue;
use crate::identity::house::{DAY, House, Member, START, agency, document, draft, record};
use crate::link::stub::Stub;
use crate::link::{Backoff, Link, LinkSettings};

const NUMBER: &str = "ENT-2026-001";

struct Scene {
    house: House,
    ramq: Member,
    saaq: Member,
    directory: Directory,
    agreements: Agreements,
}

impl Scene {
    fn new() -> Self {
        let house = House::new();
        let (ramq, saaq) = (house.member("ramq/agent-1"), house.member("saaq/agent-1"));
        let (directory, agreements) = open(&house);
        Self { house, ramq, saaq, directory, agreements }
    }

    fn take(&self, records: Vec<wire::AgreementRecord>) -> Report {
        self.agreements.take(&wire::ListAgreementsReply { agreements: records }).unwrap()
    }

    fn signatures(&self, document: &Document) -> Vec<wire::PartySignature> {
        vec![self.ramq.sign(document, START), self.saaq.sign(document, START)]
    }

    fn signed(&self, version: u32, state: AgreementState) -> wire::AgreementRecord {
        let document = document(&draft(NUMBER, version, "ramq", "saaq"));
        record(&document, state, self.signatures(&document))
    }

    /// Takes one record and gives why it was refused.
    fn refusal(&self, record: wire::AgreementRecord) -> VersionError {
        let mut report = self.take(vec![record]);
        assert_eq!((report.taken, report.refused.len()), (0, 1), "{report:?}");
        report.refused.remove(0).1
    }

    fn current(&self) -> Option<u32> {
        let now = self.house.now();
        self.agreements.current(NUMBER, now).map(|version| version.agreement().version)
    }
}

fn open(house: &House) -> (Directory, Agreements) {
    let (data_dir, anchor) = (house.data_dir("ramq"), house.anchor());
    let directory = Directory::open(&data_dir, &anchor, house.shared_clock()).unwrap();
    let clock = house.shared_clock();
    let agreements = Agreements::open(&data_dir, &anchor, &agency("ramq"), &directory, clock).unwrap();
    (directory, agreements)
}

#[test]
fn an_agreement_that_every_party_signed_is_taken_and_survives_the_process() {
    let scene = Scene::new();
    let report = scene.take(vec![scene.signed(1, AgreementState::Active)]);
    assert_eq!((report.taken, report.refused.len()), (1, 0));
    assert_eq!(scene.current(), Some(1));
    assert_eq!(scene.agreements.agencies(), [agency("ramq"), agency("saaq")].into());
    let reference = scene.agreements.current(NUMBER, START).unwrap().reference();
    scene.house.clock.advance(DAY);
    let (_, again) = open(&scene.house);
    assert_eq!(again.age(), Some(DAY));
    assert_eq!(again.by_ref(&reference).unwrap().reference(), reference);
    assert!(again.by_ref(&wire::AgreementRef { version: 2, ..reference }).is_none());
}

#[test]
fn a_missing_signature_is_refused_whatever_the_gateway_calls_it() {
    let scene = Scene::new();
    for state in [
        AgreementState::Signed,
        AgreementState::Active,
        AgreementState::Suspended,
        AgreementState::Revoked,
        AgreementState::Replaced,
    ] {
        let mut record = scene.signed(1, state);
        record.signatures.pop();
        assert!(matches!(scene.refusal(record), VersionError::Unsigned { .. }), "{state:?}");
    }
    assert_eq!(scene.current(), None);
}

#[test]
fn forged_signatures_are_refused() {
    let scene = Scene::new();
    let document = document(&draft(NUMBER, 1, "ramq", "saaq"));
    let refused = |signature: wire::PartySignature| {
        let signatures = vec![scene.ramq.sign(&document, START), signature];
        matches!(
            scene.refusal(record(&document, AgreementState::Active, signatures)),
            VersionError::Record(_)
        )
    };
    let good = scene.saaq.sign(&document, START);
    let mut flipped = good.clone();
    let signature = flipped.signature.as_mut().unwrap();
    let mut bytes = signature.signature.to_vec();
    bytes[5] ^= 1;
    signature.signature = bytes.into();
    assert!(refused(flipped));
    // Of another document, of another root, of another agency, of a TLS certificate, in another's name.
    let other = self::document(&draft("ENT-2026-002", 1, "ramq", "saaq"));
    assert!(refused(scene.saaq.sign(&other, START)));
    assert!(refused(House::new().member("saaq/agent-1").sign(&document, START)));
    let named = wire::PartySignature { agency: "saaq".to_owned(), ..scene.ramq.sign(&document, START) };
    assert!(refused(named));
    let tls = Member {
        signing: scene.house.certify("saaq/agent-1", Usage::Tls),
        ..scene.house.member("saaq/agent-1")
    };
    assert!(refused(tls.sign(&document, START)));
    assert_eq!(scene.current(), None);
}

#[test]
fn a_revoked_signer_counts_until_it_was_revoked() {
    let scene = Scene::new();
    scene.house.clock.advance(DAY);
    scene.house.revoke(&scene.saaq.signing, Usage::Signing);
    let honest = scene.house.member("ramq/agent-2").entry(START);
    scene.directory.take(&scene.house.answer(vec![honest]), &[agency("ramq")].into()).unwrap();
    scene.house.clock.advance(DAY);
    // Signed the day before it was revoked: a paper survives the loss of the pen.
    assert_eq!(scene.take(vec![scene.signed(1, AgreementState::Active)]).taken, 1);
    let document = document(&draft(NUMBER, 2, "ramq", "saaq"));
    let late = vec![scene.ramq.sign(&document, START), scene.saaq.sign(&document, START.plus(2 * DAY))];
    let refusal = scene.refusal(record(&document, AgreementState::Active, late));
    assert!(matches!(refusal, VersionError::Record(RecordError::Signature(SignatureError::Revoked { .. }))));
}

#[test]
fn other_bytes_under_a_known_version_are_refused() {
    let scene = Scene::new();
    scene.take(vec![scene.signed(1, AgreementState::Active)]);
    let known = scene.agreements.current(NUMBER, START).unwrap().reference();
    let mut wider = draft(NUMBER, 1, "ramq", "saaq");
    wider.services.push("tout".to_owned());
    let wider = document(&wider);
    let changed = record(&wider, AgreementState::Active, scene.signatures(&wider));
    assert!(matches!(scene.refusal(changed), VersionError::Changed));
    assert_eq!(scene.agreements.by_ref(&known).unwrap().reference(), known, "what was verified stays");
}

#[test]
fn agreements_of_others_and_repeats_are_refused() {
    let scene = Scene::new();
    let foreign = document(&draft(NUMBER, 1, "saaq", "revenu"));
    let revenu = scene.house.member("revenu/agent-1");
    let signatures = vec![scene.saaq.sign(&foreign, START), revenu.sign(&foreign, START)];
    let foreign = record(&foreign, AgreementState::Active, signatures);
    assert!(matches!(scene.refusal(foreign), VersionError::NotOurs));
    let twice = scene.signed(1, AgreementState::Active);
    let report = scene.take(vec![twice.clone(), twice]);
    assert!(matches!(report.refused[..], [(_, VersionError::Repeated)]));
}

#[test]
fn the_version_in_force_is_chosen_and_otherwise_the_one_that_says_why() {
    let scene = Scene::new();
    assert_eq!(scene.current(), None);
    let (active, suspended, signed) =
        (AgreementState::Active, AgreementState::Suspended, AgreementState::Signed);
    scene.take(vec![
        scene.signed(1, AgreementState::Replaced),
        scene.signed(2, active),
        scene.signed(3, signed),
    ]);
    assert_eq!(scene.current(), Some(2), "in force, though a later one waits");
    scene.take(vec![scene.signed(1, AgreementState::Replaced), scene.signed(2, suspended)]);
    assert_eq!(scene.current(), Some(2), "suspended: permits() says so");
    scene.take(vec![scene.signed(2, active)]);
    assert_eq!(scene.current(), Some(2));
    scene.house.clock.advance(400 * DAY);
    assert_eq!(scene.current(), Some(2), "expired: permits() says so");
    let proposed = document(&draft(NUMBER, 1, "ramq", "saaq"));
    scene.take(vec![record(&proposed, AgreementState::Proposed, Vec::new())]);
    assert_eq!(scene.current(), None, "a proposal permits nothing");
    assert!(scene.agreements.version(NUMBER, 1).is_some());
}

/// An enrolled agent of RAMQ before a gateway, with empty caches.
struct Connected {
    house: House,
    stub: Stub,
    identity: Identity,
    link: Link,
    directory: Directory,
    agreements: Agreements,
}

impl Connected {
    async fn new() -> Self {
        let house = House::new();
        let stub = Stub::start(&house, ClientAuth::Required).await;
        let identity = house.enrolled_in(&house.data_dir("ramq"), "ramq/agent-1");
        let (directory, agreements) = open(&house);
        let settings = LinkSettings {
            address: stub.address.clone(),
            identity: identity.clone(),
            revocations: directory.revocations().clone(),
            backoff: Backoff { min: Duration::from_millis(5), max: Duration::from_millis(40) },
            clock: house.shared_clock(),
        };
        let (link, _) = Link::start(settings).unwrap();
        Self { house, stub, identity, link, directory, agreements }
    }

    fn publish(&self, agents: Vec<wire::AgentEntry>, agreements: Vec<wire::AgreementRecord>) {
        self.stub.set(|script| {
            script.lookup = Some(self.house.answer(agents));
            script.agreements = Some(wire::ListAgreementsReply { agreements });
        });
    }
}

#[tokio::test]
async fn our_signature_covers_what_was_shown_and_nothing_else() {
    let scene = Connected::new().await;
    let document = document(&draft(NUMBER, 1, "ramq", "saaq"));
    scene.publish(Vec::new(), vec![record(&document, AgreementState::Proposed, Vec::new())]);
    let channel = scene.link.ready().await.unwrap();
    scene.agreements.refresh(channel.clone()).await.unwrap();
    let sign =
        |version, shown| scene.agreements.sign(channel.clone(), &scene.identity, (NUMBER, version), shown);
    assert!(matches!(sign(2, None).await, Err(AgreementsError::Unknown { .. })));
    assert!(matches!(sign(1, Some([0; 32])).await, Err(AgreementsError::OtherDocument)));
    assert!(scene.stub.seen(|script| script.signed.is_empty()));
    sign(1, Some(document.digest())).await.unwrap();
    let signature = scene.stub.seen(|script| script.signed[0].signature.clone()).unwrap();
    let signed = verify_signature(&document, &signature, &scene.house.anchor(), &|_| None, START).unwrap();
    assert_eq!(signed.agent, *scene.identity.agent());
    assert_eq!(signed.key_id, scene.identity.signer().key_id());

    // Once the gateway shows our signature, we do not sign again; nor what is past signing.
    scene.publish(Vec::new(), vec![record(&document, AgreementState::Proposed, vec![signature.clone()])]);
    scene.agreements.refresh(channel.clone()).await.unwrap();
    assert!(matches!(sign(1, None).await, Err(AgreementsError::SignedAlready)));
    let saaq = scene.house.member("saaq/agent-1").sign(&document, START);
    scene.publish(Vec::new(), vec![record(&document, AgreementState::Active, vec![signature, saaq])]);
    scene.agreements.refresh(channel.clone()).await.unwrap();
    assert!(matches!(sign(1, None).await, Err(AgreementsError::NotForSigning(State::Active))));
}

#[tokio::test]
async fn a_catalogue_that_cannot_be_kept_holds_nothing_else_up() {
    let scene = Connected::new().await;
    let saaq = scene.house.member("saaq/agent-1");
    let (folder, channel) = (scene.house.data_dir("ramq"), scene.link.ready().await.unwrap());
    let (ours, clock) = (agency("ramq"), scene.house.shared_clock());
    let catalogue = Catalogue::open(&folder, &ours, &scene.directory, clock).unwrap();
    // Its file cannot be written.
    std::fs::create_dir_all(folder.join("catalogue.json/x")).unwrap();
    let document = document(&draft(NUMBER, 1, "ramq", "saaq"));
    let ramq = scene.house.member("ramq/agent-9");
    let signatures = vec![ramq.sign(&document, START), saaq.sign(&document, START)];
    let active = record(&document, AgreementState::Active, signatures);
    scene.publish(vec![ramq.entry(START), saaq.entry(START)], vec![active]);
    assert!(catalogue.refresh(channel.clone()).await.is_err(), "it fails");
    let synchroniser = Synchroniser::new(
        scene.identity.clone(),
        scene.link.clone(),
        scene.directory.clone(),
        (scene.agreements.clone(), catalogue),
    );
    synchroniser.refresh(channel).await.unwrap();
    assert_eq!(*synchroniser.done().borrow(), 1);
    assert!(scene.agreements.current(NUMBER, START).is_some());
}

#[tokio::test]
async fn changes_are_followed_and_new_partners_are_looked_up() {
    let scene = Connected::new().await;
    let (ramq, saaq) = (scene.house.member("ramq/agent-9"), scene.house.member("saaq/agent-1"));
    scene.publish(vec![ramq.entry(START)], Vec::new());
    let (ours, folder) = (agency("ramq"), scene.house.data_dir("ramq"));
    let catalogue = Catalogue::open(&folder, &ours, &scene.directory, scene.house.shared_clock()).unwrap();
    let synchroniser = Synchroniser::new(
        scene.identity.clone(),
        scene.link.clone(),
        scene.directory.clone(),
        (scene.agreements.clone(), catalogue),
    );
    let mut done = synchroniser.done();
    let stop = CancellationToken::new();
    let task = tokio::spawn(synchroniser.run(stop.clone()));
    done.wait_for(|count| *count == 1).await.unwrap();
    assert!(scene.agreements.list().is_empty());

    let document = document(&draft(NUMBER, 1, "ramq", "saaq"));
    let signatures = vec![ramq.sign(&document, START), saaq.sign(&document, START)];
    let active = record(&document, AgreementState::Active, signatures);
    scene.publish(vec![ramq.entry(START), saaq.entry(START)], vec![active]);
    scene.stub.changes.send_replace(2);
    done.wait_for(|count| *count == 2).await.unwrap();
    assert!(scene.agreements.current(NUMBER, START).is_some());
    assert_eq!(scene.directory.recipients(&agency("saaq")).len(), 1);
    let last = scene.stub.seen(|script| script.asked.last().cloned()).unwrap();
    assert_eq!(last.agencies, ["ramq", "saaq"]);

    // Cut off, it comes back and reads again.
    scene.stub.cut_all();
    done.wait_for(|count| *count == 3).await.unwrap();
    stop.cancel();
    task.await.unwrap();
}
