//! How far a reader of events has come: in the order of the inbox, and among the changes of sent records.

use std::fmt;
use std::str::FromStr;

/// The id of an event.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct EventCursor {
    /// The place of the last inbox record told of.
    pub inbox: u64,
    /// The last change of a sent record told of.
    pub records: u64,
}

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.inbox, self.records)
    }
}

/// The text is no id of an event.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of an event")]
pub struct NoCursor;

impl FromStr for EventCursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (inbox, records) = text.split_once('.').ok_or(NoCursor)?;
        let number = |text: &str| text.parse().map_err(|_| NoCursor);
        Ok(Self { inbox: number(inbox)?, records: number(records)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_others_are_none() {
        let cursor = EventCursor { inbox: 17, records: u64::MAX };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", ".", "1", "1.", "1.2.3", "-1.2", "1.18446744073709551616", "a.b"] {
            assert_eq!(text.parse::<EventCursor>(), Err(NoCursor), "{text}");
        }
    }
}
