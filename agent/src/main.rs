//! The `passerelle-agent` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    eprintln!("passerelle-agent : pas encore construit. / not built yet.");
    ExitCode::FAILURE
}
