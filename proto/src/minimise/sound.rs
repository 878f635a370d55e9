//! Whether bytes are one JSON text that every reader reads alike: UTF-8, no key twice, not too deep.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::FieldRefusal;
use super::removed::{Path, Step};

/// How deep objects and lists may stand in one another.
pub const DEPTH_LIMIT: usize = 64;

/// The text.
pub(super) fn check(content: &[u8]) -> Result<&str, FieldRefusal> {
    let not_json =
        |error: &serde_json::Error| FieldRefusal::NotJson { line: error.line(), column: error.column() };
    let text = std::str::from_utf8(content).map_err(|error| {
        let before = content.get(..error.valid_up_to()).unwrap_or_default();
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        FieldRefusal::NotJson { line, column: before.len() - line_start + 1 }
    })?;
    let state = RefCell::new(State::default());
    let mut reader = serde_json::Deserializer::from_str(text);
    // Our own limit is lower, and told by its name.
    let read = Sound { state: &state, depth: 0 }.deserialize(&mut reader).and_then(|()| reader.end());
    match (read, state.into_inner().refusal) {
        (Ok(()), _) => Ok(text),
        (Err(_), Some(refusal)) => Err(refusal),
        (Err(error), None) => Err(not_json(&error)),
    }
}

#[derive(Default)]
struct State {
    path: Path,
    /// Why the reader was stopped.
    refusal: Option<FieldRefusal>,
}

/// Reads one value and keeps nothing of it.
#[derive(Copy, Clone)]
struct Sound<'a> {
    state: &'a RefCell<State>,
    depth: usize,
}

impl Sound<'_> {
    fn stop<E: Error>(self, refusal: FieldRefusal) -> E {
        self.state.borrow_mut().refusal = Some(refusal);
        E::custom("stopped")
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_LIMIT {
            return Err(self.stop(FieldRefusal::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn push(self, step: Step<'_>) {
        self.state.borrow_mut().path.push(step);
    }

    fn pop(self) {
        self.state.borrow_mut().path.pop();
    }
}

impl<'de> DeserializeSeed<'de> for Sound<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Sound<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let within = self.deeper()?;
        self.push(Step::Any);
        while elements.next_element_seed(within)?.is_some() {}
        self.pop();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let within = self.deeper()?;
        let mut seen: HashSet<String> = HashSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            if seen.contains(&key) {
                let at = self.state.borrow().path.shape(Some(Step::Key(&key)));
                return Err(self.stop(FieldRefusal::RepeatedKey(at)));
            }
            self.push(Step::Key(&key));
            fields.next_value_seed(within)?;
            self.pop();
            seen.insert(key);
        }
        Ok(())
    }
}
