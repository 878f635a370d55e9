//! Systems of an agency attack its agent: each tries what another may, by every way in. What is not its own does not exist
//! for it, and what it shows must be its own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use passerelle_agent::config::Config;
use passerelle_pki::clock::SystemClock;
use passerelle_pki::tls::provider;
use passerelle_tests::local::{Answer, Program as Asker, Way, over};
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, codes, draft, today};
use passerelle_tests::network::process::Program;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::UnixStream;

/// The name of a system: the gateway must not see it.
const DESK: &str = "guichet-marqueur-5c1e";
/// The Unix user of one system.
const USER: u32 = 64_001;

/// An authority, and certificates of it.
struct House {
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
struct Credential {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl House {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self { root: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    fn issue(&self, usage: ExtendedKeyUsagePurpose) -> Credential {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Credential { certificate: certificate.der().clone(), pem: certificate.pem(), key }
    }

    fn client(&self) -> Credential {
        self.issue(ExtendedKeyUsagePurpose::ClientAuth)
    }
}

impl Credential {
    fn sha256(&self) -> String {
        hex::encode(ring::digest::digest(&ring::digest::SHA256, &self.certificate))
    }
}

/// Trusts the house's server; shows a certificate when there is one.
fn client_config(house: &House, credential: Option<&Credential>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(house.root.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
    let builder = builder.with_root_certificates(roots);
    Arc::new(match credential {
        None => builder.with_no_client_auth(),
        Some(credential) => {
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(credential.key.serialize_der()));
            builder.with_client_auth_cert(vec![credential.certificate.clone()], key).unwrap()
        }
    })
}

struct World {
    network: Network,
    ramq: AgentProcess,
    saaq: AgentProcess,
    house: House,
    reader: Credential,
    _folder: tempfile::TempDir,
}

const AGREEMENTS: [&str; 3] = ["ENT-2026-001", "ENT-2026-002", "ENT-2026-003"];

impl World {
    async fn create() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Other users reach the socket.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let network =
            Network::create(folder.path(), Program::new(env!("CARGO_BIN_EXE_sandbox").into())).unwrap();
        for body in [RAMQ, SAAQ] {
            network.register(body).unwrap();
        }
        let house = House::new();
        let reader = house.client();
        write_tls(&folder.path().join("ramq"), &house);
        fs::create_dir_all(folder.path().join("ramq/echanges")).unwrap();
        let sender = format!(
            "unix_socket = \"prise\"\nunix_socket_mode = \"0666\"\ntls_certificate = \"serveur.pem\"\n\
             tls_key = \"serveur.cle\"\nclient_ca = \"autorite.pem\"\n\n\
             [systems.{DESK}]\ntoken_file = \"guichet.jeton\"\nagreements = [\"ENT-2026-001\", \"ENT-2026-003\"]\n\
             purposes = [\"{purpose}\"]\n\n\
             [systems.double]\ntoken_file = \"double.jeton\"\nagreements = [\"ENT-2026-001\"]\npurposes = [\"*\"]\n\n\
             [systems.rentes]\ntoken_file = \"rentes.jeton\"\nagreements = [\"ENT-2026-002\"]\npurposes = [\"*\"]\n\n\
             [systems.lecteur]\ncertificate_sha256 = [\"{hash}\"]\nagreements = [\"*\"]\n\
             purposes = [\"*\"]\nmay = [\"receive\"]\n\n\
             [systems.depot]\nunix_user = \"{USER}\"\nagreements = [\"ENT-2026-001\"]\npurposes = [\"*\"]\n\n\
             [folders]\nroot = \"echanges\"\n\
             [folders.permis]\nagreement = \"ENT-2026-001\"\ndata_categories = [\"{identity}\"]\n\
             [folders.retraites]\nagreement = \"ENT-2026-002\"\ndata_categories = [\"{identity}\"]\n",
            identity = codes::IDENTITY,
            purpose = codes::PURPOSE,
            hash = reader.sha256(),
        );
        let receiver = format!(
            "\n[systems.{DESK}]\ntoken_file = \"guichet.jeton\"\nagreements = [\"ENT-2026-001\"]\npurposes = [\"*\"]\n\n\
             [systems.rentes]\ntoken_file = \"rentes.jeton\"\nagreements = [\"ENT-2026-002\"]\npurposes = [\"*\"]\n\n\
             [systems.autre-fin]\ntoken_file = \"fin.jeton\"\nagreements = [\"*\"]\npurposes = [\"{}\"]\n\n\
             [systems.expediteur]\ntoken_file = \"expediteur.jeton\"\nagreements = [\"*\"]\npurposes = [\"*\"]\n\
             may = [\"send\"]\n",
            codes::OTHER_PURPOSE
        );
        let ramq = network.agent_with_settings(RAMQ, &sender).unwrap();
        let saaq = network.agent_with_settings(SAAQ, &receiver).unwrap();
        let day = today(SystemClock::shared().now());
        for (number, purpose) in
            AGREEMENTS.into_iter().zip([codes::PURPOSE, codes::PURPOSE, codes::OTHER_PURPOSE])
        {
            let mut form = draft(number, RAMQ, &[SAAQ], day);
            form.purposes[0].code = purpose.to_owned();
            network.conclude_by_agents(&form, &[&ramq, &saaq]).await.unwrap();
        }
        Self { network, ramq, saaq, house, reader, _folder: folder }
    }

