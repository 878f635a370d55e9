//! `serve`.

use passerelle_pki::clock::SharedClock;
use tracing_subscriber::EnvFilter;

use super::arguments::ConfigOption;
use super::failure::Failure;
use crate::config::Tracing;
use crate::serve;

/// Serves until asked to stop.
pub(super) fn run(options: &ConfigOption, clock: SharedClock) -> Result<(), Failure> {
    let config = options.load()?;
    config.check_files()?;
    trace(&config.tracing)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of(&error))?;
    runtime.block_on(serve::run(config, clock)).map_err(Failure::from)
}

/// Messages go to the standard error, as text or JSON.
fn trace(settings: &Tracing) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&settings.level).map_err(|error| Failure::of(&error))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed =
        if settings.json { builder.json().try_init() } else { builder.with_ansi(false).try_init() };
    installed.map_err(|error| Failure::new(&error.to_string(), &error.to_string()))
}
