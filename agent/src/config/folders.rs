//! `[folders]`: where systems that only know files drop and find theirs, a section `[folders.NAME]` for each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use passerelle_pki::name::AgencyCode;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::mistake::Mistake;
use super::read::section_of;
use crate::folders::FolderSettings;
use crate::records::SendRequest;

/// `[folders]` and what is under it.
#[derive(Debug, Default)]
pub(super) struct Folders {
    shared: Shared,
    each: BTreeMap<String, Folder>,
}

/// The keys of `[folders]` itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
struct Shared {
    /// Folder of those that have no path.
    root: PathBuf,
    /// Seconds without a change after which a file is finished, 1 to 3,600.
    settle_s: u64,
}

impl Default for Shared {
    fn default() -> Self {
        Self { root: PathBuf::new(), settle_s: 2 }
    }
}

/// `[folders.NAME]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
struct Folder {
    /// Number of the agreement.
    agreement: String,
    /// `outbox`, `inbox` or `both`.
    direction: String,
    /// The folder; `root/NAME` when empty.
    path: PathBuf,
    /// `optional` or `required`.
    sidecar: String,
    /// `keep` or `remove`.
    delivered: String,
    /// Recipients of a file whose sidecar names none.
    to: Vec<String>,
    /// Its purpose.
    purpose: String,
    /// Its service.
    service: String,
    /// Its data categories.
    data_categories: Vec<String>,
    /// Its case reference.
    case_reference: String,
    /// Who acts.
    acting_user: String,
    /// Files are sent in the order of their names, and delivered in that order.
    ordered: bool,
}

impl Default for Folder {
    fn default() -> Self {
        Self {
            agreement: String::new(),
            direction: "both".to_owned(),
            path: PathBuf::new(),
            sidecar: "optional".to_owned(),
            delivered: "keep".to_owned(),
            to: Vec::new(),
            purpose: String::new(),
            service: String::new(),
            data_categories: Vec::new(),
            case_reference: String::new(),
            acting_user: String::new(),
            ordered: false,
        }
    }
}

/// Reads the section and those under it.
pub(super) fn read(found: Option<Value>, mistakes: &mut Vec<Mistake>) -> Folders {
    let Some(Value::Table(table)) = found else {
        return Folders { shared: section_of(found, "folders", mistakes), each: BTreeMap::new() };
    };
    let (folders, shared): (Table, Table) = table.into_iter().partition(|(_, value)| value.is_table());
    let shared = section_of(Some(Value::Table(shared)), "folders", mistakes);
    let each = folders
        .into_iter()
        .map(|(name, value)| {
            let folder = section_of(Some(value), &format!("folders.{name}"), mistakes);
            (name, folder)
        })
        .collect();
    Folders { shared, each }
}

/// The folders, with every mistake noted.
pub(super) fn check(folders: &Folders, base: &Path, mistakes: &mut Vec<Mistake>) -> Vec<FolderSettings> {
    let Folders { shared, each } = folders;
    if !(1..=3_600).contains(&shared.settle_s) {
        let (fr, en) = (
            format!("{} est hors de 1…3600", shared.settle_s),
            format!("{} is outside 1…3600", shared.settle_s),
        );
        mistakes.push(Mistake::new("folders.settle_s", fr, en));
    }
    let settle = Duration::from_secs(shared.settle_s);
    let mut checked: Vec<FolderSettings> = Vec::with_capacity(each.len());
    for (name, folder) in each {
        let settings = one(name, folder, (base, &shared.root, settle), mistakes);
        if let Some(other) = checked.iter().find(|other| clashes(other, &settings)) {
            let fr = format!("même dossier, ou même entente à recevoir, que folders.{}", other.name);
            let en = format!("the same folder, or the same agreement to receive, as folders.{}", other.name);
            mistakes.push(Mistake::new(format!("folders.{name}"), fr, en));
        }
        checked.push(settings);
    }
    checked
}

/// A file would be taken twice, or a record have two places to go.
fn clashes(one: &FolderSettings, other: &FolderSettings) -> bool {
    one.path == other.path || (one.inbox && other.inbox && one.agreement == other.agreement)
}