    /// A program of the sending agency on another machine.
    fn remote(&self, token: Option<&str>, credential: Option<&Credential>) -> Asker {
        let tls = Config::load(&self.ramq.config()).unwrap().local.tls.unwrap();
        let token = token.map(|file| read_token(&self.ramq, file));
        Asker { way: Way::Tls(tls.address, client_config(&self.house, credential)), token }
    }

    /// A program of the receiving agency, on its agent's machine.
    fn near(&self, token: &str) -> Asker {
        Asker::of(&self.saaq, token).unwrap()
    }
}

fn write_tls(folder: &Path, house: &House) {
    fs::create_dir_all(folder).unwrap();
    let server = house.issue(ExtendedKeyUsagePurpose::ServerAuth);
    fs::write(folder.join("serveur.pem"), &server.pem).unwrap();
    fs::write(folder.join("serveur.cle"), server.key.serialize_pem()).unwrap();
    let root = pem(&house.root);
    fs::write(folder.join("autorite.pem"), root).unwrap();
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

fn read_token(agent: &AgentProcess, file: &str) -> String {
    fs::read_to_string(agent.config().with_file_name(file)).unwrap()
}

async fn send(asker: &Asker, agreement: &str, more: &[(&str, &str)]) -> Answer {
    let mut headers =
        vec![("passerelle-agreement", agreement), ("passerelle-data-categories", codes::IDENTITY)];
    headers.extend_from_slice(more);
    asker.post("/v1/records", &headers, "un").await.unwrap()
}

fn id(answer: &Answer) -> String {
    answer.json()["exchange_id"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_uses_and_sees_what_it_is_bound_to_and_nothing_else() {
    let world = World::create().await;
    sending(&world).await;
    status(&world).await;
    doors(&world).await;
    proofs(&world).await;
    unix_users(&world).await;
    receiving(&world).await;
    let log = fs::read_to_string(world.ramq.log()).unwrap();
    assert!(log.contains(DESK), "the agent's own messages say which system");
    let mut world = world;
    world.network.gateway().unwrap().stop().unwrap();
    assert_eq!(holding(&world.network.gateway_data(), DESK), 0, "the gateway's do not");
    assert_ne!(holding(&world.network.gateway_data(), AGREEMENTS[0]), 0, "the search finds what is there");
}

async fn sending(world: &World) {
    let (desk, double) =
        (world.remote(Some("guichet.jeton"), None), world.remote(Some("double.jeton"), None));
    let sent = send(&desk, "ENT-2026-001", &[("idempotency-key", "cle")]).await;
    assert_eq!(sent.outcome(), "202");
    for (agreement, purpose) in [
        ("ENT-2026-002", codes::PURPOSE),
        ("ENT-2026-001", codes::OTHER_PURPOSE),
        ("ENT-INCONNUE", codes::PURPOSE),
        ("*", "*"),
    ] {
        let answer = send(&desk, agreement, &[("passerelle-purpose", purpose)]).await;
        assert_eq!(answer.outcome(), "403 SYSTEM_NOT_BOUND", "{agreement} {purpose}");
    }
    // The only purpose of this agreement would be filled in.
    assert_eq!(send(&desk, "ENT-2026-003", &[]).await.outcome(), "403 SYSTEM_NOT_BOUND");
    // A key of one system is nothing to another.
    let other = send(&double, "ENT-2026-001", &[("idempotency-key", "cle")]).await;
    assert_eq!((other.outcome().as_str(), other.json()["repeated"].as_bool()), ("202", Some(false)));
    let again = send(&desk, "ENT-2026-001", &[("idempotency-key", "cle")]).await;
    assert_eq!((id(&again), again.json()["repeated"].as_bool()), (id(&sent), Some(true)));

    let pensions = world.remote(Some("rentes.jeton"), None);
    let record = format!("/v1/records/{}", id(&sent));
    assert_eq!(desk.get(&record).await.unwrap().outcome(), "200");
    assert_eq!(pensions.get(&record).await.unwrap().outcome(), "404 RECORD_NOT_FOUND");
    assert_eq!(pensions.get("/v1/records").await.unwrap().json()["records"], serde_json::json!([]));
    assert_eq!(desk.get("/v1/records?limit=1").await.unwrap().json()["records"].as_array().unwrap().len(), 1);
    let agreements = pensions.get("/v1/agreements").await.unwrap().json()["agreements"].clone();
    let numbers: Vec<_> = agreements.as_array().unwrap().iter().map(|one| one["number"].clone()).collect();
    assert_eq!(numbers, ["ENT-2026-002"]);
    let shown = pensions.get("/v1/agreements/ENT-2026-001/1").await.unwrap();
    assert_eq!(shown.outcome(), "404 AGREEMENT_NOT_FOUND");
    let signed = desk.post("/v1/agreements/ENT-2026-001/1/sign", &[], "{}").await.unwrap();
    assert_eq!(signed.outcome(), "403 SYSTEM_NOT_ALLOWED");
}

async fn status(world: &World) {
    let folders = async |asker: Asker| asker.get("/v1/status").await.unwrap().json()["folders"].clone();
    let own = Asker { way: Way::Unix(world.ramq.config().with_file_name("prise")), token: None };
    let all = folders(own).await;
    let names: Vec<_> = all.as_array().unwrap().iter().map(|folder| folder["name"].clone()).collect();
    assert_eq!(names, ["permis", "retraites"]);
    let shown = folders(world.remote(Some("rentes.jeton"), None)).await;
    assert_eq!(shown[0]["name"], "retraites");
    assert_eq!(shown.as_array().unwrap().len(), 1, "a folder of another agreement is shown");
}

/// Whoever holds every connection of one door shuts nobody out at another.
async fn doors(world: &World) {
    let Way::Tls(address, _) = world.remote(None, None).way else { panic!("TLS") };
    let mut held = Vec::new();
    for _ in 0..257 {
        held.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    let own = Asker { way: Way::Unix(world.ramq.config().with_file_name("prise")), token: None };
    let answer = tokio::time::timeout(Duration::from_secs(5), own.get("/v1/status")).await;
    assert_eq!(answer.unwrap().unwrap().outcome(), "200");
}

async fn proofs(world: &World) {
    let outcome = async |asker: Asker| asker.get("/v1/inbox").await.unwrap().outcome();
    let wrong = |token: &str| Asker { token: Some(token.to_owned()), ..world.remote(None, None) };
    assert_eq!(outcome(world.remote(None, None)).await, "401 TOKEN_REFUSED");
    let good = read_token(&world.ramq, "guichet.jeton");
    for token in ["faux", "", &good[1..], &format!("{good}x"), &read_token(&world.saaq, "guichet.jeton")] {
        assert_eq!(outcome(wrong(token)).await, "401 TOKEN_REFUSED", "{token}");
    }
    let local = world.remote(Some("donnees/local.token"), None);
    assert_eq!(outcome(local).await, "401 TOKEN_REFUSED", "the agency's own token stays on its machine");
    let reader = Some(&world.reader);
    assert_eq!(outcome(world.remote(None, reader)).await, "200");
    assert_eq!(
        send(&world.remote(None, reader), "ENT-2026-001", &[]).await.outcome(),
        "403 SYSTEM_NOT_ALLOWED"
    );
    assert_eq!(outcome(world.remote(Some("guichet.jeton"), reader)).await, "403 TWO_SYSTEMS");
    let unbound = world.house.client();
    assert_eq!(outcome(world.remote(None, Some(&unbound))).await, "403 CERTIFICATE_NOT_BOUND");
    assert_eq!(
        outcome(world.remote(Some("guichet.jeton"), Some(&unbound))).await,
        "403 CERTIFICATE_NOT_BOUND"
    );
    for foreign in [House::new().client(), world.house.issue(ExtendedKeyUsagePurpose::ServerAuth)] {
        let asked = world.remote(Some("guichet.jeton"), Some(&foreign)).get("/v1/inbox").await;
        assert!(asked.is_err(), "another authority's certificate, or a server's: {asked:?}");
    }
    let page = world.remote(Some("guichet.jeton"), None);
    let asked = page.ask(http::Method::GET, "/v1/inbox", &[("origin", "https://localhost")], Bytes::new());
    assert_eq!(asked.await.unwrap().outcome(), "403 ORIGIN_REFUSED");
    // In clear, the TLS port answers nothing.
    let Way::Tls(address, _) = world.remote(None, None).way else { panic!("TLS") };
    let clear = Asker { way: Way::Tcp(address), token: Some(good) };
    assert!(clear.get("/v1/status").await.is_err());
}

/// Asks over the Unix socket as another user of the machine; only root can.
async fn as_user(world: &World, user: u32, token: Option<&str>, path: &str) -> Answer {
    let socket = world.ramq.config().with_file_name("prise");
    let connected = std::thread::spawn(move || {
        // The user of this thread alone: the kernel notes it when the connection is made.
        rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(user)).unwrap();
        StdUnixStream::connect(socket).unwrap()
    });
    let stream = connected.join().unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut request = Request::get(path).header("host", "localhost");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {}", read_token(&world.ramq, token)));
    }
    over(UnixStream::from_std(stream).unwrap(), request.body(Full::default()).unwrap()).await.unwrap()
}

async fn unix_users(world: &World) {
    // Its own account is the agency.
    let own = Asker { way: Way::Unix(world.ramq.config().with_file_name("prise")), token: None };
    let all = own.get("/v1/agreements").await.unwrap().json()["agreements"].as_array().unwrap().len();
    assert_eq!(all, 3);
    let wrong = Asker { token: Some("faux".to_owned()), ..own };
    assert_eq!(wrong.get("/v1/status").await.unwrap().outcome(), "401 TOKEN_REFUSED");
    if !rustix::process::geteuid().is_root() {
        eprintln!("NOT RUN: other Unix users, which only root can be");
        return;
    }
    let outcome = async |user, token, path| as_user(world, user, token, path).await.outcome();
    assert_eq!(outcome(USER, None, "/v1/inbox").await, "200");
    assert_eq!(outcome(USER, None, "/v1/agreements/ENT-2026-002/1").await, "404 AGREEMENT_NOT_FOUND");
    assert_eq!(outcome(USER + 1, None, "/v1/status").await, "403 USER_NOT_BOUND");
    assert_eq!(outcome(USER + 1, Some("guichet.jeton"), "/v1/inbox").await, "200");
    assert_eq!(outcome(USER, Some("guichet.jeton"), "/v1/inbox").await, "403 TWO_SYSTEMS");
    assert_eq!(outcome(USER, Some("donnees/local.token"), "/v1/inbox").await, "403 TWO_SYSTEMS");
}

async fn receiving(world: &World) {
    let desk = world.near("guichet.jeton");
    let waiting = desk.get("/v1/inbox?wait=60").await.unwrap().json()["records"].clone();
    let id = waiting[0]["exchange_id"].as_str().unwrap().to_owned();
    let (entry, content) = (format!("/v1/inbox/{id}"), format!("/v1/inbox/{id}/content"));
    let confirm = format!("/v1/inbox/{id}/confirm");
    for stranger in ["rentes.jeton", "fin.jeton"] {
        let stranger = world.near(stranger);
        assert_eq!(stranger.get("/v1/inbox").await.unwrap().json()["records"], serde_json::json!([]));
        for path in [&entry, &content] {
            assert_eq!(stranger.get(path).await.unwrap().outcome(), "404 RECORD_NOT_FOUND");
        }
        assert_eq!(stranger.post(&confirm, &[], "").await.unwrap().outcome(), "404 RECORD_NOT_FOUND");
    }
    let sender = world.near("expediteur.jeton");
    for path in ["/v1/inbox", &entry, &content] {
        assert_eq!(sender.get(path).await.unwrap().outcome(), "403 SYSTEM_NOT_ALLOWED");
    }
    assert_eq!(sender.post(&confirm, &[], "").await.unwrap().outcome(), "403 SYSTEM_NOT_ALLOWED");
    // Nobody took it.
    assert_eq!(desk.get(&content).await.unwrap().body, "un");
    assert_eq!(desk.post(&confirm, &[], "").await.unwrap().outcome(), "204");
    assert_eq!(desk.post(&confirm, &[], "").await.unwrap().outcome(), "204", "again");
    let pensions = world.near("rentes.jeton");
    assert_eq!(pensions.post(&confirm, &[], "").await.unwrap().outcome(), "404 RECORD_NOT_FOUND");
    // A wait for what is not its own ends without it.
    let asked = tokio::time::timeout(Duration::from_secs(30), pensions.get("/v1/inbox?wait=1")).await;
    assert_eq!(asked.unwrap().unwrap().json()["records"], serde_json::json!([]));
}

/// How many files below a folder hold a text.
fn holding(folder: &Path, text: &str) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| match path.is_dir() {
            true => holding(&path, text),
            false if path.is_file() => {
                let bytes = fs::read(&path).unwrap();
                usize::from(bytes.windows(text.len()).any(|window| window == text.as_bytes()))
            }
            false => 0,
        })
        .sum()
}
