//! The work on one `outbox`: look, take, send, follow; again and again, until stopped.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use passerelle_proto::exchange_id::ExchangeId;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::follow::Follow;
use super::layout::{OutboxFolder, Trouble};
use super::pick_up::{self, BATCH, Item};
use super::refusal::Refusal;
use super::scan::{Look, Scanner};
use super::sending::{Outcome, send};
use super::settings::FolderSettings;
use super::{TROUBLED, quarantine};
use crate::agent::Agent;
use crate::records::RecordView;
use crate::records::blocking::blocking;

/// Files of a folder that are sent at a time.
const AT_ONCE: usize = 48;
/// Files that are taken and wait for their turn; more stay where they are.
const TAKEN_MAX: usize = 4 * BATCH;
/// The first waiting time of a file that was put off; it doubles.
const PUT_OFF: Duration = Duration::from_secs(1);
/// The longest.
const PUT_OFF_MAX: Duration = Duration::from_secs(60);
/// Rounds between two countings of the quarantine.
const COUNTING: u32 = 20;

/// One `outbox` and those who serve it.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) agent: Agent,
    pub(super) settings: Arc<FolderSettings>,
    pub(super) board: Board,
    pub(super) stop: CancellationToken,
}

/// What is done by blocking calls, one at a time.
struct Desk {
    folder: Arc<OutboxFolder>,
    scanner: Scanner,
    follow: Follow,
    /// Something was put into quarantine since it was last counted.
    aside: bool,
}

type Sending = FuturesUnordered<BoxFuture<'static, (Item, Outcome)>>;

impl Outgoing {
    /// Works until stopped; after trouble, again from what lies in the folder.
    pub(super) async fn run(self) {
        while !self.stop.is_cancelled() {
            if let Err(trouble) = self.session().await {
                self.troubled(&trouble);
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(TROUBLED) => {}
            }
        }
    }

    fn troubled(&self, trouble: &Trouble) {
        tracing::error!(folder = self.settings.name, %trouble, "outbox folder");
        self.board.note(&self.settings.name, |status| status.trouble = Some(trouble.to_string()));
    }

    async fn session(&self) -> Result<(), Trouble> {
        let path = self.settings.path.clone();
        let (mut desk, recovered) = blocking(move || open(&path)).await.map_err(|_| Trouble::Stopping)??;
        let mut queue: VecDeque<Item> = in_order(recovered, &self.settings).into();
        let (mut sending, mut changed) = (Sending::new(), self.agent.changed());
        let mut ticks = interval((self.settings.settle / 2).clamp(Duration::from_millis(100), TICK_MAX));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut round = 0;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                Some(done) = sending.next(), if !sending.is_empty() => {
                    let mut all = vec![done];
                    while let Some(Some(done)) = sending.next().now_or_never() {
                        all.push(done);
                    }
                    desk = self.settle(desk, all, &mut queue).await?;
                }
                _ = ticks.tick() => {
                    desk = self.look(desk, &mut queue, sending.len(), round).await?;
                    if changed.has_changed().unwrap_or(true) || round == 0 {
                        changed.mark_unchanged();
                        desk = self.follow(desk).await?;
                    }
                    round += 1;
                }
            }
            self.start_due(&desk, &mut queue, &mut sending);
        }
    }

    fn start_due(&self, desk: &Desk, queue: &mut VecDeque<Item>, sending: &mut Sending) {
        let now = Instant::now();
        let ordered = self.settings.defaults.ordered;
        let at_once = if ordered { 1 } else { AT_ONCE };
        for _ in 0..queue.len() {
            if sending.len() >= at_once {
                return;
            }
            match queue.pop_front() {
                Some(item) if item.due <= now => {
                    let parts = (Arc::clone(&self.settings), Arc::clone(&desk.folder));
                    sending.push(send(self.agent.clone(), parts, item).boxed());
                }
                // Those behind it wait with it.
                Some(item) if ordered => {
                    queue.push_front(item);
                    return;
                }
                Some(item) => queue.push_back(item),
                None => return,
            }
        }
    }

    /// To be sent later: with the others, or before all of them where the order of names holds.
    fn put_back(&self, queue: &mut VecDeque<Item>, item: Item) {
        match self.settings.defaults.ordered {
            true => queue.push_front(item),
            false => queue.push_back(item),
        }
    }

    /// Takes what is finished, and puts aside what can never be sent.
    async fn look(
        &self,
        mut desk: Desk,
        queue: &mut VecDeque<Item>,
        under_way: usize,
        round: u32,
    ) -> Result<Desk, Trouble> {
        let room = TAKEN_MAX.saturating_sub(queue.len());
        let settings = Arc::clone(&self.settings);
        let looked = blocking(move || {
            let found = desk.round(&settings, room)?;
            let quarantined = match round.is_multiple_of(COUNTING) || desk.aside {
                true => Some(quarantine::count(&desk.folder).map_err(Trouble::at(&settings.path))?),
                false => None,
            };
            desk.aside = false;
            Ok::<_, Trouble>((desk, found, quarantined))
        });
        let (desk, found, quarantined) = looked.await.map_err(|_| Trouble::Stopping)??;
        queue.extend(found.items);
        let (waiting, on_the_way) = (found.left + queue.len() + under_way, desk.follow.len());
        self.board.note(&self.settings.name, |status| {
            status.waiting = waiting;
            status.on_the_way = on_the_way;
            status.quarantined = quarantined.unwrap_or(status.quarantined);
            status.trouble = None;
        });
        Ok(desk)
    }

    /// Moves files on by what became of them.
    async fn settle(
        &self,
        mut desk: Desk,
        done: Vec<(Item, Outcome)>,
        queue: &mut VecDeque<Item>,
    ) -> Result<Desk, Trouble> {
        let (mut sent, mut refused) = (Vec::new(), Vec::new());
        for (item, outcome) in done {
            match outcome {
                Outcome::Sent(id) => sent.push((item, id)),
                Outcome::Refused(refusal) => refused.push((item, refusal)),
                Outcome::Gone => {}
                Outcome::Changed(stamp) => {
                    let due = Instant::now() + self.settings.settle;
                    self.put_back(queue, Item { stamp: Some(stamp), due, ..item });
                }
                Outcome::Later(why) => {
                    let pause = PUT_OFF.saturating_mul(1 << item.attempts.min(8)).min(PUT_OFF_MAX);
                    tracing::info!(folder = self.settings.name, why, "a file waits");
                    let due = Instant::now() + pause;
                    self.put_back(queue, Item { due, attempts: item.attempts + 1, ..item });
                }
            }
        }
        if sent.is_empty() && refused.is_empty() {
            return Ok(desk);
        }
        for (_, refusal) in &refused {
            tracing::warn!(folder = self.settings.name, %refusal, "a file is put into quarantine");
        }
        let moved = blocking(move || {
            let at = desk.folder.place.path().to_owned();
            let again = desk.moved(sent, &refused).map_err(Trouble::at(&at))?;
            Ok::<_, Trouble>((desk, again))
        });
        let (desk, again) = moved.await.map_err(|_| Trouble::Stopping)??;
        queue.extend(again);
        Ok(desk)
    }

    /// Brings receipts up to date.
    async fn follow(&self, mut desk: Desk) -> Result<Desk, Trouble> {
        let (agent, remove) = (self.agent.clone(), self.settings.remove_delivered);
        let told = blocking(move || {
            let records: HashMap<ExchangeId, Option<RecordView>> =
                desk.follow.ids().into_iter().map(|id| (id, agent.record(&id))).collect();
            let at = desk.folder.sent.path().to_owned();
            desk.follow.tell(&desk.folder, &records, remove).map_err(Trouble::at(&at))?;
            Ok::<_, Trouble>(desk)
        });
        told.await.map_err(|_| Trouble::Stopping)?
    }
}

