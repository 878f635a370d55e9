//! What became of the attempts of one webhook, for records that it still has to do with.
//!
//! Kept in a file that is written at most once a second: what a crash loses of it costs an attempt more, no record.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::files::{self, PRIVATE};
use passerelle_proto::exchange_id::ExchangeId;
use serde::{Deserialize, Serialize};

use super::post::Failure;
use super::view::DeadLetter;
use super::{WebhookError, WebhookSettings};
use crate::inbox::Wanted;
use crate::link::Backoff;

const FORMAT: u32 = 1;
/// Bytes of the file: some 100,000 records.
const FILE_LIMIT: u64 = 64 << 20;
/// Waiting times between two attempts, unless the system asks for another.
const BACKOFF: Backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_secs(3_600) };
/// How long a system may ask us to wait.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_secs(6 * 3_600);
/// After so many attempts the waiting time grows no more.
const GROWTH: u32 = 20;

/// Where a record stands with a webhook.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Standing {
    /// It failed, and is tried again.
    Retrying,
    /// It was given up.
    Dead,
    /// The system was told of it, and confirms it itself.
    Announced,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Attempt {
    standing: Standing,
    attempts: u32,
    first_ms: u64,
    /// When it is tried again, or when it was given up or told of.
    at_ms: u64,
    status: Option<u16>,
    why: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    attempts: Vec<(ExchangeId, Attempt)>,
}

/// The attempts of one webhook.
#[derive(Debug)]
pub(super) struct Attempts {
    path: PathBuf,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    attempts: HashMap<ExchangeId, Attempt>,
    unsaved: bool,
}

/// Counts for the list.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) retrying: usize,
    pub(super) dead: usize,
    pub(super) announced: usize,
}

impl Attempts {
    pub(super) fn open(path: &Path) -> Result<Self, WebhookError> {
        let stored = match files::read_limited(path, FILE_LIMIT) {
            Ok(bytes) => {
                serde_json::from_slice::<Stored>(&bytes).ok().filter(|stored| stored.format == FORMAT)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Some(Stored { format: FORMAT, attempts: Vec::new() })
            }
            Err(error) => return Err(WebhookError::file(path)(error)),
        };
        if stored.is_none() {
            tracing::warn!(file = %path.display(), "the attempts kept cannot be read; every record is tried anew");
        }
        let attempts = stored.map(|stored| stored.attempts.into_iter().collect()).unwrap_or_default();
        Ok(Self { path: path.to_owned(), table: Mutex::new(Table { attempts, unsaved: false }) })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a record is to be tried now. Those after it in its stream wait with it until it is taken or given up.
    pub(super) fn wanted(&self, id: &ExchangeId, now: Timestamp) -> Wanted {
        match self.table().attempts.get(id) {
            None => Wanted::Now,
            Some(attempt) => match attempt.standing {
                Standing::Retrying if attempt.at_ms <= now.as_millis() => Wanted::Now,
                Standing::Retrying | Standing::Announced => Wanted::Later,
                Standing::Dead => Wanted::No,
            },
        }
    }

    #[cfg(test)]
    fn is_due(&self, id: &ExchangeId, now: Timestamp) -> bool {
        self.wanted(id, now) == Wanted::Now
    }

    /// When the next one is due that was tried before.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let table = self.table();
        let retrying = table.attempts.values().filter(|attempt| attempt.standing == Standing::Retrying);
        retrying.map(|attempt| attempt.at_ms).min().map(Timestamp::from_millis)
    }

    /// An attempt failed; true when the record is given up now.
    pub(super) fn failed(
        &self,
        id: ExchangeId,
        failure: &Failure,
        settings: &WebhookSettings,
        now: Timestamp,
    ) -> bool {
        let mut table = self.table();
        let first_ms = table.attempts.get(&id).map_or(now.as_millis(), |attempt| attempt.first_ms);
        let attempts = table.attempts.get(&id).map_or(0, |attempt| attempt.attempts).saturating_add(1);
        let tried_for = now.since(Timestamp::from_millis(first_ms));
        let given_up =
            failure.gone || attempts >= settings.attempts_max || tried_for >= settings.give_up_after;
        let pause = match failure.retry_after {
            Some(asked) => asked.min(RETRY_AFTER_MAX),
            None => {
                BACKOFF.delays().nth(attempts.min(GROWTH).saturating_sub(1) as usize).unwrap_or(BACKOFF.max)
            }
        };
        let (standing, at) = match given_up {
            true => (Standing::Dead, now),
            false => (Standing::Retrying, now.plus(pause)),
        };
        let (status, why) = (failure.status, failure.why.clone());
        let attempt = Attempt { standing, attempts, first_ms, at_ms: at.as_millis(), status, why };
        table.attempts.insert(id, attempt);
        table.unsaved = true;
        given_up
    }

    /// The system was told of a record that it fetches and confirms itself.
    pub(super) fn announced(&self, id: ExchangeId, now: Timestamp) {
        let mut table = self.table();
        let (first_ms, at_ms) = (now.as_millis(), now.as_millis());
        let standing = Standing::Announced;
        let attempt = Attempt { standing, attempts: 1, first_ms, at_ms, status: None, why: String::new() };
        table.attempts.insert(id, attempt);
        table.unsaved = true;
    }

    /// Nothing is remembered of a record any more: it was taken, or is to be tried anew.
    pub(super) fn forget(&self, id: &ExchangeId) {
        let mut table = self.table();
        if table.attempts.remove(id).is_some() {
            table.unsaved = true;
        }
    }

    /// Tries a record anew that was given up; false when it was not.
    pub(super) fn retry(&self, id: &ExchangeId) -> bool {
        let dead = self.table().attempts.get(id).is_some_and(|attempt| attempt.standing == Standing::Dead);
        if dead {
            self.forget(id);
        }
        dead
    }

