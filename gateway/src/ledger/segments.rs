//! Dropping journal segments that nothing needs any more: their events are published, and no recipient waits for a
//! record in them. Off the sequencer's thread.

use std::collections::BTreeSet;

use passerelle_journal::Journal;

use super::LedgerError;
use crate::log::Tail;
use crate::view::{View, ViewError};

/// Drops what can go; gives how many segments.
pub(super) fn drop_unneeded(journal: &Journal, view: &View, tail: &Tail) -> Result<usize, LedgerError> {
    let unreadable = |error: ViewError| LedgerError::Internal(error.to_string());
    // Chosen before the waiting records are looked at: what is accepted meanwhile lies in a later segment.
    let Some(published) = tail.published_mark() else { return Ok(0) };
    let applied = view.meta().map_err(unreadable)?.journal_position();
    let first_needed = applied.map_or(0, |applied| applied.segment.min(published.position.segment));
    let mut candidates: BTreeSet<u64> = journal
        .segments()
        .into_iter()
        .filter(|segment| !segment.open && segment.id < first_needed)
        .map(|segment| segment.id)
        .collect();
    if candidates.is_empty() {
        return Ok(0);
    }
    for waiting in view.waiting() {
        let (_id, row) = waiting.map_err(unreadable)?;
        if let Some(position) = row.journal_position() {
            candidates.remove(&position.segment);
        }
        if candidates.is_empty() {
            break;
        }
    }
    let mut dropped = 0;
    for segment in candidates {
        match journal.drop_segment(segment) {
            Ok(done) => dropped += usize::from(done),
            Err(error) => {
                tracing::warn!(
                    segment,
                    error = &error as &dyn std::error::Error,
                    "a segment cannot be dropped"
                );
            }
        }
    }
    Ok(dropped)
}
