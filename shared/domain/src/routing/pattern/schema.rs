//! Compares a pattern with the JSON Schema of an event's `data`: which of the values that the pattern accepts can be in the
//! data? It knows the keywords that the catalogue's schemas use for that: `type`, `enum`, `properties`, `required` and
//! `items`. Everything else counts as possible.

use std::collections::BTreeMap;

use serde_json::Value;

use super::matches::{Field, FieldTest, ObjectTest};
use super::scalar::{ScalarTest, Test};
use crate::value::place::child;

/// Whether a value that a pattern accepts can be in data that conforms to a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Possible,
    /// It is in a field that the schema does not describe, so it depends on the producer.
    Undescribed {
        /// Where the field is in the pattern.
        pointer: String,
        /// The field in `data`: `records.written`.
        field: String,
        /// A field of the same object that has a similar name.
        near: Option<String>,
    },
    /// The field never has such a value. It is one of these.
    Impossible {
        field: String,
        is: Vec<String>,
    },
}

/// The verdict on each entry of each list of a pattern, by its pointer.
pub(super) fn verdicts(test: &ObjectTest, schema: &Value) -> BTreeMap<String, Verdict> {
    let mut verdicts = BTreeMap::new();
    in_object(test, &Known::of(schema, false), "", &mut verdicts);
    verdicts
}

fn in_object(test: &ObjectTest, known: &Known<'_>, path: &str, verdicts: &mut BTreeMap<String, Verdict>) {
    for field in &test.fields {
        let name = &*field.at.name;
        let below = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let Some(object) = known.object else {
            each_entry(field, &mut |pointer, test| {
                verdicts.insert(pointer, known.verdict_below(test, path));
            });
            continue;
        };
        match (known.field(object, name), &field.test) {
            (Some(known), FieldTest::Object(test)) => in_object(test, &known, &below, verdicts),
            (Some(known), FieldTest::Values(_)) => each_entry(field, &mut |pointer, test| {
                verdicts.insert(pointer, known.verdict(test, &below));
            }),
            (None, _) => {
                let near = near(name, &object["properties"]);
                let undescribed = Verdict::Undescribed { pointer: field.at.pointer(), field: below, near };
                each_entry(field, &mut |pointer, _| {
                    verdicts.insert(pointer, undescribed.clone());
                });
            }
        }
    }
    for branch in test.alternatives.iter().flat_map(|alternatives| &alternatives.branches) {
        in_object(branch, known, path, verdicts);
    }
}

/// Calls `seen` with each entry of the field's list, or of the lists of all fields below it, and its pointer.
fn each_entry(field: &Field, seen: &mut impl FnMut(String, &Test)) {
    match &field.test {
        FieldTest::Values(values) => {
            let pointer = field.at.pointer();
            for (index, test) in values.tests.iter().enumerate() {
                seen(child(&pointer, &index.to_string()), test);
            }
        }
        FieldTest::Object(test) => each_entry_of(test, seen),
    }
}

fn each_entry_of(test: &ObjectTest, seen: &mut impl FnMut(String, &Test)) {
    test.fields.iter().for_each(|field| each_entry(field, seen));
    let branches = test.alternatives.iter().flat_map(|alternatives| &alternatives.branches);
    branches.for_each(|branch| each_entry_of(branch, seen));
}

/// What a schema says about a value. A list stands for its items, as in a pattern.
struct Known<'s> {
    /// The types that it may have; none if it may have any.
    types: Vec<&'s str>,
    /// All values that it may have, if they are listed.
    values: Option<&'s [Value]>,
    /// The schema of the object that it may be.
    object: Option<&'s Value>,
    may_be_absent: bool,
}

