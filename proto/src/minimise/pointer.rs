//! Pointers of an agreement's field rules: RFC 6901, with `*` for any key or element.

use std::fmt;

/// Segments of a pointer.
const SEGMENTS_LIMIT: usize = 16;

/// A field that may leave, with all that it holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPointer {
    text: String,
    segments: Vec<Segment>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Segment {
    /// The key of an object, unescaped. Never an element of a list: what may leave must not hang on its place there.
    Key(String),
    /// Any key, any element.
    Any,
}

/// Why a pointer is refused. Whoever drafted the agreement is at fault.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// The whole document: that is no rule.
    #[error("a pointer begins with a slash")]
    NoSlash,
    /// More than 16 segments.
    #[error("a pointer has at most {SEGMENTS_LIMIT} segments")]
    TooLong,
    /// `~` that is not followed by 0, 1 or 2.
    #[error("~ is written ~0, / is written ~1, * in a key is written ~2")]
    Escape,
    /// `*` beside other characters.
    #[error("* is a whole segment; in a key it is written ~2")]
    Star,
}

impl FieldPointer {
    /// Reads a pointer. `~0` is `~`, `~1` is `/` (RFC 6901, section 4), and `~2` a `*` in a key.
    ///
    /// # Errors
    /// [`PointerError`], the first from the left.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        let rest = text.strip_prefix('/').ok_or(PointerError::NoSlash)?;
        let segments =
            rest.split('/').take(SEGMENTS_LIMIT + 1).map(segment).collect::<Result<Vec<_>, _>>()?;
        if segments.len() > SEGMENTS_LIMIT {
            return Err(PointerError::TooLong);
        }
        Ok(Self { text: text.to_owned(), segments })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

fn segment(text: &str) -> Result<Segment, PointerError> {
    if text == "*" {
        return Ok(Segment::Any);
    }
    let mut key = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        key.push(match letter {
            '*' => return Err(PointerError::Star),
            '~' => match letters.next() {
                Some('0') => '~',
                Some('1') => '/',
                Some('2') => '*',
                _ => return Err(PointerError::Escape),
            },
            other => other,
        });
    }
    Ok(Segment::Key(key))
}

/// A key as pointers write it.
pub(super) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1").replace('*', "~2")
}

impl fmt::Display for FieldPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
