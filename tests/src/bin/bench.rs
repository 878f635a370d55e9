//! `bench`: what the machine allows, and what Passerelle makes of it, measured in one run.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use passerelle_tests::bench::accept::{self, Loaded, Series};
use passerelle_tests::bench::calls::{self, Latency, Road};
use passerelle_tests::bench::{Samples, floor};
use passerelle_tests::network::process::Program;
use passerelle_tests::roles;
use serde_json::json;

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

fn main() -> ExitCode {
    if let Some(status) = roles::dispatch(std::env::args_os()) {
        return status;
    }
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (runs, slice, each) = match arguments.quick {
        true => (3, Duration::from_millis(400), 1_000),
        false => (7, Duration::from_secs(2), 4_000),
    };
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
    let network = folder.path().join("network");
    std::fs::create_dir(&network)?;
    let program = Program::new(std::env::current_exe()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let Series { accept, echo } = runtime.block_on(accept::measure(&network, program.clone(), runs, each))?;
    print_loaded(&echo);
    print_loaded(&accept);
    let with_calls = folder.path().join("calls");
    std::fs::create_dir(&with_calls)?;
    let calls = runtime.block_on(calls::measure(&with_calls, program, runs, each / 10))?;
    print_calls(&calls);
    if arguments.json {
        let series: serde_json::Map<_, _> =
            floors.iter().map(|(name, samples)| ((*name).to_owned(), json!(samples))).collect();
        let ratios = ratios((&accept, &echo), &verify, &calls);
        println!(
            "{}",
            json!({ "limits": series, "echo": echo, "accept": accept, "calls": calls, "ratios": ratios })
        );
    }
    Ok(())
}

fn print_row(samples: &Samples) {
    let [low, median, high] = samples.per_second;
    println!(
        "{:<40} {median:>12.0}/s  ({low:.0} … {high:.0}), {:.1} µs",
        samples.operation,
        samples.median_us()
    );
}

fn print_loaded(loaded: &Loaded) {
    print_row(&loaded.rate);
    let [low, median, high] = loaded.cpu_us;
    println!("{:<40} {median:>12.1} µs  ({low:.1} … {high:.1}) of CPU", "");
}

fn print_calls(calls: &calls::Series) {
    let print = |name: &str, road: &Road| {
        for (callers, latency) in [("1 caller", road.sequential), ("8 callers", road.eight_callers)] {
            let Latency { p50_us, p99_us, calls } = latency;
            let what = format!("a call of 1 KiB, {name}, {callers}");
            println!("{what:<40} p50 {p50_us:>8.0} µs, p99 {p99_us:>8.0} µs  ({calls} calls)");
        }
    };
    match &calls.nginx {
        Some(nginx) => print("two nginx hops", nginx),
        None => println!(
            "two nginx hops: NOT MEASURED, nginx is not on this machine (apt-get install nginx-light)"
        ),
    }
    print("Passerelle", &calls.passerelle);
}

/// Ratios of medians. `accept_rate_vs_echo_and_verify` holds accepted exchanges against echoes that each verify one
/// signature more, one after the other. What is not measured yet is null.
fn ratios((accept, echo): (&Loaded, &Loaded), verify: &Samples, calls: &calls::Series) -> serde_json::Value {
    let echo_and_verify = 1e6 / (echo.rate.median_us() + verify.median_us());
    let beside = |figure: fn(&Latency) -> f64| {
        let theirs = calls.nginx.map(|nginx| figure(&nginx.sequential))?;
        Some(figure(&calls.passerelle.sequential) / theirs)
    };
    json!({
        "accept_cpu_per_verify": accept.cpu_us[1] / verify.median_us(),
        "accept_cpu_per_echo_cpu": accept.cpu_us[1] / echo.cpu_us[1],
        "accept_rate_vs_echo": accept.rate.per_second[1] / echo.rate.per_second[1],
        "accept_rate_vs_echo_and_verify": accept.rate.per_second[1] / echo_and_verify,
        "accept_latency_vs_floor": null,
        "call_p50_vs_nginx": beside(|latency| latency.p50_us),
        "call_p99_vs_nginx": beside(|latency| latency.p99_us),
    })
}
