//! Calls from an agency's system to another agency's service, between agents as processes of their own: bytes unchanged,
//! nothing outside the agreement reaches the service, and whoever fails says so.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

use std::sync::atomic::Ordering;
use std::time::Duration;

use passerelle_agent::client::Endpoint;
use passerelle_pki::clock::SystemClock;
use passerelle_proto::agreement::Document;
use passerelle_proto::agreement::draft::{Draft, DraftFields, DraftOperations, DraftPath};
use passerelle_proto::envelope::RecipientPublicKey;
use passerelle_proto::wire::{HttpField, HttpRequestHead, Reason, call_reply};
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, codes, draft, shifted, today};
use passerelle_tests::network::process::Program;
use passerelle_tests::probe::calls::{Calling, Half};
use passerelle_tests::probe::{Probe, Terms};
use passerelle_tests::service::Service;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

const NUMBER: &str = "ENT-2026-001";
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway, RAMQ's agent before a service, SAAQ's agent, and an agreement on calls.
struct Scene {
    network: Network,
    ramq: AgentProcess,
    saaq: AgentProcess,
    service: Service,
    folder: tempfile::TempDir,
}

/// What RAMQ publishes of its service.
const OPERATIONS: [(&str, &str, &str); 6] = [
    ("lireDossier", "GET", "/dossiers/{numero}"),
    ("entetesDossier", "HEAD", "/dossiers/{numero}"),
    ("ecrireDossier", "POST", "/dossiers/{numero}"),
    ("supprimerDossier", "DELETE", "/dossiers/{numero}"),
    ("listerPieces", "GET", "/dossiers/{numero}/pieces"),
    ("etat", "GET", "/etat"),
];

/// SAAQ may read and write `/dossiers/{numero}`; `listerPieces` is covered by its name and not by its path.
fn agreement() -> Draft {
    let day = today(SystemClock::shared().now());
    let mut form = draft(NUMBER, RAMQ, &[SAAQ], day);
    form.method = vec!["call".to_owned()];
    let path = |method: &str| DraftPath { method: method.to_owned(), path: "/dossiers/{numero}".to_owned() };
    form.operations = vec![DraftOperations {
        service: codes::SERVICE.to_owned(),
        operations: ["lireDossier", "entetesDossier", "ecrireDossier", "listerPieces"]
            .map(str::to_owned)
            .to_vec(),
        paths: ["GET", "HEAD", "POST"].map(path).to_vec(),
    }];
    form
}

impl Scene {
    async fn set() -> Self {
        Self::under(&agreement()).await
    }

    async fn under(form: &Draft) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
        let network = Network::create(folder.path(), program).unwrap();
        for body in [RAMQ, SAAQ] {
            network.register(body).unwrap();
        }
        let service = Service::start(None).await.unwrap();
        let ramq = network.agent_with_settings(RAMQ, &service.settings(codes::SERVICE)).unwrap();
        let saaq = network.agent(SAAQ).unwrap();
        network.conclude_by_agents(form, &[&ramq, &saaq]).await.unwrap();
        // Without a key bundle: nothing is sealed for this one.
        let publisher = network.silent_probe(RAMQ.code, &SystemClock::shared()).await.unwrap();
        let scene = Self { network, ramq, saaq, service, folder };
        assert_eq!(scene.get("/dossiers/7").await.problem(), (404, "SERVICE_UNKNOWN".to_owned()));
        let categories = [codes::IDENTITY];
        publisher.publish_service(codes::SERVICE, &OPERATIONS, &categories, false).await.unwrap();
        assert_eq!(scene.get("/dossiers/7").await.problem(), (404, "SERVICE_UNKNOWN".to_owned()));
        assert_eq!(scene.service.visits().len(), 0);
        publisher.publish_service(codes::SERVICE, &OPERATIONS, &categories, true).await.unwrap();
        let end = Instant::now() + PATIENCE;
        while scene.get("/dossiers/7").await.status != 200 {
            assert!(Instant::now() < end, "the service is known to both agents");
        }
        scene.service.forget();
        scene
    }

    /// Sends bytes to SAAQ's agent, behind its token, and reads until it closes.
    async fn raw(&self, request: &str, content: &[u8]) -> Reply {
        let mut stream = self.connect(request).await;
        stream.write_all(content).await.unwrap();
        let mut bytes = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
        Reply::read(&bytes)
    }

    async fn connect(&self, request: &str) -> TcpStream {
        let Endpoint::Tcp { addr, token } = self.saaq.client.endpoint() else { panic!("no TCP") };
        let (line, rest) = request.split_once('\n').unwrap_or((request, ""));
        let mut head = format!(
            "{line} HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n"
        );
        for header in rest.lines() {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    async fn post(&self, path: &str, content: &[u8]) -> Reply {
        let request = format!("POST /v1/call/ramq/dossiers{path}\nContent-Length: {}", content.len());
        self.raw(&request, content).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.raw(&format!("GET /v1/call/ramq/dossiers{path}"), b"").await
    }
}

/// An answer of the local interface, byte for byte.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    content: Vec<u8>,
}

