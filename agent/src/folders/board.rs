//! How the folders are doing, for `status`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::settings::FolderSettings;

/// How a folder is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FolderStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Number of the agreement.
    pub agreement: String,
    /// Files in `outbox/` that are not sent yet.
    pub waiting: usize,
    /// Files in `outbox/sent/` whose delivery is not settled.
    pub on_the_way: usize,
    /// Files in `outbox/quarantine/`.
    pub quarantined: usize,
    /// Files written to `inbox/` since the agent started.
    pub received: u64,
    /// Why nothing moves, French and English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// What every folder last said. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<BTreeMap<String, FolderStatus>>>);

impl Board {
    pub(super) fn new<'a>(folders: impl IntoIterator<Item = &'a FolderSettings>) -> Self {
        let status = |folder: &FolderSettings| FolderStatus {
            name: folder.name.clone(),
            agreement: folder.agreement.clone(),
            ..FolderStatus::default()
        };
        let board = folders.into_iter().map(|folder| (folder.name.clone(), status(folder))).collect();
        Self(Arc::new(Mutex::new(board)))
    }

    pub(crate) fn list(&self) -> Vec<FolderStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn note(&self, name: &str, change: impl FnOnce(&mut FolderStatus)) {
        if let Some(status) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(name) {
            change(status);
        }
    }
}
