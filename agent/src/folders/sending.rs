//! One file that was taken, handed to the agent: as it was when it was taken, whole, under a key of its own.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::reason::is_temporary;
use passerelle_proto::wire::Reason;
use tokio::io::{AsyncRead, ReadBuf};

use super::layout::OutboxFolder;
use super::names::SIDECAR;
use super::pick_up::Item;
use super::refusal::Refusal;
use super::settings::FolderSettings;
use super::sidecar;
use crate::agent::Agent;
use crate::landing::place::Stamp;
use crate::link;
use crate::records::blocking::blocking;
use crate::records::{SendError, SendRequest};

/// Bytes of a file that is read at once.
const SMALL: u64 = 1 << 20;

/// What became of a file.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The agent has it, under this id.
    Sent(ExchangeId),
    /// It is not as it was: this is how it is now.
    Changed(Stamp),
    /// It is gone.
    Gone,
    /// Not now. Why, for the log.
    Later(String),
    /// Never as it is.
    Refused(Refusal),
}

/// A file ready to be read.
struct Opened {
    file: File,
    stamp: Stamp,
    request: SendRequest,
}

/// Hands a file over. Asked again for the same file, it gives the same exchange.
pub(super) async fn send(
    agent: Agent,
    (settings, folder): (Arc<FolderSettings>, Arc<OutboxFolder>),
    item: Item,
) -> (Item, Outcome) {
    let key = format!("folder/{}/{}/{}", settings.name, item.batch, item.name);
    if let Some(id) = agent.sent_under(&key) {
        return (item, Outcome::Sent(id));
    }
    let asked = item.clone();
    let opened = match blocking(move || open(&settings, &folder, &asked)).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(outcome)) => return (item, outcome),
        Err(error) => return (item, Outcome::Later(link::chain(&error))),
    };
    let Opened { file, stamp, mut request } = opened;
    request.idempotency_key = Some(key);
    let sent = if stamp.size <= SMALL {
        match blocking(move || read_whole(file, stamp)).await {
            Ok(Ok(body)) => agent.send(request, Cursor::new(body)).await,
            Ok(Err(error)) => Err(SendError::Body(error)),
            Err(error) => Err(error.into()),
        }
    } else {
        let body = Unchanged { file: tokio::fs::File::from_std(file), stamp, read: 0 };
        agent.send(request, body).await
    };
    let outcome = match sent {
        Ok(accepted) => Outcome::Sent(accepted.exchange_id),
        Err(error) => outcome_of(&agent, error),
    };
    (item, outcome)
}

fn outcome_of(agent: &Agent, error: SendError) -> Outcome {
    match error {
        // The key is this very file's: it was sent before under another configuration.
        SendError::KeyReused(id) => Outcome::Sent(id),
        SendError::Refused(denial) if may_pass(agent, denial.reason()) => {
            Outcome::Later(denial.reason().as_str_name().to_owned())
        }
        SendError::Refused(_)
        | SendError::Invalid { .. }
        | SendError::Seal(_)
        | SendError::TooLarge(_)
        | SendError::Caller(_) => Outcome::Refused(Refusal::of_error(&error)),
        SendError::Body(_) | SendError::UnderWay | SendError::Full | SendError::Store(_) => {
            Outcome::Later(link::chain(&error))
        }
    }
}

/// Whether the agent may think otherwise later, with the file as it is.
fn may_pass(agent: &Agent, reason: Reason) -> bool {
    let unknown_yet = matches!(
        reason,
        Reason::AgreementNotFound | Reason::AgreementNotInForce | Reason::RecipientKeyUnknown
    );
    is_temporary(reason) || (unknown_yet && !agent.is_connected())
}

fn open(settings: &FolderSettings, folder: &OutboxFolder, item: &Item) -> Result<Opened, Outcome> {
    let later = |error: io::Error| Outcome::Later(error.to_string());
    let place = folder.work.sub(&item.batch).map_err(later)?;
    let Some((_, seen)) = place.look(OsStr::new(&item.name)).map_err(later)? else {
        return Err(Outcome::Gone);
    };
    if !seen.is_file {
        return Err(Outcome::Refused(Refusal::not_a_file()));
    }
    if item.stamp != Some(seen) {
        return Err(Outcome::Changed(seen));
    }
    let file = place.read(OsStr::new(&item.name)).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Outcome::Refused(Refusal::unreadable(&error)),
        _ => later(error),
    })?;
    let stamp = Stamp::of_open(&file).map_err(later)?;
    if stamp != seen {
        return Err(Outcome::Changed(stamp));
    }
    let said = match place.read_small(&format!("{}{SIDECAR}", item.name), sidecar::LIMIT) {
        Ok(said) => said,
        Err(error) => return Err(Outcome::Refused(Refusal::sidecar_invalid(&error.to_string()))),
    };
    let request = sidecar::request(settings, &item.name, said.as_deref()).map_err(Outcome::Refused)?;
    Ok(Opened { file, stamp, request })
}

fn read_whole(mut file: File, stamp: Stamp) -> io::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(usize::try_from(stamp.size).unwrap_or_default());
    file.by_ref().take(SMALL + 1).read_to_end(&mut body)?;
    still(&file, stamp, body.len() as u64)?;
    Ok(body)
}

/// The file is as it was, and so many bytes were all of it.
fn still(file: &impl std::os::fd::AsFd, stamp: Stamp, read: u64) -> io::Result<()> {
    match Stamp::of_open(file)? == stamp && read == stamp.size {
        true => Ok(()),
        false => Err(io::Error::other(
            "le fichier a changé pendant la lecture / the file changed while it was read",
        )),
    }
}

/// A file that must be at its end what it was at its beginning; otherwise reading it fails, and nothing is sent.
struct Unchanged {
    file: tokio::fs::File,
    stamp: Stamp,
    read: u64,
}

impl AsyncRead for Unchanged {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.file).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        self.read = self.read.saturating_add(read as u64);
        if read == 0 && buffer.remaining() > 0 {
            still(&self.file, self.stamp, self.read)?;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_file_that_grows_or_changes_while_it_is_read_is_not_read_to_its_end() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&[7; 100]).unwrap();
        let stamp = Stamp::of_open(file.as_file()).unwrap();
        let mut whole = Vec::new();
        let reopen = || tokio::fs::File::from_std(file.reopen().unwrap());
        let mut body = Unchanged { file: reopen(), stamp, read: 0 };
        assert_eq!(body.read_to_end(&mut whole).await.unwrap(), 100);

        let mut body = Unchanged { file: reopen(), stamp, read: 0 };
        body.read_exact(&mut [0; 50]).await.unwrap();
        file.as_file().write_all(b"suite").unwrap();
        assert!(body.read_to_end(&mut whole).await.is_err());
        assert!(read_whole(file.reopen().unwrap(), stamp).is_err());
    }
}
