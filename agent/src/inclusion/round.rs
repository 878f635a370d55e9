//! One look: receipts are held against the log under a verified checkpoint, in the order of their places.

use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::tlog::{Hash, Inclusion, InclusionError, Place, TileSource, VerifiedCheckpoint};

use super::{Missing, Receipts, Under};
use crate::link;
use crate::records::StoreError;

/// Receipts that are held against the log at once.
pub(super) const BATCH: usize = 4_096;

/// What one look has found.
#[derive(Debug, Default)]
pub(super) struct Looked {
    found: Vec<(u64, ExchangeId)>,
    missing: Vec<((u64, ExchangeId), Missing)>,
    /// The log does not continue the one of the last look.
    rewritten: bool,
    /// A tile that does not lead to the signed root.
    wrong_tile: Option<String>,
}

/// Receipts to be looked up, and the tree that must be continued.
#[derive(Debug)]
pub(super) struct Batch {
    wanted: Vec<((u64, ExchangeId), Hash)>,
    before: Option<(u64, Hash)>,
}

impl Batch {
    /// Looks all up. What could not be looked at is in neither list.
    pub(super) fn look<S: TileSource>(&self, source: S, checkpoint: &VerifiedCheckpoint) -> Looked
    where
        S::Error: std::error::Error + 'static,
    {
        let (mut log, mut looked) = (Inclusion::new(source, checkpoint), Looked::default());
        if let Some((size, root)) = &self.before {
            // An old copy: nothing is said of what was found under a later one.
            if *size > checkpoint.size() {
                return looked;
            }
            if let Err(error) = log.extends((*size, root)) {
                looked.failed(error);
                return looked;
            }
        }
        for ((index, id), leaf) in &self.wanted {
            let key = (*index, *id);
            match log.look(*index, leaf) {
                Ok(Place::Included) => looked.found.push(key),
                Ok(Place::Other(_)) => looked.missing.push((key, Missing::OtherEntry)),
                Ok(Place::Beyond) => looked.missing.push((key, Missing::NotLogged)),
                Err(error) => {
                    looked.failed(error);
                    return looked;
                }
            }
        }
        looked
    }
}

impl Looked {
    fn failed<E: std::error::Error + 'static>(&mut self, error: InclusionError<E>) {
        match error {
            InclusionError::Rewritten { .. } => self.rewritten = true,
            InclusionError::Root(path) => self.wrong_tile = Some(path.to_string()),
            InclusionError::Source(error) => {
                tracing::info!(error = %link::chain(&error), "the log's tiles were not had");
            }
        }
    }

    /// Whether the tiles may be wrong.
    pub(super) fn is_doubtful(&self) -> bool {
        self.rewritten || self.wrong_tile.is_some()
    }
}

impl Receipts {
    /// The next receipts, from this place on; nothing when there is none.
    pub(super) fn batch(&self, from: (u64, Option<ExchangeId>)) -> Option<Batch> {
        let table = self.table();
        let before = table.under.as_ref().map(|under| (under.size, under.root));
        let later = table.slots.iter().filter(|(key, _)| (key.0, Some(key.1)) > from);
        let wanted: Vec<_> = later.take(BATCH).map(|(key, slot)| (*key, slot.leaf)).collect();
        (!wanted.is_empty()).then_some(Batch { wanted, before })
    }

    /// Takes over what a look has found; gives where to go on, `None` after the last.
    pub(super) async fn take(
        &self,
        batch: &Batch,
        looked: Looked,
        checkpoint: &VerifiedCheckpoint,
    ) -> Result<Option<(u64, Option<ExchangeId>)>, StoreError> {
        let now = self.0.clock.now();
        let before = self.table().under.clone();
        if looked.rewritten {
            let first = before.map(|under| under.note).unwrap_or_default();
            self.contradicted(first, checkpoint.note().to_owned()).await?;
        }
        let doubtful = looked.is_doubtful();
        {
            let mut table = self.table();
            table.wrong_tile = looked.wrong_tile;
            for (key, missing) in looked.missing {
                if let Some(slot) = table.slots.get_mut(&key) {
                    slot.missing = Some(missing);
                }
            }
        }
        if !looked.found.is_empty() {
            let (size, root, note) = (checkpoint.size(), *checkpoint.root(), checkpoint.note().to_owned());
            self.checked(looked.found, Under { size, root, note, at: now }).await?;
        }
        self.tell();
        let last = batch.wanted.last().map(|((index, id), _)| (*index, Some(*id)));
        Ok(last.filter(|_| !doubtful && batch.wanted.len() == BATCH))
    }

    /// After a look: writes each alarm to the agent's log, once.
    pub(super) fn tell(&self) {
        let (now, within) = (self.0.clock.now(), self.0.settings.within);
        let mut table = self.table();
        table.tried = true;
        for ((leaf_index, id), slot) in &mut table.slots {
            if let Some(missing) = slot.is_missing((within, true), now).filter(|_| !slot.told) {
                slot.told = true;
                let why = missing.message();
                tracing::error!(%id, leaf_index, side = ?slot.side, why, "ALERTE / ALARM: a receipt is not honoured by the log");
            }
        }
    }
}
