//! Putting a file aside: the file, its sidecar, and a text that says why and what to do.

use std::ffi::{OsStr, OsString};
use std::io;

use super::layout::OutboxFolder;
use super::names::{NAME_LIMIT, REASON, RECEIPT, SIDECAR};
use super::refusal::Refusal;
use crate::landing::name::{numbered_within, safe_name};
use crate::landing::place::Place;

/// Names that are tried.
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
    for count in 1..=CHOICES {
        let choice = numbered_within(&wished, count, NAME_LIMIT);
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
    for count in 1..=CHOICES {
        let to = format!("{}{SIDECAR}", numbered_within(file, count, NAME_LIMIT));
        match from.move_to(name.as_ref(), &folder.quarantine, to.as_ref()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            done => return done,
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{CHOICES} × {name:?}")))
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
