//! Recovery: what an earlier run left in the journal, in the published log and in the view becomes one consistent
//! state again.
//!
//! The journal says what is durable, the published log what was signed; both must tell the same events, and the log is
//! never continued from anything shorter or different. The view is used as far as it agrees with them, caught up when
//! it is behind, and made again when it is damaged, ahead, of another log, or gone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use passerelle_journal::{Journal, JournalError, Position, Reader};

use super::catch_up::{CatchUp, Fault};
use super::{Commit, OpenError, Settings};
use crate::log::{Entries, Mark, Publisher};
use crate::state::State;
use crate::view::View;

/// Where things stand.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) view: View,
    pub(super) state: State,
    /// Time of the last event, milliseconds since the UNIX epoch.
    pub(super) last_ms: u64,
}

/// Recovers; fills the publisher's tail with what is not published yet.
pub(super) fn recover(
    settings: &Settings,
    journal: &Journal,
    publisher: &Publisher,
    entries: &Entries,
) -> Result<Recovered, OpenError> {
    let origin = &settings.origin.origin;
    let attempt = |view: View| catch_up(settings, journal, publisher, entries, view);
    // sled may panic on a damaged file, wherever it is read.
    let tried = catch_unwind(AssertUnwindSafe(|| match View::open(&settings.view, origin) {
        Ok(view) => attempt(view).map_err(|fault| fault.to_string()),
        Err(error) => Err(error.to_string()),
    }));
    let why = match tried {
        Ok(Ok(recovered)) => return Ok(recovered),
        Ok(Err(why)) => why,
        Err(_panic) => "sled panicked".to_owned(),
    };
    // Whether the view or what it is derived from was at fault shows when a new one meets the same.
    tracing::warn!(why, "the view is made again from the log");
    let view = View::recreate(&settings.view, origin).map_err(OpenError::View)?;
    attempt(view).map_err(Fault::into_open_error)
}

fn catch_up(
    settings: &Settings,
    journal: &Journal,
    publisher: &Publisher,
    entries: &Entries,
    view: View,
) -> Result<Recovered, Fault> {
    let mut catch_up = CatchUp::new(settings, publisher, entries, view)?;
    let (reader, known) = start(journal, catch_up.view(), publisher.size())?;
    let mut next = None;
    for entry in reader {
        let entry = entry.map_err(|error| Fault::Open(OpenError::Journal(error)))?;
        let commit =
            Commit::from_entry(entry.payload).map_err(|error| Fault::Open(OpenError::Commit(error)))?;
        let expected = next.unwrap_or_else(|| catch_up.state_from().min(commit.first_leaf));
        if commit.first_leaf < expected {
            return Err(Fault::Open(OpenError::Altered(commit.first_leaf)));
        }
        // Segments between that nothing needed were dropped: their events are in the published log.
        catch_up.take_from_log(expected, commit.first_leaf)?;
        catch_up.commit(&commit, entry.position, entry.next)?;
        next = Some(commit.end());
    }
    let published = publisher.size();
    if let Some(end) = next.or(known).filter(|end| *end < published) {
        return Err(Fault::Open(OpenError::JournalBehind { published, journal: end }));
    }
    if next.is_none() {
        // The journal has nothing more: the rest is in the published log.
        catch_up.take_from_log(catch_up.state_from(), published)?;
    }
    catch_up.finish(&publisher.tail())
}

/// Where to read the journal from, and the leaf that is known to be there: at or before the first event that the view
/// lacks, and at or before the first that is not published.
fn start(journal: &Journal, view: &View, published: u64) -> Result<(Reader, Option<u64>), Fault> {
    let meta = view.meta()?;
    let mark = view.published()?.filter(|mark| mark.end <= published);
    let chosen = match (meta.journal_position(), mark) {
        (Some(applied), Some(mark)) if meta.applied > 0 => {
            let behind = Mark { end: meta.applied, position: applied };
            Some(if behind.position < mark.position { behind } else { mark })
        }
        _ => None,
    };
    if let Some(mark) = chosen {
        match journal.read_from(mark.position) {
            Ok(reader) => return Ok((reader, Some(mark.end))),
            Err(JournalError::NoEntry(_)) => {}
            Err(error) => return Err(Fault::Open(OpenError::Journal(error))),
        }
    }
    let reader =
        journal.read_from(Position::START).map_err(|error| Fault::Open(OpenError::Journal(error)))?;
    Ok((reader, None))
}
