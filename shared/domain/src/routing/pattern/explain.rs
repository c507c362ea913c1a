//! Explains in a sentence why an event's `data` does not match: the first field that fails, and what was found there.

use serde::Serialize;
use serde_json::{Map, Value};

use super::matches::{Alternatives, FieldTest, ObjectTest, ValueTest, objects, values};
use super::scalar::Test;

/// How many characters of a found value are shown.
const SHOWN: usize = 100;

/// The first field of a pattern that an event's `data` fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// The field or the `$or`: RFC 6901, relative to the pattern.
    pub pointer: String,
    /// What was found there and what was wanted.
    pub detail: String,
}

pub(super) fn explain(test: &ObjectTest, data: &Value) -> Option<Mismatch> {
    if test.matches_any_in(Some(data)) { None } else { Some(in_objects(test, Some(data), "", "")) }
}

/// Why none of the objects in `found` matches: the reason for the only one, or that there are several.
fn in_objects(test: &ObjectTest, found: Option<&Value>, pointer: &str, path: &str) -> Mismatch {
    let mut objects = objects(found);
    let (first, others) = (objects.next(), objects.count());
    if others > 0 {
        let detail = format!("none of the {} elements of {} matches everything asked of it", others + 1, place(path));
        return Mismatch { pointer: pointer.to_owned(), detail };
    }
    in_object(test, first, pointer, path)
}

fn in_object(test: &ObjectTest, object: Option<&Map<String, Value>>, pointer: &str, path: &str) -> Mismatch {
    for (name, field) in &test.fields {
        let found = object.and_then(|object| object.get(name));
        if !field.matches(found) {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            return match field {
                FieldTest::Values(values) => in_values(values, found, &path),
                FieldTest::Object { pointer, test } => in_objects(test, found, pointer, &path),
            };
        }
    }
    let failed = test.alternatives.as_ref();
    let pointer = failed.map_or(pointer, |alternatives: &Alternatives| &alternatives.pointer);
    let count = failed.map_or(0, |alternatives| alternatives.branches.len());
    let detail = format!("none of the {count} alternatives of `$or` matches {}", place(path));
    Mismatch { pointer: pointer.to_owned(), detail }
}

fn in_values(test: &ValueTest, found: Option<&Value>, path: &str) -> Mismatch {
    let wanted = |test: &Test| match test {
        Test::Exists(true) => "any value".to_owned(),
        Test::Exists(false) => "no value at all".to_owned(),
        Test::Scalar(scalar) => scalar.to_string(),
    };
    let wanted = test.tests.iter().map(wanted).collect::<Vec<_>>().join(" or ");
    let found = match found {
        None => "is not in the event's data".to_owned(),
        Some(Value::Object(_)) => "is an object, not a value".to_owned(),
        Some(Value::Array(_)) if values(found).next().is_none() => "is a list without values".to_owned(),
        Some(list @ Value::Array(_)) => format!("is {}, of which no element is accepted", shown(list)),
        Some(value) => format!("is {}", shown(value)),
    };
    Mismatch { pointer: test.pointer.clone(), detail: format!("`{path}` {found}; wanted: {wanted}") }
}

fn place(path: &str) -> String {
    if path.is_empty() { "the event's data".to_owned() } else { format!("`{path}`") }
}

/// The value as JSON, shortened.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
