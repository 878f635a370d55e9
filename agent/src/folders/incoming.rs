//! The work on one `inbox`: what the agency received under the agreement is written, placed, and then confirmed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use passerelle_proto::exchange_id::ExchangeId;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::TROUBLED;
use super::arrival::{self, Missed, Written, hidden};
use super::board::Board;
use super::layout::{InboxFolder, Trouble};
use super::placing::{self, Placed};
use super::settings::FolderSettings;
use crate::agent::Agent;
use crate::link;
use crate::records::blocking::blocking;
use crate::records::{InboxError, InboxFilter};

/// Records that are placed together: one list, and one synchronisation of each folder.
const BATCH: usize = 128;
/// Records that are written at a time.
const AT_ONCE: usize = 8;
/// Longest time without a look, and between two looks from the first record on.
const LOOK: Duration = Duration::from_secs(5);
/// Shortest time between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a record that does not open is left alone.
const UNREADABLE: Duration = Duration::from_secs(300);

/// One `inbox` and those who serve it.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    pub(super) agent: Agent,
    pub(super) settings: Arc<FolderSettings>,
    pub(super) board: Board,
    pub(super) stop: CancellationToken,
}

/// What one run remembers.
struct Desk {
    folder: Arc<InboxFolder>,
    /// Placed and not known to be confirmed.
    placed: HashSet<ExchangeId>,
    /// Records that did not open, and until when they are left alone.
    unreadable: HashMap<ExchangeId, Instant>,
    /// Streams of which a record could not be written in this look: what comes after it in them waits.
    held: HashSet<String>,
}

/// A record to be written, and the stream that it belongs to.
type Ours = (ExchangeId, Option<String>);

impl Incoming {
    /// Works until stopped; after trouble, again from what lies in the folder.
    pub(super) async fn run(self) {
        while !self.stop.is_cancelled() {
            let ended = tokio::select! {
                () = self.stop.cancelled() => return,
                ended = self.session() => ended,
            };
            if let Err(trouble) = ended {
                tracing::error!(folder = self.settings.name, %trouble, "inbox folder");
                self.board.note(&self.settings.name, |status| status.trouble = Some(trouble.to_string()));
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(TROUBLED) => {}
            }
        }
    }

    async fn session(&self) -> Result<(), Trouble> {
        let path = self.settings.path.clone();
        let opened = blocking(move || {
            let folder = InboxFolder::open(&path)?;
            let placed = placing::recover(&folder).map_err(Trouble::at(folder.work.path()))?;
            Ok::<_, Trouble>((folder, placed))
        });
        let (folder, recovered) = opened.await.map_err(|_| Trouble::Stopping)??;
        let (placed, unreadable, held) = (HashSet::new(), HashMap::new(), HashSet::new());
        let mut desk = Desk { folder: Arc::new(folder), placed, unreadable, held };
        for placed in recovered {
            self.confirm(&mut desk, placed).await?;
        }
        let mut changed = self.agent.changed();
        loop {
            changed.mark_unchanged();
            if !desk.folder.place.is_there() {
                return Err(Trouble::Replaced(desk.folder.place.path().to_owned()));
            }
            self.look(&mut desk).await?;
            self.board.note(&self.settings.name, |status| status.trouble = None);
            tokio::time::sleep(PAUSE).await;
            drop(timeout(LOOK, changed.changed()).await);
        }
    }

