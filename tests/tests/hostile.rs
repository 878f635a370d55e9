//! Callers that send garbage, promise gigabytes, stall, or only hold the line: each gets an error or the door, memory
//! stays bounded, and the exchanges of others go on.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Frame};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_proto::wire::submit_reply;
use passerelle_tests::network::Network;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, draft, today};
use passerelle_tests::network::process::Program;
use passerelle_tests::probe::{Probe, Terms, frame, secure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);
/// Connections that say nothing.
const IDLE: usize = 2_000;
/// Most memory of the gateway through all of it.
const MEMORY: u64 = 200 << 20;

struct World {
    network: Network,
    ramq: Probe,
    saaq: Probe,
    terms: Terms,
    clock: SharedClock,
    _folder: tempfile::TempDir,
}

impl World {
    async fn create() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
        let network = Network::create(folder.path(), program).unwrap();
        for body in [RAMQ, SAAQ] {
            network.register(body).unwrap();
        }
        let clock: SharedClock = SystemClock::shared();
        let ramq = network.probe("ramq", &clock).await.unwrap();
        let saaq = network.probe("saaq", &clock).await.unwrap();
        let form = draft("ENT-2026-001", RAMQ, &[SAAQ], today(ramq.now()));
        let terms = Terms::of(&network.conclude(&form, &[&ramq, &saaq]).await.unwrap());
        Self { network, ramq, saaq, terms, clock, _folder: folder }
    }

    /// An honest exchange goes through, whatever else happens.
    async fn goes_on(&self) {
        let exchange = async {
            let to = self.ramq.recipients(&["saaq"]).await.unwrap();
            let sealed = self.ramq.seal(self.ramq.draft(&self.terms, &to), &to, b"{}").unwrap();
            let reply = self.ramq.submit(frame(&sealed)).await.unwrap();
            assert!(matches!(reply.result, Some(submit_reply::Result::Receipt(_))), "{:?}", reply.result);
        };
        timeout(PATIENCE, exchange).await.expect("an honest exchange does not get through");
    }

    /// Calls `Submit` as a certified agent with a body of the test's own; gives the gRPC status.
    async fn call<B>(&self, body: B) -> (StatusCode, Option<String>)
    where
        B: Body<Data = Bytes, Error = io::Error> + Send + Unpin + 'static,
    {
        let agents = self.network.addresses().agents;
        let anchor = self.network.anchor().unwrap();
        let stream = secure(agents, &anchor, Some(self.saaq.credential()), &self.clock).await.unwrap();
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = Request::post("https://localhost/passerelle.v1.Exchange/Submit")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(body)
            .unwrap();
        let answer = timeout(PATIENCE, sender.send_request(request)).await.expect("no answer").unwrap();
        let (head, body) = answer.into_parts();
        let status = |headers: &http::HeaderMap| {
            headers.get("grpc-status").and_then(|status| status.to_str().ok().map(str::to_owned))
        };
        let trailers = timeout(PATIENCE, body.collect()).await.expect("no end").ok();
        let trailers = trailers.and_then(|body| body.trailers().and_then(status));
        connection.abort();
        (head.status, status(&head.headers).or(trailers))
    }
}

/// Sends bytes and reads until the other side closes.
async fn throw(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be gone before everything is written.
    stream.write_all(bytes).await.ok();
    let closed = async {
        let mut answer = [0; 4_096];
        while matches!(stream.read(&mut answer).await, Ok(1..)) {}
    };
    timeout(PATIENCE, closed).await.expect("garbage is listened to for ever");
}

fn message(length: u32, content: &[u8]) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(content);
    bytes.into()
}

fn whole(bytes: Bytes) -> impl Body<Data = Bytes, Error = io::Error> + Send + Unpin + 'static {
    Full::new(bytes).map_err(|never| match never {})
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_misbehaves_is_alone_in_it() {
    let wanted = Rlimit { current: Some(8_192), maximum: getrlimit(Resource::Nofile).maximum };
    setrlimit(Resource::Nofile, wanted).unwrap();
    let mut world = World::create().await;
    let addresses = world.network.addresses();
    world.goes_on().await;

    let garbage: Vec<u8> =
        (0..200_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    for address in [addresses.agents, addresses.public] {
        throw(address, &garbage).await;
        throw(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        throw(address, b"\x16\x03\x01\xff\xff").await;
    }
    world.goes_on().await;

    // Frames that are not what they say: 3 is INVALID_ARGUMENT, 8 RESOURCE_EXHAUSTED, 11 OUT_OF_RANGE, 13 INTERNAL.
    for (what, body) in [
        ("four gigabytes promised", message(u32::MAX, b"x")),
        ("a megabyte over the limit", message(8 << 20, &vec![0; 8 << 20])),
        ("cut short", message(100, b"dix octets")),
        ("not the message", message(4, b"\xff\xff\xff\xff")),
        ("compressed", Bytes::from_static(b"\x01\x00\x00\x00\x01x")),
    ] {
        let (http, grpc) = world.call(whole(body)).await;
        assert_eq!(http, StatusCode::OK, "{what}");
        let grpc = grpc.unwrap_or_else(|| panic!("{what}: no status"));
        assert!(["3", "8", "11", "12", "13"].contains(&grpc.as_str()), "{what}: {grpc}");
        world.goes_on().await;
    }

    // A body that begins and never goes on.
    let first = stream::iter([Ok::<_, io::Error>(Frame::data(message(1_000, b"x")))]);
    let stalled = StreamBody::new(Box::pin(futures_util::StreamExt::chain(first, stream::pending())));
    let agents = addresses.agents;
    let anchor = world.network.anchor().unwrap();
    let line = secure(agents, &anchor, Some(world.saaq.credential()), &world.clock).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(line)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::post("https://localhost/passerelle.v1.Exchange/Submit")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(stalled)
        .unwrap();
    let stalling = tokio::spawn(async move { sender.send_request(request).await.map(drop) });
    world.goes_on().await;

    // Callers that only hold the line, before TLS; then a new agent comes.
    let mut idle = Vec::with_capacity(IDLE);
    for _ in 0..IDLE {
        if let Ok(Ok(stream)) = timeout(PATIENCE, TcpStream::connect(agents)).await {
            idle.push(stream);
        }
    }
    assert_eq!(idle.len(), IDLE);
    world.goes_on().await;
    let clock = SharedClock::clone(&world.clock);
    let newcomer = timeout(PATIENCE, world.network.probe_named("ramq", "nouvel-agent", &clock)).await;
    newcomer.expect("a new agent does not get in").unwrap();
    drop(idle);
    world.goes_on().await;
    stalling.abort();
    connection.abort();

    let gateway = world.network.gateway().unwrap();
    let peak = gateway.peak_memory().unwrap();
    assert!(peak < MEMORY, "{} MiB", peak >> 20);
    assert!(gateway.stop().unwrap().success());
    world.network.verify_log().unwrap();
}