    /// What was given up, longest ago first.
    pub(super) fn dead(&self) -> Vec<DeadLetter> {
        let table = self.table();
        let dead = table.attempts.iter().filter(|(_, attempt)| attempt.standing == Standing::Dead);
        let letter = |(id, attempt): (&ExchangeId, &Attempt)| DeadLetter {
            exchange_id: *id,
            attempts: attempt.attempts,
            first_failed_at: Timestamp::from_millis(attempt.first_ms),
            given_up_at: Timestamp::from_millis(attempt.at_ms),
            status: attempt.status,
            why: attempt.why.clone(),
        };
        let mut letters: Vec<_> = dead.map(letter).collect();
        letters.sort_by_key(|letter| (letter.given_up_at, letter.exchange_id));
        letters
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for attempt in self.table().attempts.values() {
            match attempt.standing {
                Standing::Retrying => counts.retrying += 1,
                Standing::Dead => counts.dead += 1,
                Standing::Announced => counts.announced += 1,
            }
        }
        counts
    }

    /// Has the next [`Attempts::save`] look which records are still there.
    pub(super) fn look_through(&self) {
        self.table().unsaved = true;
    }

    /// Writes what has changed, without the records that are not `there` any more. Blocking.
    pub(super) fn save(&self, there: impl FnOnce() -> HashSet<ExchangeId>) -> io::Result<()> {
        if !std::mem::take(&mut self.table().unsaved) {
            return Ok(());
        }
        let there = there();
        let stored = {
            let mut table = self.table();
            table.attempts.retain(|id, _| there.contains(id));
            let attempts = table.attempts.iter().map(|(id, attempt)| (*id, attempt.clone())).collect();
            Stored { format: FORMAT, attempts }
        };
        let saved = serde_json::to_vec(&stored).map_err(io::Error::other);
        let saved = saved.and_then(|bytes| files::replace(&self.path, &bytes, PRIVATE));
        if saved.is_err() {
            self.table().unsaved = true;
        }
        saved
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;
    use crate::webhooks::settings::tests::settings;

    const NOW: Timestamp = Timestamp::from_seconds(1_768_478_400);

    fn id(ms: u64) -> ExchangeId {
        ExchangeId::draw(Timestamp::from_millis(ms), &SystemRandom::new()).unwrap()
    }

    #[test]
    fn a_record_is_tried_again_later_and_later_and_then_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let attempts = Attempts::open(&folder.path().join("a.json")).unwrap();
        let (one, settings) = (id(1), settings("a", 4, Duration::from_secs(1_000)));
        let failure = Failure::of(503, "HTTP 503");
        assert!(attempts.is_due(&one, NOW) && attempts.next_due().is_none());
        let mut now = NOW;
        for times in 1..4_u32 {
            assert!(!attempts.failed(one, &failure, &settings, now));
            assert!(!attempts.is_due(&one, now));
            let pause = attempts.next_due().unwrap().since(now);
            let least = Duration::from_secs(1 << (times - 1));
            assert!(pause >= least && pause <= least * 2, "{pause:?} after {times}");
            now = now.plus(pause);
            assert!(attempts.is_due(&one, now));
        }
        assert!(attempts.failed(one, &failure, &settings, now));
        assert!(!attempts.is_due(&one, now.plus(Duration::from_secs(1 << 30))));
        let letter = &attempts.dead()[0];
        assert_eq!((letter.exchange_id, letter.attempts, letter.status), (one, 4, Some(503)));
        assert!(attempts.retry(&one) && !attempts.retry(&one) && attempts.is_due(&one, NOW));
    }

    #[test]
    fn time_and_a_system_that_is_gone_end_it_too_and_a_wish_to_wait_is_kept_within_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let attempts = Attempts::open(&folder.path().join("a.json")).unwrap();
        let settings = settings("a", 1_000, Duration::from_secs(60));
        let failure = Failure::of(500, "HTTP 500");
        assert!(!attempts.failed(id(1), &failure, &settings, NOW));
        let (late, gone) = (id(2), id(3));
        assert!(!attempts.failed(late, &failure, &settings, NOW));
        assert!(attempts.failed(late, &failure, &settings, NOW.plus(Duration::from_secs(60))));
        assert!(attempts.failed(gone, &Failure { gone: true, ..failure.clone() }, &settings, NOW));
        for (asked, kept) in [(90, 90), (1 << 40, 6 * 3_600)] {
            let waiting = Attempts::open(&folder.path().join("b.json")).unwrap();
            let retry_after = Some(Duration::from_secs(asked));
            assert!(!waiting.failed(id(4), &Failure { retry_after, ..failure.clone() }, &settings, NOW));
            assert_eq!(waiting.next_due().unwrap().since(NOW), Duration::from_secs(kept));
        }
    }

    #[test]
    fn it_outlives_a_stop_without_what_is_not_there_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let settings = settings("a", 2, Duration::from_secs(1_000));
        let attempts = Attempts::open(&path).unwrap();
        let (one, two, three) = (id(1), id(2), id(3));
        let failure = Failure::of(503, "HTTP 503");
        for id in [one, one, two, three] {
            attempts.failed(id, &failure, &settings, NOW);
        }
        attempts.announced(two, NOW);
        attempts.save(|| [one, two].into()).unwrap();
        let attempts = Attempts::open(&path).unwrap();
        assert_eq!(attempts.counts(), Counts { retrying: 0, dead: 1, announced: 1 });
        assert!(attempts.is_due(&three, NOW) && !attempts.is_due(&two, NOW));
        std::fs::write(&path, b"{").unwrap();
        assert!(Attempts::open(&path).unwrap().is_due(&one, NOW));
    }
}
