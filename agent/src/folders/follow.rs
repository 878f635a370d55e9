//! What becomes of the files that were sent: their receipts in `outbox/sent/`, until nothing changes any more.
//!
//! `.passerelle/<batch>.json` lists the files of a batch that are sent and not settled. It is durable before the first of
//! them moves to `sent/`, so that none is forgotten there.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::io;

use passerelle_proto::exchange_id::ExchangeId;
use serde::{Deserialize, Serialize};

use super::layout::OutboxFolder;
use super::names::{NAME_LIMIT, RECEIPT, SIDECAR};
use super::pick_up::{Item, is_batch};
use super::quarantine;
use super::refusal::Refusal;
use crate::landing::name::numbered_within;
use crate::records::{RecordState, RecordView};

/// Numbered names that are tried for one file.
const CHOICES: u32 = 10_000;
/// Bytes of a list that is read.
const LIST_LIMIT: u64 = 4 << 20;
/// Names that are read: more are not made.
const NAMES_MAX: usize = 1_000_000;

/// One file that was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Followed {
    exchange_id: ExchangeId,
    /// Its name in `sent/`.
    name: String,
    /// What its receipt says.
    #[serde(skip)]
    told: Option<RecordState>,
}

/// A receipt, `NAME.receipt.json`.
#[derive(Serialize)]
struct Receipt<'a> {
    file: &'a str,
    #[serde(flatten)]
    record: &'a RecordView,
}

/// Every file that was sent and is not settled, by batch.
#[derive(Debug, Default)]
pub(super) struct Follow(BTreeMap<String, Vec<Followed>>);

impl Follow {
    /// Reads the lists that an earlier run left.
    pub(super) fn recover(folder: &OutboxFolder) -> io::Result<Self> {
        let mut lists = BTreeMap::new();
        for name in folder.work.names(NAMES_MAX)? {
            let batch =
                name.to_str().and_then(|name| name.strip_suffix(".json")).filter(|name| is_batch(name));
            let Some(batch) = batch else { continue };
            let bytes = folder.work.read_small(&format!("{batch}.json"), LIST_LIMIT)?.unwrap_or_default();
            let list: Vec<Followed> = serde_json::from_slice(&bytes)?;
            lists.insert(batch.to_owned(), list);
        }
        Ok(Self(lists))
    }

