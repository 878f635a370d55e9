//! Durable accepted exchanges of 1 KiB under load, beside a bare echo of the same frames over the same TLS.
//!
//! Sixteen agents of one agency send on a stream each, with 64 frames under way. The gateway and the echo are processes of
//! their own, so that their CPU time is theirs alone; the senders share the machine with both.

use std::path::Path;

use anyhow::Context;
use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_proto::wire::exchange_client::ExchangeClient;
use serde::Serialize;

use super::load::{self, Sender};
use super::{Samples, echo, spread};
use crate::network::Network;
use crate::network::agreements::{RAMQ, SAAQ, draft, today};
use crate::network::process::{Program, Running};
use crate::probe::{Probe, Terms, connect, frame};
use crate::roles::Role;

/// Agents that send at a time.
pub const SENDERS: usize = 16;
/// Plaintext bytes of a record.
const RECORD_BYTES: usize = 1_024;

/// A series under load.
#[derive(Clone, Debug, Serialize)]
pub struct Loaded {
    /// Operations per second.
    #[serde(flatten)]
    pub rate: Samples,
    /// CPU time of the server's process for one operation, microseconds: lowest, median and highest run.
    pub cpu_us: [f64; 3],
    /// Most memory that the server's process ever held, bytes.
    pub peak_memory: u64,
}

/// Both series.
#[derive(Clone, Debug)]
pub struct Series {
    /// The gateway: checked, logged, durable, receipted.
    pub accept: Loaded,
    /// The same frames given back.
    pub echo: Loaded,
}

struct World {
    network: Network,
    senders: Vec<Probe>,
    terms: Terms,
    clock: SharedClock,
}

/// Measures both, `each` frames of each sender a run.
///
/// # Errors
/// The first step that failed.
pub async fn measure(folder: &Path, program: Program, runs: usize, each: usize) -> anyhow::Result<Series> {
    let mut world = World::create(folder, program).await?;
    let (mut accept, mut bare) = (Vec::new(), Vec::new());
    let echo_folder = folder.join("echo");
    std::fs::create_dir(&echo_folder)?;
    echo::prepare(&echo_folder, &world.network.issuing_authority()?, world.clock.now())?;
    let arguments = [echo_folder.as_os_str()];
    let server = world.network.program().start(Role::Echo, &arguments, &folder.join("echo.log"))?;
    let address = server.ready_line().rsplit(' ').next().context("an address")?.parse()?;
    // The first run of each warms caches and is not counted.
    for run in 0..=runs {
        let frames = world.frames(each).await?;
        let mut lines = Vec::new();
        for (probe, frames) in world.senders.iter().zip(frames.clone()) {
            let channel =
                connect(address, &world.network.anchor()?, Some(probe.credential()), &world.clock).await?;
            lines.push(Sender { exchange: ExchangeClient::new(channel), frames });
        }
        let echoed = one(&server, lines, each, |_| Ok(())).await.context("the echo")?;
        let probes = world.senders.iter().zip(frames);
        let lines = probes.map(|(probe, frames)| Sender { exchange: probe.exchange(), frames }).collect();
        let accepted =
            one(world.network.gateway()?, lines, each, load::accepted).await.context("the gateway")?;
        if run > 0 {
            bare.push(echoed);
            accept.push(accepted);
        }
    }
    Ok(Series {
        accept: loaded("one durable accepted exchange of 1 KiB", &accept, world.network.gateway()?)?,
        echo: loaded("one echo of the same frame, mutual TLS", &bare, &server)?,
    })
}

/// Seconds of wall clock, seconds of the server's CPU, operations.
type Run = (f64, f64, f64);

async fn one(
    server: &Running,
    lines: Vec<Sender>,
    each: usize,
    check: impl Fn(&passerelle_proto::wire::SubmitReply) -> anyhow::Result<()> + Copy,
) -> anyhow::Result<Run> {
    let before = server.cpu_time()?;
    let took = load::run(lines, check).await?;
    let cpu = server.cpu_time()?.saturating_sub(before);
    #[expect(clippy::cast_precision_loss, reason = "counts are far under 2^52")]
    let operations = (each * SENDERS) as f64;
    Ok((took.as_secs_f64(), cpu.as_secs_f64(), operations))
}

fn loaded(operation: &'static str, runs: &[Run], server: &Running) -> anyhow::Result<Loaded> {
    let per_second = spread(runs.iter().map(|(took, _, operations)| operations / took).collect());
    let cpu_us = spread(runs.iter().map(|(_, cpu, operations)| cpu * 1e6 / operations).collect());
    let rate = Samples { operation, per_second, runs: runs.len() };
    Ok(Loaded { rate, cpu_us, peak_memory: server.peak_memory()? })
}

impl World {
    async fn create(folder: &Path, program: Program) -> anyhow::Result<Self> {
        let open = "[limits]\nexchanges_per_second_per_agency = 1000000\nburst_per_agency = 1000000\n";
        let network = Network::with_gateway_settings(folder, program, open)?;
        for body in [RAMQ, SAAQ] {
            network.register(body)?;
        }
        let clock: SharedClock = SystemClock::shared();
        let recipient = network.probe(SAAQ.code, &clock).await?;
        let mut senders = Vec::with_capacity(SENDERS);
        for number in 0..SENDERS {
            senders.push(network.probe_named(RAMQ.code, &format!("sonde-{number}"), &clock).await?);
        }
        let first = senders.first().context("a sender")?;
        let form = draft("ENT-2026-001", RAMQ, &[SAAQ], today(clock.now()));
        let terms = Terms::of(&network.conclude(&form, &[first, &recipient]).await?);
        Ok(Self { network, senders, terms, clock })
    }

    /// Frames of every sender, sealed before the clock runs.
    async fn frames(&self, each: usize) -> anyhow::Result<Vec<Vec<passerelle_proto::wire::SubmitFrame>>> {
        let mut all = Vec::with_capacity(SENDERS);
        for probe in &self.senders {
            let to = probe.recipients(&[SAAQ.code]).await?;
            let one = || {
                let sealed = probe.seal(probe.draft(&self.terms, &to), &to, &[b'x'; RECORD_BYTES])?;
                anyhow::Ok(frame(&sealed))
            };
            all.push((0..each).map(|_| one()).collect::<anyhow::Result<Vec<_>>>()?);
        }
        Ok(all)
    }
}
