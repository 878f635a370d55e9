//! The GovStack compatibility route against a real network: shapes and statuses as that suite asks for them, and no more
//! than the agency knows.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use passerelle_agent::config::Config;
use passerelle_pki::clock::SystemClock;
use passerelle_proto::agreement::draft::{DraftOperations, DraftPath};
use passerelle_tests::local::{Answer, Program as Asker, Way};
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, REVENU, SAAQ, codes, draft, today};
use passerelle_tests::network::process::Program;
use serde_json::{Value, json};

const JSON: &str = "application/json; charset=utf-8";

/// Where the agent's route is.
fn asker(agent: &AgentProcess) -> Asker {
    let address = Config::load(&agent.config()).unwrap().govstack.unwrap().listen;
    Asker { way: Way::Tcp(address), token: None }
}

/// Every property of an answer is one of GovStack's, with its type.
fn hold_shape(answer: &Answer) {
    assert_eq!(answer.headers["content-type"], JSON);
    let text = json!({ "type": "string" });
    let closed = |properties: Value, required: Value| json!({ "type": "object", "additionalProperties": false, "properties": properties, "required": required });
    let list =
        |item: Value| closed(json!({ "member": { "type": "array", "items": item } }), json!(["member"]));
    let kinds = json!({ "object_type": { "enum": ["MEMBER", "SUBSYSTEM", "SERVICE"] } });
    let entry = closed(
        json!({
            "objectType": closed(kinds, json!(["object_type"])), "serviceType": text, "GovStackInstance": text,
            "memberClass": text, "memberCode": text, "applicationCode": text, "serviceCode": text, "serviceVersion": text,
            "endpointList": list(closed(json!({ "method": text, "path": text }), json!(["method", "path"]))),
        }),
        json!(["objectType", "GovStackInstance", "memberClass", "memberCode"]),
    );
    let validator = jsonschema::validator_for(&list(entry)).unwrap();
    let mistakes: Vec<_> = validator.iter_errors(&answer.json()).map(|error| error.to_string()).collect();
    assert!(answer.status.is_success() && mistakes.is_empty(), "{mistakes:?} {answer:?}");
}

/// The codes of what is listed.
fn codes_of(answer: &Answer, key: &str) -> Vec<String> {
    hold_shape(answer);
    let members = answer.json()["member"].as_array().unwrap().clone();
    members.iter().filter_map(|member| member[key].as_str().map(str::to_owned)).collect()
}

async fn world(folder: &Path, listen: SocketAddr) -> (Network, AgentProcess) {
    let network = Network::create(folder, Program::new(env!("CARGO_BIN_EXE_sandbox").into())).unwrap();
    for body in [RAMQ, SAAQ, REVENU] {
        network.register(body).unwrap();
    }
    let ramq = network.agent(RAMQ).unwrap();
    let revenu = network.agent(REVENU).unwrap();
    let saaq = network.agent_with_settings(SAAQ, &format!("\n[govstack]\nlisten = \"{listen}\"\n")).unwrap();
    let day = today(SystemClock::shared().now());
    let mut form = draft("ENT-2026-001", RAMQ, &[SAAQ, REVENU], day);
    form.method = vec!["call".to_owned()];
    form.operations = vec![DraftOperations {
        service: codes::SERVICE.to_owned(),
        paths: vec![DraftPath { method: "GET".to_owned(), path: "/dossiers/{numero}".to_owned() }],
        ..DraftOperations::default()
    }];
    network.conclude_by_agents(&form, &[&ramq, &saaq, &revenu]).await.unwrap();
    // Records alone: there is nothing to call.
    let mut records = draft("ENT-2026-002", RAMQ, &[SAAQ], day);
    records.services = vec!["avis".to_owned()];
    network.conclude_by_agents(&records, &[&ramq, &saaq]).await.unwrap();
    (network, saaq)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_four_endpoints_show_what_agreements_let_be_called() {
    let folder = tempfile::tempdir().unwrap();
    let free = passerelle_tests::network::free_address().unwrap();
    let (_network, saaq) = world(folder.path(), free).await;
    let asker = asker(&saaq);
    let get = async |path: &str| asker.get(path).await.unwrap();
    for prefix in ["", "/r1"] {
        let clients = get(&format!("{prefix}/listClients")).await;
        let mut agencies = codes_of(&clients, "memberCode");
        agencies.dedup();
        assert_eq!(agencies, ["ramq", "revenu-quebec", "saaq"]);
        let methods = get(&format!("{prefix}/QC/GOV/ramq/passerelle/listMethods?serviceId=x")).await;
        assert_eq!(codes_of(&methods, "serviceCode"), [codes::SERVICE]);
        let endpoints = json!([{ "method": "GET", "path": "/dossiers/{numero}" }]);
        assert_eq!(methods.json()["member"][0]["endpointList"]["member"], endpoints);
        let allowed = get(&format!("{prefix}/QC/GOV/ramq/passerelle/allowedMethods")).await;
        assert_eq!(allowed.json(), methods.json(), "for this agency");
    }
    // Another instance, another member, records alone: well-formed, and nothing.
    for path in [
        "/listClients?instanceId=ABC",
        "/identifier/identifier/alp4aNum3r1c/alp4aNum3r1c/listMethods",
        "/%22identifier%22/%22identifier%22/%22alp4aNum3r1c%22/%22alp4aNum3r1c%22/allowedMethods",
        "/QC/GOV/revenu-quebec/passerelle/listMethods",
        "/QC/GOV/saaq/passerelle/listMethods",
        "/QC/GOV/ramq/autre/listMethods",
    ] {
        assert_eq!(codes_of(&get(path).await, "memberCode"), Vec::<String>::new(), "{path}");
    }
    allowed_to(&asker).await;
    documents(&asker).await;
    malformed(&asker).await;
}

/// What other clients may call, as far as this agency's agreements say.
async fn allowed_to(asker: &Asker) {
    for header in ["information-mediator-client", "x-govstack-client"] {
        for (client, expected) in [
            ("QC/GOV/revenu-quebec/passerelle", &[codes::SERVICE][..]),
            ("QC/GOV/ramq/passerelle", &[]),
            ("eGovStack/GOV/90000009/digitalregistries", &[]),
        ] {
            let path = "/QC/GOV/ramq/passerelle/allowedMethods";
            let answer = asker.ask(http::Method::GET, path, &[(header, client)], "").await.unwrap();
            assert_eq!(codes_of(&answer, "serviceCode"), expected, "{client}");
        }
    }
}

async fn documents(asker: &Asker) {
    for path in [
        "/identifier/identifier/alp4aNum3r1c/alp4aNum3r1c/getOpenAPI?serviceCode=alp4aNum3r1c",
        "/r1/QC/GOV/ramq/passerelle/getOpenAPI?serviceCode=inconnu&serviceId=x",
    ] {
        let answer = asker.get(path).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.headers["content-type"].to_str().unwrap()), (200, JSON));
        let document: Value = serde_json::from_str(answer.json().as_str().unwrap()).unwrap();
        assert_eq!(document["paths"], json!({}), "a document, in a string, of a service that is not here");
    }
}

