//! Webhooks: what was received is posted to the agency's own systems, and confirmed when they answer 2xx.
//!
//! - `settings`: one webhook as it is configured; `signature`: Standard Webhooks, so that a system knows who posts;
//! - `message`: what is posted; `post`: one attempt; `dispatch`: which record next, and when again;
//! - `attempts`: what has failed, what was given up (the dead letters), kept on disk.
//!
//! A record is posted at least once, always under the same `webhook-id`: twice only when the agent, or the connection, ends
//! between the system's answer and the confirmation. One webhook that is slow or away holds up no other.

mod attempts;
mod dispatch;
mod error;
mod message;
mod post;
mod settings;
mod signature;
mod view;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use passerelle_pki::clock::SharedClock;
use passerelle_pki::files;
use passerelle_proto::exchange_id::ExchangeId;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::agent::Agent;
use crate::systems::Caller;
use attempts::Attempts;
use dispatch::Webhook;
pub use error::WebhookError;
use post::Poster;
pub use settings::{Covers, Format, WebhookSettings};
use signature::Secret;
pub use view::{DeadLetter, WebhookView};

/// The agent's webhooks. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Webhooks(Arc<BTreeMap<String, Arc<Webhook>>>);

impl Webhooks {
    /// Reads secrets, authorities and what was kept of earlier attempts. Makes the secrets that are not there. Blocking.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub fn open(
        data_dir: &Path,
        settings: &[WebhookSettings],
        agent: &Agent,
        clock: &SharedClock,
    ) -> Result<Self, WebhookError> {
        let folder = data_dir.join("webhooks");
        if !settings.is_empty() && !folder.is_dir() {
            files::create_private_directory(&folder).map_err(WebhookError::file(&folder))?;
        }
        let mut webhooks = BTreeMap::new();
        for one in settings {
            let secret = Secret::open(&one.secret_file)?;
            let attempts = Attempts::open(&folder.join(format!("{}.json", one.name)))?;
            let poster = Poster::new(one, secret)?;
            let webhook =
                Webhook::new(one.clone(), poster, attempts, agent.clone(), SharedClock::clone(clock));
            webhooks.insert(one.name.clone(), Arc::new(webhook));
        }
        Ok(Self(Arc::new(webhooks)))
    }

    /// Posts what waits, until `stop`.
    #[must_use]
    pub fn start(&self, stop: &CancellationToken) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for webhook in self.0.values() {
            tasks.spawn(Arc::clone(webhook).run(stop.clone()));
        }
        tasks
    }

    /// How each is doing whose agreements the caller may see some of.
    #[must_use]
    pub fn list(&self, caller: &Caller) -> Vec<WebhookView> {
        self.0.values().filter(|webhook| webhook.is_shown_to(caller)).map(|webhook| webhook.view()).collect()
    }

    /// What was given up by one of them, oldest first; `None` when there is no such webhook for the caller.
    #[must_use]
    pub fn dead(&self, name: &str, caller: &Caller) -> Option<Vec<DeadLetter>> {
        let webhook = self.0.get(name).filter(|webhook| webhook.is_shown_to(caller))?;
        Some(webhook.attempts().dead())
    }

    /// Posts a record again that was given up. False when there is no such webhook or no such dead letter.
    #[must_use]
    pub fn retry(&self, name: &str, id: &ExchangeId) -> bool {
        self.0.get(name).is_some_and(|webhook| webhook.retry(id))
    }
}
