//! Calls of a service through two agents and the gateway, beside two nginx hops before the same service: the same request of
//! 1 KiB, the same answer, kept-alive connections, in the same run, by turns.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use futures_util::future::try_join_all;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use passerelle_agent::client::Endpoint;
use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_proto::agreement::draft::{DraftOperations, DraftPath};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::nginx::Hops;
use crate::network::Network;
use crate::network::agent::AgentProcess;
use crate::network::agreements::{RAMQ, SAAQ, codes, draft, today};
use crate::network::process::Program;
use crate::service::Service;

/// Callers of the second figure.
const CALLERS: usize = 8;
/// Bytes of a request and of its answer.
const BYTES: usize = 1_024;
/// How long news of the service may take.
const KNOWN: Duration = Duration::from_secs(30);

/// How long calls took, microseconds.
#[derive(Copy, Clone, Debug, Serialize)]
pub struct Latency {
    /// Half of them at most this.
    pub p50_us: f64,
    /// 99 of 100 at most this.
    pub p99_us: f64,
    /// Calls that were counted.
    pub calls: usize,
}

/// One road.
#[derive(Copy, Clone, Debug, Serialize)]
pub struct Road {
    /// One caller, one call after the other.
    pub sequential: Latency,
    /// Eight callers at a time, each one after the other.
    pub eight_callers: Latency,
}

/// Both roads. What was not measured is `null`.
#[derive(Copy, Clone, Debug, Serialize)]
pub struct Series {
    /// Agent, gateway, agent, service: sealed, under an agreement, logged twice.
    pub passerelle: Road,
    /// nginx, mutual TLS, nginx, service; `None` without nginx on this machine.
    pub nginx: Option<Road>,
}

/// How a road is entered.
#[derive(Clone, Debug)]
struct Entrance {
    address: SocketAddr,
    path: &'static str,
    authorization: Option<String>,
}

/// Measures both, `each` calls of each caller a run.
///
/// # Errors
/// The first step that failed, or an answer that is not the request's content.
pub async fn measure(folder: &Path, program: Program, runs: usize, each: usize) -> anyhow::Result<Series> {
    let open = "[limits]\nexchanges_per_second_per_agency = 1000000\nburst_per_agency = 1000000\n";
    let network = Network::with_gateway_settings(folder, program, open)?;
    let (clock, service) = (SystemClock::shared(), Service::start(None).await?);
    let (_ramq, saaq) = agents(&network, &service, &clock).await?;
    let Endpoint::Tcp { addr, token } = saaq.client.endpoint() else { anyhow::bail!("no TCP") };
    let agents = Entrance {
        address: addr.parse()?,
        path: "/v1/call/ramq/dossiers/dossiers/echo",
        authorization: Some(format!("Bearer {token}")),
    };
    let hops =
        Hops::start(&folder.join("nginx"), &network.issuing_authority()?, clock.now(), service.address())?;
    let hops = hops
        .as_ref()
        .map(|hops| Entrance { address: hops.entrance, path: "/base/dossiers/echo", authorization: None })
        .zip(hops.as_ref());
    let until = Instant::now() + KNOWN;
    while let Err(error) = calls(&agents, 1).await {
        ensure!(Instant::now() < until, "the service is not known: {error:#}");
        sleep(Duration::from_millis(50)).await;
    }
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    // The first run of each warms caches and is not counted.
    for run in 0..=runs {
        let mut one = Times::default();
        one.add(&agents, each).await.context("through the agents")?;
        let mut other = Times::default();
        if let Some((entrance, _running)) = &hops {
            other.add(entrance, each).await.context("through nginx")?;
        }
        service.forget();
        if run > 0 {
            ours.extend(one);
            theirs.extend(other);
        }
    }
    Ok(Series { passerelle: ours.road(), nginx: hops.is_some().then(|| theirs.road()) })
}

