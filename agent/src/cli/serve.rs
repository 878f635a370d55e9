//! `serve`.

use passerelle_pki::clock::SharedClock;
use tracing_subscriber::EnvFilter;

use super::failure::Failure;
use crate::config::{Config, Tracing};
use crate::serve::{serve, signalled};

/// Serves until SIGTERM or SIGINT.
pub(super) async fn run(config: &Config, clock: SharedClock) -> Result<(), Failure> {
    trace(&config.tracing)?;
    let stop = signalled().map_err(|error| Failure::of(&error))?;
    serve(config, clock, stop).await.map_err(|error| Failure::of(&error))
}

/// Messages go to the standard error, as text or JSON.
fn trace(settings: &Tracing) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&settings.level).map_err(|error| Failure::of(&error))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed =
        if settings.json { builder.json().try_init() } else { builder.with_ansi(false).try_init() };
    installed.map_err(|error| Failure::new(&error.to_string(), &error.to_string()))
}
