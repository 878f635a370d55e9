//! Reading entries in order, batch by batch, across segments.

use crate::frame::{self, ENTRY_HEAD_BYTES, HEAD_BYTES, Link, NotFrame};
use crate::segment::{self, Segment};
use crate::{JournalError, Position};
use bytes::Bytes;
use std::collections::VecDeque;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// One entry as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub position: Position,
    /// Where to read on after it.
    pub next: Position,
    /// Its bytes.
    pub payload: Bytes,
}

/// Iterates over what was durable when it was made. Holds one batch in memory.
///
/// After an error it gives nothing more. A segment whose batches are fewer than the next segment's head says is an error, so
/// truncation does not pass for an end.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    /// Segments still to be read, after the current one.
    waiting: VecDeque<u64>,
    current: Option<Current>,
    batch: VecDeque<Entry>,
    from: Position,
    end: Position,
    /// Last segment read and the link that the following one must begin with.
    chain: Option<(u64, Link)>,
}

#[derive(Debug)]
struct Current {
    segment: Segment,
    offset: u64,
    next: Link,
}

impl Reader {
    pub(crate) fn start(
        folder: &Path,
        segments: &[u64],
        from: Position,
        end: Position,
    ) -> Result<Self, JournalError> {
        if from != Position::START && from < end && !segments.contains(&from.segment) {
            return Err(JournalError::NoEntry(from));
        }
        let waiting =
            segments.iter().copied().filter(|id| *id >= from.segment && *id <= end.segment).collect();
        Ok(Self {
            folder: folder.to_path_buf(),
            waiting,
            current: None,
            batch: VecDeque::new(),
            from,
            end,
            chain: None,
        })
    }

    fn stop(&mut self) {
        self.waiting.clear();
        self.current = None;
        self.batch.clear();
    }

    /// Fills `batch` with the next one; false at the end.
    fn advance(&mut self) -> Result<bool, JournalError> {
        loop {
            let Some(current) = &mut self.current else {
                let Some(id) = self.waiting.pop_front() else { return Ok(false) };
                let segment = segment::open(&self.folder, id, false)?;
                check_chain(self.chain, &segment)?;
                self.current =
                    Some(Current { next: segment.first, offset: segment::HEAD_BYTES as u64, segment });
                continue;
            };
            let id = current.segment.id;
            if (Position { segment: id, offset: current.offset }) >= self.end {
                return Ok(false);
            }
            match read_batch(current)? {
                Some(entries) => {
                    self.batch.extend(entries.into_iter().filter(|entry| entry.position >= self.from));
                    if !self.batch.is_empty() {
                        return Ok(true);
                    }
                }
                None => {
                    self.chain = Some((id, current.next));
                    self.current = None;
                }
            }
        }
    }
}

fn check_chain(chain: Option<(u64, Link)>, segment: &Segment) -> Result<(), JournalError> {
    match chain {
        Some((before, link)) if before + 1 == segment.id && link != segment.first => {
            Err(JournalError::Corrupt {
                segment: before,
                offset: segment::HEAD_BYTES as u64,
                what: "the segment has lost batches that the next one builds on",
            })
        }
        _ => Ok(()),
    }
}

/// The entries of the batch at the current offset; none where the segment ends.
fn read_batch(current: &mut Current) -> Result<Option<Vec<Entry>>, JournalError> {
    let Current { segment, offset, next } = current;
    let (id, start) = (segment.id, *offset);
    let corrupt = |what| JournalError::Corrupt { segment: id, offset: start, what };
    let failed = |error| JournalError::io("cannot read segment", format!("{id:016x}"))(error);
    if start + HEAD_BYTES as u64 > segment.bytes {
        return Ok(None);
    }
    let mut head_bytes = [0; HEAD_BYTES];
    segment.file.read_exact_at(&mut head_bytes, start).map_err(failed)?;
    let head = match frame::head(&head_bytes) {
        Ok(head) => head,
        Err(NotFrame::Blank) => return Ok(None),
        Err(NotFrame::Damaged(what)) => return Err(corrupt(what)),
    };
    if start + HEAD_BYTES as u64 + u64::from(head.body_bytes) > segment.bytes {
        return Err(corrupt("a batch runs past its segment"));
    }
    let mut buffer = vec![0; HEAD_BYTES + head.body_bytes as usize];
    segment.file.read_exact_at(&mut buffer, start).map_err(failed)?;
    let buffer = Bytes::from(buffer);
    let checked = frame::check(&head, &buffer, *next, &segment.salt).map_err(|reason| match reason {
        NotFrame::Blank => corrupt("a batch is gone"),
        NotFrame::Damaged(what) => corrupt(what),
    })?;
    *offset += buffer.len() as u64;
    *next = checked.next;
    Ok(Some(entries(&buffer, id, start)))
}

/// Slices a checked batch without copying.
fn entries(batch: &Bytes, segment: u64, start: u64) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut at = HEAD_BYTES;
    while let Ok((payload, _)) = frame::entry(&batch[at..]) {
        let end = at + ENTRY_HEAD_BYTES + payload.len();
        found.push(Entry {
            position: Position { segment, offset: start + at as u64 },
            next: Position { segment, offset: start + end as u64 },
            payload: batch.slice(at + ENTRY_HEAD_BYTES..end),
        });
        at = end;
        if at == batch.len() {
            break;
        }
    }
    found
}

/// One entry by its position.
pub(crate) fn entry_at(folder: &Path, position: Position) -> Result<Bytes, JournalError> {
    let segment = segment::open(folder, position.segment, false)?;
    let failed = |error| JournalError::io("cannot read", segment::path(folder, position.segment))(error);
    let corrupt = |what| JournalError::Corrupt { segment: position.segment, offset: position.offset, what };
    let mut head = [0; ENTRY_HEAD_BYTES];
    if position.offset.saturating_add(ENTRY_HEAD_BYTES as u64) > segment.bytes {
        return Err(JournalError::NoEntry(position));
    }
    segment.file.read_exact_at(&mut head, position.offset).map_err(failed)?;
    let length = frame::entry_length(head);
    if position.offset + ENTRY_HEAD_BYTES as u64 + u64::from(length) > segment.bytes {
        return Err(corrupt("an entry runs past its segment"));
    }
    let mut buffer = vec![0; ENTRY_HEAD_BYTES + length as usize];
    segment.file.read_exact_at(&mut buffer, position.offset).map_err(failed)?;
    match frame::entry(&buffer) {
        Ok(_) => Ok(Bytes::from(buffer).slice(ENTRY_HEAD_BYTES..)),
        Err(NotFrame::Damaged(what)) => Err(corrupt(what)),
        Err(NotFrame::Blank) => Err(JournalError::NoEntry(position)),
    }
}

impl Iterator for Reader {
    type Item = Result<Entry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.batch.is_empty() {
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.stop();
                    return Some(Err(error));
                }
            }
        }
        self.batch.pop_front().map(Ok)
    }
}
