//! Exchanges that are being taken: one delivery of an id at a time, so that a second one of the same id can neither end
//! what the first has begun nor write to the same file.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use passerelle_proto::exchange_id::ExchangeId;

/// The ids under way. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken(Arc<Mutex<HashSet<ExchangeId>>>);

/// The only delivery of its id, until the last clone of this is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Taking {
    _place: Arc<Place>,
}

#[derive(Debug)]
struct Place {
    taken: Taken,
    id: ExchangeId,
}

impl Taken {
    /// `None` while another delivery of this id is under way.
    pub(super) fn begin(&self, id: ExchangeId) -> Option<Taking> {
        let free = self.ids().insert(id);
        free.then(|| Taking { _place: Arc::new(Place { taken: self.clone(), id }) })
    }

    fn ids(&self) -> MutexGuard<'_, HashSet<ExchangeId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.ids().remove(&self.id);
    }
}
