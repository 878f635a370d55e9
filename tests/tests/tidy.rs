//! Style as a test: what rustfmt and clippy do not check. Reads the files of the workspace as text.

#![expect(clippy::expect_used, reason = "a test says what went wrong by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Lines that a source file may have: above this, two jobs live in one file.
const FILE_LINES_MAX: usize = 600;

/// The folders of the house. A new one is a decision for `docs/ARCHITECTURE.md`, then for this list.
const MEMBERS: [&str; 6] = ["agent", "gateway", "journal", "pki", "proto", "tests"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package stands in the workspace").to_path_buf()
}

fn sources(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a folder of the workspace is readable");
    for entry in entries {
        let path = entry.expect("an entry is readable").path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                sources(&path, extension, found);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

fn rust_files() -> Vec<(PathBuf, String)> {
    let mut paths = Vec::new();
    for member in MEMBERS {
        sources(&root().join(member), "rs", &mut paths);
    }
    paths.sort();
    assert!(paths.len() > 20, "the walk found only {} files: it looks in the wrong place", paths.len());
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).expect("UTF-8 source"))).collect()
}

fn assert_none(offenders: &[String], rule: &str) {
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}

#[test]
fn no_file_is_longer_than_one_job() {
    let offenders: Vec<_> = rust_files()
        .iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(path, lines)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert_none(&offenders, "split these files");
}

#[test]
fn every_module_says_what_it_owns() {
    let offenders: Vec<_> = rust_files()
        .iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert_none(&offenders, "open these files with `//!`");
}

#[test]
fn time_is_a_parameter() {
    let needles =
        [concat!("SystemTime", "::now("), concat!("Timestamp", "::now("), concat!("Zoned", "::now(")];
    let offenders: Vec<_> = rust_files()
        .iter()
        .filter(|(path, _)| !path.ends_with("pki/src/clock.rs"))
        .filter(|(_, text)| needles.iter().any(|needle| text.contains(needle)))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert_none(&offenders, "take a `Clock`: only pki/src/clock.rs reads the wall clock");
}

#[test]
fn nothing_is_left_for_later() {
    let needles =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("unimple", "mented!(")];
    let offenders: Vec<_> = rust_files()
        .iter()
        .flat_map(|(path, text)| {
            text.lines()
                .enumerate()
                .filter(|(_, line)| needles.iter().any(|needle| line.contains(needle)))
                .map(|(number, line)| format!("{}:{}: {}", path.display(), number + 1, line.trim()))
        })
        .collect();
    assert_none(&offenders, "finish these, or open an issue");
}

#[test]
fn dependence_has_one_direction() {
    let may: [(&str, &[&str]); 5] = [
        ("pki", &[]),
        ("journal", &[]),
        ("proto", &["pki"]),
        ("agent", &["pki", "proto", "journal"]),
        ("gateway", &["pki", "proto", "journal"]),
    ];
    let mut offenders = Vec::new();
    for (member, allowed) in may {
        let manifest = fs::read_to_string(root().join(member).join("Cargo.toml")).expect("a manifest");
        for line in manifest.lines().filter_map(|line| line.strip_prefix("passerelle-")) {
            let dependency = line.split('.').next().unwrap_or_default();
            if !allowed.contains(&dependency) {
                offenders.push(format!("{member} depends on {dependency}"));
            }
        }
    }
    assert_none(&offenders, "pki <- proto <- agent, gateway; journal knows none of them");
}
