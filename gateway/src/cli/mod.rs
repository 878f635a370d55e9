//! The command `passerelle-gateway`: sets a gateway up, serves it, and administers it as an operator.
//!
//! `init`, `serve`, `config check` and `operator token` work on the gateway's own machine, with its configuration file.
//! `agency`, `agreement` and `audit` are clients of the public listener, with an operator's token.

mod agency;
mod agreement;
mod arguments;
mod audit;
mod client;
mod events;
mod failure;
mod init;
mod operator;
mod serve;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use passerelle_pki::clock::SystemClock;

use arguments::{Arguments, Command, ConfigAction};
use failure::Failure;

/// Runs the command with `args` (the program's name first) and gives its exit status: 0 done, 1 failed, 2 mistyped.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no failures; where it is printed, clap knows.
            drop(error.print());
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match dispatch(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<(), Failure> {
    let clock = SystemClock::shared();
    match command {
        Command::Init(options) => init::run(&options, clock.now()),
        Command::Serve(options) => serve::run(&options, clock),
        Command::Config(ConfigAction::Check(options)) => {
            let config = options.load()?;
            config.check_files()?;
            println!("{} : aucune erreur / no mistake", config.path.display());
            Ok(())
        }
        Command::Operator(action) => operator::run(&action, clock.now()),
        Command::Agency(action) => client::block_on(agency::run(action, clock)),
        Command::Agreement(action) => client::block_on(agreement::run(action, clock)),
        Command::Audit(action) => client::block_on(audit::run(action, clock)),
    }
}
