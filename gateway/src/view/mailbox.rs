//! Mailboxes: what waits for each recipient agency, oldest first.

use bytes::Bytes;

use super::keys;
use super::store::{View, ViewError};

impl View {
    /// The first record waiting for `agency` at leaf `from` or after: its leaf and exchange id.
    pub fn next_mail(&self, agency: &str, from: u64) -> Result<Option<(u64, Bytes)>, ViewError> {
        let start = keys::named(keys::MAILBOX, agency, from);
        let end = keys::named(keys::MAILBOX, agency, u64::MAX);
        match self.db().range(start..=end).next().transpose()? {
            Some((key, id)) => {
                let leaf = keys::last_number(&key).ok_or(ViewError::Malformed("mailbox key"))?;
                Ok(Some((leaf, Bytes::copy_from_slice(&id))))
            }
            None => Ok(None),
        }
    }
}
