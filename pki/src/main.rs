//! The `passerelle-pki` command: a thin `main` over the library's `run`.

fn main() {}
