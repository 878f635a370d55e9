//! Who waits for mail: in memory, of the open sessions only.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Wakes the sessions that collect.
#[derive(Debug, Default)]
pub struct Mail {
    agencies: Mutex<HashMap<String, watch::Sender<u64>>>,
}

impl Mail {
    /// Changes whenever there may be new records or notices for `agency`. Subscribe, look, then wait: what comes in
    /// between is not missed.
    pub fn subscribe(&self, agency: &str) -> watch::Receiver<u64> {
        self.lock().entry(agency.to_owned()).or_default().subscribe()
    }

    /// Wakes whoever waits for `agency`.
    pub(super) fn wake(&self, agency: &str) {
        let mut agencies = self.lock();
        let Some(news) = agencies.get(agency) else { return };
        if news.receiver_count() == 0 {
            agencies.remove(agency);
        } else {
            news.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<u64>>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.agencies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_agency_itself_is_woken_and_nobody_is_remembered_for_ever() {
        let mail = Mail::default();
        let (ramq, saaq) = (mail.subscribe("ramq"), mail.subscribe("saaq"));
        mail.wake("ramq");
        assert!(ramq.has_changed().unwrap() && !saaq.has_changed().unwrap());
        drop((ramq, saaq));
        mail.wake("ramq");
        mail.wake("saaq");
        assert!(mail.lock().is_empty());
    }
}