async fn malformed(asker: &Asker) {
    let good = "QC/GOV/ramq/passerelle";
    for path in [
        "/1nval1d/GOV/ramq/passerelle/listMethods",
        "/QC/1nval1d/ramq/passerelle/listMethods",
        "/QC/GOV/_invalid/passerelle/allowedMethods",
        "/QC/GOV/ramq/_invalid/getOpenAPI?serviceCode=a",
        "/QC/GOV/..%2Framq/passerelle/listMethods",
        &format!("/{good}/getOpenAPI"),
        &format!("/{good}/getOpenAPI?serviceCode="),
        &format!("/{good}/getOpenAPI?serviceCode=_invalid"),
        &format!("/{good}/getOpenAPI?serviceCode=..%2F..%2Fidentity"),
    ] {
        let answer = asker.get(path).await.unwrap();
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.json().is_string() && answer.headers["content-type"] == JSON, "{answer:?}");
    }
    let ask = async |method, path, headers: &[(&str, &str)]| {
        asker.ask(method, path, headers, "").await.unwrap().status.as_u16()
    };
    let client = [("information-mediator-client", "pas/un/client")];
    let allowed = format!("/{good}/allowedMethods");
    assert_eq!(ask(http::Method::GET, &allowed, &client).await, 400);
    // It is no way into the agent, and no page's.
    assert_eq!(ask(http::Method::GET, "/v1/status", &[]).await, 404);
    assert_eq!(ask(http::Method::POST, "/listClients", &[]).await, 405);
    assert_eq!(ask(http::Method::GET, "/listClients", &[("host", "passerelle.example")]).await, 403);
    assert_eq!(ask(http::Method::GET, "/listClients", &[("origin", "http://localhost")]).await, 403);
}

/// The suite itself, unmodified, from a copy of its repository: `GOVSTACK_SUITE` is its folder `test/openAPI`, after
/// `npm install`. It asks `http://localhost:3366/`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs GOVSTACK_SUITE, Node and port 3366; run by tests/run govstack"]
async fn the_suite_of_govstack_passes() {
    let suite = std::env::var_os("GOVSTACK_SUITE").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (_network, _saaq) = world(folder.path(), "127.0.0.1:3366".parse().unwrap()).await;
    let run =
        Command::new("npx").args(["cucumber-js", "--format", "summary"]).current_dir(suite).output().unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    println!("{told}");
    assert!(run.status.success(), "{told}{}", String::from_utf8_lossy(&run.stderr));
    assert!(told.contains("28 scenarios (28 passed)"), "{told}");
}
