//! The `passerelle-gateway` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    eprintln!("passerelle-gateway : pas encore construit. / not built yet.");
    ExitCode::FAILURE
}
