//! The `passerelle-gateway` command: a thin `main` over the library's `run`.

use std::process::ExitCode;

fn main() -> ExitCode {
    passerelle_gateway::run(std::env::args_os())
}
