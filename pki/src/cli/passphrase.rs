//! Where passphrases come from: a file, the environment, the terminal.

use std::path::Path;

use super::report::Failure;
use crate::keyfile::Passphrase;

/// The variable that holds the passphrase of the folder in `--dir`.
pub(super) const VARIABLE: &str = "PASSERELLE_PASSPHRASE";
/// The variable that holds the root's passphrase when two are needed.
pub(super) const ROOT_VARIABLE: &str = "PASSERELLE_ROOT_PASSPHRASE";

/// The passphrase of a key that exists.
pub(super) fn existing(file: Option<&Path>, variable: &str, whose: &str) -> Result<Passphrase, Failure> {
    match given(file, variable)? {
        Some(passphrase) => Ok(passphrase),
        None => ask(&format!("Phrase de passe / Passphrase ({whose}): ")),
    }
}

/// The passphrase of a key about to be made; asked for twice at the terminal.
pub(super) fn new(file: Option<&Path>, whose: &str) -> Result<Passphrase, Failure> {
    if let Some(passphrase) = given(file, VARIABLE)? {
        return Ok(passphrase);
    }
    let first = ask(&format!("Nouvelle phrase de passe / New passphrase ({whose}): "))?;
    let second = ask("Encore une fois / Once more: ")?;
    if first == second {
        return Ok(first);
    }
    Err(Failure::new(
        ("les deux phrases de passe diffèrent", "the two passphrases differ"),
        ("recommencer", "start again"),
    ))
}

fn given(file: Option<&Path>, variable: &str) -> Result<Option<Passphrase>, Failure> {
    match file {
        Some(path) => Passphrase::from_file(path).map(Some).map_err(|source| Failure::file(path, source)),
        None => Ok(Passphrase::from_environment(variable)),
    }
}

fn ask(question: &str) -> Result<Passphrase, Failure> {
    Passphrase::prompt(question).map_err(|source| {
        Failure::new(
            (
                "aucune phrase de passe, et aucun terminal pour la demander",
                "no passphrase, and no terminal to ask for it",
            ),
            (
                "donner --passphrase-file ou PASSERELLE_PASSPHRASE",
                "give --passphrase-file or PASSERELLE_PASSPHRASE",
            ),
        )
        .because(source)
    })
}
