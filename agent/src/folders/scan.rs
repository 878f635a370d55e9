//! Which files of `outbox` are finished: those whose size and time have not changed for a while, with their sidecar.
//!
//! A program that renames a whole file into place is never caught half-way; one that writes under the final name is
//! given `settle_s` of silence, and what it writes later is still noticed before the file is sent.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::time::Duration;

use rustix::fs::FileType;
use tokio::time::Instant;

use super::names::{Named, SIDECAR, read};
use super::refusal::Refusal;
use crate::landing::place::{Place, Stamp};

/// Names that are looked at in one round.
const NAMES_MAX: usize = 100_000;

/// What was seen before.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    seen: HashMap<OsString, (Stamp, Instant)>,
}

/// A finished file.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) name: String,
    pub(super) stamp: Stamp,
    pub(super) has_sidecar: bool,
}

/// One look at a folder.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) ready: Vec<Ready>,
    /// What can never be sent.
    pub(super) refused: Vec<(OsString, Refusal)>,
    /// Files that are not finished, or wait for their sidecar, and sidecars that wait for their file.
    pub(super) waiting: usize,
}

impl Scanner {
    /// Looks. `settle`: how long a file must stay as it is; `required`: only with a sidecar.
    pub(super) fn look(&mut self, place: &Place, settle: Duration, required: bool) -> io::Result<Look> {
        let now = Instant::now();
        let mut seen = HashMap::new();
        for name in place.names(NAMES_MAX)? {
            if read(&name) == Named::Unfinished {
                continue;
            }
            let Some((kind, stamp)) = place.look(&name)? else { continue };
            if kind == FileType::Directory {
                continue;
            }
            let since =
                self.seen.get(&name).filter(|(before, _)| *before == stamp).map_or(now, |(_, at)| *at);
            seen.insert(name, (stamp, since));
        }
        self.seen = seen;
        let settled =
            |name: &OsStr| self.seen.get(name).map(|(_, since)| now.duration_since(*since) >= settle);
        let mut look = Look::default();
        for (name, (stamp, _)) in &self.seen {
            let settled_here = settled(name) == Some(true);
            match read(name) {
                Named::Unfinished => {}
                // It goes with its file.
                Named::SidecarOf(file) if self.seen.contains_key(OsStr::new(file)) => {}
                Named::SidecarOf(_) => look.waiting += 1,
                _ if !settled_here => look.waiting += 1,
                Named::Unusable => look.refused.push((name.clone(), Refusal::unusable_name())),
                Named::File(_) if !stamp.is_file => look.refused.push((name.clone(), Refusal::not_a_file())),
                Named::File(_) if stamp.links > 1 => look.refused.push((name.clone(), Refusal::linked())),
                Named::File(file) => match settled(format!("{file}{SIDECAR}").as_ref()) {
                    Some(false) => look.waiting += 1,
                    None if required => look.waiting += 1,
                    sidecar => look.ready.push(Ready {
                        name: file.to_owned(),
                        stamp: *stamp,
                        has_sidecar: sidecar.is_some(),
                    }),
                },
            }
        }
        // The oldest first, as far as the file system can tell; names decide between equals.
        look.ready.sort_by(|one, other| {
            (one.stamp.modified(), &one.name).cmp(&(other.stamp.modified(), &other.name))
        });
        Ok(look)
    }
}