impl Reply {
    fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let pair =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { status, headers: lines.filter_map(pair).collect(), content: bytes[end + 4..].to_vec() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Status and code of a problem.
    fn problem(&self) -> (u16, String) {
        let problem: serde_json::Value = serde_json::from_slice(&self.content).unwrap_or_else(|_| {
            panic!("no problem: {} {}", self.status, String::from_utf8_lossy(&self.content))
        });
        assert_eq!(self.header("passerelle-answer-id"), None, "not the service's");
        (self.status, problem["code"].as_str().unwrap().to_owned())
    }
}

/// Waits for a condition.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_and_answered_is_unchanged() {
    let mut scene = Scene::set().await;
    let content: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let request = format!(
        "POST /v1/call/ramq/dossiers/dossiers/echo?q=%C3%A9&b=%2F..%2f&c\nContent-Type: application/x-essai; a=\"b\"\n\
         X-Deux: 1\nX-Deux: 2\nPasserelle-Case-Reference: D-1042\nPasserelle-Acting-User: m.%20roy\n\
         Passerelle-Subject: TREM 1234\nPasserelle-Agreement: {NUMBER}\nContent-Length: {}",
        content.len()
    );
    let reply = scene.raw(&request, &content).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.content == content, "the same bytes");
    assert_eq!(reply.header("content-type"), Some("application/x-essai; a=\"b\""));
    let twice: Vec<_> = reply.headers.iter().filter(|(name, _)| name == "x-service").collect();
    assert_eq!(twice.len(), 2);
    let visit = scene.service.last().unwrap();
    assert_eq!(visit.target, "/base/dossiers/echo?q=%C3%A9&b=%2F..%2f&c");
    let said = |name: &str| visit.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(visit.headers.get_all("x-deux").iter().count(), 2);
    assert_eq!(said("authorization"), None, "the token is for the agent");
    assert_eq!(said("passerelle-from").as_deref(), Some("saaq"));
    assert_eq!(said("passerelle-agreement").as_deref(), Some(NUMBER));
    assert_eq!(said("passerelle-purpose").as_deref(), Some(codes::PURPOSE));
    assert_eq!(said("passerelle-case-reference").as_deref(), Some("D-1042"));
    assert_eq!(said("passerelle-acting-user").as_deref(), Some("m.%20roy"));
    assert_eq!(said("passerelle-exchange-id").as_deref(), reply.header("passerelle-exchange-id"));

    // The log has both halves where the answer says.
    for (id, leaf) in [
        ("passerelle-exchange-id", "passerelle-receipt-leaf"),
        ("passerelle-answer-id", "passerelle-answer-receipt-leaf"),
    ] {
        let events = scene.network.audit(&["--exchange", reply.header(id).unwrap()]).unwrap();
        let leaves: Vec<_> = events.iter().map(|event| event["leaf_index"].to_string()).collect();
        assert_eq!(leaves, [reply.header(leaf).unwrap()], "{events:?}");
    }

    // What the service says is not the agent's to judge.
    for (path, status, length) in [
        ("/dossiers/statut-404", 404, 6),
        ("/dossiers/statut-500", 500, 6),
        ("/dossiers/statut-302", 302, 6),
        ("/dossiers/statut-204", 204, 0),
        ("/dossiers/octets-0", 200, 0),
        ("/dossiers/octets-1048576", 200, 1_048_576),
    ] {
        let reply = scene.get(path).await;
        assert_eq!((reply.status, reply.content.len()), (status, length), "{path}");
        assert!(reply.header("passerelle-answer-id").is_some());
    }
    let reply = scene.raw("HEAD /v1/call/ramq/dossiers/dossiers/7", b"").await;
    assert_eq!((reply.status, reply.content.len()), (200, 0));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(scene.service.last().unwrap().method, "HEAD");

    let marker = b"renseignement-tres-reconnaissable";
    assert_eq!(scene.post("/dossiers/echo?jeton-secret-de-chemin", marker).await.content, marker);
    nothing_stays(&scene, &[marker, b"jeton-secret-de-chemin", b"m. roy", b"TREM 1234"]);
    scene.network.verify_log().unwrap();
    large_contents_take_no_memory(&mut scene).await;
}

