//! An OpenAPI 3.0 or 3.1 document read for what a service needs of it: its version, its titles, its operations, and what a
//! request to each must have. YAML or JSON, which YAML contains.
//!
//! The documents of other agencies are read here too: nothing in them is trusted to be small, flat or sensible.

mod demands;
mod mistake;
mod operations;
mod place;
#[cfg(test)]
mod tests;

use passerelle_proto::call::path::PathTemplate;
use passerelle_proto::catalogue::OPENAPI_LIMIT;
use serde_json::Value;

pub use demands::{CallMistake, Demands};
pub use mistake::OpenApiMistake;

use mistake::Fault;
use place::Places;

/// Mistakes that are told; what is beyond them is told when they are mended.
const MISTAKES_LIMIT: usize = 32;
/// Bytes of a reference: many may lead through one.
const REFERENCE_LIMIT: usize = 1_024;

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// `info.title`.
    pub title: String,
    /// `info.version`.
    pub version: String,
    /// In the document's order of paths, then of methods.
    pub operations: Vec<InterfaceOperation>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceOperation {
    /// `operationId`.
    pub name: String,
    /// Upper-case.
    pub method: String,
    /// Its path.
    pub path: PathTemplate,
    /// What a request must have.
    pub demands: Demands,
}

/// Reads a document.
///
/// # Errors
/// Every mistake that was found, at most 32, in the document's order; never empty.
pub fn read(document: &[u8]) -> Result<Interface, Vec<OpenApiMistake>> {
    let alone = |fault, line| vec![OpenApiMistake { line, place: String::new(), fault }];
    if document.len() > OPENAPI_LIMIT {
        return Err(alone(Fault::TooLarge, None));
    }
    let text = std::str::from_utf8(document).map_err(|error| {
        let before = document.get(..error.valid_up_to()).unwrap_or_default();
        alone(Fault::NotUtf8, Some(before.iter().filter(|byte| **byte == b'\n').count() + 1))
    })?;
    let options = serde_saphyr::options! { strict_booleans: true };
    let value: Value = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().and_then(|location| usize::try_from(location.line()).ok());
        alone(Fault::Syntax(detail(&error)), line.filter(|line| *line > 0))
    })?;
    let mut reader = Reader { value: &value, places: Places::new(text), mistakes: Vec::new() };
    let interface = reader.interface();
    match interface {
        Some(interface) if reader.mistakes.is_empty() => Ok(interface),
        _ => Err(reader.mistakes),
    }
}

/// The parser's own words, without its drawing of the line.
fn detail(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let sober = first.chars().filter(|letter| !letter.is_control()).take(200).collect::<String>();
    match sober.split_once(": ") {
        Some((place, words)) if place.starts_with("line ") => words.to_owned(),
        _ => sober,
    }
}

/// A document that is read, and what is wrong with it.
struct Reader<'a> {
    value: &'a Value,
    places: Places<'a>,
    mistakes: Vec<OpenApiMistake>,
}

impl<'a> Reader<'a> {
    fn interface(&mut self) -> Option<Interface> {
        self.format()?;
        let title = self.text("info", "title");
        let version = self.text("info", "version");
        let operations = self.operations();
        Some(Interface { title: title?, version: version?, operations: operations? })
    }

    fn wrong<T>(&mut self, place: &str, line: Option<usize>, fault: Fault) -> Option<T> {
        if !self.is_full() {
            self.mistakes.push(OpenApiMistake { line, place: place.to_owned(), fault });
        }
        None
    }

    fn is_full(&self) -> bool {
        self.mistakes.len() >= MISTAKES_LIMIT
    }

    /// `openapi: 3.0.x` or `3.1.x`.
    fn format(&mut self) -> Option<()> {
        let Some(fields) = self.value.as_object() else {
            return self.wrong("", Some(1), Fault::NotAnObject);
        };
        let line = self.places.key("openapi").or_else(|| self.places.key("swagger"));
        match fields.get("openapi") {
            Some(Value::String(version)) if ["3.0", "3.1"].iter().any(|known| is_of(version, known)) => {
                Some(())
            }
            _ => self.wrong("openapi", line, Fault::Format),
        }
    }

    /// A text of one line, one level down.
    fn text(&mut self, parent: &str, key: &str) -> Option<String> {
        let place = format!("{parent}.{key}");
        let line = self.places.within(parent, key).or_else(|| self.places.key(parent));
        match self.value.get(parent).and_then(|parent| parent.get(key)) {
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            // `version: 1.10` would be 1.1.
            Some(Value::Number(_)) => self.wrong(&place, line, Fault::Unquoted),
            _ => self.wrong(&place, line, Fault::Missing),
        }
    }

    /// What a `$ref` within the document leads to, or the value itself.
    fn resolved(&self, value: &'a Value) -> Option<&'a Value> {
        let mut value = value;
        for _ in 0..8 {
            let Some(Value::String(reference)) = value.get("$ref") else { return Some(value) };
            if reference.len() > REFERENCE_LIMIT {
                return None;
            }
            let pointer =
                percent_encoding::percent_decode_str(reference.strip_prefix('#')?).decode_utf8().ok()?;
            value = self.value.pointer(&pointer)?;
        }
        None
    }
}

fn is_of(version: &str, known: &str) -> bool {
    version == known || version.strip_prefix(known).is_some_and(|rest| rest.starts_with('.'))
}
