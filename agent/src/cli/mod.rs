//! The command `passerelle-agent`: sets an agent up, serves it, and works with one that runs.
//!
//! `enrol`, `serve`, `config check`, `pseudonym` and `doctor` work with the data folder and the gateway; all others are clients of the
//! local interface of the running agent ([`crate::client`]).

mod agreement;
mod arguments;
mod call;
mod doctor;
mod enrol;
mod events;
mod evidence;
mod examples;
mod failure;
mod inbox;
mod progress;
mod pseudonym;
mod record;
mod send;
mod serve;
mod service;
mod status;
mod take;
#[cfg(test)]
mod tests;
mod text;
mod webhook;

use std::ffi::OsString;
use std::future::Future;
use std::process::ExitCode;

use clap::Parser;
use passerelle_pki::clock::SystemClock;

use arguments::{Arguments, Command, ConfigAction, ConfigOption, InboxAction};
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
    match dispatch(&arguments.config, arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(config: &ConfigOption, command: Command) -> Result<(), Failure> {
    let clock = SystemClock::shared();
    match command {
        Command::Enrol(options) => block_on(enrol::run(&options, &config.load()?, &clock)),
        Command::Serve => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
            runtime.map_err(|error| Failure::of(&error))?.block_on(serve::run(&config.load()?, clock))
        }
        Command::Send(arguments) => block_on(send::run(&arguments, &config.client()?)),
        Command::Call(arguments) => block_on(call::run(&arguments, &config.client()?)),
        Command::Inbox { action, list } => {
            let list = match action {
                Some(InboxAction::List(list)) => list,
                None => list,
            };
            block_on(inbox::list(&list, &config.client()?))
        }
        Command::Take(options) => block_on(take::run(&options, &config.client()?)),
        Command::Status { output } => block_on(status::run(output, &config.client()?, &clock)),
        Command::Record(options) => block_on(record::run(&options, &config.client()?)),
        Command::Events(options) => block_on(events::run(&options, &config.client()?)),
        Command::Evidence(arguments) => block_on(evidence::run(&arguments, &config.client()?)),
        Command::Agreement(action) => block_on(agreement::run(action, &config.client()?)),
        Command::Service(action) => block_on(service::run(action, &config.client()?)),
        Command::Doctor { output } => block_on(doctor::run(config, output, &clock)),
        Command::Pseudonym(action) => pseudonym::run(&action, &config.load()?),
        Command::Webhook(action) => block_on(webhook::run(action, &config.client()?)),
        Command::Config(ConfigAction::Check) => {
            let config = config.load()?;
            // What the file names is read too.
            config.settings()?;
            println!("{} : aucune erreur / no mistake", config.path.display());
            Ok(())
        }
    }
}

/// Runs a command that waits for others.
fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::of(&error))?.block_on(work)
}