/// No file of the network but the test's own has these bytes: nothing stays at the gateway, at the agents, or in logs.
fn nothing_stays(scene: &Scene, markers: &[&[u8]]) {
    let mut folders = vec![scene.folder.path().to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap_or_default();
            for marker in markers {
                assert!(memchr::memmem::find(&bytes, marker).is_none(), "{}", path.display());
            }
        }
    }
    assert!(files > 20, "{files} files looked at");
    for agent in [RAMQ.code, SAAQ.code] {
        let spool = scene.folder.path().join(agent).join("donnees/calls");
        assert_eq!(std::fs::read_dir(spool).unwrap().count(), 0, "{agent}");
    }
}

/// 8 MiB, then 64 MiB, there and back.
async fn large_contents_take_no_memory(scene: &mut Scene) {
    let content: Vec<u8> =
        (0..8 << 20).map(|place: u32| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let reply = scene.post("/dossiers/echo", &content).await;
    assert_eq!(reply.status, 200);
    assert!(reply.content == content, "the same {} bytes, {} came", content.len(), reply.content.len());
    assert_eq!(reply.header("content-length"), Some("8388608"));
    let peaks = |scene: &mut Scene| {
        [
            scene.network.gateway().unwrap().peak_memory().unwrap(),
            scene.ramq.process.peak_memory().unwrap(),
            scene.saaq.process.peak_memory().unwrap(),
        ]
    };
    let before = peaks(scene);
    let long = vec![7_u8; 64 << 20];
    let reply = scene.post("/dossiers/echo", &long).await;
    assert!(reply.status == 200 && reply.content == long, "{}", reply.status);
    let after = peaks(scene);
    for (before, after) in before.iter().zip(after) {
        assert!(after - before < 16 << 20, "{before} bytes before, {after} after");
    }
    nothing_stays(scene, &[&[7; 64]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_outside_the_agreement_never_reaches_the_service() {
    let scene = Scene::set().await;
    refused_by_ones_own_agent(&scene).await;
    scene.service.forget();
    refused_by_the_providers_agent(&scene).await;
}

/// The system's own agent refuses, before anything leaves.
async fn refused_by_ones_own_agent(scene: &Scene) {
    let day = today(SystemClock::shared().now());
    let mut later = agreement();
    later.number = "ENT-2026-002".to_owned();
    later.valid_from = shifted(day, 1).to_string();
    scene.network.conclude_by_agents(&later, &[&scene.ramq, &scene.saaq]).await.unwrap();

    let refused = async |request: &str| scene.raw(request, b"").await.problem();
    let at = "/v1/call/ramq/dossiers";
    let cases = [
        (format!("GET {at}/autre/7"), 403, "OPERATION_NOT_COVERED"),
        (format!("GET {at}/dossiers/7/pieces"), 403, "OPERATION_NOT_COVERED"),
        (format!("DELETE {at}/dossiers/7"), 403, "OPERATION_NOT_COVERED"),
        (format!("PUT {at}/dossiers/7"), 403, "OPERATION_NOT_COVERED"),
        (format!("GET {at}/etat"), 403, "OPERATION_NOT_COVERED"),
        (
            format!("GET {at}/dossiers/7\nPasserelle-Purpose: {}", codes::OTHER_PURPOSE),
            403,
            "PURPOSE_NOT_COVERED",
        ),
        (format!("GET {at}/dossiers/7\nPasserelle-Agreement: ENT-2026-002"), 403, "AGREEMENT_NOT_IN_FORCE"),
        (format!("GET {at}/dossiers/7\nPasserelle-Agreement: ENT-2026-009"), 403, "AGREEMENT_NOT_FOUND"),
        (format!("GET {at}/dossiers/7\nPasserelle-Data-Categories: sante"), 403, "CATEGORY_NOT_COVERED"),
        (format!("GET {at}/dossiers/7\nPasserelle-Legal-Basis: A-2.1 s.68"), 403, "LEGAL_BASIS_NOT_COVERED"),
        (format!("GET {at}/dossiers/7\nPasserelle-Deadline: 301"), 400, "REQUEST_INVALID"),
        (format!("GET {at}/dossiers/7\nPasserelle-From: ramq"), 400, "REQUEST_INVALID"),
        (format!("GET {at}/dossiers/7\nOrigin: http://mal.example"), 403, "ORIGIN_REFUSED"),
        ("GET /v1/call/saaq/dossiers/dossiers/7".to_owned(), 403, "AGREEMENT_NOT_FOUND"),
    ];
    for (request, status, code) in &cases {
        assert_eq!(refused(request).await, (*status, (*code).to_owned()), "{request}");
    }
    for path in HOSTILE_PATHS {
        let (status, code) = refused(&format!("GET {at}{path}")).await;
        assert_eq!((status, code.as_str()), (400, "PATH_REFUSED"), "{path}");
    }
    assert_eq!(scene.service.visits().len(), 0, "{:?}", scene.service.visits());
    assert_eq!(scene.get("/dossiers/7").await.status, 200);
    assert_eq!(scene.service.visits().len(), 1);
}

/// Each is `/dossiers/7` or `/dossiers/{numero}` for one reader, and something else for another.
const HOSTILE_PATHS: [&str; 18] = [
    "/dossiers/../autre",
    "/dossiers/./7",
    "/dossiers/..",
    "/dossiers/%2e%2e",
    "/dossiers/%2E%2e",
    "/dossiers/.%2E/autre",
    "/dossiers/7%2fpieces",
    "/dossiers/7%2Fpieces",
    "/dossiers/7%5c..%5cautre",
    "/dossiers//7",
    "//dossiers/7",
    "/dossiers/7/",
    "/dossiers/7;v=1",
    "/dossiers/7%3bv=1",
    "/dossiers/%252e%252e",
    "/dossiers/7%00",
    "/dossiers/%c0%ae%c0%ae",
    "/dossiers/7%",
];

#[tokio::test(flavor = "multi_thread")]
async fn whoever_fails_says_so_and_whoever_goes_is_noticed() {
    let mut scene = Scene::set().await;
    // The service breaks off.
    assert_eq!(scene.get("/dossiers/coupe").await.problem(), (502, "PROVIDER_FAILED".to_owned()));
    // The service is silent: the deadline ends it, and the service sees that nobody waits.
    let slow = "GET /v1/call/ramq/dossiers/dossiers/lent\nPasserelle-Deadline: 1";
    assert_eq!(scene.raw(slow, b"").await.problem(), (504, "CALL_TIMED_OUT".to_owned()));
    let visit = scene.service.last().unwrap();
    until("the connection of a call whose time is over is closed", || visit.left.load(Ordering::Relaxed))
        .await;

    // The same in the middle of an answer.
    let slow = "GET /v1/call/ramq/dossiers/dossiers/goutte\nPasserelle-Deadline: 1";
    assert_eq!(scene.raw(slow, b"").await.problem(), (504, "CALL_TIMED_OUT".to_owned()));
    let visit = scene.service.last().unwrap();
    until("an answer whose time is over is let go", || visit.left.load(Ordering::Relaxed)).await;

    // The caller goes.
    let stream = scene.connect("GET /v1/call/ramq/dossiers/dossiers/lent").await;
    until("the service is asked", || scene.service.visits().len() == 4).await;
    let visit = scene.service.last().unwrap();
    assert!(!visit.left.load(Ordering::Relaxed));
    drop(stream);
    until("the connection of a caller who went is closed", || visit.left.load(Ordering::Relaxed)).await;

    // A content shorter than announced is nobody's request.
    let mut stream = scene.connect("POST /v1/call/ramq/dossiers/dossiers/echo\nContent-Length: 100").await;
    stream.write_all(b"seulement ceci").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap().ok();
    assert!(bytes.is_empty() || Reply::read(&bytes).problem().1 == "BODY_INCOMPLETE");
    assert_eq!(scene.service.visits().len(), 4);

    // The provider's agent is away.
    scene.ramq.process.stop().unwrap();
    assert_eq!(scene.get("/dossiers/7").await.problem(), (503, "PROVIDER_AWAY".to_owned()));
    scene.ramq.restart().unwrap();
    let end = Instant::now() + PATIENCE;
    while scene.get("/dossiers/7").await.status != 200 {
        assert!(Instant::now() < end, "the provider is back");
    }
    // Each failure is an event.
    let failed = scene.network.audit(&["--outcome", "denied"]).unwrap();
    let reasons: Vec<_> = failed.iter().filter_map(|event| event["reason"].as_str()).collect();
    for reason in ["PROVIDER_FAILED", "CALL_TIMED_OUT", "CALL_CANCELLED", "PROVIDER_AWAY"] {
        assert!(reasons.iter().any(|found| found.ends_with(reason)), "{reason}: {reasons:?}");
    }
}

/// A hostile consumer, whose own agent checks nothing: the provider's agent stands before its service alone.
struct Hostile {
    saaq: Probe,
    to: Vec<RecipientPublicKey>,
    terms: Terms,
}

impl Hostile {
    async fn of(scene: &Scene) -> Self {
        let saaq = scene.network.probe(SAAQ.code, &SystemClock::shared()).await.unwrap();
        let to = saaq.recipients(&[RAMQ.code]).await.unwrap();
        let terms = Terms::of(&Document::parse(agreement().to_json().unwrap()).unwrap());
        Self { saaq, to, terms }
    }

    fn seal(&self, operation: &str, content: &[u8]) -> Half {
        let mut draft = self.saaq.request(&self.terms, &self.to, PATIENCE);
        draft.operation = operation.to_owned();
        self.saaq.seal_half(draft, &self.to, content).unwrap()
    }

    async fn ask(&self, operation: &str, head: &HttpRequestHead) -> Calling {
        let half = self.seal(operation, &Probe::unchecked_content(head, b""));
        self.saaq.call(&half).await.unwrap()
    }

    /// By which reason, and by which fact, it is refused.
    async fn refused(&self, operation: &str, head: &HttpRequestHead) -> (Reason, String) {
        let denial = self.ask(operation, head).await.denied().await.unwrap();
        assert!(denial.leaf_index.is_some(), "it is an event");
        (denial.reason(), denial.detail)
    }
}

fn get(path: &str) -> HttpRequestHead {
    HttpRequestHead { method: "GET".to_owned(), path: path.to_owned(), ..HttpRequestHead::default() }
}

async fn refused_by_the_providers_agent(scene: &Scene) {
    let hostile = Hostile::of(scene).await;
    let deleting = HttpRequestHead { method: "DELETE".to_owned(), ..get("/dossiers/7") };
    let other = "operation=not the one of method and path";
    for (operation, head, fact) in [
        // By the gateway: the agreement does not name it. Then by the provider's agent, by its own catalogue.
        ("supprimerDossier", deleting.clone(), "operation=supprimerDossier"),
        ("lireDossier", deleting, other),
        ("listerPieces", get("/dossiers/7"), other),
        ("lireDossier", get("/dossiers/7/pieces"), other),
        ("lireDossier", get("/etat"), other),
        ("lireDossier", get("/autre"), "path=unknown"),
        ("lireDossier", HttpRequestHead { method: "PUT".to_owned(), ..get("/etat") }, "methods=GET"),
        // Its own operation, on a path that the agreement does not cover.
        ("listerPieces", get("/dossiers/7/pieces"), "path=not covered by the agreement"),
    ] {
        let refused = hostile.refused(operation, &head).await;
        assert_eq!(refused, (Reason::OperationNotCovered, fact.to_owned()), "{operation} {head:?}");
    }
    for head in hostile_heads() {
        let (reason, fact) = hostile.refused("lireDossier", &head).await;
        assert_eq!((reason, fact.as_str()), (Reason::HeaderMalformed, "body=head"), "{head:?}");
    }
    // A large content that does not come to its end.
    let content = Probe::content("POST", "/dossiers/echo", &[3; 2 << 20]).unwrap();
    let mut frames = hostile.seal("ecrireDossier", &content).frames();
    frames.truncate(frames.len() - 3);
    let (mut calling, give) = hostile.saaq.call_with(frames).await.unwrap();
    calling.accepted().await.unwrap();
    drop(give);
    assert_eq!(calling.denied().await.unwrap().reason(), Reason::CallCancelled);

    assert_eq!(scene.service.visits().len(), 0, "{:?}", scene.service.visits());
    // The same hostile agent asking for what is covered is answered: it was the checks that refused, and nothing else.
    let mut calling = hostile.ask("lireDossier", &get("/dossiers/7")).await;
    calling.accepted().await.unwrap();
    assert!(matches!(calling.next().await.unwrap(), call_reply::Reply::Answer(_)));
    assert_eq!(scene.service.visits().len(), 1);
}

/// Heads with a path that reads in two ways, that speak for an agent, that hide a second request, or that are none.
fn hostile_heads() -> Vec<HttpRequestHead> {
    let field = |(name, value): (&str, &str)| HttpField {
        name: name.to_owned(),
        value: value.to_owned().into_bytes().into(),
    };
    let fields = [
        ("passerelle-from", "ramq"),
        ("content-length", "5"),
        ("transfer-encoding", "chunked"),
        ("host", "autre.example"),
        ("x-a", "1\r\nGET /dossiers/8 HTTP/1.1"),
        ("X-A", "1"),
    ];
    let with_field = fields.map(|pair| HttpRequestHead { fields: vec![field(pair)], ..get("/dossiers/7") });
    let others = [
        HttpRequestHead { method: "get".to_owned(), ..get("/dossiers/7") },
        HttpRequestHead { method: "CONNECT".to_owned(), ..get("/dossiers/7") },
        HttpRequestHead { query: "a b".to_owned(), ..get("/dossiers/7") },
        get("http://autre.example/dossiers/7"),
    ];
    HOSTILE_PATHS.map(get).into_iter().chain(with_field).chain(others).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_answer_only_the_fields_of_the_agreement_leave_the_provider() {
    let allow = vec!["/admissible".to_owned()];
    let fields = DraftFields { services: Vec::new(), allow, otherwise: "remove".to_owned() };
    let scene = Scene::under(&Draft { fields: vec![fields], ..agreement() }).await;
    let reply = scene.get("/dossiers/7").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.content, br#"{"admissible":true}"#);
    assert_eq!(scene.service.visits().len(), 1);
    // What has no fields does not leave at all.
    let reply = scene.get("/dossiers/octets-1000").await;
    assert_ne!(reply.status, 200);
    assert_eq!(reply.problem().1, "FIELD_NOT_COVERED");
}
