//! One webhook at work: what waits is posted, a bounded number at a time, and again when it failed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use passerelle_pki::clock::{SharedClock, Timestamp};
use passerelle_proto::exchange_id::ExchangeId;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::WebhookSettings;
use super::attempts::{Attempts, RETRY_AFTER_MAX};
use super::message::Message;
use super::post::{Failure, Poster};
use super::view::WebhookView;
use crate::agent::Agent;
use crate::inbox::Wanted;
use crate::link;
use crate::records::{InboxError, InboxView};
use crate::systems::Caller;

/// How often what became of attempts is written.
const SAVING: Duration = Duration::from_secs(1);
/// Between two looks at the inbox that found nothing to post.
const PAUSE: Duration = Duration::from_millis(20);
/// How long attempts under way may take to end.
const GRACE: Duration = Duration::from_secs(5);
/// The longest time until the clock is looked at again.
const LOOK: Duration = Duration::from_secs(60);

/// One webhook.
#[derive(Debug)]
pub(super) struct Webhook {
    settings: WebhookSettings,
    poster: Poster,
    attempts: Attempts,
    agent: Agent,
    clock: SharedClock,
    /// Somebody asked for a record to be tried anew.
    asked: watch::Sender<u64>,
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    success: Option<Timestamp>,
    failure: Option<String>,
    /// The system asked for no requests until then.
    paused: Option<Timestamp>,
}

/// What a record needs to be posted.
enum Loaded {
    /// Its content, or that it is too long.
    Whole(Box<InboxView>, Option<Bytes>),
    /// It is not there any more: somebody confirmed it.
    Gone,
}

impl Webhook {
    pub(super) fn new(
        settings: WebhookSettings,
        poster: Poster,
        attempts: Attempts,
        agent: Agent,
        clock: SharedClock,
    ) -> Self {
        let (asked, last) = (watch::Sender::new(0), Mutex::default());
        Self { settings, poster, attempts, agent, clock, asked, last }
    }

    pub(super) fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn retry(&self, id: &ExchangeId) -> bool {
        let dead = self.attempts.retry(id);
        if dead {
            self.asked.send_modify(|count| *count += 1);
        }
        dead
    }

    pub(super) fn is_shown_to(&self, caller: &Caller) -> bool {
        self.settings.covers.is_shown_to(caller)
    }

    pub(super) fn view(&self) -> WebhookView {
        let url = &self.settings.url;
        let (scheme, authority) = (url.scheme_str().unwrap_or_default(), url.authority());
        let waiting = self.agent.inbox_pick(usize::MAX, &|_, agreement| self.settings.covers.has(agreement));
        let (counts, last) = (self.attempts.counts(), self.last());
        WebhookView {
            name: self.settings.name.clone(),
            url: format!("{scheme}://{}{}", authority.map_or("", |authority| authority.as_str()), url.path()),
            waiting: waiting.len(),
            retrying: counts.retrying,
            dead: counts.dead,
            announced: counts.announced,
            last_success_at: last.success,
            last_failure: last.failure.clone(),
        }
    }

