//! What opening does with the last segment: finds its end, and cuts a batch that a crash left half-written.
//!
//! Only the last batch can be torn, since each is synced before the next is written. So a batch that does not check is cut when
//! nothing valid follows it, and is an error when something does: durable bytes have changed. Everything after the cut is
//! overwritten with zeros, so that what stood there can never come back behind a shorter batch.
//!
//! The last whole batch may have been written and never synced: its writer was killed in between, or its sync failed. What is read
//! here may then be the page cache's alone, so that batch is written once more and synced before anybody is shown it.

use crate::JournalError;
use crate::disk::Disk;
use crate::frame::{self, HEAD_BYTES, Head, Link, NotFrame};
use crate::segment::{self, Segment};
use std::io;
use std::os::unix::fs::FileExt;

/// Where the last segment ends.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) end: u64,
    pub(crate) next: Link,
    pub(crate) entries: u64,
    /// Bytes of a torn batch that were cut; 0 after a clean stop.
    pub(crate) cut_bytes: u64,
}

/// Scans the segment, cuts a torn tail, and leaves zeros behind it, durably.
pub(crate) fn recover(segment: &Segment, disk: &dyn Disk) -> Result<Tail, JournalError> {
    let mut tail = Tail { end: segment::HEAD_BYTES as u64, next: segment.first, entries: 0, cut_bytes: 0 };
    let mut last_batch = tail.end;
    loop {
        match read_frame(segment, tail.end, tail.next).map_err(failed(segment))? {
            Ok((head, frame)) => {
                last_batch = tail.end;
                tail.end += frame.bytes as u64;
                tail.next = frame.next;
                tail.entries += u64::from(head.count);
            }
            Err(reason) => {
                settle(segment, &mut tail, reason, disk)?;
                persist(segment, last_batch, tail.end, disk).map_err(failed(segment))?;
                return Ok(tail);
            }
        }
    }
}

fn failed(segment: &Segment) -> impl FnOnce(io::Error) -> JournalError {
    JournalError::io("cannot recover segment", format!("{:016x}", segment.id))
}

fn settle(segment: &Segment, tail: &mut Tail, reason: NotFrame, disk: &dyn Disk) -> Result<(), JournalError> {
    let Some(last) = last_written(segment, tail.end).map_err(failed(segment))? else { return Ok(()) };
    if later_batch(segment, tail, last).map_err(failed(segment))? {
        let what = match reason {
            NotFrame::Blank => "a batch is gone, and later ones are there",
            NotFrame::Damaged(what) => what,
        };
        return Err(JournalError::Corrupt { segment: segment.id, offset: tail.end, what });
    }
    tail.cut_bytes = last - tail.end;
    let mut at = tail.end;
    let zeros = vec![0; 64 << 10];
    while at < last {
        let bytes = usize::try_from(last - at).unwrap_or(zeros.len()).min(zeros.len());
        disk.write(&segment.file, at, &zeros[..bytes]).map_err(failed(segment))?;
        at += bytes as u64;
    }
    disk.sync(&segment.file).map_err(failed(segment))
}

/// Makes the batch from `start` to `end` durable. Written again, not only synced: after a failed sync the kernel counts its pages
/// as clean, and a second sync would succeed without them.
fn persist(segment: &Segment, start: u64, end: u64, disk: &dyn Disk) -> io::Result<()> {
    let bytes = usize::try_from(end - start).map_err(io::Error::other)?;
    let mut batch = vec![0; bytes];
    segment.file.read_exact_at(&mut batch, start)?;
    disk.write(&segment.file, start, &batch)?;
    disk.sync(&segment.file)
}

/// Reads the batch at `offset`; the inner error says why there is none.
pub(crate) fn read_frame(
    segment: &Segment,
    offset: u64,
    expected: Link,
) -> io::Result<Result<(Head, frame::Frame), NotFrame>> {
    let Some(head_bytes) = read_head(segment, offset)? else { return Ok(Err(NotFrame::Blank)) };
    let head = match frame::head(&head_bytes) {
        Ok(head) => head,
        Err(reason) => return Ok(Err(reason)),
    };
    let bytes = HEAD_BYTES as u64 + u64::from(head.body_bytes);
    if offset.saturating_add(bytes) > segment.bytes {
        return Ok(Err(NotFrame::Damaged("a batch runs past its segment")));
    }
    if head.link != expected {
        return Ok(Err(NotFrame::Damaged("a batch is out of its order")));
    }
    let mut buffer = vec![0; HEAD_BYTES + head.body_bytes as usize];
    segment.file.read_exact_at(&mut buffer, offset)?;
    Ok(frame::check(&head, &buffer, expected, &segment.salt).map(|frame| (head, frame)))
}

fn read_head(segment: &Segment, offset: u64) -> io::Result<Option<[u8; HEAD_BYTES]>> {
    if offset + HEAD_BYTES as u64 > segment.bytes {
        return Ok(None);
    }
    let mut head = [0; HEAD_BYTES];
    segment.file.read_exact_at(&mut head, offset)?;
    Ok(Some(head))
}

/// One past the last byte that is not zero, from `from` on; none when all is blank.
fn last_written(segment: &Segment, from: u64) -> io::Result<Option<u64>> {
    let (mut at, mut last) = (from, None);
    let mut block = vec![0; 256 << 10];
    while at < segment.bytes {
        let bytes = usize::try_from(segment.bytes - at).unwrap_or(block.len()).min(block.len());
        segment.file.read_exact_at(&mut block[..bytes], at)?;
        if let Some(index) = block[..bytes].iter().rposition(|byte| *byte != 0) {
            last = Some(at + index as u64 + 1);
        }
        at += bytes as u64;
    }
    Ok(last)
}

/// Whether a whole, valid batch with a later number begins anywhere between the damage and `last`, behind which all is blank.
fn later_batch(segment: &Segment, tail: &Tail, last: u64) -> io::Result<bool> {
    let written = usize::try_from(last - tail.end).unwrap_or(0);
    // The whole rest, since a batch may itself end in zeros.
    let rest = usize::try_from(segment.bytes - tail.end).unwrap_or(0);
    let mut bytes = vec![0; rest];
    segment.file.read_exact_at(&mut bytes, tail.end)?;
    for at in 1..written {
        let Some(Ok(head)) =
            bytes.get(at..at + HEAD_BYTES).and_then(|head| head.try_into().ok()).map(frame::head)
        else {
            continue;
        };
        if head.link.sequence <= tail.next.sequence {
            continue;
        }
        let end = at.saturating_add(HEAD_BYTES).saturating_add(head.body_bytes as usize);
        let Some(whole) = bytes.get(at..end) else { continue };
        if frame::check(&head, whole, head.link, &segment.salt).is_ok() {
            return Ok(true);
        }
    }
    Ok(false)
}
