//! The `passerelle-pki` command.
//!
//! Owns the arguments, what is printed, and the exit status. Everything it does is the library's; everything it says
//! to people is French first, English beside it.

mod arguments;
mod create;
mod passphrase;
mod report;
mod show;
mod sign;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::clock::{Clock, SystemClock};
use crate::files;

use arguments::{Arguments, AuthorityAction, Command};
use report::Failure;

/// Runs the command with these arguments (the program's name first) and gives its exit status: 0 done, 1 refused or
/// failed, 2 wrong usage.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Arguments::try_parse_from(args) {
        Ok(arguments) => match execute(arguments.command) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                say_error(&failure.to_string());
                ExitCode::FAILURE
            }
        },
        Err(usage) => {
            let failed = usage.use_stderr();
            // Nowhere to say it if the terminal is gone.
            usage.print().ok();
            if failed { ExitCode::from(2) } else { ExitCode::SUCCESS }
        }
    }
}

fn execute(command: Command) -> Result<(), Failure> {
    let now = SystemClock.now();
    match command {
        Command::Root(AuthorityAction::Create(options)) => create::root(&options, now),
        Command::Issuing(AuthorityAction::Create(options)) => create::issuing(&options, now),
        Command::Request(options) => sign::request(&options),
        Command::Sign(options) => sign::sign(&options, now),
        Command::Renew(options) => sign::renew(&options, now),
        Command::Revoke(options) => sign::revoke(&options, now),
        Command::Crl(options) => sign::list(&options, now),
        Command::Show(options) => show::show(&options, now),
    }
}

/// A line for people, on the standard error stream, so that the standard output holds only what was asked for.
fn say_error(text: &str) {
    // Nowhere to say it if the stream is closed.
    writeln!(std::io::stderr(), "{text}").ok();
}

/// What was asked for, on the standard output.
fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout().write_all(text.as_bytes()).map_err(|source| Failure::file(Path::new("-"), source))
}

/// Writes a result to a new file, or prints it when no file was named.
fn write_out(out: Option<&Path>, text: &str) -> Result<(), Failure> {
    match out {
        Some(path) => files::create_new(path, text.as_bytes(), files::PUBLIC)
            .map_err(|source| Failure::file(path, source)),
        None => print(text),
    }
}
