//! The bench: everything measured in one run, so that ratios hold however fast the machine is that day.
//!
//! A figure that was not measured is `null` in the JSON, never left out and never guessed.

pub mod accept;
pub mod calls;
pub mod echo;
pub mod floor;
pub mod load;
pub mod nginx;

use serde::Serialize;
use std::time::{Duration, Instant};

/// Repeated runs of one measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Samples {
    /// What one operation is.
    pub operation: &'static str,
    /// Operations per second: lowest, median and highest run.
    pub per_second: [f64; 3],
    /// Runs that were counted.
    pub runs: usize,
}

impl Samples {
    /// Microseconds of one operation in the median run.
    #[must_use]
    pub fn median_us(&self) -> f64 {
        1e6 / self.per_second[1]
    }
}

/// Runs `work` for about `slice` each time, once to warm up and then `runs` times. `work` gives how many operations it did.
///
/// # Errors
/// The first error of `work`.
pub fn measure(
    operation: &'static str,
    runs: usize,
    slice: Duration,
    mut work: impl FnMut() -> anyhow::Result<u64>,
) -> anyhow::Result<Samples> {
    let mut rates = Vec::with_capacity(runs);
    for run in 0..=runs {
        let (started, mut done) = (Instant::now(), 0);
        while started.elapsed() < slice {
            done += work()?;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts are far under 2^52")]
        let rate = done as f64 / started.elapsed().as_secs_f64();
        if run > 0 {
            rates.push(rate);
        }
    }
    Ok(Samples { operation, per_second: spread(rates), runs })
}

/// Lowest, median and highest.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    [at(0), at(values.len() / 2), at(values.len().saturating_sub(1))]
}
