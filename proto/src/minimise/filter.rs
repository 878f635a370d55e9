//! Writes a document again without what no pointer allows. What stays is copied byte for byte.
//!
//! A value at the end of a pointer stays whole. An object or list on the way to one stays, and what it holds is judged in
//! turn. Everything else goes: a scalar on the way holds nothing that the pointer could mean.

use std::collections::HashMap;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::FieldRefusal;
use super::pointer::{FieldPointer, Segment};
use super::removed::{Path, Removed, Step};

/// The document without the rest, and what the rest was. The text was found sound.
pub(super) fn filter(text: &str, allow: &[FieldPointer]) -> Result<(Vec<u8>, Removed), FieldRefusal> {
    let mut root = Node::default();
    for pointer in allow {
        root.add(pointer.segments());
    }
    let mut writer =
        Writer { out: Vec::with_capacity(text.len()), removed: Removed::default(), path: Path::default() };
    match writer.descend(text.trim_start(), &[&root]) {
        Ok(true) => Ok((writer.out, writer.removed)),
        // A scalar alone: no pointer leads to it, and without it nothing is left.
        Ok(false) => Err(FieldRefusal::NotCovered(Removed::whole())),
        Err(error) => Err(FieldRefusal::NotJson { line: error.line(), column: error.column() }),
    }
}

/// The pointers, as a tree.
#[derive(Default)]
struct Node {
    /// A pointer ends here.
    end: bool,
    keys: HashMap<String, Node>,
    any: Option<Box<Node>>,
}

impl Node {
    fn add(&mut self, segments: &[Segment]) {
        match segments.split_first() {
            None => self.end = true,
            Some((Segment::Any, rest)) => self.any.get_or_insert_default().add(rest),
            Some((Segment::Key(key), rest)) => self.keys.entry(key.clone()).or_default().add(rest),
        }
    }
}

struct Writer {
    out: Vec<u8>,
    removed: Removed,
    path: Path,
}

impl Writer {
    /// Writes an object or list as far as it is allowed; `false` for anything else.
    fn descend(&mut self, raw: &str, nodes: &[&Node]) -> Result<bool, serde_json::Error> {
        let container = Container { writer: self, nodes };
        let mut reader = serde_json::Deserializer::from_str(raw);
        match raw.bytes().next() {
            Some(b'{') => reader.deserialize_map(container).map(|()| true),
            Some(b'[') => reader.deserialize_seq(container).map(|()| true),
            _ => Ok(false),
        }
    }

    /// One value of a container; `key` as it stands in the text, with its colon, or nothing.
    fn value(
        &mut self,
        (first, key): (&mut bool, &str),
        step: Step<'_>,
        (raw, nodes): (&str, &[&Node]),
    ) -> Result<(), serde_json::Error> {
        let begin = self.out.len();
        if !*first {
            self.out.push(b',');
        }
        self.out.extend_from_slice(key.as_bytes());
        let stays = if nodes.iter().any(|node| node.end) {
            self.out.extend_from_slice(raw.as_bytes());
            true
        } else if nodes.is_empty() {
            false
        } else {
            self.path.push(step);
            let stays = self.descend(raw, nodes);
            self.path.pop();
            stays?
        };
        if stays {
            *first = false;
        } else {
            self.out.truncate(begin);
            self.removed.add(&self.path, step);
        }
        Ok(())
    }
}

/// One object or list, with the places in the tree that lead to it.
struct Container<'w, 'n> {
    writer: &'w mut Writer,
    nodes: &'n [&'n Node],
}

impl<'de> Visitor<'de> for Container<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let Self { writer, nodes } = self;
        writer.out.push(b'{');
        let mut first = true;
        while let Some(key) = fields.next_key::<&RawValue>()? {
            let raw: &RawValue = fields.next_value()?;
            let name: String = serde_json::from_str(key.get()).map_err(A::Error::custom)?;
            let named = nodes.iter().filter_map(|node| node.keys.get(&name));
            let any = nodes.iter().filter_map(|node| node.any.as_deref());
            let is_named = nodes.iter().any(|node| node.keys.contains_key(&name));
            let next: Vec<&Node> = named.chain(any).collect();
            let step = if is_named || next.is_empty() { Step::Key(&name) } else { Step::Any };
            let key = format!("{}:", key.get());
            writer.value((&mut first, &key), step, (raw.get(), &next)).map_err(A::Error::custom)?;
        }
        writer.out.push(b'}');
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Self { writer, nodes } = self;
        writer.out.push(b'[');
        let next: Vec<&Node> = nodes.iter().filter_map(|node| node.any.as_deref()).collect();
        let mut first = true;
        while let Some(raw) = elements.next_element::<&RawValue>()? {
            writer.value((&mut first, ""), Step::Any, (raw.get(), &next)).map_err(A::Error::custom)?;
        }
        writer.out.push(b']');
        Ok(())
    }
}
