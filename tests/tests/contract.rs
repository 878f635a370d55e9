//! The contract of the local interface, `agent/openapi.yaml`, against an agent that runs: every operation that it
//! describes is asked, and every answer must be one that it describes: status, media type, and JSON to the last property.
//! A route that is added makes this fail until `contract/cases.rs` asks it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

#[path = "contract/case.rs"]
mod case;
#[path = "contract/cases.rs"]
mod cases;
#[path = "contract/document.rs"]
mod document;

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use passerelle_pki::clock::SystemClock;
use passerelle_tests::local::{Answer, Program as Asker};
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, draft, today};
use passerelle_tests::network::process::Program;

use case::{Case, Side};
use document::Document;

/// Systems of both agents: one that may do everything under the first agreement, one that may do nothing.
const SYSTEMS: &str = "\n[systems.guichet]\ntoken_file = \"guichet.jeton\"\nagreements = [\"ENT-2026-001\"]\n\
    purposes = [\"*\"]\nmay = [\"send\", \"receive\", \"call\", \"sign\", \"administer\"]\n\n\
    [systems.rien]\ntoken_file = \"rien.jeton\"\nagreements = [\"ENT-AUTRE\"]\npurposes = [\"*\"]\nmay = []\n\n\
    [webhooks.personne]\nurl = \"http://127.0.0.1:9/\"\nagreements = [\"*\"]\nattempts_max = 1\n\n\
    [limits]\nrecord_bytes_max = 1048576\n";

/// A webhook of the receiver's, of an agreement that its system is not bound to. By name it is the first.
const WEBHOOK: &str = "\n[webhooks.dossiers]\nurl = \"http://127.0.0.1:9/\"\nagreements = [\"ENT-AUTRE\"]\n";

/// What has been learnt: values for later cases, and which operations were asked with what outcome.
struct Run {
    document: Document,
    sides: [AgentProcess; 2],
    kept: BTreeMap<String, String>,
    seen: BTreeMap<String, BTreeSet<u16>>,
    wrong: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_the_contract_answers_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut network =
        Network::create(folder.path(), Program::new(env!("CARGO_BIN_EXE_sandbox").into())).unwrap();
    for body in [RAMQ, SAAQ] {
        network.register(body).unwrap();
    }
    let ramq = network.agent_with_settings(RAMQ, SYSTEMS).unwrap();
    let saaq = network.agent_with_settings(SAAQ, &format!("{SYSTEMS}{WEBHOOK}")).unwrap();
    let day = today(SystemClock::shared().now());
    network.conclude_by_agents(&draft("ENT-2026-001", RAMQ, &[SAAQ], day), &[&ramq, &saaq]).await.unwrap();
    network.propose(&draft("ENT-2026-002", RAMQ, &[SAAQ], day)).unwrap();

    let mut run = Run {
        document: Document::of_the_agent(),
        sides: [ramq, saaq],
        kept: BTreeMap::new(),
        seen: BTreeMap::new(),
        wrong: Vec::new(),
    };
    for case in cases::all() {
        run.ask(&case).await;
    }
    run.without_a_token().await;
    network.gateway().unwrap().stop().unwrap();
    for case in cases::without_a_gateway() {
        run.ask(&case).await;
    }
    for (operation, statuses) in &run.seen {
        let succeeds = statuses.iter().any(|status| (200..300).contains(status));
        if !succeeds && !cases::REFUSED_ONLY.contains(&operation.as_str()) {
            run.wrong.push(format!("{operation}: no case of contract/cases.rs succeeds, {statuses:?}"));
        }
    }
    assert!(run.wrong.is_empty(), "{}", run.wrong.join("\n"));
    let outcomes: usize = run.seen.values().map(BTreeSet::len).sum();
    println!("contract: {} operations, {outcomes} outcomes", run.seen.len());
}

impl Run {
    fn asker(&self, side: Side, token: &str) -> Asker {
        Asker::of(&self.sides[side as usize], token).unwrap()
    }

    /// `{name}` of what was kept.
    fn filled(&self, text: &str) -> String {
        self.kept
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    /// Asks a case, again while it waits for news, and holds the answer against the contract.
    async fn ask(&mut self, case: &Case) {
        let (method, path) = self.document.place(case.operation);
        let mut path = path.to_owned();
        for (name, value) in &case.path {
            path = path.replace(&format!("{{{name}}}"), &self.filled(value));
        }
        if !case.query.is_empty() {
            path = format!("{path}?{}", self.filled(case.query));
        }
        let headers: Vec<(&str, String)> =
            case.headers.iter().map(|(name, value)| (*name, self.filled(value))).collect();
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let body = self.filled(&case.body);
        let asker = self.asker(case.side, case.token);
        let mut answer = asker.ask(method.clone(), &path, &headers, body.clone()).await.unwrap();
        for _ in 0..case.tries {
            if case.keep.iter().all(|(_, pointer)| answer.json().pointer(pointer).is_some()) {
                break;
            }
            answer = asker.ask(method.clone(), &path, &headers, body.clone()).await.unwrap();
        }
        for (name, pointer) in &case.keep {
            let value = answer.json().pointer(pointer).cloned();
            let Some(value) = value else { panic!("{}: nothing at {pointer}: {answer:?}", case.operation) };
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.kept.insert((*name).to_owned(), text);
        }
        if answer.status.as_u16() != case.status {
            let outcome = answer.outcome();
            self.wrong.push(format!("{} {path}: {outcome}, {} was expected", case.operation, case.status));
        }
        let undocumented = self.document.unknown_parameters(case.operation, &headers, case.query);
        self.wrong.extend(
            undocumented
                .iter()
                .map(|name| format!("{}: sends {name}, which is not described", case.operation)),
        );
        self.hold(case.operation, &answer);
    }

    fn hold(&mut self, operation: &str, answer: &Answer) {
        self.seen.entry(operation.to_owned()).or_default().insert(answer.status.as_u16());
        let wrong = self.document.mistakes(operation, answer);
        self.wrong.extend(wrong.iter().map(|wrong| format!("{operation} {}: {wrong}", answer.outcome())));
    }

    /// No operation does anything for a caller who shows a wrong token.
    async fn without_a_token(&mut self) {
        let stranger = Asker { token: Some("faux".to_owned()), ..self.asker(Side::Ramq, "guichet.jeton") };
        let operations: Vec<_> = self.document.operations().cloned().collect();
        for operation in operations {
            let (method, path) = self.document.place(&operation);
            let path = path.replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057").replace(['{', '}'], "");
            let answer = stranger.ask(method, &path, &[], "").await.unwrap();
            // An answer to HEAD has no body.
            if !["401 TOKEN_REFUSED", "401"].contains(&&*answer.outcome()) {
                self.wrong.push(format!("{operation} with a wrong token: {}", answer.outcome()));
            }
            self.hold(&operation, &answer);
        }
        let lost = self.asker(Side::Ramq, "guichet.jeton");
        let answer = lost.get("/v1/nulle-part").await.unwrap();
        assert_eq!(
            (answer.outcome().as_str(), answer.media_type()),
            ("404 PATH_NOT_FOUND", "application/problem+json")
        );
        let answer = lost.ask(Method::DELETE, "/v1/status", &[], "").await.unwrap();
        assert_eq!(answer.outcome(), "405 METHOD_NOT_ALLOWED");
    }
}