impl<'s> Known<'s> {
    fn of(schema: &'s Value, may_be_absent: bool) -> Self {
        let mut types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            several => several.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
        };
        let is_object = types.is_empty() || types.contains(&"object");
        let object = is_object.then_some(schema);
        if !types.contains(&"array") {
            return Self { types, values: schema["enum"].as_array().map(Vec::as_slice), object, may_be_absent };
        }
        types.retain(|one| *one != "array");
        let items = Self::of(&schema["items"], true);
        if types.is_empty() || items.types.is_empty() {
            return items;
        }
        types.extend(items.types);
        Self { types, values: None, object: object.or(items.object), may_be_absent: true }
    }

    /// What is known of a field of the object, if it is described.
    fn field(&self, object: &'s Value, name: &str) -> Option<Self> {
        let field = object["properties"].get(name)?;
        let is_required = object["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let is_there = is_required && !self.may_be_absent && self.types.iter().all(|one| *one == "object");
        Some(Self::of(field, !is_there))
    }

    fn verdict(&self, test: &Test, field: &str) -> Verdict {
        let is_any = self.types.is_empty();
        let is_possible = match (test, self.values) {
            (Test::Exists(true), _) => is_any || self.types.iter().any(|one| *one != "object"),
            // For `exists`, an object has no value.
            (Test::Exists(false), _) => is_any || self.may_be_absent || self.types.contains(&"object"),
            (Test::Scalar(test), Some(values)) => values.iter().any(|value| test.matches(value)),
            (Test::Scalar(test), None) => is_any || self.types.iter().any(|one| may_match(test, one)),
        };
        match test {
            _ if is_possible => Verdict::Possible,
            Test::Exists(false) => Verdict::Impossible { field: field.to_owned(), is: vec!["always there".to_owned()] },
            _ => self.impossible(field),
        }
    }

    /// The verdict on a test of something below `field`, which is not an object.
    fn verdict_below(&self, test: &Test, field: &str) -> Verdict {
        if matches!(test, Test::Exists(false)) { Verdict::Possible } else { self.impossible(field) }
    }

    fn impossible(&self, field: &str) -> Verdict {
        let word = |one: &&str| match *one {
            "string" => "a string".to_owned(),
            "integer" => "an integer".to_owned(),
            "number" => "a number".to_owned(),
            "boolean" => "true or false".to_owned(),
            "object" => "an object (test its fields)".to_owned(),
            other => other.to_owned(),
        };
        let is = match self.values {
            Some(values) => values.iter().map(Value::to_string).collect(),
            None => self.types.iter().map(word).collect(),
        };
        Verdict::Impossible { field: field.to_owned(), is }
    }
}

/// Whether a value of this type can match.
fn may_match(test: &ScalarTest, value_type: &str) -> bool {
    match test {
        ScalarTest::Equals(Value::Null) => value_type == "null",
        ScalarTest::Equals(Value::Bool(_)) => value_type == "boolean",
        ScalarTest::Equals(Value::Number(_)) | ScalarTest::Numeric(_) => matches!(value_type, "integer" | "number"),
        ScalarTest::AnythingBut(_) => value_type != "object",
        _ => value_type == "string",
    }
}

/// The name of the property that `name` was probably meant to be.
fn near(name: &str, properties: &Value) -> Option<String> {
    let names = properties.as_object().into_iter().flatten().map(|(known, _)| known);
    let distances = names.map(|known| (distance(&name.to_lowercase(), &known.to_lowercase()), known));
    let most = (name.chars().count() / 3).min(2);
    distances.filter(|(distance, _)| *distance <= most).min().map(|(_, known)| known.clone())
}

