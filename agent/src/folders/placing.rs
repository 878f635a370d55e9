//! Received files get their names in `inbox`, each exactly once.
//!
//! `.passerelle/<batch>.json` says which records are about to get which names. It is durable when their contents are, and
//! before the first of them moves. A content that still is in the working folder was not placed; one that is not there any
//! more was. So a crash at any point is gone on with, and a record that was placed is confirmed without being written
//! again, whatever the system has done with its file since.
//!
//! The sidecar is in place before its file.

use std::collections::HashSet;
use std::io;

use passerelle_proto::exchange_id::ExchangeId;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use super::arrival::{Written, hidden};
use super::layout::InboxFolder;
use super::names::{LOCK, NAME_LIMIT, SIDECAR, received};
use crate::landing::name::{numbered_within, safe_name};

/// Names that are tried for one file.
const CHOICES: u32 = 10_000;
/// Bytes of a list that is read.
const LIST_LIMIT: u64 = 4 << 20;
/// Names that are read: more are not made.
const NAMES_MAX: usize = 1_000_000;

/// A record and its name.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    exchange_id: ExchangeId,
    name: String,
}

/// Records that are in `inbox` and may still wait for their confirmation, with the list that says so.
#[derive(Debug, Default)]
pub(super) struct Placed {
    pub(super) list: String,
    pub(super) ids: Vec<ExchangeId>,
}

/// Places records that are written.
pub(super) fn place(folder: &InboxFolder, written: &[Written]) -> io::Result<Placed> {
    let mut chosen = HashSet::new();
    let mut entries = Vec::with_capacity(written.len());
    for record in written {
        let name = choose(folder, record, &mut chosen)?;
        record.put_sidecar(folder, &name)?;
        entries.push(Entry { exchange_id: record.view.exchange_id, name });
    }
    let mut random = [0; 8];
    SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("no randomness"))?;
    let list = format!("{}.json", hex::encode(random));
    folder.work.sync()?;
    write_list(folder, &list, &entries)?;
    go_on(folder, list, entries)
}

/// Goes on where a killed agent stopped: names what was about to be named, removes what was not whole.
pub(super) fn recover(folder: &InboxFolder) -> io::Result<Vec<Placed>> {
    let mut placed = Vec::new();
    let names = folder.work.names(NAMES_MAX)?;
    for name in names.iter().filter_map(|name| name.to_str()).filter(|name| is_list(name)) {
        let bytes = folder.work.read_small(name, LIST_LIMIT)?.unwrap_or_default();
        let entries: Vec<Entry> = serde_json::from_slice(&bytes)?;
        placed.push(go_on(folder, name.to_owned(), entries)?);
    }
    for name in folder.work.names(NAMES_MAX)? {
        match name.to_str() {
            Some(name) if name != LOCK && !is_list(name) => folder.work.remove(name)?,
            _ => {}
        }
    }
    Ok(placed)
}

/// Every record of the list is confirmed, or comes again under another name. Durable: a list that came back after a power
/// cut would speak of contents that are being written anew.
pub(super) fn forget(folder: &InboxFolder, list: &str) -> io::Result<()> {
    folder.work.remove(list)?;
    folder.work.sync()
}

/// Places what is not yet placed. A record whose name was taken leaves the list before its content may be removed: without
/// its content it would pass for one that was placed, and be confirmed.
fn go_on(folder: &InboxFolder, list: String, entries: Vec<Entry>) -> io::Result<Placed> {
    let listed = entries.len();
    let mut placed = Vec::with_capacity(listed);
    for entry in entries {
        if place_one(folder, &entry)? {
            placed.push(entry);
        }
    }
    folder.place.sync()?;
    folder.work.sync()?;
    if placed.len() < listed {
        write_list(folder, &list, &placed)?;
    }
    Ok(Placed { list, ids: placed.iter().map(|entry| entry.exchange_id).collect() })
}

fn write_list(folder: &InboxFolder, list: &str, entries: &[Entry]) -> io::Result<()> {
    folder.work.put(list, &serde_json::to_vec(entries)?, true)?;
    folder.work.sync()
}

