//! From text to sections, with every key that is unknown or of the wrong type.
//!
//! serde stops at the first error of a value; so each key of a section is read by itself first, which is possible
//! because every section has defaults for all of its keys. What is wrong is noted and left out.

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::mistake::Mistake;
use super::sections::File;

const SECTIONS: &str = "data_dir, agent, gateway, local, systems, webhooks, checks, pseudonyms, limits, metrics, calls, \
     services, folders, signing, govstack, tracing";

/// Reads the text of a file. What cannot be read is noted in `mistakes` and has its default in the result.
pub(super) fn file(text: &str, mistakes: &mut Vec<Mistake>) -> File {
    let mut table = match text.parse::<Table>() {
        Ok(table) => table,
        Err(error) => {
            let error = error.to_string();
            let error = error.trim_end();
            mistakes.push(Mistake::new(
                "",
                format!("le fichier n'est pas du TOML; corriger ici :\n{error}"),
                format!("the file is not TOML; correct it here:\n{error}"),
            ));
            return File::default();
        }
    };
    let mut file = File::default();
    match table.remove("data_dir").map(Value::try_into) {
        None => {}
        Some(Ok(data_dir)) => file.data_dir = data_dir,
        Some(Err(error)) => mistakes.push(wrong_type("data_dir", &error)),
    }
    file.agent = section(&mut table, "agent", mistakes);
    file.gateway = section(&mut table, "gateway", mistakes);
    file.local = section(&mut table, "local", mistakes);
    file.systems = named(&mut table, "systems", mistakes);
    file.webhooks = named(&mut table, "webhooks", mistakes);
    file.checks = section(&mut table, "checks", mistakes);
    file.pseudonyms = section(&mut table, "pseudonyms", mistakes);
    file.limits = section(&mut table, "limits", mistakes);
    file.metrics = section(&mut table, "metrics", mistakes);
    file.calls = section(&mut table, "calls", mistakes);
    file.services = named(&mut table, "services", mistakes);
    file.folders = super::folders::read(table.remove("folders"), mistakes);
    file.signing = section(&mut table, "signing", mistakes);
    file.govstack = section(&mut table, "govstack", mistakes);
    file.tracing = section(&mut table, "tracing", mistakes);
    for key in table.keys() {
        mistakes.push(unknown(key, SECTIONS));
    }
    file
}

/// Sections with names of their own, `[name.…]`.
fn named<T>(table: &mut Table, name: &str, mistakes: &mut Vec<Mistake>) -> Vec<(String, T)>
where
    T: DeserializeOwned + Serialize + Default,
{
    let mut found = match table.remove(name) {
        None => return Vec::new(),
        Some(Value::Table(found)) => found,
        Some(_) => {
            mistakes.push(Mistake::new(
                name,
                format!("des sections sont attendues; écrire [{name}.nom]"),
                format!("sections are expected; write [{name}.name]"),
            ));
            return Vec::new();
        }
    };
    let names: Vec<String> = found.keys().cloned().collect();
    let mut sections = Vec::with_capacity(names.len());
    for key in names {
        let section = section_of(found.remove(&key), &format!("{name}.{key}"), mistakes);
        sections.push((key, section));
    }
    sections
}

fn section<T>(table: &mut Table, name: &str, mistakes: &mut Vec<Mistake>) -> T
where
    T: DeserializeOwned + Serialize + Default,
{
    section_of(table.remove(name), name, mistakes)
}

/// A section that was found under a name, or was not.
pub(super) fn section_of<T>(found: Option<Value>, name: &str, mistakes: &mut Vec<Mistake>) -> T
where
    T: DeserializeOwned + Serialize + Default,
{
    let found = match found {
        None => return T::default(),
        Some(Value::Table(found)) => found,
        Some(_) => {
            mistakes.push(Mistake::new(
                name,
                format!("une section est attendue; écrire [{name}]"),
                format!("a section is expected; write [{name}]"),
            ));
            return T::default();
        }
    };
    let known = Table::try_from(T::default()).unwrap_or_default();
    let mut kept = Table::new();
    for (key, value) in found {
        let full = format!("{name}.{key}");
        if !known.contains_key(&key) {
            let keys: Vec<&str> = known.keys().map(String::as_str).collect();
            mistakes.push(unknown(&full, &keys.join(", ")));
            continue;
        }
        match Table::from_iter([(key.clone(), value.clone())]).try_into::<T>() {
            Ok(_) => {
                kept.insert(key, value);
            }
            Err(error) => mistakes.push(wrong_type(&full, &error)),
        }
    }
    kept.try_into().unwrap_or_default()
}

fn unknown(key: &str, known: &str) -> Mistake {
    Mistake::new(
        key,
        format!("clé inconnue; vérifier l'orthographe ou l'enlever. Clés connues ici : {known}"),
        format!("unknown key; check the spelling or remove it. Keys known here: {known}"),
    )
}

fn wrong_type(key: &str, error: &toml::de::Error) -> Mistake {
    let fact = error.message();
    Mistake::new(
        key,
        format!("valeur du mauvais type; la corriger d'après le fichier d'exemple ({fact})"),
        format!("value of the wrong type; correct it after the sample file ({fact})"),
    )
}
