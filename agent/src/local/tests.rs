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
            if ["get", "post", "put", "delete", "patch"].contains(&word) {
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
    assert_eq!(table.len(), 12);
}

#[test]
fn a_token_is_made_once_and_must_be_the_owners() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("local.token");
    let first = auth::token(&path).unwrap();
    assert!(first.len() >= 43, "32 bytes, base64url");
    assert_eq!(*auth::token(&path).unwrap(), *first);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o604)).unwrap();
    assert!(matches!(auth::token(&path), Err(TokenError::Readable(_))));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&path, "court").unwrap();
    assert!(matches!(auth::token(&path), Err(TokenError::Short(_))));
}
