//! A gateway that lies about who is who.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use passerelle_pki::certificate::Usage;
use passerelle_pki::clock::Clock;
use passerelle_proto::bundle::BundleError;

use super::*;
use crate::identity::house::{DAY, House, Member, START, agency};

struct Scene {
    house: House,
    directory: Directory,
    saaq: Member,
}

fn asked() -> BTreeSet<AgencyCode> {
    [agency("ramq"), agency("saaq")].into()
}

impl Scene {
    fn new() -> Self {
        let house = House::new();
        let directory = open(&house);
        let saaq = house.member("saaq/agent-1");
        Self { house, directory, saaq }
    }

    fn take(&self, agents: Vec<wire::AgentEntry>) -> Result<Report, DirectoryError> {
        self.directory.take(&self.house.answer(agents), &asked())
    }

    /// Takes one entry and gives why it was refused.
    fn refusal(&self, entry: wire::AgentEntry) -> EntryError {
        let mut report = self.take(vec![entry]).unwrap();
        assert_eq!(report.refused.len(), 1, "{report:?}");
        report.refused.remove(0).1
    }

    fn entry(&self) -> wire::AgentEntry {
        self.saaq.entry(self.house.now())
    }

    fn recipients(&self) -> Vec<KeyId> {
        self.directory.recipients(&agency("saaq")).iter().map(RecipientPublicKey::key_id).collect()
    }

    fn signs(&self) -> bool {
        let key = self.saaq.signing.key.key_id();
        self.directory.signing_key(&self.saaq.id, &key).is_some()
    }
}

fn open(house: &House) -> Directory {
    Directory::open(&house.data_dir("ramq"), &house.anchor(), house.shared_clock()).unwrap()
}