/// False when the name was taken meanwhile: the record comes again, under another.
fn place_one(folder: &InboxFolder, entry: &Entry) -> io::Result<bool> {
    let [content, sidecar] = hidden(entry.exchange_id);
    if !folder.work.has(&content)? {
        return Ok(true);
    }
    let beside = format!("{}{SIDECAR}", entry.name);
    match folder.work.move_to(sidecar.as_ref(), &folder.place, beside.as_ref()) {
        // Moved before a crash.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        moved => moved?,
    }
    match folder.work.move_to(content.as_ref(), &folder.place, entry.name.as_ref()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            folder.place.move_to(beside.as_ref(), &folder.work, sidecar.as_ref())?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn choose(folder: &InboxFolder, record: &Written, chosen: &mut HashSet<String>) -> io::Result<String> {
    let view = &record.view;
    let wished = safe_name(view.file_name.as_deref(), &view.content_type, &view.exchange_id);
    for count in 1..=CHOICES {
        let name = received(&numbered_within(&wished, count, NAME_LIMIT));
        let beside = format!("{name}{SIDECAR}");
        if !folder.place.has(&name)? && !folder.place.has(&beside)? && chosen.insert(name.clone()) {
            return Ok(name);
        }
    }
    // So many of one name: the id is unique.
    Ok(format!("{}.bin", view.exchange_id))
}

fn is_list(name: &str) -> bool {
    name.strip_suffix(".json").is_some_and(super::pick_up::is_batch)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LIST: &str = "00112233445566ff.json";

    fn id(last: u8) -> ExchangeId {
        ExchangeId::from_bytes(&[0, 0, 0, 0, 0, 1, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, last]).unwrap()
    }

    fn entry(last: u8, name: &str) -> Entry {
        Entry { exchange_id: id(last), name: name.to_owned() }
    }

    fn fill(folder: &InboxFolder, id: ExchangeId) {
        for name in hidden(id) {
            folder.work.create(&name).unwrap().write_all(name.as_bytes()).unwrap();
        }
    }

    /// Two records are listed; the system has meanwhile taken the second's name, or its sidecar's.
    fn collided(path: &std::path::Path, taken: &str) -> InboxFolder {
        let folder = InboxFolder::open(path).unwrap();
        fill(&folder, id(1));
        fill(&folder, id(2));
        folder.place.create(taken).unwrap().write_all(b"the system's").unwrap();
        write_list(&folder, LIST, &[entry(1, "un.pdf"), entry(2, "deux.pdf")]).unwrap();
        folder
    }

    #[test]
    fn a_record_whose_name_was_taken_is_never_confirmed_however_often_the_agent_is_killed() {
        for taken in ["deux.pdf", "deux.pdf.meta.json"] {
            let root = tempfile::tempdir().unwrap();
            let mut folder = collided(root.path(), taken);
            // Each turn is a start that is killed before it forgets the list.
            for turn in 0..4 {
                let placed = recover(&folder).unwrap();
                let ids: Vec<_> = placed.into_iter().flat_map(|placed| placed.ids).collect();
                assert_eq!(ids, [id(1)], "start {turn}, {taken} taken");
                drop(folder);
                folder = InboxFolder::open(root.path()).unwrap();
            }
            assert_eq!(std::fs::read(root.path().join("inbox").join(taken)).unwrap(), b"the system's");
            assert!(folder.place.has("un.pdf").unwrap());
        }
    }

    #[test]
    fn the_list_is_without_the_record_before_its_content_goes() {
        let root = tempfile::tempdir().unwrap();
        let folder = collided(root.path(), "deux.pdf");
        let placed = go_on(&folder, LIST.to_owned(), vec![entry(1, "un.pdf"), entry(2, "deux.pdf")]).unwrap();
        assert_eq!(placed.ids, [id(1)]);
        // Killed here: the content still lies there, and the list no longer speaks of it.
        assert!(folder.work.has(&hidden(id(2))[0]).unwrap());
        let listed: Vec<Entry> =
            serde_json::from_slice(&folder.work.read_small(LIST, LIST_LIMIT).unwrap().unwrap()).unwrap();
        assert_eq!(listed.iter().map(|entry| entry.exchange_id).collect::<Vec<_>>(), [id(1)]);
        assert_eq!(recover(&folder).unwrap()[0].ids, [id(1)]);
        assert!(!folder.work.has(&hidden(id(2))[0]).unwrap());
    }

    #[test]
    fn a_start_that_finds_the_name_free_again_places_the_record() {
        let root = tempfile::tempdir().unwrap();
        let folder = collided(root.path(), "deux.pdf");
        folder.place.remove("deux.pdf").unwrap();
        assert_eq!(recover(&folder).unwrap()[0].ids, [id(1), id(2)]);
        assert!(folder.place.has("deux.pdf").unwrap() && folder.place.has("deux.pdf.meta.json").unwrap());
    }
}
