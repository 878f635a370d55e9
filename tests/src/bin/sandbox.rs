//! `cargo run --release`: the sandbox.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use passerelle_pki::clock::SystemClock;
use passerelle_tests::network::process::Program;
use passerelle_tests::roles;
use passerelle_tests::sandbox::{Options, Report, Sandbox};

const EXAMPLES: &str = "\
Exemples / Examples:
  cargo run --release
  cargo run --release -- --once --json
  cargo run --release -- --once --records ~/Documents
  cargo run --release -- --dir /srv/essai --count 1000";

/// Le bac à sable : un réseau entier sur cette machine, et une visite. / The sandbox: a whole network on this machine, and a tour.
#[derive(Debug, Parser)]
#[command(name = "sandbox", after_help = EXAMPLES)]
struct Arguments {
    /// Se termine après la visite. / Ends after the tour.
    #[arg(long)]
    once: bool,
    /// Transmet les fichiers de ce dossier, de toute sorte, jusqu'à 1 Gio chacun. / Sends the files of this folder, of any type, up to 1 GiB each.
    #[arg(long, value_name = "DIR")]
    records: Option<PathBuf>,
    /// Nombre d'enregistrements engendrés, sans --records. / How many records to generate, without --records.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// Graine du générateur. / Seed of the generator.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Garde tout dans ce nouveau dossier (défaut : un dossier temporaire, supprimé à la fin). / Keeps everything in this new folder (default: a temporary folder, deleted at the end).
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Une dernière ligne en JSON. / A last line of JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    if let Some(status) = roles::dispatch(std::env::args_os()) {
        return status;
    }
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let temporary = tempfile::Builder::new().prefix("passerelle-").tempdir()?;
    let folder = match &arguments.dir {
        Some(folder) => {
            std::fs::create_dir(folder).map_err(|error| anyhow::anyhow!("{} : {error}", folder.display()))?;
            std::fs::canonicalize(folder)?
        }
        None => temporary.path().to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(tour(arguments, &folder))
}

async fn tour(arguments: &Arguments, folder: &Path) -> anyhow::Result<bool> {
    let executable = std::env::current_exe()?;
    let clock = SystemClock::shared();
    let mut sandbox = Sandbox::start(folder, Program::new(executable.clone()), &clock).await?;
    let options =
        Options { records: arguments.records.clone(), count: arguments.count, seed: arguments.seed };
    let report = sandbox.tour(&options, &clock).await?;
    print(&report);
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    }
    if !arguments.once {
        println!("\nÀ essayer, dans un autre terminal / To try, in another terminal:\n");
        println!("{}", sandbox.commands(&executable));
        println!("\nCtrl-C pour terminer / to end.");
        tokio::signal::ctrl_c().await?;
    }
    sandbox.stop()?;
    Ok(report.records_delivered == report.records_sent
        && report.byte_identical
        && report.calls_byte_identical
        && report.log_verified)
}

fn print(report: &Report) {
    let yes = |yes: bool| if yes { "oui / yes" } else { "NON / NO" };
    println!("  transmis / sent                      {}", report.records_sent);
    println!("  remis / delivered                    {}", report.records_delivered);
    println!("  octets / bytes                       {}", report.bytes);
    println!("  identiques / byte-identical          {}", yes(report.byte_identical));
    println!("  appels / calls                       {}", report.calls_answered);
    println!("  appels identiques / calls identical  {}", yes(report.calls_byte_identical));
    println!("  refus / denials                      {}", report.denials.len());
    println!("  entrées au journal / log entries     {}", report.audit_entries);
    println!("  journal vérifié / log verified       {}", yes(report.log_verified));
    for (process, bytes) in &report.peak_memory {
        println!("  mémoire / memory  {process:<18} {} Mio", bytes >> 20);
    }
}
