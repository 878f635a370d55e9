//! The `passerelle-agent` command: a thin `main` over the library's `run`.

use std::process::ExitCode;

fn main() -> ExitCode {
    passerelle_agent::run(std::env::args_os())
}
