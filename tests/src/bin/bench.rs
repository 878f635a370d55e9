//! `bench`: what the machine allows, and what Passerelle makes of it, measured in one run.

use anyhow::Context;
use clap::Parser;
use passerelle_tests::bench::{Samples, floor};
use serde_json::json;
use std::time::Duration;

/// Mesure Passerelle à côté de ce que la machine permet. / Measures Passerelle beside what the machine allows.
#[derive(Debug, Parser)]
#[command(after_help = "Example: cargo run --release -p passerelle-tests --bin bench -- --quick --json")]
struct Arguments {
    /// Moins d'une minute, trois passages courts. / Under a minute, three short runs.
    #[arg(long)]
    quick: bool,
    /// Une dernière ligne en JSON. / A last line of JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let (runs, slice) =
        if arguments.quick { (3, Duration::from_millis(400)) } else { (7, Duration::from_secs(2)) };
    let folder = tempfile::tempdir().context("a folder for the journal")?;

    let verify = floor::ed25519_verify(runs, slice)?;
    let append_alone = floor::durable_appends(&folder.path().join("alone"), 1, runs, slice)?;
    let append_shared = floor::durable_appends(&folder.path().join("shared"), 16, runs, slice)?;
    let floors = [
        ("ed25519_verify", &verify),
        ("aes_256_gcm_64k", &floor::aes_256_gcm(runs, slice)?),
        ("sha_256_64k", &floor::sha_256(runs, slice)?),
        ("durable_append_1_caller", &append_alone),
        ("durable_append_16_callers", &append_shared),
    ];
    for (_, samples) in floors {
        print_row(samples);
    }
    if arguments.json {
        let series: serde_json::Map<_, _> =
            floors.iter().map(|(name, samples)| ((*name).to_owned(), json!(samples))).collect();
        println!("{}", json!({ "limits": series, "ratios": unmeasured() }));
    }
    Ok(())
}

fn print_row(samples: &Samples) {
    let [low, median, high] = samples.per_second;
    println!(
        "{:<36} {median:>12.0}/s  ({low:.0} … {high:.0}), {:.1} µs",
        samples.operation,
        samples.median_us()
    );
}

/// The ratios that need a gateway and agents under load, which this bench does not drive yet.
fn unmeasured() -> serde_json::Value {
    json!({
        "accept_cpu_per_verify": null,
        "accept_rate_vs_echo_and_verify": null,
        "accept_latency_vs_floor": null,
    })
}
