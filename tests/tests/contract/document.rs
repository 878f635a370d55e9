//! The contract as it was read, and how an answer is held against it.
//!
//! Every reference is followed and every object is closed: a property that the contract does not name is a mistake of one
//! of the two, though programs are told to ignore it.

use std::collections::BTreeMap;

use http::Method;
use jsonschema::Validator;
use passerelle_agent::local::OPENAPI;
use passerelle_tests::local::Answer;
use serde_json::{Map, Value, json};

/// How deep references may lead.
const DEPTH: usize = 32;

/// The contract.
pub(crate) struct Document {
    whole: Value,
    /// Operation id to method, path and description.
    operations: BTreeMap<String, (Method, String, Value)>,
}

impl Document {
    pub(crate) fn of_the_agent() -> Self {
        let whole: Value = serde_saphyr::from_str(OPENAPI).unwrap();
        let mut operations = BTreeMap::new();
        for (path, methods) in whole["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
                if !operation.is_object() {
                    continue;
                }
                let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{path}: operationId"));
                let name = name.to_owned();
                let mut operation = operation.clone();
                let shared = methods.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
                let own = operation["parameters"].as_array().cloned().unwrap_or_default();
                operation["parameters"] = Value::Array([shared, own].concat());
                let found = operations.insert(name.clone(), (method, path.clone(), operation));
                assert!(found.is_none(), "{name} twice");
            }
        }
        assert!(operations.len() >= 12, "the contract was not read");
        Self { whole, operations }
    }

    pub(crate) fn operations(&self) -> impl Iterator<Item = &String> {
        self.operations.keys()
    }

    /// Method and path of an operation.
    pub(crate) fn place(&self, operation: &str) -> (Method, &str) {
        let (method, path, _) = self.operations.get(operation).unwrap_or_else(|| panic!("no {operation}"));
        (method.clone(), path)
    }

    /// Headers and query parameters of a question that the contract does not describe.
    pub(crate) fn unknown_parameters(
        &self,
        operation: &str,
        headers: &[(&str, &str)],
        query: &str,
    ) -> Vec<String> {
        let (_, _, description) = &self.operations[operation];
        let parameters = description["parameters"].as_array().cloned().unwrap_or_default();
        let known: Vec<(String, String)> = parameters
            .iter()
            .map(|parameter| self.followed(parameter))
            .map(|parameter| {
                let text = |key: &str| parameter[key].as_str().unwrap_or_default().to_lowercase();
                (text("in"), text("name"))
            })
            .collect();
        let is_known = |place: &str, name: &str| {
            known.iter().any(|(known_place, known)| known_place == place && known == name)
        };
        let ours = headers.iter().filter(|(name, _)| !["content-type", "host"].contains(name));
        let headers = ours.filter(|(name, _)| !is_known("header", name)).map(|(name, _)| (*name).to_owned());
        let queries = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, _)| name);
        // A wrong name is asked on purpose: its answer is a 400.
        let queries = queries.filter(|name| !is_known("query", name) && *name != "limite");
        headers.chain(queries.map(str::to_owned)).collect()
    }

    /// How an answer differs from what the contract says of its operation.
    pub(crate) fn mistakes(&self, operation: &str, answer: &Answer) -> Vec<String> {
        let (method, _, description) = &self.operations[operation];
        let responses = &description["responses"];
        // What another agency's service answers is described as whatever else comes.
        let of_a_service = answer.headers.contains_key("passerelle-answer-id");
        let described = match responses.get(answer.status.as_str()).filter(|_| !of_a_service) {
            Some(described) => described,
            None => &responses["default"],
        };
        if described.is_null() || (!of_a_service && described == &responses["default"]) {
            return vec![format!("this status is not described; body {:?}", answer.body)];
        }
        let content = self.followed(described)["content"].clone();
        let Some(content) = content.as_object() else {
            return match answer.body.is_empty() {
                true => Vec::new(),
                false => vec!["a body where none is described".to_owned()],
            };
        };
        if method == Method::HEAD && answer.body.is_empty() {
            return Vec::new();
        }
        let media = answer.media_type();
        let Some(described) = content.get(media).or_else(|| content.get("*/*")) else {
            return vec![format!("the media type {media:?} is not described")];
        };
        if !media.ends_with("json") {
            return Vec::new();
        }
        let Ok(instance) = serde_json::from_slice::<Value>(&answer.body) else {
            return vec!["the body is no JSON".to_owned()];
        };
        validator(&self.closed(&described["schema"], DEPTH))
            .iter_errors(&instance)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    fn followed<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => {
                let pointer = reference.strip_prefix('#').unwrap();
                self.whole.pointer(pointer).unwrap_or_else(|| panic!("no {reference}"))
            }
            None => value,
        }
    }

    /// A schema without references, whose objects have no other properties than those that it names.
    fn closed(&self, schema: &Value, depth: usize) -> Value {
        assert!(depth > 0, "a schema that contains itself: {schema}");
        let schema = self.followed(schema);
        let Some(fields) = schema.as_object() else { return schema.clone() };
        let mut closed = Map::new();
        for (key, value) in fields {
            let value = match key.as_str() {
                "items" | "additionalProperties" if value.is_object() => self.closed(value, depth - 1),
                "oneOf" | "anyOf" => {
                    value.as_array().unwrap().iter().map(|one| self.closed(one, depth - 1)).collect()
                }
                "properties" => {
                    let properties = value.as_object().unwrap().iter();
                    Value::Object(
                        properties.map(|(key, one)| (key.clone(), self.closed(one, depth - 1))).collect(),
                    )
                }
                _ => value.clone(),
            };
            closed.insert(key.clone(), value);
        }
        // What is in all of several is one object.
        if let Some(Value::Array(parts)) = closed.remove("allOf") {
            let parts: Vec<Value> = parts.iter().map(|part| self.closed(part, depth - 1)).collect();
            let (mut properties, mut required) = (Map::new(), Vec::new());
            for part in &parts {
                properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
                required.extend(part["required"].as_array().cloned().unwrap_or_default());
            }
            closed.extend([
                ("type".to_owned(), json!("object")),
                ("properties".to_owned(), Value::Object(properties)),
                ("required".to_owned(), Value::Array(required)),
            ]);
        }
        if closed.contains_key("properties") {
            closed.entry("additionalProperties").or_insert(json!(false));
        }
        Value::Object(closed)
    }
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::options().should_validate_formats(true).build(schema).unwrap()
}

