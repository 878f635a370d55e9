//! The contract against the routes, and the guard against callers that are not ours.

use super::*;

/// Paths and methods of the contract, read from its lines: a path stands at two spaces, its methods at four.
fn contract() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut in_paths, mut path) = (false, String::new());
    for line in OPENAPI.lines() {
        if !line.starts_with(' ') {
            in_paths = line == "paths:";
        } else if in_paths && line.starts_with("  /") {
            path = line.trim().trim_end_matches(':').to_owned();
        } else if in_paths && line.starts_with("    ") && !line.starts_with("     ") {
            let word = line.trim().trim_end_matches(':');
            if ["get", "head", "post", "put", "delete", "patch", "options"].contains(&word) {
                found.push((word.to_owned(), path.clone()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_contract_has_every_route_and_no_other() {
    let mut table: Vec<(String, String)> =
        routes::table().into_iter().map(|(method, path)| (method.to_owned(), path.to_owned())).collect();
    table.sort();
    assert_eq!(contract(), table);
    assert_eq!(table.len(), 32);
}
