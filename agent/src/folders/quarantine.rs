//! Putting a file aside: the file, its sidecar, and a text that says why and what to do.

use std::ffi::{OsStr, OsString};
use std::io;

use ring::rand::{SecureRandom, SystemRandom};

use super::layout::OutboxFolder;
use super::names::{NAME_LIMIT, REASON, RECEIPT, SIDECAR};
use super::refusal::Refusal;
use crate::landing::name::{numbered_within, safe_name};
use crate::landing::place::Place;

/// Numbered names that are tried.
const CHOICES: u32 = 10_000;
/// Names that are counted.
const NAMES_MAX: usize = 1_000_000;

/// Moves a file from a folder into quarantine. The reason is written first and the sidecar goes last: whenever this is cut,
/// it is done again from the start. A file that is gone leaves its reason only.
pub(super) fn put(
    folder: &OutboxFolder,
    (from, name): (&Place, &OsStr),
    refusal: &Refusal,
) -> io::Result<()> {
    let quarantine = &folder.quarantine;
    let shown = name.to_string_lossy();
    let nobody = passerelle_proto::exchange_id::ExchangeId::from_bytes(&NOBODY).map_err(io::Error::other)?;
    let wished = safe_name(Some(&shown), "", &nobody);
    for choice in choices(&wished)? {
        if quarantine.has(&choice)? {
            continue;
        }
        quarantine.put(&format!("{choice}{REASON}"), refusal.text(&choice).as_bytes(), false)?;
        match from.move_to(name, quarantine, choice.as_ref()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            moved => moved?,
        }
        for ending in [SIDECAR, RECEIPT] {
            let mut beside = OsString::from(name);
            beside.push(ending);
            let to = format!("{choice}{ending}");
            quarantine.remove(&to)?;
            match from.move_to(&beside, quarantine, to.as_ref()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // Too long a name for a sidecar to stand beside it.
                Err(error) if error.kind() == io::ErrorKind::InvalidFilename => {}
                moved => moved?,
            }
        }
        return quarantine.sync();
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{CHOICES} × {wished:?}")))
}

/// Moves a sidecar after its file, when that was cut.
pub(super) fn sidecar(folder: &OutboxFolder, (from, name): (&Place, &str), file: &str) -> io::Result<()> {
    for choice in choices(file)? {
        let to = format!("{choice}{SIDECAR}");
        match from.move_to(name.as_ref(), &folder.quarantine, to.as_ref()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            done => return done,
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{CHOICES} × {name:?}")))
}

/// The name, numbered, and at last behind something random: ten thousand files of one name must not stop the folder.
fn choices(name: &str) -> io::Result<impl Iterator<Item = String>> {
    let mut random = [0; 8];
    SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("no randomness"))?;
    let unique = numbered_within(&format!("{}-{name}", hex::encode(random)), 1, NAME_LIMIT);
    Ok((1..=CHOICES).map(|count| numbered_within(name, count, NAME_LIMIT)).chain([unique]))
}

/// Files that lie there.
pub(super) fn count(folder: &OutboxFolder) -> io::Result<usize> {
    let beside = |name: &str| {
        name.starts_with('.') || [REASON, SIDECAR, RECEIPT].iter().any(|ending| name.ends_with(ending))
    };
    let names = folder.quarantine.names(NAMES_MAX)?;
    Ok(names.iter().filter(|name| !beside(&name.to_string_lossy())).count())
}

/// A name of which nothing is left becomes this id: UUIDv7 of time 0.
const NOBODY: [u8; 16] = [0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_files_of_one_name_do_not_stop_the_folder() {
        let root = tempfile::tempdir().unwrap();
        let folder = OutboxFolder::open(root.path()).unwrap();
        for count in 1..=CHOICES {
            let name = numbered_within("avis.pdf", count, NAME_LIMIT);
            folder.quarantine.create(&name).unwrap();
            folder.quarantine.create(&format!("{name}{SIDECAR}")).unwrap();
        }
        for name in ["avis.pdf", "avis.pdf.meta.json", "seul.meta.json"] {
            folder.place.create(name).unwrap();
        }
        put(&folder, (&folder.place, OsStr::new("avis.pdf")), &Refusal::not_a_file()).unwrap();
        sidecar(&folder, (&folder.place, "seul.meta.json"), "avis.pdf").unwrap();
        let names = folder.quarantine.names(NAMES_MAX).unwrap();
        let names: Vec<_> = names.iter().filter_map(|name| name.to_str()).collect();
        let choice = names.iter().find(|name| name.ends_with("-avis.pdf")).unwrap();
        for ending in [REASON, SIDECAR] {
            assert!(folder.quarantine.has(&format!("{choice}{ending}")).unwrap(), "{choice}{ending}");
        }
        assert_eq!(names.iter().filter(|name| name.ends_with("-avis.pdf.meta.json")).count(), 2);
        assert!(!folder.place.has("avis.pdf").unwrap() && !folder.place.has("seul.meta.json").unwrap());
    }
}
