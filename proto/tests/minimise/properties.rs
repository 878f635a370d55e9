//! Against a naive reading of the rules, on documents and rules made at random.

use bytes::Bytes;
use passerelle_proto::agreement::Otherwise;
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::{JSON, rules};

/// Keys that come again and again, with those that pointers must escape.
fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "0", "/", "~", "*", "é", ""]).prop_map(str::to_owned)
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z\"\\\\\u{e9}]{0,6}".prop_map(Value::from),
    ];
    let within = leaf.prop_recursive(5, 60, 5, |value| {
        prop_oneof![
            prop::collection::vec(value.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key(), value, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(key(), within, 0..5)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

fn pointer() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        3 => key().prop_map(|key| key.replace('~', "~0").replace('/', "~1").replace('*', "~2")),
        2 => Just("*".to_owned()),
    ];
    prop::collection::vec(segment, 1..5)
        .prop_map(|segments| segments.iter().map(|segment| format!("/{segment}")).collect())
}

/// The steps of a place: a key, or `None` for an element.
type Place<'a> = Vec<Option<&'a str>>;

/// Whether a pointer, read segment by segment, covers a place: it ends at it or above it.
fn covers(pointer: &str, place: &Place<'_>) -> bool {
    let segments: Vec<&str> = pointer.split('/').skip(1).collect();
    segments.len() <= place.len() && segments.iter().zip(place).all(|(segment, step)| fits(segment, *step))
}

/// Whether it may lead to something below a place.
fn leads_below(pointer: &str, place: &Place<'_>) -> bool {
    let segments: Vec<&str> = pointer.split('/').skip(1).collect();
    segments.len() > place.len() && segments.iter().zip(place).all(|(segment, step)| fits(segment, *step))
}

fn fits(segment: &str, step: Option<&str>) -> bool {
    match step {
        None => segment == "*",
        Some(key) => {
            segment == "*" || segment.replace("~2", "*").replace("~1", "/").replace("~0", "~") == key
        }
    }
}

/// The page's three rules, word for word.
fn naive<'a>(value: &'a Value, place: &mut Place<'a>, allow: &[String]) -> Option<Value> {
    if allow.iter().any(|pointer| covers(pointer, place)) {
        return Some(value.clone());
    }
    if !allow.iter().any(|pointer| leads_below(pointer, place)) {
        return None;
    }
    match value {
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (key, field) in fields {
                place.push(Some(key));
                kept.extend(naive(field, place, allow).map(|field| (key.clone(), field)));
                place.pop();
            }
            Some(Value::Object(kept))
        }
        Value::Array(elements) => {
            let mut kept = Vec::new();
            for element in elements {
                place.push(None);
                kept.extend(naive(element, place, allow));
                place.pop();
            }
            Some(Value::Array(kept))
        }
        _ => None,
    }
}

/// Every scalar and empty container that is left, with its place.
fn leaves<'a>(value: &'a Value, place: &mut Place<'a>, seen: &mut Vec<Place<'a>>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                place.push(Some(key));
                leaves(field, place, seen);
                place.pop();
            }
        }
        Value::Array(elements) => {
            for element in elements {
                place.push(None);
                leaves(element, place, seen);
                place.pop();
            }
        }
        _ => seen.push(place.clone()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_a_naive_reading_has_it(given in document(), allow in prop::collection::vec(pointer(), 1..6), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_vec_pretty(&given) } else { serde_json::to_vec(&given) }.unwrap();
        let content = Bytes::from(text);
        let pointers: Vec<&str> = allow.iter().map(String::as_str).collect();
        let remove = rules(&pointers, Otherwise::Remove);
        let minimised = remove.apply(JSON, &content).unwrap();
        let left: Value = serde_json::from_slice(&minimised.content).unwrap();

        prop_assert_eq!(Some(left.clone()), naive(&given, &mut Vec::new(), &allow));
        prop_assert_eq!(minimised.removed.is_empty(), left == given);
        if minimised.removed.is_empty() {
            prop_assert_eq!(&minimised.content, &content);
        }
        // Nothing outside what is allowed survives.
        let mut seen = Vec::new();
        leaves(&left, &mut Vec::new(), &mut seen);
        for place in &seen {
            prop_assert!(allow.iter().any(|pointer| covers(pointer, place)), "{:?}", place);
        }
        // Again removes nothing, and the recipient agrees.
        let again = remove.apply(JSON, &minimised.content).unwrap();
        prop_assert!(again.removed.is_empty() && again.content == minimised.content);
        prop_assert_eq!(remove.verify(JSON, &content).is_ok(), minimised.removed.is_empty());
        prop_assert_eq!(rules(&pointers, Otherwise::Refuse).apply(JSON, &content).is_ok(), minimised.removed.is_empty());
    }

    #[test]
    fn no_bytes_are_too_odd(content in prop::collection::vec(any::<u8>(), 0..200)) {
        // It answers; what it lets pass is JSON.
        if let Ok(minimised) = rules(&["/a"], Otherwise::Remove).apply(JSON, &content.clone().into()) {
            prop_assert!(content.is_empty() || serde_json::from_slice::<Value>(&minimised.content).is_ok());
        }
    }
}
