//! The log as this agent has seen it: the largest checkpoint whose signature it verified, kept on disk.
//!
//! A log only grows. Its key may not sign a smaller tree after a larger one was shown, nor two trees of one size: either
//! is told as an alarm, in the status and in the agent's log. Two trees of one size are proof, since both are signed; both
//! notes are kept in `checkpoint.json` for whoever investigates, and the alarm stays until that file is put away.
//! A smaller one may be an old copy: the alarm lasts as long as that is what the gateway shows.
//!
//! Trust: the file is this agent's memory; whoever removes it makes the agent begin anew.

mod follow;
mod stored;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use passerelle_pki::clock::{SharedClock, Timestamp};
use passerelle_proto::tlog::checkpoint::{CheckpointError, VerifiedCheckpoint};
use passerelle_proto::tlog::vkey::NoteVerifier;

pub(crate) use follow::{FollowError, Follower};
use stored::{FILE, Kept, Stored};

/// Why the log's checkpoint is not kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointsError {
    /// The file.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What the gateway shows is no checkpoint of the log that it named at enrolment. The gateway is at fault.
    #[error("le point de contrôle reçu n'est pas digne de foi / the checkpoint received is not believed")]
    NotBelieved(#[source] CheckpointError),
    /// What the gateway shows contradicts what it has signed before. The gateway is at fault.
    #[error("{0}")]
    Contradiction(Contradiction),
}

/// How the log contradicts itself.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// It is smaller than it was.
    #[error(
        "le journal montre {shown} entrées après en avoir signé {seen} ; avertissez votre responsable et \
         l'administrateur de la passerelle / the log shows {shown} entries after it signed {seen}; tell your officer and \
         the gateway's administrator"
    )]
    Shrunk {
        /// Entries that it shows now.
        shown: u64,
        /// Entries that it had shown.
        seen: u64,
    },
    /// It has signed two trees of one size.
    #[error(
        "le journal a signé deux arbres différents de {0} entrées ; conservez checkpoint.json, c'est une preuve, et \
         avertissez votre responsable / the log has signed two different trees of {0} entries; keep checkpoint.json, it is \
         proof, and tell your officer"
    )]
    Forked(u64),
}

/// The largest checkpoint seen.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Entries under it.
    pub(crate) size: u64,
    /// When the log last showed one that fits.
    pub(crate) at: Timestamp,
}

/// What was seen of the log. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoints(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    clock: SharedClock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    largest: Option<(VerifiedCheckpoint, Timestamp)>,
    /// The two notes that prove a fork.
    forked: Option<[Kept; 2]>,
    alarm: Option<Contradiction>,
}

impl Checkpoints {
    /// Reads what was kept in the data folder, as far as `key` signed it. Blocking.
    pub(crate) fn open(
        data_dir: &Path,
        key: Option<&NoteVerifier>,
        clock: SharedClock,
    ) -> Result<Self, CheckpointsError> {
        let path = data_dir.join(FILE);
        let mut state = State::default();
        if let (Some(stored), Some(key)) = (Stored::read(&path)?, key) {
            state = State::of(stored, key);
        }
        Ok(Self(Arc::new(Inner { path, clock, state: Mutex::new(state) })))
    }

    /// The largest checkpoint seen.
    pub(crate) fn seen(&self) -> Option<Seen> {
        let state = self.state();
        state.largest.as_ref().map(|(largest, at)| Seen { size: largest.size(), at: *at })
    }

    /// The same, as it was verified.
    pub(crate) fn largest(&self) -> Option<VerifiedCheckpoint> {
        self.state().largest.as_ref().map(|(largest, _)| largest.clone())
    }

    /// How the log contradicts itself, when it does.
    pub(crate) fn alarm(&self) -> Option<Contradiction> {
        self.state().alarm
    }

    /// Takes what the gateway shows. What is new is durable when this returns. Blocking.
    ///
    /// # Errors
    /// [`CheckpointsError`]; what was seen before stays.
    pub(crate) fn take(&self, note: &[u8], key: &NoteVerifier) -> Result<Seen, CheckpointsError> {
        let shown = VerifiedCheckpoint::open(note, key).map_err(CheckpointsError::NotBelieved)?;
        let now = self.0.clock.now();
        let mut state = self.state();
        if let Some(contradiction) = state.contradiction(&shown) {
            state.alarm = Some(contradiction);
            if let (Contradiction::Forked(_), None, Some((largest, at))) =
                (contradiction, &state.forked, &state.largest)
            {
                state.forked = Some([Kept::of(largest, *at), Kept::of(&shown, now)]);
                state.write(&self.0.path)?;
            }
            return Err(CheckpointsError::Contradiction(contradiction));
        }
        let size = shown.size();
        let grown = state.largest.as_ref().is_none_or(|(largest, _)| largest.size() < size);
        let before = state.largest.replace((shown, now));
        // The same size again is no news worth the disk; the moment is kept with the next growth.
        if grown && let Err(error) = state.write(&self.0.path) {
            state.largest = before;
            return Err(error);
        }
        if state.forked.is_none() {
            state.alarm = None;
        }
        Ok(Seen { size, at: now })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What was stored, verified again: the file is not believed more than the gateway.
    fn of(stored: Stored, key: &NoteVerifier) -> Self {
        let Ok(largest) = VerifiedCheckpoint::open(stored.largest.note.as_bytes(), key) else {
            tracing::warn!("the checkpoint kept is not of the log's present key; beginning anew");
            return Self::default();
        };
        let opened = |kept: &Kept| VerifiedCheckpoint::open(kept.note.as_bytes(), key).ok();
        let forked = stored.forked.filter(|notes| notes.iter().all(|kept| opened(kept).is_some()));
        let size = forked.as_ref().and_then(|[first, _]| opened(first)).map(|first| first.size());
        let alarm = size.map(Contradiction::Forked);
        let at = Timestamp::from_millis(stored.largest.seen_ms);
        Self { largest: Some((largest, at)), forked, alarm }
    }

    fn contradiction(&self, shown: &VerifiedCheckpoint) -> Option<Contradiction> {
        let (largest, _) = self.largest.as_ref()?;
        if shown.size() < largest.size() {
            return Some(Contradiction::Shrunk { shown: shown.size(), seen: largest.size() });
        }
        (shown.size() == largest.size() && shown.root() != largest.root())
            .then_some(Contradiction::Forked(shown.size()))
    }

    fn write(&self, path: &Path) -> Result<(), CheckpointsError> {
        let Some((largest, at)) = &self.largest else { return Ok(()) };
        Stored::new(Kept::of(largest, *at), self.forked.clone()).write(path)
    }
}
