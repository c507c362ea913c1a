//! Compares `data` with a pattern. It goes no deeper into `data` than the pattern does.
//!
//! A list in the data stands for each of its elements, and so do lists in lists: a field matches if one element does.
//! The fields of one object of the pattern must match in the same element.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::scalar::Test;
use super::work::Work;
use crate::value::place::child;

/// The test of an object: all of its fields and one of the alternatives must match.
#[derive(Debug, Clone, Default)]
pub(super) struct ObjectTest {
    pub(super) fields: Vec<Field>,
    pub(super) alternatives: Option<Box<Alternatives>>,
}

/// A field that is tested. What `$or` combines is shared between its alternatives.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) at: Arc<At>,
    pub(super) test: FieldTest,
}

/// A place in the pattern. The fields of one object share the place of that object.
#[derive(Debug)]
pub(super) struct At {
    pub(super) parent: Option<Arc<At>>,
    pub(super) name: Box<str>,
}

/// A `$or`.
#[derive(Debug, Clone)]
pub(super) struct Alternatives {
    pub(super) at: Arc<At>,
    pub(super) branches: Vec<ObjectTest>,
}

#[derive(Debug, Clone)]
pub(super) enum FieldTest {
    Values(Arc<ValueTest>),
    Object(Arc<ObjectTest>),
}

/// The list of a field: one of its entries must match.
#[derive(Debug)]
pub(super) struct ValueTest {
    pub(super) tests: Box<[Test]>,
    /// How many comparisons it takes to test a value.
    comparisons: usize,
}

impl ValueTest {
    pub(super) fn new(tests: Vec<Test>) -> Self {
        Self { comparisons: tests.iter().map(Test::comparisons).sum(), tests: tests.into() }
    }
}

impl At {
    pub(super) fn below(parent: Option<&Arc<At>>, name: &str) -> Arc<At> {
        Arc::new(At { parent: parent.cloned(), name: name.into() })
    }

    /// RFC 6901, relative to the pattern.
    pub(super) fn pointer(&self) -> String {
        child(&self.parent.as_ref().map_or_else(String::new, |parent| parent.pointer()), &self.name)
    }
}

impl ObjectTest {
    /// Whether one of the objects in `found` matches. If there is none, the pattern matches if it requires every field
    /// to be absent.
    pub(super) fn matches_any_in(&self, found: Option<&Value>, work: &Work) -> bool {
        let mut objects = elements(found).inspect(|_| work.spend(1)).filter_map(Value::as_object).peekable();
        match objects.peek() {
            Some(_) => objects.any(|object| self.matches(Some(object), work)),
            None => self.matches(None, work),
        }
    }

    pub(super) fn matches(&self, object: Option<&Map<String, Value>>, work: &Work) -> bool {
        let field = |field: &Field| field.test.matches(object.and_then(|object| object.get(&*field.at.name)), work);
        self.fields.iter().all(field)
            && self.alternatives.as_ref().is_none_or(|alternatives| alternatives.matches(object, work))
    }
}

impl Alternatives {
    fn matches(&self, object: Option<&Map<String, Value>>, work: &Work) -> bool {
        self.branches.iter().any(|branch| branch.matches(object, work))
    }
}

impl FieldTest {
    pub(super) fn matches(&self, found: Option<&Value>, work: &Work) -> bool {
        work.spend(1);
        match self {
            _ if work.is_over() => false,
            FieldTest::Values(test) => test.matches(found, work),
            FieldTest::Object(test) => test.matches_any_in(found, work),
        }
    }
}

impl ValueTest {
    fn matches(&self, found: Option<&Value>, work: &Work) -> bool {
        let mut values = elements(found).inspect(|_| work.spend(1)).filter(|value| !value.is_object()).peekable();
        let present = values.peek().is_some();
        self.tests.iter().any(|test| matches!(test, Test::Exists(wanted) if *wanted == present))
            || values.any(|value| {
                work.spend(cost(value).saturating_mul(self.comparisons));
                !work.is_over()
                    && self.tests.iter().any(|test| matches!(test, Test::Scalar(scalar) if scalar.matches(value)))
            })
    }
}

/// What comparing a value with one test costs at most. A text is read through once, 16 bytes a step.
fn cost(value: &Value) -> usize {
    1 + value.as_str().map_or(0, |text| text.len() / 16)
}

/// The values that are neither lists nor objects. `exists` asks whether there are any.
pub(super) fn values(found: Option<&Value>) -> impl Iterator<Item = &Value> {
    elements(found).filter(|value| !value.is_object())
}

pub(super) fn objects(found: Option<&Value>) -> impl Iterator<Item = &Map<String, Value>> {
    elements(found).filter_map(Value::as_object)
}

/// The value itself, or the elements of the list, however deeply lists are nested.
pub(super) fn elements(found: Option<&Value>) -> impl Iterator<Item = &Value> {
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
