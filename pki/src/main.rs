//! The `passerelle-pki` command: a thin `main` over the library's `run`.

use std::process::ExitCode;

fn main() -> ExitCode {
    passerelle_pki::run(std::env::args_os())
}
