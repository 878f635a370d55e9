//! Field minimisation: what of a JSON content may leave an agency (`docs/formats/fields.md`).
//!
//! The sending agent applies the rules before it seals; the receiving agent asks the same function whether they were
//! applied. What stays keeps its bytes: numbers are not read and written again, and content from which nothing is removed
//! is the same bytes.
//!
//! A document that two readers could read in two ways (a key given twice, once more by an escape) is refused: one of them
//! would see a field that the other did not look at.

mod filter;
mod pointer;
mod removed;
mod sound;

use bytes::Bytes;

use crate::agreement::FieldRules;
use crate::agreement::basis::Otherwise;

pub use pointer::{FieldPointer, PointerError};
pub use removed::{Removed, SHAPES_LIMIT};
pub use sound::DEPTH_LIMIT;

/// Most bytes of content under a rule on fields: it is read whole, at both ends.
pub const CONTENT_LIMIT: u64 = 64 << 20;

/// Why content may not leave. The sender is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldRefusal {
    /// A rule on fields can only be applied to JSON.
    #[error("the content is no JSON")]
    ContentType(String),
    /// Not one JSON text in UTF-8; where, in lines and columns from 1.
    #[error("line {line}, column {column}: no JSON")]
    NotJson {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
    },
    /// A key stands twice in one object.
    #[error("a key is given twice at {0}")]
    RepeatedKey(String),
    /// Nested deeper than [`DEPTH_LIMIT`].
    #[error("nested deeper than {DEPTH_LIMIT}")]
    TooDeep,
    /// Fields that the rules do not allow, where they demand refusal; or a content that is no object or list.
    #[error("{0} fields are not covered")]
    NotCovered(Removed),
}

impl FieldRefusal {
    /// The fact behind it, for the agency's own systems: `name=value`. It names fields, never what stands in them.
    #[must_use]
    pub fn fact(&self) -> String {
        match self {
            Self::ContentType(found) => format!("content_type={found}"),
            Self::NotJson { line, column } => format!("json=invalid; line={line}; column={column}"),
            Self::RepeatedKey(at) => format!("json=repeated-key; field={at}"),
            Self::TooDeep => format!("json=too-deep; max={DEPTH_LIMIT}"),
            Self::NotCovered(removed) => {
                format!("count={}; fields={}", removed.count(), removed.shapes().join(","))
            }
        }
    }

    /// The same for others, the gateway included: no name of a field, since a key can itself be somebody's number.
    #[must_use]
    pub fn outward(&self) -> String {
        match self {
            Self::ContentType(_) => "content_type=other".to_owned(),
            Self::NotJson { .. } => "json=invalid".to_owned(),
            Self::RepeatedKey(_) => "json=repeated-key".to_owned(),
            Self::TooDeep => self.fact(),
            Self::NotCovered(removed) => format!("count={}", removed.count()),
        }
    }
}

/// Content that may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimised {
    /// The bytes as they were given when nothing was removed.
    pub content: Bytes,
    /// What was removed.
    pub removed: Removed,
}

impl FieldRules {
    /// Applies the rules to a content of this media type. Content without a byte has no fields.
    ///
    /// # Errors
    /// [`FieldRefusal`]; nothing may be sent then.
    pub fn apply(&self, content_type: &str, content: &Bytes) -> Result<Minimised, FieldRefusal> {
        let untouched = || Minimised { content: content.clone(), removed: Removed::default() };
        if content.is_empty() {
            return Ok(untouched());
        }
        if !is_json(content_type) {
            return Err(FieldRefusal::ContentType(shown(content_type)));
        }
        let text = sound::check(content)?;
        let (filtered, removed) = filter::filter(text, &self.allow)?;
        match (removed.is_empty(), self.otherwise) {
            (true, _) => Ok(untouched()),
            (false, Otherwise::Refuse) => Err(FieldRefusal::NotCovered(removed)),
            (false, Otherwise::Remove) => Ok(Minimised { content: filtered.into(), removed }),
        }
    }

    /// Whether nothing is left to remove: for the recipient's agent.
    ///
    /// # Errors
    /// [`FieldRefusal`]; the sender has not done its duty then.
    pub fn verify(&self, content_type: &str, content: &Bytes) -> Result<(), FieldRefusal> {
        let removed = self.apply(content_type, content)?.removed;
        if removed.is_empty() { Ok(()) } else { Err(FieldRefusal::NotCovered(removed)) }
    }
}

/// `application/json`, or a type of structure `+json` (RFC 6839), in UTF-8.
#[must_use]
pub fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    let json = essence == "application/json"
        || essence
            .split_once('/')
            .is_some_and(|(kind, subtype)| !kind.is_empty() && subtype.ends_with("+json"));
    let utf_8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    json && parts.all(utf_8)
}

/// A media type as far as it has the form of one.
fn shown(content_type: &str) -> String {
    let sober = |letter: char| letter.is_ascii_alphanumeric() || "/+.-".contains(letter);
    content_type.chars().take(100).take_while(|letter| sober(*letter)).collect()
}
