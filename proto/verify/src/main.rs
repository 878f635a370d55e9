//! The `passerelle-verify` command: a thin `main` over the library's `run`.

use std::process::ExitCode;

fn main() -> ExitCode {
    passerelle_verify::run(std::env::args_os())
}
