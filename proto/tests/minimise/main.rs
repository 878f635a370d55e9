//! Field minimisation: what stays, what is refused, and how it is attacked.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod attacks;
mod properties;
mod rules;

use bytes::Bytes;
use passerelle_proto::agreement::{FieldRules, Otherwise};
use passerelle_proto::minimise::{FieldPointer, FieldRefusal};

const JSON: &str = "application/json";

fn rules(allow: &[&str], otherwise: Otherwise) -> FieldRules {
    let allow = allow.iter().map(|pointer| FieldPointer::parse(pointer).unwrap()).collect();
    FieldRules { services: Vec::new(), allow, otherwise }
}

/// What stays, and the shapes of what was removed.
fn removed(allow: &[&str], content: &str) -> (String, Vec<String>) {
    let minimised =
        rules(allow, Otherwise::Remove).apply(JSON, &Bytes::copy_from_slice(content.as_bytes())).unwrap();
    (String::from_utf8(minimised.content.to_vec()).unwrap(), minimised.removed.shapes())
}

fn refusal(allow: &[&str], content: &[u8]) -> FieldRefusal {
    rules(allow, Otherwise::Remove).apply(JSON, &Bytes::copy_from_slice(content)).unwrap_err()
}
