//! `pseudonym`: what the gateway and its log have instead of a person, for the privacy officer who searches there.
//!
//! Identifiers come from the terminal, unseen, or from the standard input: an argument would stay in the shell's history
//! and in the list of processes.

use std::io::{IsTerminal, Read, stdin};
use std::path::Path;

use passerelle_pki::files;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::arguments::PseudonymAction;
use super::failure::Failure;
use crate::config::Config;
use crate::identity::storage_key_of;
use crate::pseudonyms::Pseudonyms;

/// Bytes of identifiers that are read.
const INPUT_LIMIT: u64 = 1 << 20;

/// Prints pseudonyms, one a line.
pub(super) fn run(action: &PseudonymAction, config: &Config) -> Result<(), Failure> {
    let of: fn(&Pseudonyms, &str) -> [u8; 32] = match action {
        PseudonymAction::Key { file } => return make_key(file),
        PseudonymAction::Subject => Pseudonyms::subject,
        PseudonymAction::ActingUser => Pseudonyms::acting_user,
    };
    let pseudonyms = match config.settings()?.pseudonym_key {
        Some(key) => Pseudonyms::new(&key),
        None => {
            let own = storage_key_of(&config.data_dir).map_err(|error| Failure::of(&error))?;
            Pseudonyms::of_agent(&own).map_err(|error| Failure::of(&error))?
        }
    };
    let identifiers = identifiers()?;
    let given = identifiers.lines().map(str::trim).filter(|line| !line.is_empty());
    let shown: Vec<String> = given.map(|one| hex::encode(of(&pseudonyms, one))).collect();
    if shown.is_empty() {
        return Err(Failure::new(
            "aucun identifiant; le taper, ou en donner un par ligne à l'entrée standard",
            "no identifier; type it, or give one a line to the standard input",
        ));
    }
    println!("{}", shown.join("\n"));
    Ok(())
}

fn identifiers() -> Result<Zeroizing<String>, Failure> {
    if stdin().is_terminal() {
        let typed = rpassword::prompt_password("Identifiant (non affiché) / Identifier (not shown): ");
        return typed.map(Zeroizing::new).map_err(|error| Failure::of(&error));
    }
    let mut text = Zeroizing::new(String::new());
    let read = stdin().lock().take(INPUT_LIMIT).read_to_string(&mut text);
    read.map_err(|error| Failure::of(&error))?;
    Ok(text)
}

/// Makes a key for the agency's agents to share. One that is there stays.
fn make_key(file: &Path) -> Result<(), Failure> {
    let mut key = Zeroizing::new([0; 32]);
    SystemRandom::new()
        .fill(&mut *key)
        .map_err(|_| Failure::new("pas de hasard sur cette machine", "no randomness on this machine"))?;
    let text = Zeroizing::new(format!("{}\n", hex::encode(*key)));
    files::create_new(file, text.as_bytes(), 0o600).map_err(|error| Failure::file(file, &error))?;
    println!(
        "{} : à copier, en secret, sur chaque agent de l'organisme, puis [pseudonyms] key_file / to be copied, in secret, \
         to every agent of the agency, then [pseudonyms] key_file",
        file.display()
    );
    Ok(())
}
