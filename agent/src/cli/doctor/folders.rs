//! The folders for systems that only know files: there, writable, each on one file system. Nothing is made or changed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::report::Report;
use crate::folders::FolderSettings;

/// Checks every folder of the configuration.
pub(super) fn check(report: &mut Report, folders: &[FolderSettings]) {
    const NAME: &str = "folders";
    let wrong: Vec<String> = folders.iter().flat_map(wrong_with).collect();
    if !wrong.is_empty() {
        let advice = (
            "créez les dossiers pour l'utilisateur de l'agent, avec le droit d'y écrire, chacun sur un seul système de fichiers",
            "make the folders for the agent's user, writable, each on one file system",
        );
        report.failed(NAME, wrong.join("\n"), advice);
        return;
    }
    let told: Vec<String> =
        folders.iter().map(|folder| format!("{} → {}", folder.name, folder.path.display())).collect();
    report.ok(NAME, if told.is_empty() { "aucun / none".to_owned() } else { told.join("\n") });
}

fn wrong_with(folder: &FolderSettings) -> Vec<String> {
    let parts = [
        (folder.outbox, "outbox", &["sent", "quarantine", ".passerelle"][..]),
        (folder.inbox, "inbox", &[".passerelle"]),
    ];
    // The agent makes what is inside; the folder itself, when its parent is there.
    let above = if folder.path.exists() { Some(folder.path.as_path()) } else { folder.path.parent() };
    let mut wrong: Vec<String> = above.and_then(unusable).into_iter().collect();
    for (_, part, inside) in parts.into_iter().filter(|(wanted, _, _)| *wanted) {
        let place = folder.path.join(part);
        let Ok(metadata) = fs::symlink_metadata(&place) else { continue };
        wrong.extend(unusable(&place));
        for path in inside.iter().map(|name| place.join(name)).filter(|path| path.symlink_metadata().is_ok())
        {
            wrong.extend(unusable(&path));
            if fs::metadata(&path).is_ok_and(|inner| inner.dev() != metadata.dev()) {
                wrong.push(told(&path, "autre système de fichiers / another file system"));
            }
        }
    }
    wrong
}

fn unusable(path: &Path) -> Option<String> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return Some(told(path, &error.to_string())),
    };
    if !metadata.is_dir() || (path.is_symlink() && inside_ours(path)) {
        return Some(told(path, "n'est pas un dossier / is no folder"));
    }
    let writable = access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK);
    writable.err().map(|error| told(path, &error.to_string()))
}

/// What the agent makes itself is never a link.
fn inside_ours(path: &Path) -> bool {
    let names = ["outbox", "inbox", "sent", "quarantine", ".passerelle"].map(PathBuf::from);
    names.iter().any(|name| path.ends_with(name))
}

fn told(path: &Path, what: &str) -> String {
    format!("{} : {what}", path.display())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::records::SendRequest;

    #[test]
    fn a_folder_that_cannot_serve_is_told() {
        let place = tempfile::tempdir().unwrap();
        let folder = |path: &str| FolderSettings {
            name: "avis".to_owned(),
            path: place.path().join(path),
            agreement: "ENT-1".to_owned(),
            outbox: true,
            inbox: true,
            sidecar_required: false,
            remove_delivered: false,
            settle: Duration::from_secs(2),
            defaults: SendRequest::default(),
        };
        assert!(wrong_with(&folder("avis")).is_empty(), "the agent makes it");
        assert_eq!(wrong_with(&folder("absent/avis")).len(), 1);
        fs::create_dir_all(place.path().join("avis/outbox")).unwrap();
        assert!(wrong_with(&folder("avis")).is_empty());
        std::os::unix::fs::symlink("/tmp", place.path().join("avis/outbox/sent")).unwrap();
        fs::write(place.path().join("avis/inbox"), "").unwrap();
        assert_eq!(wrong_with(&folder("avis")).len(), 2);
    }
}
