//! Notices: acknowledgements that the sending agents were not yet told of, each by its own name (`agency/agent`), since
//! another agent of the agency knows nothing of the exchange. A notice is dropped once it was handed to a connected
//! agent; one lost on the way is found again with `Exchange.State`.

use super::keys;
use super::store::{View, ViewError};

impl View {
    /// Leaves of the acknowledgements that `agent`, as sender, was not told of; at most `limit`, oldest first.
    pub fn notices(&self, agent: &str, limit: usize) -> Result<Vec<u64>, ViewError> {
        self.db()
            .scan_prefix(keys::named_prefix(keys::NOTICE, agent))
            .keys()
            .take(limit)
            .map(|key| keys::last_number(&key?).ok_or(ViewError::Malformed("notice key")))
            .collect()
    }

    /// Takes one notice away; true when it was there, so that one of several sessions tells it.
    pub fn take_notice(&self, agent: &str, leaf_index: u64) -> Result<bool, ViewError> {
        Ok(self.db().remove(keys::named(keys::NOTICE, agent, leaf_index))?.is_some())
    }
}