    /// Everything that waits, page after page.
    async fn look(&self, desk: &mut Desk) -> Result<(), Trouble> {
        let now = Instant::now();
        desk.unreadable.retain(|_, until| *until > now);
        desk.held.clear();
        let mut after = None;
        loop {
            let page = self.agent.inbox(&InboxFilter { after, limit: BATCH }).await;
            let page = page.map_err(|error| self.failed(desk, error))?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.exchange_id);
            let mut ours = Vec::with_capacity(page.len());
            for view in page.into_iter().filter(|view| view.agreement.number == self.settings.agreement) {
                let stream = view.order.map(|order| order.stream);
                match desk.unreadable.contains_key(&view.exchange_id) {
                    true => desk.held.extend(stream),
                    false => ours.push((view.exchange_id, stream)),
                }
            }
            if !ours.is_empty() {
                self.take(desk, ours).await?;
            }
        }
    }

    async fn take(&self, desk: &mut Desk, ours: Vec<Ours>) -> Result<(), Trouble> {
        let at = desk.folder.place.path().to_owned();
        let (known, fresh): (Vec<Ours>, Vec<Ours>) =
            ours.into_iter().partition(|(id, _)| desk.placed.contains(id));
        for (id, _) in known {
            self.confirm_one(desk, id).await?;
        }
        let writing = fresh.into_iter().map(|(id, stream)| {
            let folder = Arc::clone(&desk.folder);
            async move { (id, stream, arrival::write(&self.agent, &folder, id).await) }
        });
        // In the order of the inbox, which is that of every stream.
        let done: Vec<_> = stream::iter(writing).buffered(AT_ONCE).collect().await;
        let mut written: Vec<Written> = Vec::with_capacity(done.len());
        let mut failure = None;
        for (id, stream, result) in done {
            match result {
                Ok(record) if stream.as_ref().is_none_or(|stream| !desk.held.contains(stream)) => {
                    written.push(record);
                }
                Ok(_) => {
                    hidden(id).iter().try_for_each(|name| desk.folder.work.remove(name)).unwrap_or_default();
                }
                Err(Missed::Gone) => {}
                Err(Missed::Unreadable(why)) => {
                    tracing::error!(folder = self.settings.name, %id, why, "a record does not open any more");
                    desk.unreadable.insert(id, Instant::now() + UNREADABLE);
                    desk.held.extend(stream);
                    hidden(id).iter().try_for_each(|name| desk.folder.work.remove(name)).ok();
                }
                Err(Missed::Failed(error)) => {
                    // Half a file takes room that may be wanting.
                    hidden(id).iter().try_for_each(|name| desk.folder.work.remove(name)).ok();
                    failure = Some(error);
                    desk.held.extend(stream);
                }
            }
        }
        if !written.is_empty() {
            let folder = Arc::clone(&desk.folder);
            let placed = blocking(move || placing::place(&folder, &written)).await;
            let placed = placed.map_err(|_| Trouble::Stopping)?.map_err(Trouble::at(&at))?;
            let count = placed.ids.len() as u64;
            self.confirm(desk, placed).await?;
            self.board.note(&self.settings.name, |status| status.received += count);
        }
        failure.map_or(Ok(()), |error| Err(Trouble::at(&at)(error)))
    }

    /// Confirms records that are in place, and then forgets that they had to be.
    async fn confirm(&self, desk: &mut Desk, placed: Placed) -> Result<(), Trouble> {
        desk.placed.extend(&placed.ids);
        let confirming: Vec<_> = placed.ids.iter().map(|id| confirm(self.agent.clone(), *id)).collect();
        let done: Vec<_> = stream::iter(confirming).buffer_unordered(BATCH).collect().await;
        for result in done {
            self.confirmed(desk, result)?;
        }
        for id in &placed.ids {
            desk.placed.remove(id);
        }
        let (folder, list) = (Arc::clone(&desk.folder), placed.list);
        let forgotten = blocking(move || placing::forget(&folder, &list)).await;
        forgotten.map_err(|_| Trouble::Stopping)?.map_err(Trouble::at(desk.folder.work.path()))
    }

    async fn confirm_one(&self, desk: &mut Desk, id: ExchangeId) -> Result<(), Trouble> {
        let result = self.agent.inbox_confirm(&id).await;
        self.confirmed(desk, result)?;
        desk.placed.remove(&id);
        Ok(())
    }

    fn confirmed(&self, desk: &Desk, result: Result<(), InboxError>) -> Result<(), Trouble> {
        match result {
            // Forgotten long ago, or confirmed by another caller.
            Ok(()) | Err(InboxError::NotFound(_)) => Ok(()),
            Err(error) => Err(self.failed(desk, error)),
        }
    }

    fn failed(&self, desk: &Desk, error: InboxError) -> Trouble {
        tracing::error!(folder = self.settings.name, error = %link::chain(&error), "the inbox");
        Trouble::at(desk.folder.place.path())(std::io::Error::other(error))
    }
}

async fn confirm(agent: Agent, id: ExchangeId) -> Result<(), InboxError> {
    agent.inbox_confirm(&id).await
}
