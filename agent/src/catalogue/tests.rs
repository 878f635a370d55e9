//! A gateway that lies about what agencies offer.

use std::collections::BTreeSet;

use passerelle_pki::certificate::Usage;
use passerelle_proto::catalogue::{self, ServiceError};

use super::*;
use crate::identity::house::{DAY, House, Member, START, agency};

const DOCUMENT: &[u8] = include_bytes!("../../../docs/samples/dossiers.openapi.yaml");

struct Scene {
    house: House,
    ramq: Member,
    catalogue: Catalogue,
}

impl Scene {
    fn new() -> Self {
        let house = House::new();
        let ramq = house.member("ramq/agent-1");
        let catalogue = open(&house);
        Self { house, ramq, catalogue }
    }

    fn take(&self, services: Vec<wire::ServiceEntry>) -> Report {
        self.catalogue.take(&wire::ListServicesReply { services, ..Default::default() }).unwrap()
    }

    /// Takes one entry and gives why it was refused.
    fn refusal(&self, entry: wire::ServiceEntry) -> ServiceEntryError {
        let mut report = self.take(vec![entry]);
        assert_eq!((report.taken, report.refused.len()), (0, 1), "{report:?}");
        report.refused.remove(0).1
    }

    fn entry(&self, created: Timestamp, enabled: bool) -> wire::ServiceEntry {
        entry(&self.ramq, &self.ramq, description(created, enabled))
    }

    fn found(&self, method: &str, path: &str) -> Result<Operation, OperationError> {
        self.catalogue.operation(&agency("ramq"), "dossiers", method, &path.parse().unwrap())
    }
}

/// The catalogue of saaq, with the revocation list of now.
fn open(house: &House) -> Catalogue {
    let data_dir = house.data_dir("saaq");
    let directory = Directory::open(&data_dir, &house.anchor(), house.shared_clock()).unwrap();
    take_list(house, &directory);
    Catalogue::open(&data_dir, &agency("saaq"), &directory, house.shared_clock()).unwrap()
}

/// The directory's answer of now, with its revocation list.
fn take_list(house: &House, directory: &Directory) {
    let answer = house.answer(vec![house.member("saaq/agent-2").entry(house.now())]);
    directory.take(&answer, &BTreeSet::from([agency("saaq")])).unwrap();
}

fn description(created: Timestamp, enabled: bool) -> wire::ServiceDescription {
    let interface = openapi::read(DOCUMENT).unwrap();
    let (openapi_digest, openapi_length) = catalogue::document_of(DOCUMENT);
    let operations = interface.operations.iter().map(|operation| wire::ServiceOperation {
        name: operation.name.clone(),
        method: operation.method.clone(),
        path: operation.path.as_str().to_owned(),
    });
    wire::ServiceDescription {
        service: "dossiers".to_owned(),
        created_ms: created.as_millis(),
        version_since_ms: START.as_millis(),
        enabled,
        title_fr: "Dossiers".to_owned(),
        title_en: "Files".to_owned(),
        version: interface.version,
        data_categories: vec!["identite".to_owned()],
        classification: "protege-b".to_owned(),
        operations: operations.collect(),
        openapi_digest,
        openapi_length,
        ..wire::ServiceDescription::default()
    }
}

/// Signed by `signer` in its own name, with the certificate of `holder`.
fn entry(signer: &Member, holder: &Member, description: wire::ServiceDescription) -> wire::ServiceEntry {
    let signed = catalogue::sign(&signer.id, description, signer.signing.key.as_ref()).unwrap();
    wire::ServiceEntry {
        service: Some(signed),
        signing_chain: holder.signing.chain.to_ders().into_iter().map(Into::into).collect(),
    }
}