#[test]
fn an_honest_answer_is_taken_and_survives_the_process() {
    let scene = Scene::new();
    assert_eq!(scene.directory.age(), None);
    let report = scene.take(vec![scene.entry(), scene.house.member("ramq/agent-1").entry(START)]).unwrap();
    assert_eq!((report.taken, report.refused.len()), (2, 0));
    assert_eq!(scene.recipients(), [scene.saaq.kem.key_id()]);
    assert!(scene.signs());
    assert!(scene.directory.signing_keys(&"saaq/agent-2".parse().unwrap()).is_empty());
    scene.house.clock.advance(DAY);

    let again = open(&scene.house);
    assert_eq!(again.age(), Some(DAY));
    assert_eq!(again.recipients(&agency("saaq")).len(), 1);
    assert_eq!(again.signing_keys(&scene.saaq.id).len(), 1);
    let file = scene.house.data_dir("ramq").join(stored::FILE);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_bundle_of_another_agent_is_refused() {
    let scene = Scene::new();
    let thief = scene.house.member("saaq/agent-9");
    // Signed by the gateway's accomplice, in the name of the victim and in its own.
    let forged = thief.bundle_of(&scene.saaq.id, START, thief.signing.key.as_ref());
    let refusal = scene.refusal(wire::AgentEntry { key_bundle: Some(forged), ..scene.entry() });
    assert!(matches!(refusal, EntryError::BundleKey), "{refusal:?}");
    let foreign = scene.saaq.bundle_of(&thief.id, START, scene.saaq.signing.key.as_ref());
    let refusal = scene.refusal(wire::AgentEntry { key_bundle: Some(foreign), ..scene.entry() });
    assert!(matches!(refusal, EntryError::Bundle(BundleError::Agent { .. })), "{refusal:?}");
    assert!(scene.recipients().is_empty());
    // Its signature still counts: only the bundle was a lie.
    assert!(scene.signs());
}

#[test]
fn a_bundle_whose_signature_or_key_was_changed_is_refused() {
    let scene = Scene::new();
    let mut bundle = scene.saaq.bundle(START);
    let mut payload = bundle.payload.to_vec();
    payload[100] ^= 1;
    bundle.payload = payload.into();
    let refusal = scene.refusal(wire::AgentEntry { key_bundle: Some(bundle), ..scene.entry() });
    assert!(matches!(refusal, EntryError::Bundle(BundleError::Statement(_))), "{refusal:?}");
    let unsigned = wire::Statement { signatures: Vec::new(), ..scene.saaq.bundle(START) };
    let refusal = scene.refusal(wire::AgentEntry { key_bundle: Some(unsigned), ..scene.entry() });
    assert!(matches!(refusal, EntryError::BundleKey), "{refusal:?}");
    assert!(scene.recipients().is_empty());
}

#[test]
fn chains_of_another_root_name_or_usage_are_refused() {
    let scene = Scene::new();
    let ders = |chain: &Chain| -> Vec<bytes::Bytes> { chain.to_ders().into_iter().map(Into::into).collect() };
    let honest = scene.house.member("ramq/agent-1").entry(START);
    let refused = |chain| {
        let entry = wire::AgentEntry { signing_chain: chain, ..scene.entry() };
        let mut report = scene.take(vec![honest.clone(), entry]).unwrap();
        assert_eq!(report.taken, 1);
        report.refused.remove(0).1
    };
    let stranger = House::new().member("saaq/agent-1");
    assert!(matches!(refused(ders(&stranger.signing.chain)), EntryError::Certificate(_)));
    let other = scene.house.member("saaq/agent-2");
    assert!(matches!(refused(ders(&other.signing.chain)), EntryError::OtherAgent(_)));
    let tls = scene.house.certify("saaq/agent-1", Usage::Tls);
    assert!(matches!(refused(ders(&tls.chain)), EntryError::Certificate(_)));
    assert!(matches!(refused(Vec::new()), EntryError::Certificate(_)));
    assert!(!scene.signs());
}

#[test]
fn revoked_agents_are_refused_and_cannot_come_back_on_an_older_list() {
    let scene = Scene::new();
    let before = scene.house.answer(vec![scene.entry()]);
    scene.directory.take(&before, &asked()).unwrap();
    assert!(scene.signs());

    scene.house.clock.advance(DAY);
    scene.house.revoke(&scene.saaq.signing, Usage::Signing);
    let refusal = scene.refusal(scene.entry());
    assert!(matches!(refusal, EntryError::Revocation(RevocationError::Revoked(_))), "{refusal:?}");
    assert!(scene.recipients().is_empty() && !scene.signs());
    let serial = scene.house.anchor().verify(&scene.saaq.signing.chain, Usage::Signing, START).unwrap();
    assert_eq!(scene.directory.revoked_since(serial.serial()), Some(scene.house.now()));

    // The answer of yesterday, which was honest then; also after a restart.
    for directory in [scene.directory.clone(), open(&scene.house)] {
        let rolled_back = directory.take(&before, &asked());
        let expected =
            matches!(rolled_back, Err(DirectoryError::RevocationList(RevocationError::RolledBack { .. })));
        assert!(expected, "{rolled_back:?}");
        assert!(directory.signing_keys(&scene.saaq.id).is_empty());
    }
}

#[test]
fn a_list_that_is_missing_forged_or_of_another_house_refuses_the_answer() {
    let scene = Scene::new();
    scene.take(vec![scene.entry()]).unwrap();
    let with = |list: Vec<u8>| {
        let answer = scene.house.answer(vec![scene.entry()]);
        let answer = wire::LookupReply { revocation_list: list.into(), ..answer };
        scene.directory.take(&answer, &asked())
    };
    assert!(with(Vec::new()).is_err());
    let mut forged = scene.house.revocation_list();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert!(matches!(with(forged), Err(DirectoryError::RevocationList(RevocationError::Signature))));
    assert!(with(House::new().revocation_list()).is_err());
    assert!(scene.signs(), "what was believed before stays");
}

#[test]
fn an_older_bundle_does_not_replace_a_newer_one() {
    let scene = Scene::new();
    scene.take(vec![scene.entry()]).unwrap();
    scene.house.clock.advance(DAY);
    let newer = Member { kem: scene.house.member("saaq/agent-3").kem, ..scene.house.member("saaq/agent-4") };
    let newer = newer.bundle_of(&scene.saaq.id, scene.house.now(), scene.saaq.signing.key.as_ref());
    let newer = wire::AgentEntry { key_bundle: Some(newer), ..scene.entry() };
    scene.take(vec![newer]).unwrap();
    let key = scene.recipients();
    assert_ne!(key, [scene.saaq.kem.key_id()]);

    let older = wire::AgentEntry { key_bundle: Some(scene.saaq.bundle(START)), ..scene.entry() };
    assert!(matches!(scene.refusal(older.clone()), EntryError::OlderBundle { .. }));
    assert_eq!(scene.recipients(), key, "the newer one stays");
    // Not by leaving the agent out for a while, nor by a restart.
    scene.take(vec![scene.house.member("ramq/agent-1").entry(START)]).unwrap();
    let again = open(&scene.house);
    let report = again.take(&scene.house.answer(vec![older]), &asked()).unwrap();
    assert!(matches!(report.refused[0].1, EntryError::OlderBundle { .. }));
    assert!(again.recipients(&agency("saaq")).is_empty());
}

#[test]
fn agencies_not_asked_for_repeats_and_odd_names_are_refused() {
    let scene = Scene::new();
    let other = scene.house.member("revenu/agent-1").entry(START);
    let odd = wire::AgentEntry { agency: "SAAQ/../".to_owned(), ..scene.entry() };
    let called = wire::AgentEntry { revoked: true, ..scene.house.member("saaq/agent-2").entry(START) };
    let report = scene.take(vec![scene.entry(), scene.entry(), other, odd, called]).unwrap();
    assert_eq!(report.taken, 1);
    let refused: Vec<_> = report.refused.iter().map(|(_, error)| error).collect();
    assert!(matches!(
        refused[..],
        [EntryError::Repeated, EntryError::NotAsked, EntryError::Name(_), EntryError::CalledRevoked]
    ));
}

#[test]
fn time_is_looked_at_again_at_each_use() {
    let scene = Scene::new();
    scene.take(vec![scene.entry()]).unwrap();
    // Off-line: as long as the revocation list holds, which is 7 days.
    scene.house.clock.advance(6 * DAY);
    assert_eq!(scene.recipients().len(), 1);
    scene.house.clock.advance(2 * DAY);
    assert!(scene.recipients().is_empty() && !scene.signs());
    // A fresh list, and time goes on until the certificate ends.
    scene.take(vec![scene.entry()]).unwrap();
    assert!(scene.signs());
    scene.house.clock.advance(80 * DAY);
    scene.take(vec![scene.entry()]).unwrap();
    scene.house.clock.advance(3 * DAY);
    assert!(scene.recipients().is_empty() && !scene.signs());
}

#[test]
fn earlier_certificates_count_while_they_hold() {
    let scene = Scene::new();
    let renewed = scene.house.member("saaq/agent-1");
    let earlier = bytes::Bytes::copy_from_slice(scene.saaq.signing.chain.leaf());
    let stranger = bytes::Bytes::copy_from_slice(scene.house.member("saaq/agent-2").signing.chain.leaf());
    let entry = wire::AgentEntry {
        // Vouched for by the earlier key, as between a renewal and the next bundle.
        key_bundle: Some(scene.saaq.bundle(START)),
        earlier_signing_certificates: vec![earlier, stranger],
        ..renewed.entry(START)
    };
    let report = scene.take(vec![entry]).unwrap();
    assert!(report.refused.is_empty(), "{report:?}");
    assert!(scene.signs());
    assert_eq!(scene.directory.signing_keys(&scene.saaq.id).len(), 2, "not another agent's");
    assert_eq!(scene.recipients(), [scene.saaq.kem.key_id()]);
}

#[test]
fn receipts_are_believed_by_a_gateway_of_this_house_alone() {
    let scene = Scene::new();
    let ders = |credential: &passerelle_pki::tls::Credential| -> Vec<bytes::Bytes> {
        credential.chain.to_ders().into_iter().map(Into::into).collect()
    };
    let take = |present: &passerelle_pki::tls::Credential, earlier: Vec<bytes::Bytes>| {
        let answer = wire::LookupReply {
            gateway_signing_chain: ders(present),
            earlier_gateway_signing_certificates: earlier,
            ..scene.house.answer(vec![scene.entry()])
        };
        scene.directory.take(&answer, &asked()).unwrap()
    };
    let (present, earlier) = (
        scene.house.certify("gateway:principale", Usage::Signing),
        scene.house.certify("gateway:principale", Usage::Signing),
    );
    let agents = ders(&scene.saaq.signing).remove(0);
    let report = take(&present, vec![ders(&earlier).remove(0), agents]);
    assert!(report.refused.is_empty(), "{report:?}");
    let known = |key: KeyId| scene.directory.gateway_key(&key).is_some();
    assert!(known(present.key.key_id()) && known(earlier.key.key_id()));
    assert!(!known(scene.saaq.signing.key.key_id()));
    assert!(open(&scene.house).gateway_key(&present.key.key_id()).is_some());

    for liar in [
        scene.saaq.signing.clone(),
        scene.house.certify("gateway:principale", Usage::Tls),
        House::new().certify("gateway:principale", Usage::Signing),
    ] {
        let report = take(&liar, Vec::new());
        assert_eq!((report.taken, report.refused.len()), (1, 1), "{report:?}");
        assert!(!known(liar.key.key_id()));
    }
    take(&present, Vec::new());
    scene.house.revoke(&present, Usage::Signing);
    scene.house.clock.advance(DAY);
    assert_eq!(take(&present, Vec::new()).refused.len(), 1);
    assert!(!known(present.key.key_id()));
}

#[test]
fn a_file_changed_on_disk_is_not_believed() {
    let scene = Scene::new();
    scene.take(vec![scene.entry()]).unwrap();
    let path = scene.house.data_dir("ramq").join(stored::FILE);
    let text = fs::read_to_string(&path).unwrap();
    for changed in [text.replace("\"format\":1", "\"format\":9"), text[..text.len() / 2].to_owned()] {
        fs::write(&path, changed).unwrap();
        let again = open(&scene.house);
        assert!(again.recipients(&agency("saaq")).is_empty());
        assert_eq!(again.age(), None);
    }
    // A later clock in the file does not make it younger than now.
    let now = scene.house.clock.now().as_millis();
    fs::write(&path, text.replace(&format!("\"fetched_ms\":{now}"), "\"fetched_ms\":9999999999999")).unwrap();
    assert_eq!(open(&scene.house).age(), Some(Duration::ZERO));
}
