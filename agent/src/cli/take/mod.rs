//! `take`: records of the inbox become files of a folder.
//!
//! A record is confirmed, and gone from the inbox, only once its file is whole on the disk under its name. Whatever
//! interrupts before that leaves the record in the inbox and no file under a final name; what interrupts between the two
//! gives the record a second time, under a numbered name. Nothing is lost either way.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io;

use futures_util::StreamExt;
use passerelle_proto::exchange_id::ExchangeId;
use serde_json::json;

use super::arguments::TakeOptions;
use super::failure::Failure;
use super::progress::Progress;
use super::text::harmless;
use crate::client::{ClientError, InboxQuery, LocalClient};
use crate::landing::{Folder, Landed, name};
use crate::local::model::InboxRecord;

/// Records asked for at a time.
const PAGE: usize = 200;

/// Takes what was asked for.
pub(super) async fn run(options: &TakeOptions, client: &LocalClient) -> Result<(), Failure> {
    let folder = Folder::open(&options.into).map_err(|error| Failure::file(&options.into, &error))?;
    let mut taking = Taking { options, client, folder, taken: 0, failed: 0 };
    if options.all {
        taking.all().await?;
    } else {
        for id in &options.ids {
            let taken = match client.inbox_entry(id).await {
                Ok(record) => taking.one(&record).await,
                Err(error) => Err(error.into()),
            };
            taking.count(id, taken)?;
        }
    }
    taking.end()
}

struct Taking<'a> {
    options: &'a TakeOptions,
    client: &'a LocalClient,
    folder: Folder,
    taken: usize,
    failed: usize,
}

/// Why one record was not taken.
#[derive(Debug, thiserror::Error)]
enum TakeError {
    /// The agent's answer, or none.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The folder.
    #[error("le fichier n'a pu être écrit / the file could not be written")]
    File(#[from] io::Error),
    /// Fewer or more bytes than the record has.
    #[error("{found} octets au lieu de {expected} / {found} bytes instead of {expected}")]
    Length {
        /// Received.
        found: u64,
        /// Announced.
        expected: u64,
    },
    /// The file is there; the inbox keeps the record too.
    #[error(
        "écrit dans {0}, mais pas confirmé : il reste dans la boîte de réception / \
         written to {0}, but not confirmed: it stays in the inbox"
    )]
    NotConfirmed(String, #[source] ClientError),
}

impl Taking<'_> {
    /// Page after page, until one holds nothing new: what fails or is kept is met once.
    async fn all(&mut self) -> Result<(), Failure> {
        let (mut seen, mut after) = (HashSet::new(), None);
        loop {
            let query = InboxQuery { limit: Some(PAGE), after, wait: None };
            let page = self.client.inbox(&query).await?.records;
            after = page.last().map(|record| record.exchange_id);
            let fresh: Vec<_> = page.into_iter().filter(|record| seen.insert(record.exchange_id)).collect();
            if fresh.is_empty() {
                return Ok(());
            }
            for record in &fresh {
                let taken = self.one(record).await;
                self.count(&record.exchange_id, taken)?;
            }
        }
    }

    async fn one(&self, record: &InboxRecord) -> Result<(), TakeError> {
        let id = record.exchange_id;
        let landed = fetch(self.client, &self.folder, record, self.options.output.json).await?;
        let confirmed = match self.options.keep {
            true => Ok(()),
            false => self.client.confirm(&id).await,
        };
        self.tell(record, &landed, confirmed.is_ok());
        confirmed.map_err(|error| TakeError::NotConfirmed(landed.path.display().to_string(), error))
    }

    fn tell(&self, record: &InboxRecord, landed: &Landed, confirmed: bool) {
        let sha256 = hex::encode(landed.sha256);
        if self.options.output.json {
            let told = json!({
                "exchange_id": record.exchange_id,
                "path": landed.path,
                "from": record.from,
                "bytes": landed.bytes,
                "sha256": sha256,
                "file_name": record.file_name,
                "content_type": record.content_type,
                "confirmed": confirmed && !self.options.keep,
            });
            println!("{told}");
        } else {
            println!("{}", harmless(&landed.path.display().to_string()));
            println!("    de / from: {}   sha256: {sha256}", record.from);
        }
    }

    fn count(&mut self, id: &ExchangeId, taken: Result<(), TakeError>) -> Result<(), Failure> {
        match taken {
            Ok(()) => self.taken += 1,
            // The agent is gone: the next would fail the same way.
            Err(TakeError::Client(error @ ClientError::NotReached { .. })) => return Err(error.into()),
            Err(error) => {
                self.failed += 1;
                eprintln!("{id} : {}", Failure::of(&error));
            }
        }
        Ok(())
    }

    fn end(&self) -> Result<(), Failure> {
        if self.failed > 0 {
            let (taken, failed) = (self.taken, self.failed);
            return Err(Failure::new(
                &format!("{failed} enregistrement(s) non pris, {taken} pris; recommencez après correction."),
                &format!("{failed} record(s) not taken, {taken} taken; run it again once corrected."),
            ));
        }
        if self.taken == 0 && !self.options.output.json {
            println!("Rien à prendre. / Nothing to take.");
        }
        Ok(())
    }
}

/// The content of one record, as a file.
async fn fetch(
    client: &LocalClient,
    folder: &Folder,
    record: &InboxRecord,
    quiet: bool,
) -> Result<Landed, TakeError> {
    let name = name::safe_name(record.file_name.as_deref(), &record.content_type, &record.exchange_id);
    let progress = Progress::new(&name, Some(record.length), quiet);
    let mut content = client.content(&record.exchange_id).await?;
    let mut landing = folder.begin()?;
    while let Some(bytes) = content.next().await {
        let bytes = bytes?;
        progress.moved(&bytes);
        // A write to a disk blocks; without another task here, nobody waits for this one.
        landing.write(&bytes)?;
    }
    progress.end();
    if landing.bytes() != record.length {
        return Err(TakeError::Length { found: landing.bytes(), expected: record.length });
    }
    Ok(landing.land(&name)?)
}
