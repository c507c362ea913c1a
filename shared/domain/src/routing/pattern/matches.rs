//! Compares `data` with a pattern. It goes no deeper into `data` than the pattern does.
//!
//! A list in the data stands for each of its elements, and so do lists in lists: a field matches if one element does.
//! The fields of one object of the pattern must match in the same element.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::scalar::Test;

/// The test of an object: all of its fields and one of the alternatives must match.
#[derive(Debug, Clone, Default)]
pub(super) struct ObjectTest {
    pub(super) fields: Vec<(String, FieldTest)>,
    pub(super) alternatives: Option<Alternatives>,
}

/// A `$or`.
#[derive(Debug, Clone)]
pub(super) struct Alternatives {
    pub(super) pointer: String,
    pub(super) branches: Vec<ObjectTest>,
}

#[derive(Debug, Clone)]
pub(super) enum FieldTest {
    Values(Arc<ValueTest>),
    Object { pointer: String, test: ObjectTest },
}

/// The list of a field: one of its entries must match.
#[derive(Debug)]
pub(super) struct ValueTest {
    pub(super) pointer: String,
    pub(super) tests: Vec<Test>,
}

impl ObjectTest {
    /// Whether one of the objects in `found` matches. If there is none, the pattern matches if it requires every field
    /// to be absent.
    pub(super) fn matches_any_in(&self, found: Option<&Value>) -> bool {
        let mut objects = objects(found).peekable();
        match objects.peek() {
            Some(_) => objects.any(|object| self.matches(Some(object))),
            None => self.matches(None),
        }
    }

    pub(super) fn matches(&self, object: Option<&Map<String, Value>>) -> bool {
        self.fields.iter().all(|(name, test)| test.matches(object.and_then(|object| object.get(name))))
            && self.alternatives.as_ref().is_none_or(|alternatives| alternatives.matches(object))
    }
}

impl Alternatives {
    pub(super) fn matches(&self, object: Option<&Map<String, Value>>) -> bool {
        self.branches.iter().any(|branch| branch.matches(object))
    }
}

impl FieldTest {
    pub(super) fn matches(&self, found: Option<&Value>) -> bool {
        match self {
            FieldTest::Values(test) => test.matches(found),
            FieldTest::Object { test, .. } => test.matches_any_in(found),
        }
    }
}

impl ValueTest {
    fn matches(&self, found: Option<&Value>) -> bool {
        let mut values = values(found).peekable();
        let present = values.peek().is_some();
        self.tests.iter().any(|test| matches!(test, Test::Exists(wanted) if *wanted == present))
            || values.any(|value| {
                self.tests.iter().any(|test| matches!(test, Test::Scalar(scalar) if scalar.matches(value)))
            })
    }
}

/// The values that are neither lists nor objects. `exists` asks whether there are any.
pub(super) fn values(found: Option<&Value>) -> impl Iterator<Item = &Value> {
    elements(found).filter(|value| !value.is_object())
}

pub(super) fn objects(found: Option<&Value>) -> impl Iterator<Item = &Map<String, Value>> {
    elements(found).filter_map(Value::as_object)
}

/// The value itself, or the elements of the list, however deeply lists are nested.
fn elements(found: Option<&Value>) -> impl Iterator<Item = &Value> {
    let mut open = vec![found.map_or(&[][..], std::slice::from_ref).iter()];
    std::iter::from_fn(move || {
        loop {
            match open.last_mut()?.next() {
                Some(Value::Array(list)) => open.push(list.iter()),
                Some(value) => return Some(value),
                None => {
                    open.pop();
                }
            }
        }
    })
}