    /// Files that are followed.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Moves files that the agent has to `sent/`; gives those whose turn comes again, since another file took the name
    /// meanwhile.
    pub(super) fn sent(
        &mut self,
        folder: &OutboxFolder,
        items: Vec<(Item, ExchangeId)>,
    ) -> io::Result<Vec<Item>> {
        let mut by_batch: BTreeMap<String, Vec<(Item, ExchangeId, String)>> = BTreeMap::new();
        let mut chosen = std::collections::HashSet::new();
        for (item, id) in items {
            let name = self.choose(folder, (&item, id), &mut chosen)?;
            by_batch.entry(item.batch.clone()).or_default().push((item, id, name));
        }
        for (batch, items) in &by_batch {
            let list = self.0.entry(batch.clone()).or_default();
            list.retain(|followed| !items.iter().any(|(_, id, _)| *id == followed.exchange_id));
            list.extend(items.iter().map(|(_, id, name)| Followed {
                exchange_id: *id,
                name: name.clone(),
                told: None,
            }));
            folder.work.put(&format!("{batch}.json"), &serde_json::to_vec(list)?, true)?;
        }
        folder.work.sync()?;
        let mut again = Vec::new();
        for (batch, items) in by_batch {
            let place = folder.work.sub(&batch)?;
            for (item, _, name) in items {
                let sidecar = format!("{}{SIDECAR}", item.name);
                let beside = format!("{name}{SIDECAR}");
                match place.move_to(sidecar.as_ref(), &folder.sent, beside.as_ref()) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        again.push(item);
                        continue;
                    }
                    moved => moved?,
                }
                match place.move_to(item.name.as_ref(), &folder.sent, name.as_ref()) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => again.push(item),
                    moved => moved?,
                }
            }
            folder.work.remove_empty(&batch)?;
        }
        Ok(again)
    }

    /// A name in `sent/` that is free, with those of its sidecar and receipt; the one chosen before a crash, when it was.
    fn choose(
        &self,
        folder: &OutboxFolder,
        (item, id): (&Item, ExchangeId),
        chosen: &mut std::collections::HashSet<String>,
    ) -> io::Result<String> {
        let before =
            self.0.get(&item.batch).and_then(|list| list.iter().find(|known| known.exchange_id == id));
        if let Some(known) = before
            && !folder.sent.has(&known.name)?
            && chosen.insert(known.name.clone())
        {
            return Ok(known.name.clone());
        }
        // So many of one name: the id is unique.
        let unique = numbered_within(&format!("{id}-{}", item.name), 1, NAME_LIMIT);
        let numbered = (1..=CHOICES).map(|count| numbered_within(&item.name, count, NAME_LIMIT));
        for name in numbered.chain([unique]) {
            let free = !folder.sent.has(&name)?
                && !folder.sent.has(&format!("{name}{RECEIPT}"))?
                && !folder.sent.has(&format!("{name}{SIDECAR}"))?;
            if free && chosen.insert(name.clone()) {
                return Ok(name);
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{CHOICES} × {:?}", item.name)))
    }

    /// Exchanges to ask about.
    pub(super) fn ids(&self) -> Vec<ExchangeId> {
        self.0.values().flatten().map(|followed| followed.exchange_id).collect()
    }

    /// Tells what is new: receipts are written, what will not be delivered is put aside, what is settled is let go.
    /// `records` says of each exchange what the agent knows; of none, when it was forgotten.
    pub(super) fn tell(
        &mut self,
        folder: &OutboxFolder,
        records: &HashMap<ExchangeId, Option<RecordView>>,
        remove_delivered: bool,
    ) -> io::Result<()> {
        for list in self.0.values_mut() {
            for followed in list.iter_mut() {
                match records.get(&followed.exchange_id) {
                    Some(Some(record)) if followed.told != Some(record.state) => {
                        tell_one(folder, followed, record, remove_delivered)?;
                        followed.told = Some(record.state);
                    }
                    // Forgotten: nobody knows more about it than its receipt says.
                    Some(None) => followed.told = Some(RecordState::Delivered),
                    _ => {}
                }
            }
            list.retain(|followed| !followed.told.is_some_and(RecordState::is_final));
        }
        let settled: Vec<String> =
            self.0.iter().filter(|(_, list)| list.is_empty()).map(|(batch, _)| batch.clone()).collect();
        for batch in settled {
            // While files of the batch wait to be sent, the list is begun again with the next of them.
            folder.work.remove(&format!("{batch}.json"))?;
            self.0.remove(&batch);
        }
        Ok(())
    }
}

fn tell_one(
    folder: &OutboxFolder,
    followed: &Followed,
    record: &RecordView,
    remove_delivered: bool,
) -> io::Result<()> {
    let name = &followed.name;
    let receipt = format!("{name}{RECEIPT}");
    if remove_delivered && record.state == RecordState::Delivered {
        for ending in ["", SIDECAR, RECEIPT] {
            folder.sent.remove(&format!("{name}{ending}"))?;
        }
        return Ok(());
    }
    let bytes = serde_json::to_vec_pretty(&Receipt { file: name, record })?;
    folder.sent.put(&receipt, &bytes, false)?;
    match Refusal::of_record(record) {
        Some(refusal) => quarantine::put(folder, (&folder.sent, OsStr::new(name)), &refusal),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn ten_thousand_files_of_one_name_do_not_stop_the_folder() {
        const BATCH: &str = "00112233445566ff";
        let root = tempfile::tempdir().unwrap();
        let folder = OutboxFolder::open(root.path()).unwrap();
        for count in 1..=CHOICES {
            folder.sent.create(&numbered_within("avis.pdf", count, NAME_LIMIT)).unwrap();
        }
        let place = folder.work.sub_or_new(BATCH, 0o770).unwrap();
        place.create("avis.pdf").unwrap();
        let item = Item {
            batch: BATCH.to_owned(),
            name: "avis.pdf".to_owned(),
            stamp: None,
            due: Instant::now(),
            attempts: 0,
        };
        let id = ExchangeId::from_bytes(&[0, 0, 0, 0, 0, 1, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1]).unwrap();
        let again = Follow::default().sent(&folder, vec![(item, id)]).unwrap();
        assert!(again.is_empty());
        assert!(folder.sent.has(&format!("{id}-avis.pdf")).unwrap());
        assert!(!folder.work.has(BATCH).unwrap());
    }
}
