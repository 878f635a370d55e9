//! An agent that serves until it is told to stop: the record path and the local interface together.

use std::future::Future;
use std::io::{self, Write};

use passerelle_pki::clock::SharedClock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::agent::Agent;
use crate::config::{Config, ConfigError};
use crate::local::{LocalError, Server};
use crate::records::StartError;
use crate::webhooks::{WebhookError, Webhooks};

/// Why an agent does not serve. Its administrator reads this.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// What the configuration names.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The agent.
    #[error("l'agent n'a pu démarrer / the agent could not start")]
    Start(#[source] StartError),
    /// The local interface.
    #[error("l'interface locale / the local interface")]
    Local(#[source] LocalError),
    /// Webhooks.
    #[error("les webhooks / the webhooks")]
    Webhooks(#[source] WebhookError),
    /// Signals, or the standard output.
    #[error("le système / the system")]
    System(#[source] io::Error),
}

/// Serves until `stop`. Prints one line when it listens: `prêt / ready local=… agent=…`.
///
/// # Errors
/// [`ServeError`]; nothing was begun then.
pub async fn serve(
    config: &Config,
    clock: SharedClock,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let running =
        Agent::start(config.settings()?, SharedClock::clone(&clock)).await.map_err(ServeError::Start)?;
    let stopping = CancellationToken::new();
    let (data_dir, given, agent, time) =
        (config.data_dir.clone(), config.webhooks.clone(), running.agent.clone(), SharedClock::clone(&clock));
    let opened = tokio::task::spawn_blocking(move || Webhooks::open(&data_dir, &given, &agent, &time)).await;
    let webhooks = match opened.map_err(|error| ServeError::System(error.into())) {
        Ok(Ok(webhooks)) => webhooks,
        Ok(Err(error)) => {
            running.shutdown().await;
            return Err(ServeError::Webhooks(error));
        }
        Err(error) => return Err(error),
    };
    let parts = (running.agent.clone(), webhooks.clone());
    let server = match Server::bind(&config.local, parts, clock, stopping.clone()).await {
        Ok(server) => server,
        Err(error) => {
            running.shutdown().await;
            return Err(ServeError::Local(error));
        }
    };
    let more = match more_listeners(config, &running.agent, &stopping).await {
        Ok(more) => more,
        Err(error) => {
            drop(server);
            running.shutdown().await;
            return Err(ServeError::Local(error));
        }
    };
    let address = server.address().to_owned();
    let mut posting = webhooks.start(&stopping);
    let mut serving = JoinSet::new();
    serving.spawn(server.run());
    more.into_iter().for_each(|server| drop(serving.spawn(server.run())));
    tracing::info!(local = %address, agent = %config.agent, "ready");
    // Whoever started us may not read: that is no reason to stop.
    writeln!(io::stdout().lock(), "prêt / ready local={address} agent={}", config.agent).ok();
    stop.await;
    tracing::info!("stopping");
    stopping.cancel();
    while let Some(ended) = serving.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "the local interface has failed");
        }
    }
    while posting.join_next().await.is_some() {}
    drop(webhooks);
    running.shutdown().await;
    Ok(())
}

/// Those that the configuration has beside the local interface.
async fn more_listeners(
    config: &Config,
    agent: &Agent,
    stop: &CancellationToken,
) -> Result<Vec<Server>, LocalError> {
    let mut servers = Vec::new();
    if let Some(wanted) = config.metrics {
        let server = Server::bind_metrics(wanted, agent.clone(), stop.clone()).await?;
        tracing::info!(metrics = %server.address(), "measures can be scraped");
        servers.push(server);
    }
    if let Some(settings) = &config.govstack {
        let server = Server::bind_govstack(settings, agent.clone(), stop.clone()).await?;
        tracing::info!(govstack = %server.address(), "the GovStack compatibility route is open");
        servers.push(server);
    }
    Ok(servers)
}

/// Ends at the first SIGTERM or SIGINT.
///
/// # Errors
/// When signals cannot be had.
pub fn signalled() -> Result<impl Future<Output = ()> + Send, ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::System)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::System)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
