//! Explains in a sentence why an event's `data` does not match: the first field that fails, and what was found there.

use serde::Serialize;
use serde_json::{Map, Value};

use super::matches::{At, FieldTest, ObjectTest, ValueTest, objects, values};
use super::scalar::Test;
use super::work::Work;

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

pub(super) fn explain(test: &ObjectTest, data: &Value, work: &Work) -> Option<Mismatch> {
    match test.matches_any_in(Some(data), work) {
        _ if work.is_over() => {
            let detail = "comparing all of this with the event's data takes too long".to_owned();
            Some(Mismatch { pointer: String::new(), detail })
        }
        true => None,
        false => Some(in_objects(test, Some(data), None, "")),
    }
}

/// Why none of the objects in `found` matches: the reason for the only one, or that there are several.
fn in_objects(test: &ObjectTest, found: Option<&Value>, at: Option<&At>, path: &str) -> Mismatch {
    let mut objects = objects(found);
    let (first, others) = (objects.next(), objects.count());
    if others > 0 {
        let detail = format!("none of the {} elements of {} matches everything asked of it", others + 1, place(path));
        return Mismatch { pointer: at.map_or_else(String::new, At::pointer), detail };
    }
    in_object(test, first, at, path)
}

fn in_object(test: &ObjectTest, object: Option<&Map<String, Value>>, at: Option<&At>, path: &str) -> Mismatch {
    for field in &test.fields {
        let name = &*field.at.name;
        let found = object.and_then(|object| object.get(name));
        if !field.test.matches(found, &Work::unbounded()) {
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            return match &field.test {
                FieldTest::Values(values) => in_values(values, found, &field.at, &path),
                FieldTest::Object(test) => in_objects(test, found, Some(&field.at), &path),
            };
        }
    }
    let failed = test.alternatives.as_ref();
    let at = failed.map_or(at, |alternatives| Some(&*alternatives.at));
    let count = failed.map_or(0, |alternatives| alternatives.branches.len());
    let detail = format!("none of the {count} alternatives of `$or` matches {}", place(path));
    Mismatch { pointer: at.map_or_else(String::new, At::pointer), detail }
}

fn in_values(test: &ValueTest, found: Option<&Value>, at: &At, path: &str) -> Mismatch {
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
    Mismatch { pointer: at.pointer(), detail: format!("`{path}` {found}; wanted: {wanted}") }
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
