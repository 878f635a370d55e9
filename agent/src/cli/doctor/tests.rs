//! What the doctor says of what is missing.

use std::path::PathBuf;

use passerelle_pki::certificate::Usage;
use passerelle_pki::clock::SystemClock;
use passerelle_pki::tls::ClientAuth;
use passerelle_proto::wire;

use super::report::{Check, Outcome};
use super::*;
use crate::client::scene::{NUMBER, PROPOSED, Scene, until};
use crate::directory::Directory;
use crate::identity::Identity;
use crate::identity::house::{DAY, House, START, agency};
use crate::link::stub::Stub;
use crate::records::Limits;

fn check<'a>(report: &'a Report, name: &str) -> &'a Check {
    report.checks().iter().find(|check| check.name == name).unwrap()
}

fn advice(report: &Report, name: &str) -> String {
    let check = check(report, name);
    assert_eq!(check.outcome, Outcome::Failed, "{check:?}");
    check.advice_en.clone().unwrap()
}

/// A configuration in the house, whose gateway is there.
fn configured(house: &House, gateway: &str) -> ConfigOption {
    let folder = house.data_dir("config");
    std::fs::write(folder.join("root.pem"), house.anchor().to_pem()).unwrap();
    let data = house.data_dir("data");
    std::fs::set_permissions(&data, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let text = format!(
        "data_dir = \"{}\"\n[agent]\nid = \"ramq/agent-1\"\n[gateway]\nagents = \"{gateway}\"\npublic = \"{gateway}\"\n\
         root_certificate = \"root.pem\"\n[local]\nunix_socket = \"agent.sock\"\n",
        data.display()
    );
    let config = folder.join("agent.toml");
    std::fs::write(&config, text).unwrap();
    ConfigOption { config }
}

#[tokio::test]
async fn without_a_configuration_only_that_is_told() {
    let option = ConfigOption { config: "/nulle/part/agent.toml".into() };
    let report = examine(&option, &SystemClock::shared()).await;
    let names: Vec<_> = report.checks().iter().map(|check| check.name).collect();
    assert_eq!(names, NAMES);
    assert!(advice(&report, "configuration").contains("config check"));
    assert_eq!(report.failures(), 1, "{}", report.text());
}

#[tokio::test]
async fn an_empty_folder_and_an_absent_gateway_are_told_with_what_to_do() {
    let house = House::new();
    let option = configured(&house, "https://127.0.0.1:9");
    let report = examine(&option, &house.shared_clock()).await;
    let names: Vec<_> = report.checks().iter().map(|check| check.name).collect();
    assert_eq!(names, NAMES);
    assert_eq!(check(&report, "configuration").outcome, Outcome::Ok);
    assert!(advice(&report, "identity").contains("passerelle-agent enrol --token-file"));
    assert!(advice(&report, "gateway_agents").contains("firewall"));
    assert!(advice(&report, "local_api").contains("passerelle-agent serve"));
    assert_eq!(check(&report, "certificates").outcome, Outcome::Skipped);
    assert_eq!(check(&report, "connected").outcome, Outcome::Skipped);
    let text = report.text();
    assert!(text.contains("✗ identité") && text.contains("    → "), "{text}");
}

#[tokio::test]
async fn a_folder_open_to_others_or_missing_is_told() {
    let house = House::new();
    let option = configured(&house, "https://127.0.0.1:9");
    let data = house.data_dir("data");
    std::fs::set_permissions(&data, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let report = examine(&option, &house.shared_clock()).await;
    assert!(advice(&report, "data_folder").contains("chmod 700"));
    std::fs::remove_dir(&data).unwrap();
    let report = examine(&option, &house.shared_clock()).await;
    assert!(advice(&report, "data_folder").contains("install -d -m 700"));
    assert_eq!(check(&report, "identity").outcome, Outcome::Skipped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_of_another_root_is_not_believed_and_ours_is() {
    let house = House::new();
    let gateway = Stub::start(&house, ClientAuth::Required).await;
    let report = examine(&configured(&house, &gateway.address.to_string()), &house.shared_clock()).await;
    assert_eq!(check(&report, "gateway_agents").outcome, Outcome::Ok, "{}", report.text());
    let other = House::new();
    let report = examine(&configured(&other, &gateway.address.to_string()), &other.shared_clock()).await;
    assert!(advice(&report, "gateway_agents").contains("root certificate"), "{}", report.text());
    // What stands there is told with its fingerprints, beside the root that was expected.
    let found = &check(&report, "gateway_agents").found;
    let theirs = presented::fingerprint(house.issuing.certificate_der());
    let ours = presented::fingerprint(other.anchor().der());
    assert!(found.contains("presented 1") && found.contains(&theirs) && found.contains(&ours), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_agent_is_asked_how_it_is() {
    let scene = Scene::new().await;
    until(&scene.ramq.running.agent, |agent| agent.status().connected).await;
    let judged = async |now| {
        let mut report = Report::default();
        running::check(&mut report, &scene.ramq.client, &Limits::default(), now).await;
        report
    };
    let report = judged(START).await;
    assert_eq!(report.failures(), 0, "{}", report.text());
    assert!(check(&report, "agreements").found.contains(NUMBER));
    // The only other one waits for signatures: that is what can be done once this one has ended.
    let report = judged(START.plus(DAY * 400)).await;
    assert!(advice(&report, "agreements").contains(&format!("agreement sign {PROPOSED} 1")));
    let report = judged(START.minus(DAY * 400)).await;
    assert!(advice(&report, "agreements").contains("before that moment"));
    let nobody = LocalClient::new(crate::client::Endpoint::Unix { path: "/nulle/part".into() });
    let mut report = Report::default();
    running::check(&mut report, &nobody, &Limits::default(), START).await;
    assert!(advice(&report, "local_api").contains("passerelle-agent serve"));
}

#[test]
fn certificates_that_end_are_told_before_and_after() {
    let house = House::new();
    let identity = house.enrolled("ramq/agent-1");
    let bundle = identity.next_bundle(START).unwrap();
    identity.bundle_published(&bundle, START).unwrap();
    let summary = identity.summary();
    let judged = |now| {
        let mut report = Report::default();
        machine::certificates(&mut report, &summary, now);
        report
    };
    assert_eq!(judged(START).failures(), 0, "{}", judged(START).text());
    let end = summary.tls_until.min(summary.signing_until).min(summary.bundle_until.unwrap());
    assert!(advice(&judged(end.minus(DAY / 2)), "certificates").contains("renews by itself"));
    assert!(advice(&judged(end), "certificates").contains("enrol --again"));
}

#[test]
fn a_clock_that_is_off_is_told_in_both_directions() {
    let half = std::time::Duration::from_secs(30);
    let failures = |ours, theirs| {
        let mut report = Report::default();
        gateway::compare(&mut report, ours, theirs);
        report.failures()
    };
    assert_eq!(failures(START.plus(half), START), 0);
    assert_eq!(failures(START.plus(half * 2), START), 1);
    assert_eq!(failures(START, START.plus(half * 2)), 1);
}

/// An enrolled agent whose bundle is published, and a directory that lists it with `bundle`.
fn listed(house: &House, bundle: impl FnOnce(&Identity) -> wire::Statement) -> (Identity, PathBuf) {
    let data = house.data_dir("ramq");
    let identity = house.enrolled_in(&data, "ramq/agent-1");
    let published = identity.next_bundle(START).unwrap();
    identity.bundle_published(&published, START).unwrap();
    let entry = wire::AgentEntry {
        agency: "ramq".to_owned(),
        agent: "agent-1".to_owned(),
        signing_chain: identity.signing().0.to_ders().into_iter().map(Into::into).collect(),
        key_bundle: Some(bundle(&identity)),
        ..wire::AgentEntry::default()
    };
    let directory = Directory::open(&data, &house.anchor(), house.shared_clock()).unwrap();
    directory.take(&house.answer(vec![entry]), &[agency("ramq")].into()).unwrap();
    (identity, data)
}

fn trusted(house: &House, (identity, data): &(Identity, PathBuf)) -> Report {
    let mut report = Report::default();
    trust::check(&mut report, data, &house.anchor(), &identity.summary(), &house.shared_clock());
    report
}

fn own(identity: &Identity) -> wire::Statement {
    identity.next_bundle(START).unwrap()
}

#[test]
fn a_stale_list_and_a_revoked_certificate_are_told_apart() {
    let house = House::new();
    let agent = listed(&house, own);
    assert_eq!(trusted(&house, &agent).failures(), 0, "{}", trusted(&house, &agent).text());
    house.revoke(&agent.0.tls(), Usage::Tls);
    let directory = Directory::open(&agent.1, &house.anchor(), house.shared_clock()).unwrap();
    directory
        .take(&house.answer(vec![house.member("ramq/agent-2").entry(START)]), &[agency("ramq")].into())
        .unwrap();
    let report = trusted(&house, &agent);
    assert!(advice(&report, "revocation").contains("call the gateway's administrator"), "{}", report.text());

    let house = House::new();
    let agent = listed(&house, own);
    house.clock.set(START.plus(DAY * 8));
    let report = trusted(&house, &agent);
    assert!(advice(&report, "revocation").contains("publish a new list"), "{}", report.text());
    std::fs::remove_file(agent.1.join("directory.json")).unwrap();
    assert!(advice(&trusted(&house, &agent), "revocation").contains("start the agent"));
}

#[test]
fn a_key_bundle_that_is_not_ours_absent_or_never_published_is_told() {
    let house = House::new();
    let foreign = |identity: &Identity| {
        let member = house.member("ramq/agent-1");
        member.bundle_of(identity.agent(), START, identity.signer().as_ref())
    };
    let agent = listed(&house, foreign);
    let report = trusted(&house, &agent);
    assert!(advice(&report, "key_bundle").contains("a key in your name"), "{}", report.text());

    let house = House::new();
    let agent = listed(&house, own);
    let directory = Directory::open(&agent.1, &house.anchor(), house.shared_clock()).unwrap();
    directory
        .take(&house.answer(vec![house.member("ramq/agent-2").entry(START)]), &[agency("ramq")].into())
        .unwrap();
    assert!(advice(&trusted(&house, &agent), "key_bundle").contains("nobody can send to you"));

    let data = house.data_dir("fresh");
    let fresh = (house.enrolled_in(&data, "ramq/agent-1"), data);
    assert!(advice(&trusted(&house, &fresh), "key_bundle").contains("publishes its key bundle"));
}

#[tokio::test]
async fn what_the_configuration_names_beside_the_agent_is_looked_at() {
    let house = House::new();
    let option = configured(&house, "https://127.0.0.1:9");
    let mut config = Config::load(&option.config).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (open, closed) = (taken.local_addr().unwrap(), "127.0.0.1:9");
    for (upstream, outcome) in [(open.to_string().as_str(), Outcome::Ok), (closed, Outcome::Failed)] {
        let service = crate::calls::ServiceSettings {
            upstream: format!("http://{upstream}/base").parse().unwrap(),
            timeout: std::time::Duration::from_secs(1),
            ca_file: None,
        };
        config.calls.services.insert("dossiers".to_owned(), service);
        let mut report = Report::default();
        surroundings::services(&mut report, &config).await;
        assert_eq!(check(&report, "services").outcome, outcome, "{}", report.text());
    }
    config.local.token_file = config.data_dir.join("local.token");
    std::fs::write(&config.local.token_file, "x").unwrap();
    for (mode, outcome) in [(0o600, Outcome::Ok), (0o604, Outcome::Failed)] {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&config.local.token_file, permissions).unwrap();
        let mut report = Report::default();
        surroundings::local_token(&mut report, &config);
        assert_eq!(check(&report, "local_token").outcome, outcome, "{}", report.text());
    }
    let summary = house.enrolled("ramq/agent-1").summary();
    config.signing = Some(crate::pkcs11::Pkcs11Settings {
        module: "/nulle/part.so".into(),
        token: "ramq".to_owned(),
        pin_file: "/nulle/part".into(),
        key_label: String::new(),
    });
    let mut report = Report::default();
    surroundings::signing_key(&mut report, &config, &summary).await;
    assert!(check(&report, "signing_key").found.contains("signing.pkcs11_module"), "{}", report.text());
}

#[test]
fn a_full_queue_and_a_log_that_contradicts_itself_are_told() {
    let text = r#"{"agent":"ramq/agent-1","trust_domain":"qc.example","connected":true,"queued":90,"on_the_way":0,"inbox":0,
        "queued_bytes":0,"inbox_bytes":0,"checkpoint_alarm":"rétréci / shrunk","inbox_alarm":"1 retenu / held","agreements":1,
        "tls_until":"2026-03-01T00:00:00Z","signing_until":"2026-03-01T00:00:00Z","log_vkey":"x"}"#;
    let status = serde_json::from_str(text).unwrap();
    let limits = |records| Limits { queued_records: records, ..Limits::default() };
    let judged = |records| {
        let mut report = Report::default();
        running::queue(&mut report, &status, &limits(records));
        running::held(&mut report, &status);
        running::log(&mut report, &status);
        report
    };
    assert!(advice(&judged(100), "queue").contains("raise the limit"));
    assert_eq!(check(&judged(101), "queue").outcome, Outcome::Ok);
    assert!(advice(&judged(101), "held").contains("nothing is lost"));
    assert!(advice(&judged(101), "log").contains("checkpoint.json"));
}
