//! The `passerelle-agent` command: a thin `main` over the library's `run`.

fn main() {}
