//! The folders that a system sees, and the hidden working folders inside them.
//!
//! ```text
//! PATH/outbox/              files that the system drops
//!            sent/          those that are with the gateway, each with its receipt
//!            quarantine/    those put aside, each with the reason
//!            .passerelle/   those being sent
//! PATH/inbox/               files received, each with its sidecar
//!           .passerelle/    those being written
//! ```

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::names::{LOCK, WORK};
use crate::landing::place::Place;

/// Why a folder cannot be worked with. Its administrator is at fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// It cannot be opened, read or written.
    #[error("{} : {source}; le créer et donner à l'agent le droit d'y écrire / create it, and let the agent write to it", .path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A part of it lies on another file system.
    #[error("{} est sur un autre système de fichiers; le remettre sur le même / is on another file system; put it back on the same", .0.display())]
    OtherFileSystem(PathBuf),
    /// Another agent works in it.
    #[error("{} : un autre agent y travaille / another agent works in it", .0.display())]
    Taken(PathBuf),
    /// Its path leads elsewhere now.
    #[error("{} a été remplacé; il est rouvert / was replaced; it is opened again", .0.display())]
    Replaced(PathBuf),
    /// The agent stops.
    #[error("l'agent s'arrête / the agent is stopping")]
    Stopping,
}

impl Trouble {
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Folder { path, source }
    }
}

/// Permissions of what the agent makes: its user and group, less what its umask takes.
const MODE: u32 = 0o770;

/// `outbox/` and what is in it.
#[derive(Debug)]
pub(crate) struct OutboxFolder {
    pub(super) place: Place,
    pub(super) sent: Place,
    pub(super) quarantine: Place,
    pub(super) work: Place,
    _lock: File,
}

/// `inbox/` and what is in it.
#[derive(Debug)]
pub(crate) struct InboxFolder {
    pub(super) place: Place,
    pub(super) work: Place,
    _lock: File,
}

impl OutboxFolder {
    /// Opens it for this process alone; makes what is missing inside the folder of the configuration.
    pub(crate) fn open(path: &Path) -> Result<Self, Trouble> {
        let place = part(path, "outbox")?;
        let (sent, quarantine) = (inside(&place, "sent")?, inside(&place, "quarantine")?);
        let (work, lock) = working(&place)?;
        Ok(Self { place, sent, quarantine, work, _lock: lock })
    }
}

impl InboxFolder {
    /// Opens it for this process alone; makes what is missing inside the folder of the configuration.
    pub(crate) fn open(path: &Path) -> Result<Self, Trouble> {
        let place = part(path, "inbox")?;
        let (work, lock) = working(&place)?;
        Ok(Self { place, work, _lock: lock })
    }
}

fn part(path: &Path, name: &str) -> Result<Place, Trouble> {
    // The folder itself, when only it is missing: never the folders above, which a missing mount would hide.
    if !path.exists() {
        std::fs::create_dir(path).map_err(Trouble::at(path))?;
    }
    let root = Place::open(path).map_err(Trouble::at(path))?;
    root.sub_or_new(name, MODE).map_err(Trouble::at(&path.join(name)))
}

fn inside(place: &Place, name: &str) -> Result<Place, Trouble> {
    let path = place.path().join(name);
    let sub = place.sub_or_new(name, MODE).map_err(Trouble::at(&path))?;
    match place.is_beside(&sub).map_err(Trouble::at(&path))? {
        true => Ok(sub),
        false => Err(Trouble::OtherFileSystem(path)),
    }
}

fn working(place: &Place) -> Result<(Place, File), Trouble> {
    let work = inside(place, WORK)?;
    let lock = work.lock(LOCK).map_err(Trouble::at(work.path()))?;
    let lock = lock.ok_or_else(|| Trouble::Taken(place.path().to_owned()))?;
    Ok((work, lock))
}
