//! Where an entry stands.

use std::fmt;

/// The place of an entry: a segment and the byte offset of the entry in its file. Positions rise with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Id of the segment.
    pub segment: u64,
    /// Byte offset of the entry in the segment's file.
    pub offset: u64,
}

impl Position {
    /// Before every entry.
    pub const START: Self = Self { segment: 0, offset: 0 };

    /// Segment and offset, 8 bytes each, big-endian: byte order is time order.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.segment) << 64 | u128::from(self.offset)).to_be_bytes()
    }

    /// The inverse of [`Position::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_be_bytes(bytes);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves are taken on purpose")]
        Self { segment: (both >> 64) as u64, offset: both as u64 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:x}:{}", self.segment, self.offset)
    }
}