fn one(
    name: &str,
    folder: &Folder,
    (base, root, settle): (&Path, &Path, Duration),
    mistakes: &mut Vec<Mistake>,
) -> FolderSettings {
    let key = |field: &str| format!("folders.{name}.{field}");
    let plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
    if !name.bytes().all(plain) || !(1..=64).contains(&name.len()) || name.starts_with('-') {
        let (fr, en) =
            ("nom : 1 à 64 lettres a-z, chiffres ou tirets", "name: 1 to 64 letters a-z, digits or hyphens");
        mistakes.push(Mistake::new(format!("folders.{name}"), fr, en));
    }
    if folder.agreement.is_empty() {
        let (fr, en) = ("manque; donner le numéro de l'entente", "missing; give the agreement's number");
        mistakes.push(Mistake::new(key("agreement"), fr, en));
    }
    if folder.path.as_os_str().is_empty() && root.as_os_str().is_empty() {
        let (fr, en) = ("manque; donner path ici ou folders.root", "missing; give path here or folders.root");
        mistakes.push(Mistake::new(key("path"), fr, en));
    }
    let path = match folder.path.as_os_str().is_empty() {
        true => base.join(root).join(name),
        false => base.join(&folder.path),
    };
    let mut word = |field: &str, given: &str, known: &[&str]| {
        let found = known.iter().position(|word| *word == given);
        if found.is_none() {
            let known = known.join(", ");
            let (fr, en) = (format!("« {given} » : prendre {known}"), format!("\"{given}\": take {known}"));
            mistakes.push(Mistake::new(key(field), fr, en));
        }
        found.unwrap_or_default()
    };
    let direction = word("direction", &folder.direction, &["both", "outbox", "inbox"]);
    let sidecar_required = word("sidecar", &folder.sidecar, &["optional", "required"]) == 1;
    let remove_delivered = word("delivered", &folder.delivered, &["keep", "remove"]) == 1;
    FolderSettings {
        name: name.to_owned(),
        path,
        agreement: folder.agreement.clone(),
        outbox: direction != 2,
        inbox: direction != 1,
        sidecar_required,
        remove_delivered,
        settle,
        defaults: defaults(folder, &key("to"), mistakes),
    }
}

fn defaults(folder: &Folder, key: &str, mistakes: &mut Vec<Mistake>) -> SendRequest {
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let mut recipients = std::collections::BTreeSet::new();
    for code in &folder.to {
        match code.parse::<AgencyCode>() {
            Ok(agency) => {
                recipients.insert(agency);
            }
            Err(error) => mistakes.push(Mistake::new(
                key,
                format!("« {code} » ne convient pas : {error}"),
                format!("\"{code}\" does not serve: {error}"),
            )),
        }
    }
    SendRequest {
        agreement: folder.agreement.clone(),
        recipients,
        purpose: given(&folder.purpose),
        service: given(&folder.service),
        data_categories: folder.data_categories.iter().cloned().collect(),
        case_reference: given(&folder.case_reference),
        acting_user: given(&folder.acting_user),
        ordered: folder.ordered,
        ..SendRequest::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, SAMPLE};
    use super::*;

    fn with(folders: &str) -> Result<Vec<FolderSettings>, Vec<String>> {
        let text = SAMPLE.replace("[folders]\n", &format!("{folders}\n[ignored]\n"));
        // The sample's own keys of [folders] go where nothing reads them.
        let text = text
            .replacen("settle_s = 2\n", "", 1)
            .replacen("root = \"\"\n", "", 1)
            .replace("[ignored]\n", "");
        match Config::parse(&text, Path::new("/etc/passerelle/agent.toml")) {
            Ok(config) => Ok(config.folders),
            Err(error) => Err(error.mistakes().iter().map(|mistake| mistake.key.clone()).collect()),
        }
    }

    #[test]
    fn a_folder_has_what_it_says_and_sensible_defaults() {
        let folders = with(
            "[folders]\nroot = \"echanges\"\nsettle_s = 5\n[folders.avis]\nagreement = \"ENT-1\"\n\
             [folders.retours]\nagreement = \"ENT-1\"\ndirection = \"outbox\"\npath = \"/srv/retours\"\n\
             sidecar = \"required\"\ndelivered = \"remove\"\nto = [\"saaq\"]\npurpose = \"QC-F\"\n",
        )
        .unwrap();
        let [avis, retours] = &folders[..] else { panic!("{folders:?}") };
        assert_eq!(avis.path, Path::new("/etc/passerelle/echanges/avis"));
        assert!(avis.outbox && avis.inbox && !avis.sidecar_required && !avis.remove_delivered);
        assert_eq!((avis.settle, avis.defaults.purpose.as_deref()), (Duration::from_secs(5), None));
        assert_eq!(retours.path, Path::new("/srv/retours"));
        assert!(retours.outbox && !retours.inbox && retours.sidecar_required && retours.remove_delivered);
        assert_eq!(retours.defaults.purpose.as_deref(), Some("QC-F"));
    }

    #[test]
    fn every_mistake_is_told() {
        let found = with(
            "[folders]\nsettle_s = 0\nroots = \"x\"\n[folders.Avis]\ndirection = \"up\"\nsidecar = 3\n\
             [folders.deux]\nagreement = \"ENT-1\"\npath = \"x\"\nto = [\"A B\"]\ncolour = \"blue\"\n\
             [folders.trois]\nagreement = \"ENT-1\"\npath = \"y\"\n",
        );
        let mut found = found.unwrap_err();
        found.sort_unstable();
        let expected = [
            "folders.Avis",
            "folders.Avis.agreement",
            "folders.Avis.direction",
            "folders.Avis.path",
            "folders.Avis.sidecar",
            "folders.deux.colour",
            "folders.deux.to",
            "folders.roots",
            "folders.settle_s",
            "folders.trois",
        ];
        assert_eq!(found, expected);
    }
}
