//! The catalogue and the rules on fields, on processes: who sees a service, who can publish one, and what of a record leaves.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use passerelle_agent::client::{ClientError, SendOptions};
use passerelle_agent::local::model::{Accepted, Service};
use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_pki::key::Signer;
use passerelle_proto::agreement::draft::{Draft, DraftFields};
use passerelle_proto::catalogue;
use passerelle_proto::wire;
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, REVENU, SAAQ, draft, today};
use passerelle_tests::network::process::Program;
use passerelle_tests::probe::Probe;
use serde_json::json;
use tonic::Code;

const DOCUMENT: &str = include_str!("../../docs/samples/dossiers.openapi.yaml");
const PATIENCE: Duration = Duration::from_secs(30);

fn network(folder: &Path) -> Network {
    let network = Network::create(folder, Program::new(env!("CARGO_BIN_EXE_sandbox").into())).unwrap();
    for body in [RAMQ, SAAQ, REVENU] {
        network.register(body).unwrap();
    }
    network
}

fn form(number: &str, clock: &SharedClock) -> Draft {
    let mut draft = draft(number, RAMQ, &[SAAQ], today(clock.now()));
    draft.method.push("call".to_owned());
    draft
}

/// Waits until an agent's services satisfy `is_so`.
async fn until(agent: &AgentProcess, what: &str, is_so: impl Fn(&[Service]) -> bool) -> Vec<Service> {
    let end = Instant::now() + PATIENCE;
    loop {
        let services = agent.client.services().await.unwrap();
        if is_so(&services) {
            return services;
        }
        assert!(Instant::now() < end, "{what}: {services:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The services that a probe is given, by agency and name.
async fn listed(probe: &Probe) -> Vec<String> {
    let answer = probe.catalogue().list(wire::ListServicesRequest::default()).await.unwrap().into_inner();
    let name = |entry: &wire::ServiceEntry| {
        let payload = entry.service.as_ref().unwrap().payload.clone();
        let service: wire::ServiceDescription = prost::Message::decode(payload).unwrap();
        format!("{}/{}", service.agency, service.service)
    };
    answer.services.iter().map(name).collect()
}

fn published(agent: &AgentProcess, file: &Path) -> anyhow::Result<String> {
    let file = file.to_str().unwrap();
    let category = "identification,admissibilite";
    agent.command(&[
        "service",
        "publish",
        file,
        "--name",
        "dossiers",
        "--category",
        category,
        "--classification",
        "protege-b",
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_seen_by_those_whom_an_agreement_lets_see_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut network = network(folder.path());
    let clock = SystemClock::shared();
    let (ramq, saaq) = (network.agent(RAMQ).unwrap(), network.agent(SAAQ).unwrap());
    let third = network.probe(REVENU.code, &clock).await.unwrap();
    let consumer = network.probe_named(SAAQ.code, "sonde", &clock).await.unwrap();

    // A document that cannot be read: its line, in French.
    let file = folder.path().join("dossiers.yaml");
    fs::write(&file, "openapi: 3.1.0\ninfo:\n  title: a\n title: b\n").unwrap();
    let refused = published(&ramq, &file).unwrap_err().to_string();
    assert!(refused.contains("OPENAPI_INVALID") && refused.contains("ligne 4"), "{refused}");
    fs::write(&file, DOCUMENT.replace("      operationId: lireDossier\n", "")).unwrap();
    let refused = published(&ramq, &file).unwrap_err().to_string();
    assert!(refused.contains("ligne 29, paths./dossiers/{numero}.get : operationId manque"), "{refused}");

    // Published, it is off: its own agency sees it, nobody else.
    fs::write(&file, DOCUMENT).unwrap();
    assert!(published(&ramq, &file).unwrap().contains("désactivé"));
    network.conclude_by_agents(&form("ENT-2026-001", &clock), &[&ramq, &saaq]).await.unwrap();
    assert_eq!(listed(&consumer).await, [""; 0]);
    assert!(saaq.command(&["service", "list"]).unwrap().contains("Aucun service"));

    // On, the consumer sees it; never a third agency.
    ramq.command(&["service", "enable", "dossiers"]).unwrap();
    let seen = until(&saaq, "the service is on", |services| services.len() == 1).await.remove(0);
    assert!(seen.enabled && seen.agency.as_str() == "ramq" && seen.version == "1.2.0");
    assert_eq!(saaq.command(&["service", "show", "ramq", "dossiers", "--openapi"]).unwrap(), DOCUMENT);
    assert_eq!(listed(&consumer).await, ["ramq/dossiers"]);
    assert_eq!(listed(&third).await, [""; 0]);
    let request = wire::ServiceDocumentRequest {
        agency: "ramq".to_owned(),
        service: "dossiers".to_owned(),
        openapi_digest: catalogue::document_of(DOCUMENT.as_bytes()).0,
    };
    let document = consumer.catalogue().document(request.clone()).await.unwrap().into_inner();
    assert_eq!(document.openapi, DOCUMENT);
    let refused = third.catalogue().document(request.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);

    // A new version is visible, with since when.
    fs::write(&file, DOCUMENT.replace("1.2.0", "1.3.0")).unwrap();
    assert!(!published(&ramq, &file).unwrap().contains("désactivé"), "an update leaves it on");
    let newer = until(&saaq, "the version", |services| services[0].version == "1.3.0").await.remove(0);
    assert!(newer.version_since > seen.version_since);
    assert!(saaq.command(&["service", "list"]).unwrap().contains("1.3.0"));
    // The former document is not kept: nothing names it.
    assert_eq!(consumer.catalogue().document(request.clone()).await.unwrap_err().code(), Code::NotFound);

    // The gateway starts again: the log and the folder have it all. A document that was changed there is not given out.
    network.gateway().unwrap().kill().unwrap();
    network.start_gateway().unwrap();
    let again = network.probe_named(SAAQ.code, "sonde-2", &clock).await.unwrap();
    assert_eq!(listed(&again).await, ["ramq/dossiers"]);
    let changed = DOCUMENT.replace("1.2.0", "1.3.0");
    let digest = catalogue::document_of(changed.as_bytes()).0;
    let request = wire::ServiceDocumentRequest { openapi_digest: digest.clone(), ..request };
    assert_eq!(again.catalogue().document(request.clone()).await.unwrap().into_inner().openapi, changed);
    let kept = network.gateway_data().join("services/ramq").join(format!("{}.openapi", hex::encode(&digest)));
    fs::write(&kept, changed.replace("get", "put")).unwrap();
    assert_eq!(again.catalogue().document(request).await.unwrap_err().code(), Code::Internal);

    // Off again, it is gone for others; and all of it is in the log.
    let end = Instant::now() + PATIENCE;
    while ramq.command(&["service", "disable", "dossiers"]).is_err() {
        assert!(Instant::now() < end, "the agent has come back");
    }
    until(&saaq, "the service is off", <[Service]>::is_empty).await;
    let events = network.audit(&["--agency", "ramq"]).unwrap();
    let published = events.iter().filter(|event| event.to_string().contains("SERVICE_PUBLISHED")).count();
    assert_eq!(published, 4, "published, on, published, off");
}

/// A description in the name of `probe`.
fn description(probe: &Probe, service: &str, after: u64) -> wire::ServiceDescription {
    let (openapi_digest, openapi_length) = catalogue::document_of(DOCUMENT.as_bytes());
    let now = probe.now().as_millis() + after;
    wire::ServiceDescription {
        service: service.to_owned(),
        created_ms: now,
        version_since_ms: now,
        enabled: true,
        title_fr: "Essai".to_owned(),
        title_en: "Trial".to_owned(),
        version: "1".to_owned(),
        data_categories: vec!["identification".to_owned()],
        classification: "public".to_owned(),
        operations: vec![wire::ServiceOperation {
            name: "lire".to_owned(),
            method: "GET".to_owned(),
            path: "/a".to_owned(),
        }],
        openapi_digest,
        openapi_length,
        ..wire::ServiceDescription::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_publishes_for_another_or_brings_back_what_was() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(folder.path());
    let clock = SystemClock::shared();
    let ramq = network.probe(RAMQ.code, &clock).await.unwrap();
    let saaq = network.probe(SAAQ.code, &clock).await.unwrap();
    let document = Bytes::from_static(DOCUMENT.as_bytes());
    let publish = async |by: &Probe, service: &wire::Statement, openapi: &Bytes| {
        let request =
            wire::PublishServiceRequest { service: Some(service.clone()), openapi: openapi.clone() };
        by.catalogue().publish(request).await.map(drop).map_err(|status| status.code())
    };
    let sign = |probe: &Probe, signer: &dyn Signer, after| {
        catalogue::sign(&probe.id, description(probe, "essai", after), signer).unwrap()
    };
    let first = sign(&ramq, ramq.signing.as_ref(), 0);
    let nothing = Bytes::new();
    assert_eq!(publish(&ramq, &first, &nothing).await, Err(Code::InvalidArgument), "no document yet");
    let other = Bytes::from_static(b"openapi: 3.1.0");
    assert_eq!(publish(&ramq, &first, &other).await, Err(Code::InvalidArgument), "another document");
    assert_eq!(publish(&ramq, &first, &document).await, Ok(()));
    assert_eq!(listed(&ramq).await, ["ramq/essai"]);

    // Another agency's service: in its name, or its very statement.
    let forged = sign(&ramq, saaq.signing.as_ref(), 10);
    let newer = sign(&ramq, ramq.signing.as_ref(), 20);
    for statement in [&forged, &newer] {
        assert_eq!(publish(&saaq, statement, &document).await, Err(Code::InvalidArgument));
    }
    assert_eq!(publish(&ramq, &forged, &document).await, Err(Code::InvalidArgument), "not signed by ramq");
    // A statement changed after it was signed.
    let mut changed = newer.clone();
    let mut said: wire::ServiceDescription = prost::Message::decode(&changed.payload[..]).unwrap();
    said.operations[0].path = "/tout".to_owned();
    changed.payload = prost::Message::encode_to_vec(&said).into();
    assert_eq!(publish(&ramq, &changed, &document).await, Err(Code::InvalidArgument));
    // From the future, or of the past.
    let future = sign(&ramq, ramq.signing.as_ref(), 3_600_000);
    assert_eq!(publish(&ramq, &future, &document).await, Err(Code::InvalidArgument));
    assert_eq!(publish(&ramq, &newer, &nothing).await, Ok(()), "the document is there");
    for older in [&first, &newer] {
        assert_eq!(publish(&ramq, older, &document).await, Err(Code::InvalidArgument), "a replay");
    }
    let long = Bytes::from(vec![b' '; catalogue::OPENAPI_LIMIT + 1]);
    assert_eq!(publish(&ramq, &newer, &long).await, Err(Code::InvalidArgument));
    assert_eq!(listed(&saaq).await, [""; 0]);
}

/// Sends a content as JSON.
async fn send(
    agent: &AgentProcess,
    number: &str,
    content: &str,
    kind: &str,
) -> Result<Accepted, ClientError> {
    let mut options = SendOptions::under(number);
    options.data_categories = vec!["identification".to_owned()];
    options.content_type = Some(kind.to_owned());
    let body = futures_util::stream::iter([Ok(Bytes::copy_from_slice(content.as_bytes()))]);
    agent.client.send(&options, body, Some(content.len() as u64)).await
}

fn code(refused: Result<Accepted, ClientError>) -> String {
    match refused {
        Err(ClientError::Refused(problem)) => {
            format!("{} {}", problem.code, problem.fact.unwrap_or_default())
        }
        other => format!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_fields_of_the_agreement_leave_and_the_recipient_looks() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(folder.path());
    let clock = SystemClock::shared();
    let ramq = network.agent_with_settings(RAMQ, "\n[limits]\nminimised_bytes_max = 2048\n").unwrap();
    let saaq = network.agent(SAAQ).unwrap();
    let rules = |number: &str, otherwise: &str| {
        let allow = ["/nom", "/enfants/*/prenom"].map(str::to_owned).to_vec();
        let fields = DraftFields { services: Vec::new(), allow, otherwise: otherwise.to_owned() };
        Draft { fields: vec![fields], ..form(number, &clock) }
    };
    for draft in [rules("ENT-2026-010", "remove"), rules("ENT-2026-011", "refuse")] {
        network.conclude_by_agents(&draft, &[&ramq, &saaq]).await.unwrap();
    }
    // One that skips its duty.
    let careless = network.agent_named(RAMQ, "agent-2", "\n[checks]\nbefore_sending = false\n").unwrap();

    const JSON: &str = "application/json";
    let given = r#"{"nom": "Roy", "nas":"046454286", "enfants":[{"prenom":"Li","nas":1.50},[{"nas":2}]]}"#;
    let accepted = send(&ramq, "ENT-2026-010", given, JSON).await.unwrap();
    assert_eq!(accepted.removed_fields, ["/enfants/*/*", "/enfants/*/nas", "/nas"]);
    let stays = r#"{"nom":"Roy","enfants":[{"prenom":"Li"},[]]}"#;
    let wait = Some(Duration::from_secs(30));
    let record = ramq.client.record(&accepted.exchange_id, wait).await.unwrap();
    assert_eq!((record.removed_fields, record.length), (accepted.removed_fields, stays.len() as u64));
    let clean = send(&ramq, "ENT-2026-011", stays, JSON).await.unwrap();
    assert!(clean.removed_fields.is_empty());
    let careful = [accepted.exchange_id, clean.exchange_id];
    let taken = folder.path().join("recus");
    fs::create_dir(&taken).unwrap();
    let end = Instant::now() + PATIENCE;
    while fs::read_dir(&taken).unwrap().count() < 2 {
        assert!(Instant::now() < end, "both arrive");
        saaq.command(&["take", "--all", "--into", taken.to_str().unwrap()]).unwrap();
    }
    for file in fs::read_dir(&taken).unwrap() {
        assert_eq!(fs::read_to_string(file.unwrap().path()).unwrap(), stays);
    }

    // Refused before anything is sealed, with the fields' names and no value.
    let fields = "FIELD_NOT_COVERED count=3; fields=/enfants/*/*,/enfants/*/nas,/nas";
    assert_eq!(code(send(&ramq, "ENT-2026-011", given, JSON).await), fields);
    let pdf = code(send(&ramq, "ENT-2026-010", given, "application/pdf").await);
    assert_eq!(pdf, "FIELD_NOT_COVERED content_type=application/pdf");
    let twice = code(send(&ramq, "ENT-2026-010", r#"{"nom":1,"\u006eom":{"nas":1}}"#, JSON).await);
    assert_eq!(twice, "FIELD_NOT_COVERED json=repeated-key; field=/nom");
    let long = json!({ "nom": "x".repeat(2_048) }).to_string();
    let long = code(send(&ramq, "ENT-2026-010", &long, JSON).await);
    assert_eq!(long, "RECORD_TOO_LARGE minimised_bytes_max=2048");

    // A sender that skipped it is caught by the recipient: small, and too large for one message.
    careless.knows(&rules("ENT-2026-010", "remove"), "ACTIVE").await.unwrap();
    let large = json!({ "nom": "x".repeat(1 << 21), "nas": 1 }).to_string();
    for content in [given, &large] {
        let sent = send(&careless, "ENT-2026-010", content, JSON).await.unwrap();
        assert!(sent.removed_fields.is_empty());
        let mut record = careless.client.record(&sent.exchange_id, wait).await.unwrap();
        let end = Instant::now() + PATIENCE;
        while !record.state.is_final() {
            assert!(Instant::now() < end, "{record:?}");
            record = careless.client.record(&sent.exchange_id, wait).await.unwrap();
        }
        let reason = record.recipients[0].reason.as_deref();
        assert_eq!(reason, Some("FIELD_NOT_COVERED"), "{record:?}");
        assert!(!careful.contains(&sent.exchange_id));
    }
    let shown = saaq.command(&["inbox", "--json"]).unwrap();
    assert!(!shown.contains("exchange_id"), "{shown}");
}
