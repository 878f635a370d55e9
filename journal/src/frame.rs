//! The bytes of a batch in a segment: a 32-byte head, then the entries, each with its length and checksum.
//!
//! ```text
//! head   magic "PSLB" | count u32 | body bytes u32 | zero u32 | sequence u64 | previous u32 | checksum u32
//! entry  length u32 | CRC-32C of the payload u32 | payload
//! ```
//! All numbers are little-endian. The head's checksum is CRC-32C over the segment's salt, the head before the checksum, and
//! the eight bytes before each payload. `previous` is the checksum of the batch before, so batches form a chain; the salt is
//! random and never leaves the journal, so that no payload can contain bytes that pass for a batch.

use crc32c::{crc32c, crc32c_append};

/// Bytes of a batch's head.
pub(crate) const HEAD_BYTES: usize = 32;
/// Bytes before each entry's payload.
pub(crate) const ENTRY_HEAD_BYTES: usize = 8;
const MAGIC: [u8; 4] = *b"PSLB";
const CHECKED_BYTES: usize = HEAD_BYTES - 4;

/// A segment's secret, drawn when it is created.
pub(crate) type Salt = [u8; 16];

/// Place of a batch in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Number of the batch since the journal was created.
    pub(crate) sequence: u64,
    /// Checksum of the batch before.
    pub(crate) previous: u32,
}

/// A batch that passed every check.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Head and entries, in bytes.
    pub(crate) bytes: usize,
    /// The link that the next batch must carry.
    pub(crate) next: Link,
}

/// Why bytes are not a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotFrame {
    /// Zeros: nothing was written here.
    Blank,
    /// Something else, by name.
    Damaged(&'static str),
}

/// Bytes that `entries` will take.
pub(crate) fn encoded_bytes<E: AsRef<[u8]>>(entries: &[E]) -> usize {
    entries.iter().map(|entry| ENTRY_HEAD_BYTES + entry.as_ref().len()).sum::<usize>() + HEAD_BYTES
}

/// Encodes a batch, and gives each entry's offset in it and the link for the next batch.
///
/// The caller has checked that the whole is under 4 GiB.
#[expect(clippy::cast_possible_truncation, reason = "the caller bounds batches far under 4 GiB")]
pub(crate) fn encode<E: AsRef<[u8]>>(entries: &[E], link: Link, salt: &Salt) -> (Vec<u8>, Vec<u64>, Link) {
    let total = encoded_bytes(entries);
    let mut bytes = Vec::with_capacity(total);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&((total - HEAD_BYTES) as u32).to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&link.sequence.to_le_bytes());
    bytes.extend_from_slice(&link.previous.to_le_bytes());
    let mut checksum = crc32c_append(crc32c(salt), &bytes);
    bytes.extend_from_slice(&[0; 4]);

    let mut offsets = Vec::with_capacity(entries.len());
    for entry in entries {
        let payload = entry.as_ref();
        offsets.push(bytes.len() as u64);
        let head = entry_head(payload);
        checksum = crc32c_append(checksum, &head);
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(payload);
    }
    bytes[CHECKED_BYTES..HEAD_BYTES].copy_from_slice(&checksum.to_le_bytes());
    (bytes, offsets, Link { sequence: link.sequence + 1, previous: checksum })
}

#[expect(clippy::cast_possible_truncation, reason = "entries are bounded by a u32")]
fn entry_head(payload: &[u8]) -> [u8; ENTRY_HEAD_BYTES] {
    let length = payload.len() as u32;
    (u64::from(crc32c(payload)) << 32 | u64::from(length)).to_le_bytes()
}

/// What a head says of itself, not yet checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) count: u32,
    pub(crate) body_bytes: u32,
    pub(crate) link: Link,
    checksum: u32,
}

/// Reads a head. `Blank` where there are zeros.
pub(crate) fn head(bytes: &[u8; HEAD_BYTES]) -> Result<Head, NotFrame> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Err(NotFrame::Blank);
    }
    if bytes[..4] != MAGIC || bytes[12..16] != [0; 4] {
        return Err(NotFrame::Damaged("no batch begins here"));
    }
    let head = Head {
        count: number(bytes, 4),
        body_bytes: number(bytes, 8),
        link: Link {
            sequence: u64::from(number(bytes, 20)) << 32 | u64::from(number(bytes, 16)),
            previous: number(bytes, 24),
        },
        checksum: number(bytes, 28),
    };
    let least = u64::from(head.count) * ENTRY_HEAD_BYTES as u64;
    if head.count == 0 || u64::from(head.body_bytes) < least {
        return Err(NotFrame::Damaged("a batch's head contradicts itself"));
    }
    Ok(head)
}

/// Checks a whole batch: `bytes` is its head and the `body_bytes` that the head names.
pub(crate) fn check(head: &Head, bytes: &[u8], expected: Link, salt: &Salt) -> Result<Frame, NotFrame> {
    if head.link != expected {
        return Err(NotFrame::Damaged("a batch is out of its order"));
    }
    let mut checksum = crc32c_append(crc32c(salt), &bytes[..CHECKED_BYTES]);
    let mut rest = &bytes[HEAD_BYTES..];
    for _ in 0..head.count {
        let (payload, after) = entry(rest)?;
        checksum = crc32c_append(checksum, &entry_head(payload));
        rest = after;
    }
    if !rest.is_empty() {
        return Err(NotFrame::Damaged("a batch is longer than its entries"));
    }
    if checksum != head.checksum {
        return Err(NotFrame::Damaged("a batch fails its checksum"));
    }
    let next = Link { sequence: expected.sequence + 1, previous: checksum };
    Ok(Frame { bytes: bytes.len(), next })
}

/// Takes one entry off the front: its payload, checked, and what follows.
pub(crate) fn entry(bytes: &[u8]) -> Result<(&[u8], &[u8]), NotFrame> {
    let (head, rest) =
        bytes.split_at_checked(ENTRY_HEAD_BYTES).ok_or(NotFrame::Damaged("an entry is cut short"))?;
    let length = usize::try_from(number(head, 0)).map_err(|_| NotFrame::Damaged("an entry is too long"))?;
    let (payload, rest) = rest.split_at_checked(length).ok_or(NotFrame::Damaged("an entry is cut short"))?;
    if crc32c(payload) == number(head, 4) {
        Ok((payload, rest))
    } else {
        Err(NotFrame::Damaged("an entry fails its checksum"))
    }
}

/// Length and checksum in an entry's head.
pub(crate) fn entry_length(head: [u8; ENTRY_HEAD_BYTES]) -> u32 {
    number(&head, 0)
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}