#[test]
fn an_honest_answer_is_taken_and_survives_the_process() {
    let scene = Scene::new();
    assert!(scene.catalogue.fetched().is_none());
    assert_eq!(scene.found("GET", "/dossiers/1").unwrap_err(), OperationError::ServiceUnknown);
    scene.catalogue.0.documents.write(DOCUMENT).unwrap();
    let report = scene.take(vec![scene.entry(START, true)]);
    assert_eq!((report.taken, report.refused.len()), (1, 0));
    let again = Scene { catalogue: open(&scene.house), ..scene };
    let operation = again.found("GET", "/dossiers/Q-1").unwrap();
    assert_eq!((operation.name.as_str(), operation.template.as_str()), ("lireDossier", "/dossiers/{numero}"));
    assert_eq!(operation.data_categories, ["identite"]);
    let search = again.found("GET", "/dossiers").unwrap();
    assert_eq!(search.check("nom=Roy", None, false), Ok(()));
    let refused = search.check("", None, false).unwrap_err();
    assert_eq!(
        (refused.reason().as_str_name(), refused.fact()),
        ("OPERATION_NOT_COVERED", "query=nom".to_owned())
    );
    assert_eq!(again.found("DELETE", "/dossiers").unwrap_err().fact(), "methods=GET,POST");
    assert_eq!(again.found("GET", "/autre").unwrap_err(), OperationError::PathUnknown);
    assert!(again.catalogue.own("dossiers").is_none(), "it is ramq's");
    // Without its document a service is checked less, not refused.
    again.catalogue.0.documents.keep_only(&BTreeSet::new()).unwrap();
    let bare = Scene { catalogue: open(&again.house), ..again };
    assert_eq!(bare.found("GET", "/dossiers").unwrap().check("", None, false), Ok(()));
}

#[test]
fn what_is_turned_off_is_not_called() {
    let scene = Scene::new();
    scene.take(vec![scene.entry(START, false)]);
    assert_eq!(scene.found("GET", "/dossiers").unwrap_err(), OperationError::ServiceDisabled);
    // The gateway cannot turn it on: it would change what is signed.
    let mut forged = scene.entry(START.plus(DAY), false);
    let mut changed: wire::ServiceDescription =
        prost::Message::decode(&forged.service.as_ref().unwrap().payload[..]).unwrap();
    changed.enabled = true;
    forged.service.as_mut().unwrap().payload = prost::Message::encode_to_vec(&changed).into();
    assert!(matches!(scene.refusal(forged), ServiceEntryError::Statement(ServiceError::Statement(_))));
}

#[test]
fn a_service_of_another_agency_or_house_is_refused() {
    let scene = Scene::new();
    let (other, thief) = (scene.house.member("saaq/agent-1"), scene.house.member("ramq/agent-9"));
    // Signed by one agency in its own name, said to be another's by its certificate.
    let mixed = entry(&other, &scene.ramq, description(START, true));
    assert!(matches!(scene.refusal(mixed), ServiceEntryError::Statement(ServiceError::Statement(_))));
    // Signed by one agent in the name of another.
    let signed =
        catalogue::sign(&scene.ramq.id, description(START, true), thief.signing.key.as_ref()).unwrap();
    let chain = thief.signing.chain.to_ders().into_iter().map(Into::into).collect();
    let named = wire::ServiceEntry { service: Some(signed), signing_chain: chain };
    assert!(matches!(scene.refusal(named), ServiceEntryError::Statement(ServiceError::Agent { .. })));
    let stranger = House::new().member("ramq/agent-1");
    let foreign = entry(&stranger, &stranger, description(START, true));
    assert!(matches!(scene.refusal(foreign), ServiceEntryError::Signer(_)));
    let gateway = Member { id: "ramq/agent-1".parse().unwrap(), ..gateway(&scene.house) };
    let by_gateway = entry(&gateway, &gateway, description(START, true));
    assert!(matches!(scene.refusal(by_gateway), ServiceEntryError::NotAnAgent(_)));
    let tls = Member {
        signing: scene.house.certify("ramq/agent-1", Usage::Tls),
        ..scene.house.member("ramq/agent-1")
    };
    assert!(matches!(
        scene.refusal(entry(&tls, &tls, description(START, true))),
        ServiceEntryError::Signer(_)
    ));
    let empty = wire::ServiceEntry { service: None, ..scene.entry(START, true) };
    assert!(matches!(scene.refusal(empty), ServiceEntryError::Empty));
    assert!(scene.catalogue.list().is_empty());
}

