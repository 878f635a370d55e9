//! Paths of calls, and the templates of agreements that cover them.
//!
//! What an agreement allows is worth what the strictest and the loosest reader of a path agree on. So whatever one server
//! might undo and another not (dot segments, empty segments, encoded separators, double encoding, path parameters) is
//! refused, never repaired.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

/// Bytes of a path, and of a query.
pub const TEXT_LIMIT: usize = 8 * 1024;
/// Segments of a path.
pub const SEGMENTS_LIMIT: usize = 64;
/// Bytes of a parameter's name in a template.
const NAME_LIMIT: usize = 64;

/// Why a path or a template is refused. Whoever wrote it is at fault.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Over [`TEXT_LIMIT`] or [`SEGMENTS_LIMIT`].
    #[error("the path is too long")]
    TooLong,
    /// It does not begin with `/`.
    #[error("a path begins with a slash")]
    NotAbsolute,
    /// Two slashes in a row, or one at the end.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// `.` or `..`, however encoded.
    #[error("the path has a dot segment")]
    DotSegment,
    /// A slash, a backslash or a percent sign that a second decoding would bring forth, or `;`.
    #[error("the path hides a separator")]
    HiddenSeparator,
    /// Not a character of RFC 3986 paths, a broken `%`, a control character, or no UTF-8.
    #[error("the path has a character that does not belong in one")]
    Character,
    /// A `{` or `}` that does not enclose the name of a whole segment, or a name twice.
    #[error("a template's parameter is one whole segment, such as {{numero}}, and named once")]
    Parameter,
}

/// A path that reads the same everywhere: from `/`, percent-encoded as it was asked, without query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestPath {
    text: String,
    /// Decoded; none for `/`.
    segments: Vec<String>,
}

/// The path of an operation: literal segments, and `{name}` for exactly one segment of any text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathTemplate {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Segment {
    Literal(String),
    Parameter(String),
}

impl RequestPath {
    /// Reads a path.
    ///
    /// # Errors
    /// [`PathError`], the first from the left.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let segments = split(text)?.into_iter().map(decode).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), segments })
    }

    /// As it was asked.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Decoded segments; none for `/`.
    #[must_use]
    pub fn segments(&self) -> &[String] {
        &self.segments
    }
}

impl PathTemplate {
    /// Reads a template, such as `/dossiers/{numero}/pieces`.
    ///
    /// # Errors
    /// [`PathError`], the first from the left.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut segments: Vec<Segment> = Vec::new();
        for part in split(text)? {
            let segment = match part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(name) if is_name(name) => Segment::Parameter(name.to_owned()),
                Some(_) => return Err(PathError::Parameter),
                None if part.contains(['{', '}']) => return Err(PathError::Parameter),
                None => Segment::Literal(decode(part)?),
            };
            if matches!(segment, Segment::Parameter(_)) && segments.contains(&segment) {
                return Err(PathError::Parameter);
            }
            segments.push(segment);
        }
        Ok(Self { text: text.to_owned(), segments })
    }

    /// Whether it covers a path, segment by segment.
    #[must_use]
    pub fn matches(&self, path: &RequestPath) -> bool {
        self.segments.len() == path.segments.len()
            && self.segments.iter().zip(&path.segments).all(|(segment, given)| match segment {
                Segment::Literal(literal) => literal == given,
                Segment::Parameter(_) => true,
            })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its literal segments, decoded, with `None` for parameters. Templates of one shape cover the same paths; among those
    /// that cover a path, the one with the greatest shape is the most exact, from the left.
    #[must_use]
    pub fn shape(&self) -> Vec<Option<&str>> {
        self.segments
            .iter()
            .map(|segment| match segment {
                Segment::Literal(literal) => Some(literal.as_str()),
                Segment::Parameter(_) => None,
            })
            .collect()
    }
}

/// The segments between slashes, still encoded; none for `/`.
fn split(text: &str) -> Result<Vec<&str>, PathError> {
    if text.len() > TEXT_LIMIT {
        return Err(PathError::TooLong);
    }
    let rest = text.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    let segments: Vec<&str> = rest.split('/').take(SEGMENTS_LIMIT + 1).collect();
    if segments.len() > SEGMENTS_LIMIT {
        return Err(PathError::TooLong);
    }
    if segments.iter().any(|segment| segment.is_empty()) {
        return Err(PathError::EmptySegment);
    }
    Ok(segments)
}

fn decode(segment: &str) -> Result<String, PathError> {
    if segment.contains(['\\', ';']) {
        return Err(PathError::HiddenSeparator);
    }
    if !segment.bytes().all(|byte| byte == b'%' || is_pchar(byte)) || has_broken_escape(segment) {
        return Err(PathError::Character);
    }
    let decoded = percent_decode_str(segment).decode_utf8().map_err(|_| PathError::Character)?;
    if decoded.chars().any(char::is_control) {
        return Err(PathError::Character);
    }
    if decoded.contains(['/', '\\', ';']) || has_escape(&decoded) {
        return Err(PathError::HiddenSeparator);
    }
    if decoded == "." || decoded == ".." {
        return Err(PathError::DotSegment);
    }
    Ok(decoded.into_owned())
}

/// `pchar` of RFC 3986, section 3.3, without percent-encoding and `;`.
fn is_pchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

/// The text behind each `%`.
fn escapes(text: &str) -> impl Iterator<Item = bool> {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    text.split('%').skip(1).map(move |rest| {
        let bytes = rest.as_bytes();
        is_hex(bytes.first()) && is_hex(bytes.get(1))
    })
}

fn has_broken_escape(text: &str) -> bool {
    escapes(text).any(|whole| !whole)
}

/// Whether a second decoding would change the text.
fn has_escape(text: &str) -> bool {
    escapes(text).any(|whole| whole)
}

fn is_name(name: &str) -> bool {
    (1..=NAME_LIMIT).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

impl FromStr for RequestPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl FromStr for PathTemplate {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl fmt::Display for RequestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
