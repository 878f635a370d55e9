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

/// Entries of `paths`: more than a service can have operations, and few enough to be told apart.
pub(super) const PATHS_LIMIT: usize = 1_024;

/// Where an operation, or a path, stands: its line is looked for only when something is wrong there.
#[derive(Copy, Clone)]
struct At<'a> {
    path: &'a str,
    shown: &'a str,
    method: Option<&'static str>,
}

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
        if paths.len() > PATHS_LIMIT {
            return self.wrong("paths", line, Fault::TooManyPaths);
        }
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
        let shown: String = path.chars().filter(|letter| !letter.is_control()).take(120).collect();
        let at = At { path, shown: &shown, method: None };
        let template = match PathTemplate::parse(path) {
            Ok(template) => template,
            Err(error) => return self.wrong_at(at, Fault::Path(error)),
        };
        let shape = template.shape().into_iter().map(|literal| literal.map(str::to_owned)).collect();
        if let Some(other) = seen.shapes.insert(shape, shown.clone()) {
            return self.wrong_at(at, Fault::SamePaths(other));
        }
        if item.get("$ref").is_some() && self.resolved(item).is_none() {
            return self.wrong_at(at, Fault::Reference);
        }
        let Some(fields) = self.resolved(item).and_then(Value::as_object) else {
            return self.wrong_at(at, Fault::NoOperation);
        };
        for method in METHODS {
            if let Some(operation) = fields.get(method) {
                let at = At { method: Some(method), ..at };
                operations.extend(self.operation((method, &template), (fields, operation), at, seen));
            }
        }
        Some(())
    }

    fn operation(
        &mut self,
        (method, path): (&str, &PathTemplate),
        (item, operation): (&'a Map<String, Value>, &'a Value),
        at: At<'_>,
        seen: &mut Seen,
    ) -> Option<InterfaceOperation> {
        if method == "trace" {
            return self.wrong_at(at, Fault::Method);
        }
        let Some(Value::String(name)) = operation.get("operationId") else {
            return self.wrong_at(at, Fault::NoOperationId);
        };
        if !is_operation(name) {
            return self.wrong_at(at, Fault::OperationIdForm);
        }
        if !seen.names.insert(name.clone()) {
            return self.wrong_at(at, Fault::OperationIdRepeated(name.clone()));
        }
        let Some(demands) = self.demands(item, operation) else {
            return self.wrong_at(at, Fault::Reference);
        };
        let method = method.to_ascii_uppercase();
        Some(InterfaceOperation { name: name.clone(), method, path: path.clone(), demands })
    }

    fn wrong_at<T>(&mut self, At { path, shown, method }: At<'_>, fault: Fault) -> Option<T> {
        // What is not told is not looked for.
        if self.is_full() {
            return None;
        }
        let (of_path, place) = (self.places.within("paths", path), format!("paths.{shown}"));
        match method {
            None => self.wrong(&place, of_path, fault),
            Some(method) => {
                let line = self.places.within(path, method).or(of_path);
                self.wrong(&format!("{place}.{method}"), line, fault)
            }
        }
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
