//! A revocation list in a file, read again when the file changes.

use std::convert::Infallible;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::{LIST_LIMIT, RevocationError, RevocationList, Revocations};
use crate::certificate::IssuerCertificate;

/// What tells that a file was replaced or written: device, inode, length, time of change.
type Fingerprint = (u64, u64, u64, i64, i64);

/// Feeds [`Revocations`] from a file. A file that is missing, damaged, signed by another or rolled back changes
/// nothing: the list in force stays until it is stale.
#[derive(Debug)]
pub struct RevocationWatch {
    path: PathBuf,
    issuer: IssuerCertificate,
    revocations: Revocations,
    seen: Option<Fingerprint>,
}

impl RevocationWatch {
    /// Will feed `revocations` with the list of `issuer` from the file at `path`.
    #[must_use]
    pub fn new(path: &Path, issuer: IssuerCertificate, revocations: Revocations) -> Self {
        Self { path: path.to_owned(), issuer, revocations, seen: None }
    }

    /// Reads the file if it has changed since the last call. `true` when another list is in force now.
    ///
    /// # Errors
    /// Why the file was not taken: see [`RevocationError`]. It is not read again until it changes.
    pub async fn poll(&mut self) -> Result<bool, RevocationError> {
        let file_error = |source| RevocationError::File { path: self.path.clone(), source };
        let metadata = tokio::fs::metadata(&self.path).await.map_err(file_error)?;
        let fingerprint =
            (metadata.dev(), metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec());
        if self.seen == Some(fingerprint) {
            return Ok(false);
        }
        let mut der = Vec::new();
        let file = tokio::fs::File::open(&self.path).await.map_err(file_error)?;
        let limit = u64::try_from(LIST_LIMIT).unwrap_or(u64::MAX).saturating_add(1);
        file.take(limit).read_to_end(&mut der).await.map_err(file_error)?;
        self.seen = Some(fingerprint);
        self.revocations.replace(RevocationList::verify(&der, &self.issuer)?)
    }

    /// Polls for ever. Runs until its task is aborted; a failure is reported once, until the outcome changes.
    pub async fn run(mut self, interval: Duration) -> Infallible {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last_failure = None;
        loop {
            ticks.tick().await;
            match self.poll().await {
                Ok(true) => {
                    last_failure = None;
                    tracing::info!(file = %self.path.display(), "revocation list replaced");
                }
                Ok(false) => {}
                Err(error) => {
                    let failure = error.to_string();
                    if last_failure.as_ref() != Some(&failure) {
                        tracing::warn!(file = %self.path.display(), %error, "revocation list not taken");
                        last_failure = Some(failure);
                    }
                }
            }
        }
    }
}
