//! Taking finished files out of `outbox`, and finding them again after a crash.
//!
//! The files of one look move together into a folder of their own, `.passerelle/<batch>/`, each in one step; the moves
//! are durable before anything is sent. Batch and name make a file's idempotency key: whatever happens from here on, the
//! same file asks under the same key, and is sent once.
//!
//! A sidecar moves before its file. One that is alone in a batch is there because the agent was killed between the two:
//! it goes back.

use std::ffi::OsStr;
use std::io;

use ring::rand::{SecureRandom, SystemRandom};
use rustix::fs::FileType;
use tokio::time::Instant;

use super::layout::OutboxFolder;
use super::names::{Named, SIDECAR, read};
use super::quarantine;
use super::scan::Ready;
use crate::landing::place::{Place, Stamp};

/// Files of a batch.
pub(super) const BATCH: usize = 256;
/// Names that are read of a batch, or of batches: more are not made.
const NAMES_MAX: usize = 1_000_000;

/// A file that was taken and is not sent yet.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) batch: String,
    pub(super) name: String,
    /// As it was when it was last looked at; sent only when it still is so.
    pub(super) stamp: Option<Stamp>,
    /// When it may be sent.
    pub(super) due: Instant,
    /// How often it was put off.
    pub(super) attempts: u32,
}

/// Takes finished files; gives those that are ours now. What moved meanwhile is left to the next look.
pub(super) fn take(folder: &OutboxFolder, ready: &[Ready]) -> io::Result<Vec<Item>> {
    let mut random = [0; 8];
    SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("no randomness"))?;
    let batch = hex::encode(random);
    let place = folder.work.sub_or_new(&batch, 0o700)?;
    let mut items = Vec::with_capacity(ready.len());
    for file in ready {
        let sidecar = format!("{}{SIDECAR}", file.name);
        if file.has_sidecar && !moved(&folder.place, sidecar.as_ref(), &place)? {
            continue;
        }
        if !moved(&folder.place, file.name.as_ref(), &place)? {
            if file.has_sidecar {
                give_back(&place, &sidecar, folder)?;
            }
            continue;
        }
        items.push(Item {
            batch: batch.clone(),
            name: file.name.clone(),
            stamp: Some(file.stamp),
            due: Instant::now(),
            attempts: 0,
        });
    }
    place.sync()?;
    folder.work.sync()?;
    folder.place.sync()?;
    if items.is_empty() {
        folder.work.remove_empty(&batch)?;
    }
    Ok(items)
}

/// False when it is gone.
fn moved(from: &Place, name: &OsStr, to: &Place) -> io::Result<bool> {
    match from.move_to(name, to, name) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Puts a sidecar back where its file is; when a newer one is there, it is of no use any more.
fn give_back(place: &Place, sidecar: &str, folder: &OutboxFolder) -> io::Result<()> {
    match place.move_to(sidecar.as_ref(), &folder.place, sidecar.as_ref()) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => place.remove(sidecar),
        done => done,
    }
}

/// What an agent that was killed had taken and not yet moved on. Only files with something to be done are given.
pub(super) fn recover(folder: &OutboxFolder) -> io::Result<Vec<Item>> {
    let mut items = Vec::new();
    for batch in folder.work.names(NAMES_MAX)? {
        let Some(batch) = batch.to_str().filter(|name| is_batch(name)) else { continue };
        if folder.work.look(batch.as_ref())?.is_none_or(|(kind, _)| kind != FileType::Directory) {
            continue;
        }
        let place = folder.work.sub(batch)?;
        for name in place.names(NAMES_MAX)? {
            match read(&name) {
                Named::File(name) => items.push(Item {
                    batch: batch.to_owned(),
                    name: name.to_owned(),
                    stamp: None,
                    due: Instant::now(),
                    attempts: 0,
                }),
                Named::SidecarOf(file) if !place.has(file)? => {
                    let sidecar = format!("{file}{SIDECAR}");
                    match folder.place.has(file)? {
                        true => give_back(&place, &sidecar, folder)?,
                        // Its file was put aside: it must not meet another one of the same name.
                        false => quarantine::sidecar(folder, (&place, &sidecar), file)?,
                    }
                }
                _ => {}
            }
        }
        folder.work.remove_empty(batch)?;
    }
    items.sort_by(|one, other| (&one.batch, &one.name).cmp(&(&other.batch, &other.name)));
    Ok(items)
}

/// Whether a name is one that [`take`] gives to a batch.
pub(super) fn is_batch(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