/// Longest time between two looks.
const TICK_MAX: Duration = Duration::from_secs(1);

/// Files that were taken before a stop, by name where the order of names holds.
fn in_order(mut items: Vec<Item>, settings: &FolderSettings) -> Vec<Item> {
    if settings.defaults.ordered {
        items.sort_by(|one, other| one.name.cmp(&other.name));
    }
    items
}

/// What a round found.
struct Found {
    items: Vec<Item>,
    /// Files that stay where they are.
    left: usize,
}

fn open(path: &std::path::Path) -> Result<(Desk, Vec<Item>), Trouble> {
    let folder = OutboxFolder::open(path)?;
    let at = folder.work.path().to_owned();
    let items = pick_up::recover(&folder).map_err(Trouble::at(&at))?;
    let follow = Follow::recover(&folder).map_err(Trouble::at(&at))?;
    Ok((Desk { folder: Arc::new(folder), scanner: Scanner::default(), follow, aside: false }, items))
}

impl Desk {
    fn round(&mut self, settings: &FolderSettings, room: usize) -> Result<Found, Trouble> {
        let folder = &self.folder;
        let at = folder.place.path();
        if !folder.place.is_there() {
            return Err(Trouble::Replaced(at.to_owned()));
        }
        let look = self.scanner.look(&folder.place, settings.settle, settings.sidecar_required);
        let Look { mut ready, refused, waiting } = look.map_err(Trouble::at(at))?;
        if settings.defaults.ordered {
            ready.sort_by(|one, other| one.name.cmp(&other.name));
        }
        for (name, refusal) in &refused {
            tracing::warn!(folder = settings.name, %refusal, "a file is put into quarantine");
            quarantine::put(folder, (&folder.place, name), refusal).map_err(Trouble::at(at))?;
        }
        self.aside |= !refused.is_empty();
        let taken = ready.len().min(room);
        let mut items = Vec::with_capacity(taken);
        for batch in ready.get(..taken).unwrap_or_default().chunks(BATCH) {
            items.extend(pick_up::take(folder, batch).map_err(Trouble::at(at))?);
        }
        Ok(Found { items, left: waiting + ready.len() - taken })
    }

    fn moved(
        &mut self,
        sent: Vec<(Item, ExchangeId)>,
        refused: &[(Item, Refusal)],
    ) -> std::io::Result<Vec<Item>> {
        self.aside |= !refused.is_empty();
        for (item, refusal) in refused {
            let place = self.folder.work.sub(&item.batch)?;
            quarantine::put(&self.folder, (&place, item.name.as_ref()), refusal)?;
            self.folder.work.remove_empty(&item.batch)?;
        }
        match sent.is_empty() {
            true => Ok(Vec::new()),
            false => self.follow.sent(&self.folder, sent),
        }
    }
}
