//! Who waits for mail: in memory, of the open sessions only.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Wakes the sessions that collect.
#[derive(Debug, Default)]
pub struct Mail {
    agencies: Mutex<HashMap<String, watch::Sender<News>>>,
}

/// What is new for an agency. Counts only: whoever looks finds it in the view.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Records and notices, of any age.
    pub mail: u64,
    /// Records that are older than others of the mailbox: ordered ones whose turn has come.
    pub released: u64,
}

impl Mail {
    /// Changes whenever there may be new records or notices for `agency`. Subscribe, look, then wait: what comes in
    /// between is not missed.
    pub fn subscribe(&self, agency: &str) -> watch::Receiver<News> {
        self.lock().entry(agency.to_owned()).or_default().subscribe()
    }

    /// Wakes whoever waits for `agency`.
    pub(super) fn wake(&self, agency: &str) {
        self.tell(agency, |news| news.mail = news.mail.wrapping_add(1));
    }

    /// The same, for records that a session which looked for newer ones has passed.
    pub(super) fn release(&self, agency: &str) {
        self.tell(agency, |news| news.released = news.released.wrapping_add(1));
    }

    fn tell(&self, agency: &str, change: impl FnOnce(&mut News)) {
        let mut agencies = self.lock();
        let Some(news) = agencies.get(agency) else { return };
        if news.receiver_count() == 0 {
            agencies.remove(agency);
        } else {
            news.send_modify(change);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<News>>> {
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