    /// Posts until stopped.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let (mut changed, mut asked) = (self.agent.changed(), self.asked.subscribe());
        let (mut under_way, mut flying) = (JoinSet::new(), HashSet::new());
        let mut saving = tokio::time::interval(SAVING);
        loop {
            changed.mark_unchanged();
            asked.mark_unchanged();
            let due = self.due(&flying);
            let idle = due.is_empty();
            for id in due {
                flying.insert(id);
                let this = Arc::clone(&self);
                under_way.spawn(async move {
                    this.deliver(id).await;
                    id
                });
            }
            let free = flying.len() < self.settings.at_once;
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = under_way.join_next(), if !under_way.is_empty() => match ended {
                    Ok(id) => drop(flying.remove(&id)),
                    // What it held is not known any more: nothing else is under way.
                    Err(error) => {
                        tracing::error!(%error, "an attempt has failed within the agent");
                        under_way.shutdown().await;
                        flying.clear();
                    }
                },
                told = changed.changed(), if free => match told {
                    Ok(()) if idle => sleep(PAUSE).await,
                    Ok(()) => {}
                    Err(_) => break,
                },
                _ = asked.changed() => {}
                () = sleep(self.until_next()), if free => {}
                _ = saving.tick() => self.save().await,
            }
        }
        // What is cut now is posted again at the next start.
        drop(timeout(GRACE, async { while under_way.join_next().await.is_some() {} }).await);
        self.save().await;
    }

    /// What is to be tried now.
    fn due(&self, flying: &HashSet<ExchangeId>) -> Vec<ExchangeId> {
        let now = self.clock.now();
        let free = self.settings.at_once.saturating_sub(flying.len());
        if free == 0 || self.last().paused.is_some_and(|until| now < until) {
            return Vec::new();
        }
        let due = self.agent.inbox_pick_in_order(free, &|id, agreement| match self
            .settings
            .covers
            .has(agreement)
        {
            false => Wanted::No,
            true if flying.contains(id) => Wanted::Later,
            true => self.attempts.wanted(id, now),
        });
        if due.is_empty() && flying.is_empty() && self.attempts.next_due().is_some_and(|due| due <= now) {
            // Somebody else confirmed it.
            self.attempts.look_through();
        }
        due
    }

    /// How long nothing that failed is due.
    fn until_next(&self) -> Duration {
        let now = self.clock.now();
        let due = self.attempts.next_due().map_or(LOOK, |due| due.since(now));
        let paused = self.last().paused.map_or(Duration::ZERO, |until| until.since(now));
        due.max(paused).clamp(Duration::from_millis(100), LOOK)
    }

    async fn deliver(&self, id: ExchangeId) {
        let posted = match self.load(id).await {
            Ok(Loaded::Whole(view, content)) => self.post(id, &view, content).await,
            Ok(Loaded::Gone) => {
                self.attempts.forget(&id);
                return;
            }
            Err(failure) => Err(failure),
        };
        let now = self.clock.now();
        match posted {
            Ok(()) => {
                let mut last = self.last();
                (last.success, last.failure, last.paused) = (Some(now), None, None);
            }
            Err(failure) => {
                let given_up = self.attempts.failed(id, &failure, &self.settings, now);
                let (webhook, why) = (&self.settings.name, &failure.why);
                if given_up {
                    tracing::error!(webhook, %id, why, "a record was given up; it is in the dead letters");
                } else {
                    tracing::info!(webhook, %id, why, "a record was not taken; it is tried again");
                }
                let mut last = self.last();
                last.failure = Some(failure.why.clone());
                // Who asks to wait asks it for all.
                if let Some(asked) = failure.retry_after {
                    last.paused = Some(now.plus(asked.min(RETRY_AFTER_MAX)));
                }
            }
        }
    }

    async fn load(&self, id: ExchangeId) -> Result<Loaded, Failure> {
        let mut body = match self.agent.inbox_open(&id).await {
            Ok(body) => body,
            Err(InboxError::NotFound(_)) => return Ok(Loaded::Gone),
            Err(error) => return Err(Failure::new(link::chain(&error))),
        };
        let view = Box::new(body.view().clone());
        if view.length > self.settings.content_bytes_max {
            return Ok(Loaded::Whole(view, None));
        }
        let mut content = Vec::new();
        while let Some(chunk) = body.next().await {
            content.extend_from_slice(&chunk.map_err(|error| Failure::new(link::chain(&error)))?);
        }
        Ok(Loaded::Whole(view, Some(content.into())))
    }

    /// Posts, and confirms what the system has; what it was only told of, it confirms itself.
    async fn post(&self, id: ExchangeId, view: &InboxView, content: Option<Bytes>) -> Result<(), Failure> {
        let (now, whole) = (self.clock.now(), content.is_some());
        let message = Message::of(view, content, self.settings.format, now).map_err(Failure::new)?;
        self.poster.post(&self.settings, &id, message, now).await?;
        if !whole {
            self.attempts.announced(id, now);
            return Ok(());
        }
        match self.agent.inbox_confirm(&id).await {
            Ok(()) | Err(InboxError::NotFound(_)) => {
                self.attempts.forget(&id);
                Ok(())
            }
            Err(error) => Err(Failure::new(link::chain(&error))),
        }
    }

    async fn save(self: &Arc<Self>) {
        let this = Arc::clone(self);
        let saved = tokio::task::spawn_blocking(move || {
            let there = || this.agent.inbox_pick(usize::MAX, &|_, _| true).into_iter().collect();
            this.attempts.save(there)
        });
        if let Ok(Err(error)) = saved.await {
            tracing::error!(webhook = %self.settings.name, %error, "what became of attempts could not be written");
        }
    }
}
