//! The operations of a document: name, method, path template, and what they demand.

use std::collections::{BTreeMap, BTreeSet};

use passerelle_proto::call::path::PathTemplate;
use passerelle_proto::catalogue::{OPERATIONS_LIMIT, is_operation};
use serde_json::{Map, Value};

use super::demands::Demands;
use super::mistake::Fault;
use super::{InterfaceOperation, Reader};

/// The fields of a path item that are operations, in the order of the specification.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// What was seen before.
#[derive(Default)]
struct Seen {
    names: BTreeSet<String>,
    /// The templates by shape.
    shapes: BTreeMap<Vec<Option<String>>, String>,
}

impl<'a> Reader<'a> {
    pub(super) fn operations(&mut self) -> Option<Vec<InterfaceOperation>> {
        let line = self.places.key("paths");
        let Some(paths) = self.value.get("paths").and_then(Value::as_object) else {
            return self.wrong("paths", line, Fault::NoOperation);
        };
        let (mut operations, mut seen) = (Vec::new(), Seen::default());
        for (path, item) in paths.iter().filter(|(path, _)| !path.starts_with("x-")) {
            self.path(path, item, (&mut operations, &mut seen));
            if operations.len() > OPERATIONS_LIMIT {
                return self.wrong("paths", line, Fault::TooManyOperations);
            }
        }
        if operations.is_empty() && self.mistakes.is_empty() {
            return self.wrong("paths", line, Fault::NoOperation);
        }
        Some(operations)
    }

    fn path(
        &mut self,
        path: &str,
        item: &'a Value,
        (operations, seen): (&mut Vec<InterfaceOperation>, &mut Seen),
    ) -> Option<()> {
        let line = self.places.within("paths", path);
        let shown: String = path.chars().filter(|letter| !letter.is_control()).take(120).collect();
        let place = format!("paths.{shown}");
        let template = match PathTemplate::parse(path) {
            Ok(template) => template,
            Err(error) => return self.wrong(&place, line, Fault::Path(error)),
        };
        let shape = template.shape().into_iter().map(|literal| literal.map(str::to_owned)).collect();
        if let Some(other) = seen.shapes.insert(shape, shown) {
            return self.wrong(&place, line, Fault::SamePaths(other));
        }
        if item.get("$ref").is_some() && self.resolved(item).is_none() {
            return self.wrong(&place, line, Fault::Reference);
        }
        let Some(fields) = self.resolved(item).and_then(Value::as_object) else {
            return self.wrong(&place, line, Fault::NoOperation);
        };
        for method in METHODS {
            if let Some(operation) = fields.get(method) {
                let place = (format!("{place}.{method}"), self.places.within(path, method).or(line));
                operations.extend(self.operation((method, &template), (fields, operation), &place, seen));
            }
        }
        Some(())
    }

    fn operation(
        &mut self,
        (method, path): (&str, &PathTemplate),
        (item, operation): (&'a Map<String, Value>, &'a Value),
        (place, line): &(String, Option<usize>),
        seen: &mut Seen,
    ) -> Option<InterfaceOperation> {
        if method == "trace" {
            return self.wrong(place, *line, Fault::Method);
        }
        let Some(Value::String(name)) = operation.get("operationId") else {
            return self.wrong(place, *line, Fault::NoOperationId);
        };
        if !is_operation(name) {
            return self.wrong(place, *line, Fault::OperationIdForm);
        }
        if !seen.names.insert(name.clone()) {
            return self.wrong(place, *line, Fault::OperationIdRepeated(name.clone()));
        }
        let Some(demands) = self.demands(item, operation) else {
            return self.wrong(place, *line, Fault::Reference);
        };
        let method = method.to_ascii_uppercase();
        Some(InterfaceOperation { name: name.clone(), method, path: path.clone(), demands })
    }

    /// What a request must have; `None` when a reference leads nowhere.
    fn demands(&self, item: &'a Map<String, Value>, operation: &'a Value) -> Option<Demands> {
        let mut demands = Demands::default();
        let lists = [item.get("parameters"), operation.get("parameters")];
        // A parameter of the operation replaces the one of its path with the same name and place.
        let mut query = BTreeMap::new();
        for parameter in lists.into_iter().flatten().filter_map(Value::as_array).flatten() {
            let parameter = self.resolved(parameter)?;
            let text = |key: &str| parameter.get(key).and_then(Value::as_str);
            if let (Some(name), Some("query")) = (text("name"), text("in")) {
                query.insert(name.to_owned(), parameter.get("required") == Some(&Value::Bool(true)));
            }
        }
        demands.query = query.into_iter().filter(|(_, required)| *required).map(|(name, _)| name).collect();
        if let Some(body) = operation.get("requestBody") {
            let body = self.resolved(body)?;
            demands.body = body.get("required") == Some(&Value::Bool(true));
            let content = body.get("content").and_then(Value::as_object);
            demands.content_types = content.map(|content| content.keys().map(|kind| essence(kind)).collect());
        }
        Some(demands)
    }
}

/// A media type without its parameters.
pub(super) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