/// Both agents, the service behind one, and an agreement by which the other may call it.
async fn agents(
    network: &Network,
    service: &Service,
    clock: &SharedClock,
) -> anyhow::Result<(AgentProcess, AgentProcess)> {
    for body in [RAMQ, SAAQ] {
        network.register(body)?;
    }
    let quiet = "[tracing]\nlevel = \"error\"\n";
    let settings = format!("{}{quiet}", service.settings(codes::SERVICE));
    let (ramq, saaq) =
        (network.agent_with_settings(RAMQ, &settings)?, network.agent_with_settings(SAAQ, quiet)?);
    let mut form = draft("ENT-2026-001", RAMQ, &[SAAQ], today(clock.now()));
    form.method = vec!["call".to_owned()];
    form.operations = vec![DraftOperations {
        service: codes::SERVICE.to_owned(),
        operations: vec!["ajouterPiece".to_owned()],
        paths: vec![DraftPath { method: "POST".to_owned(), path: "/dossiers/{numero}".to_owned() }],
    }];
    network.conclude_by_agents(&form, &[&ramq, &saaq]).await?;
    let publisher = network.probe_without_keys(RAMQ.code, "catalogue", clock).await?;
    let operations = [("ajouterPiece", "POST", "/dossiers/{numero}")];
    publisher.publish_service(codes::SERVICE, &operations, &[codes::IDENTITY], true).await?;
    Ok((ramq, saaq))
}

/// How long each call took.
#[derive(Debug, Default)]
struct Times {
    sequential: Vec<Duration>,
    eight: Vec<Duration>,
}

impl Times {
    async fn add(&mut self, entrance: &Entrance, each: usize) -> anyhow::Result<()> {
        self.sequential.extend(calls(entrance, each).await?);
        let callers = (0..CALLERS).map(|_| calls(entrance, each / 2));
        self.eight.extend(try_join_all(callers).await?.into_iter().flatten());
        Ok(())
    }

    fn extend(&mut self, other: Self) {
        self.sequential.extend(other.sequential);
        self.eight.extend(other.eight);
    }

    fn road(self) -> Road {
        Road { sequential: latency(self.sequential), eight_callers: latency(self.eight) }
    }
}

fn latency(mut times: Vec<Duration>) -> Latency {
    times.sort_unstable();
    let at = |percent: usize| {
        let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    };
    Latency { p50_us: at(50), p99_us: at(99), calls: times.len() }
}

/// `count` calls on one connection, one after the other.
async fn calls(entrance: &Entrance, count: usize) -> anyhow::Result<Vec<Duration>> {
    let stream = TcpStream::connect(entrance.address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the last request: its failure is told there.
    let carrying = tokio::spawn(async move { drop(connection.await) });
    let content = Bytes::from(format!("{{\"piece\":\"{}\"}}", "x".repeat(BYTES - 12)));
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        call(&mut sender, entrance, &content).await?;
        times.push(begun.elapsed());
    }
    carrying.abort();
    Ok(times)
}

async fn call(
    sender: &mut SendRequest<Full<Bytes>>,
    entrance: &Entrance,
    content: &Bytes,
) -> anyhow::Result<()> {
    let mut request = Request::post(entrance.path)
        .header(HOST, entrance.address.to_string())
        .header(CONTENT_TYPE, "application/json");
    if let Some(shown) = &entrance.authorization {
        request = request.header(AUTHORIZATION, shown);
    }
    sender.ready().await?;
    let answer = sender.send_request(request.body(Full::new(content.clone()))?).await?;
    let status = answer.status();
    let said = answer.into_body().collect().await?.to_bytes();
    ensure!(status == StatusCode::OK, "{status}: {}", String::from_utf8_lossy(&said));
    ensure!(said == *content, "the answer is not the request's content");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_calls_themselves() {
        let times = (1..=200).map(Duration::from_micros).collect();
        let Latency { p50_us, p99_us, calls } = latency(times);
        assert_eq!((p50_us.round(), p99_us.round(), calls), (100.0, 198.0, 200));
        assert!(latency(Vec::new()).p50_us.is_nan());
    }
}
