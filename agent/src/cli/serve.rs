//! `serve`.

use passerelle_pki::clock::SharedClock;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::failure::Failure;
use crate::config::{Config, Tracing};

/// Serves until SIGTERM or SIGINT.
pub(super) async fn run(config: &Config, clock: SharedClock) -> Result<(), Failure> {
    trace(&config.tracing)?;
    let listen = |kind| signal(kind).map_err(|error| Failure::of(&error));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let asked = stop.clone();
    let watching = tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        asked.cancel();
    });
    drop((config, clock, stop));
    watching.abort();
    Ok(())
}

/// Messages go to the standard error, as text or JSON.
fn trace(settings: &Tracing) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&settings.level).map_err(|error| Failure::of(&error))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed =
        if settings.json { builder.json().try_init() } else { builder.with_ansi(false).try_init() };
    installed.map_err(|error| Failure::new(&error.to_string(), &error.to_string()))
}
