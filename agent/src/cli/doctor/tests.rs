//! What the doctor says of what is missing.

use passerelle_pki::clock::SystemClock;
use passerelle_pki::tls::ClientAuth;

use super::report::{Check, Outcome};
use super::*;
use crate::client::scene::{NUMBER, PROPOSED, Scene, until};
use crate::identity::house::{DAY, House, START};
use crate::link::stub::Stub;

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
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_agent_is_asked_how_it_is() {
    let scene = Scene::new().await;
    until(&scene.ramq.running.agent, |agent| agent.status().connected).await;
    let judged = async |now| {
        let mut report = Report::default();
        running::check(&mut report, &scene.ramq.client, now).await;
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
    running::check(&mut report, &nobody, START).await;
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