#[test]
fn what_the_contract_does_not_say_is_told() {
    let document = Document::of_the_agent();
    let answer = |status: u16, media: &'static str, body: &'static str| Answer {
        status: http::StatusCode::from_u16(status).unwrap(),
        headers: [(http::header::CONTENT_TYPE, http::HeaderValue::from_static(media))].into_iter().collect(),
        body: body.into(),
    };
    let (id, json) = ("01890a5d-ac96-774b-bcce-b302099a8057", "application/json");
    let accepted = |more: &str| {
        let body = format!(r#"{{"exchange_id":"{id}","state":"queued","repeated":false{more}}}"#);
        Answer { body: body.into(), ..answer(202, json, "") }
    };
    assert_eq!(document.mistakes("sendRecord", &accepted("")), Vec::<String>::new());
    for (wrong, why) in [
        (accepted(r#","surprise":1"#), "another property"),
        (answer(202, json, r#"{"exchange_id":"x","state":"queued","repeated":false}"#), "no UUID"),
        (answer(202, json, r#"{"state":"queued","repeated":false}"#), "a property is missing"),
        (answer(202, json, "{"), "no JSON"),
        (answer(202, "text/html", "<p>"), "another media type"),
        (answer(418, json, "{}"), "another status"),
        (answer(403, json, "{}"), "a problem is problem+json"),
        (answer(403, "application/problem+json", r#"{"code":"X"}"#), "a problem without its words"),
    ] {
        assert!(!document.mistakes("sendRecord", &wrong).is_empty(), "{why}");
    }
    let nested = r#"{"records":[{"agreement":{"number":"E","version":1,"surprise":1}}]}"#;
    let told = document.mistakes("listRecords", &answer(200, json, nested)).join(" ");
    assert!(told.contains("surprise") && told.contains("recipients"), "{told}");
}
