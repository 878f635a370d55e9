//! `cargo run --release`: the sandbox.

use std::process::ExitCode;

use clap::Parser;
use passerelle_pki::clock::SystemClock;
use passerelle_tests::{roles, sandbox};

/// Le bac à sable : des dossiers vont d'un organisme à l'autre. / The sandbox: records go from one agency to another.
#[derive(Debug, Parser)]
#[command(after_help = "Example: cargo run --release -- --records 1000 --json")]
struct Arguments {
    /// Nombre de dossiers engendrés. / How many records to generate.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    records: u32,
    /// Graine du générateur. / Seed of the generator.
    #[arg(long, default_value_t = 1)]
    seed: u64,
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
    let folder = tempfile::tempdir()?;
    let report = sandbox::tour(folder.path(), arguments.records, arguments.seed, &SystemClock)?;
    println!("De RAMQ à SAAQ / from RAMQ to SAAQ");
    println!("  dossiers remis / records delivered   {} / {}", report.records_delivered, report.records_sent);
    println!("  octets / bytes                       {}", report.bytes);
    println!("  identiques / byte-identical          {}", french(report.byte_identical));
    println!("  entrées au journal / log entries     {}", report.audit_entries);
    println!("  journal vérifié / log verified       {}", french(report.log_verified));
    println!("Pas encore sur la route : ententes, réseau, processus séparés.");
    println!("Not on the road yet: agreements, the network, separate processes.");
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    }
    anyhow::ensure!(
        report.byte_identical && report.log_verified,
        "a record changed, or the log does not verify"
    );
    Ok(())
}

fn french(yes: bool) -> &'static str {
    if yes { "oui / yes" } else { "NON / NO" }
}