fn gateway(house: &House) -> Member {
    let signing = house.certify("gateway:passerelle", Usage::Signing);
    Member { signing, ..house.member("ramq/agent-1") }
}

#[test]
fn an_older_description_does_not_come_back() {
    let scene = Scene::new();
    let (older, newer) =
        (scene.entry(START, true), scene.entry(START.plus(std::time::Duration::from_secs(1)), false));
    scene.take(vec![older.clone()]);
    scene.take(vec![newer]);
    assert!(matches!(scene.refusal(older.clone()), ServiceEntryError::Older { .. }));
    // Nor by leaving it out for a while, nor after a restart.
    scene.take(Vec::new());
    let again = Scene { catalogue: open(&scene.house), ..scene };
    assert!(matches!(again.refusal(older.clone()), ServiceEntryError::Older { .. }));
    let twice = again.entry(START.plus(std::time::Duration::from_secs(2)), true);
    let report = again.take(vec![twice.clone(), twice]);
    assert_eq!(report.taken, 1);
    assert!(matches!(report.refused[0].1, ServiceEntryError::Repeated));
    let future = again.entry(START.plus(DAY), true);
    assert!(matches!(again.refusal(future), ServiceEntryError::Statement(ServiceError::Future(_))));
}

#[test]
fn a_signature_counts_as_long_as_its_certificate_does() {
    let scene = Scene::new();
    scene.take(vec![scene.entry(START, true)]);
    assert!(scene.found("GET", "/dossiers").is_ok());
    scene.house.clock.advance(DAY);
    scene.house.revoke(&scene.ramq.signing, Usage::Signing);
    take_list(&scene.house, &scene.catalogue.0.directory);
    assert_eq!(scene.found("GET", "/dossiers").unwrap_err(), OperationError::ServiceUnknown);
    assert!(matches!(scene.refusal(scene.entry(START, true)), ServiceEntryError::Signer(_)));
}

#[tokio::test]
async fn what_is_turned_off_meanwhile_is_not_signed_on_again() {
    let house = House::new();
    let (data_dir, earlier) = (house.data_dir("ramq"), house.member("ramq/agent-1"));
    let identity = house.enrolled_in(&data_dir, "ramq/agent-1");
    let directory = Directory::open(&data_dir, &house.anchor(), house.shared_clock()).unwrap();
    take_list(&house, &directory);
    let catalogue = Catalogue::open(&data_dir, &agency("ramq"), &directory, house.shared_clock()).unwrap();
    let take = |entry| {
        catalogue.take(&wire::ListServicesReply { services: vec![entry], ..Default::default() }).unwrap()
    };
    assert_eq!(take(entry(&earlier, &earlier, description(START, true))).taken, 1);
    // Nothing listens there: whatever is published fails.
    let nowhere = tonic::transport::Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
    assert!(catalogue.keep_signed(&nowhere, &identity).await.is_err(), "an earlier key is not left");

    let publishing = catalogue.0.publishing.lock().await;
    let keeping = catalogue.keep_signed(&nowhere, &identity);
    tokio::pin!(keeping);
    tokio::select! {
        biased;
        _ = keeping.as_mut() => panic!("it does not wait"),
        () = std::future::ready(()) => {}
    }
    let (chain, key) = identity.signing();
    let off = description(START.plus(std::time::Duration::from_secs(1)), false);
    let off = wire::ServiceEntry {
        service: Some(catalogue::sign(identity.agent(), off, key.as_ref()).unwrap()),
        signing_chain: chain.to_ders().into_iter().map(Into::into).collect(),
    };
    assert_eq!(take(off).taken, 1);
    drop(publishing);
    keeping.await.unwrap();
    assert!(!catalogue.own("dossiers").unwrap().enabled());
}
