//! The `passerelle-verify` command: a thin `main` over the library's `run`.

fn main() {}