/// How many characters have to be inserted, deleted or replaced to turn one text into the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, of_a) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, of_b) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(of_a != of_b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::routing::Pattern;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "status": {"type": "string", "enum": ["failed", "succeeded"]},
                "count": {"type": "integer"},
                "more": {"type": "boolean"},
                "ids": {"type": "array", "items": {"type": "string"}},
                "tables": {"type": ["array", "null"], "items": {
                    "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]
                }},
                "error": {"type": ["object", "null"], "properties": {"code": {"type": "string"}}, "required": ["code"]},
                "records": {"type": "object", "properties": {"read": {"type": "integer"}}, "required": ["read"]},
                "note": {"type": "string"},
                "anything": {}
            },
            "required": ["status", "count", "more", "ids", "tables", "error", "records"]
        })
    }

    #[track_caller]
    fn check(pattern: Value, expected: &[(&str, &str)]) {
        let pattern = Pattern::parse(&pattern).expect("a pattern");
        let told = pattern.verdicts(&schema()).into_iter().filter_map(|(pointer, verdict)| match verdict {
            Verdict::Possible => None,
            Verdict::Undescribed { pointer, field, near } => {
                Some((pointer, format!("{field}?{}", near.unwrap_or_default())))
            }
            Verdict::Impossible { field, is } => Some((pointer, format!("{field} is {}", is.join("|")))),
        });
        let told: Vec<_> = told.collect();
        let expected: Vec<_> = expected.iter().map(|(at, told)| ((*at).to_owned(), (*told).to_owned())).collect();
        assert_eq!(told, expected, "{pattern:?}");
    }

    #[test]
    fn what_the_schema_allows_is_possible() {
        check(json!({"status": ["failed"], "count": [1, 1.5, {"numeric": [">", 3]}, {"anything-but": 1}]}), &[]);
        check(
            json!({"status": [{"prefix": "f"}, {"wildcard": "*d"}, {"anything-but": "failed"}, {"exists": true}]}),
            &[],
        );
        check(
            json!({"more": [true], "ids": ["a", {"exists": false}], "tables": {"name": ["a", {"exists": false}]}}),
            &[],
        );
        check(json!({"tables": [null], "error": [null, {"exists": true}, {"exists": false}]}), &[]);
        check(json!({"error": {"code": ["a", {"exists": false}]}, "records": {"read": [1]}}), &[]);
        check(
            json!({"note": [{"exists": false}, "a"], "anything": [1, "a", null], "records": [{"exists": false}]}),
            &[],
        );
        check(json!({"status": {"deep": {"er": [{"exists": false}]}}}), &[]);
    }

    #[test]
    fn a_value_that_can_never_be_there_is_told_with_those_that_can() {
        check(json!({"status": ["failed", "fail"]}), &[("/status/1", r#"status is "failed"|"succeeded""#)]);
        check(json!({"status": [{"prefix": "x"}]}), &[("/status/0", r#"status is "failed"|"succeeded""#)]);
        let all = json!({"status": [{"anything-but": ["failed", "succeeded"]}]});
        check(all, &[("/status/0", r#"status is "failed"|"succeeded""#)]);
        check(json!({"status": [{"exists": false}]}), &[("/status/0", "status is always there")]);
        check(
            json!({"count": ["1", null, true, {"prefix": "1"}]}),
            &[
                ("/count/0", "count is an integer"),
                ("/count/1", "count is an integer"),
                ("/count/2", "count is an integer"),
                ("/count/3", "count is an integer"),
            ],
        );
        check(json!({"more": ["true"]}), &[("/more/0", "more is true or false")]);
        check(json!({"ids": [1]}), &[("/ids/0", "ids is a string")]);
        check(json!({"error": ["a"]}), &[("/error/0", "error is an object (test its fields)|null")]);
        check(json!({"records": [{"exists": true}]}), &[("/records/0", "records is an object (test its fields)")]);
        check(json!({"records": {"read": ["1"]}}), &[("/records/read/0", "records.read is an integer")]);
        check(json!({"count": {"a": {"b": [1]}}}), &[("/count/a/b/0", "count is an integer")]);
        check(
            json!({"$or": [{"status": ["x"]}, {"count": [1]}]}),
            &[("/$or/0/status/0", r#"status is "failed"|"succeeded""#)],
        );
    }

    #[test]
    fn a_field_that_is_not_described_is_told_with_one_of_nearly_its_name() {
        check(json!({"statuss": ["failed", "x"]}), &[("/statuss", "statuss?status"), ("/statuss", "statuss?status")]);
        check(json!({"Status": ["failed"]}), &[("/Status", "Status?status")]);
        check(json!({"stauts": ["failed"]}), &[("/stauts", "stauts?status")]);
        check(json!({"colour": [1]}), &[("/colour", "colour?")]);
        check(json!({"id": [1]}), &[("/id", "id?")]);
        check(json!({"records": {"reed": [1]}}), &[("/records/reed", "records.reed?read")]);
        check(json!({"more_of_it": {"a": {"b": [1]}}}), &[("/more_of_it", "more_of_it?")]);
        check(json!({"anything": {"a": [1]}}), &[("/anything/a", "anything.a?")]);
    }

    #[test]
    fn texts_are_compared_letter_by_letter() {
        for (a, b, expected) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("status", "statuss", 1), ("stauts", "status", 2), ("é", "e", 1)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (expected, expected), "{a} {b}");
        }
    }
}
