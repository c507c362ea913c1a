//! The condition of a subscription: an Amazon EventBridge event pattern over an event's `data`.
//!
//! [`Pattern::parse`] refuses what is malformed or can never match; [`Pattern::matches`] and [`Pattern::explain`] are
//! total. The stages are the files: `parse` and `operators` read the JSON, `spread` combines what `$or` separates,
//! `matches` and `explain` compare it with data, `schema` with what data can be, and `error` says what is refused. It
//! deliberately does not know which fields an event type has.
//!
//! Invariant: a condition matches exactly when an EventBridge pattern does, except for the differences that
//! `tools/pattern_agreement.py` lists with their reasons (tests: `ten_thousand_pairs_agree_with_another_implementation`).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

mod error;
mod explain;
mod index;
mod matches;
mod operators;
mod parse;
mod scalar;
mod schema;
mod spread;
mod wildcard;
mod work;

#[cfg(test)]
mod tests;

pub use error::PatternError;
pub use explain::Mismatch;
pub(super) use index::Index;
use matches::ObjectTest;
pub(super) use schema::Verdict;
pub use work::{MOST_STEPS, Work};

/// The size of a pattern, in bytes of its JSON without white space: EventBridge's own limit.
pub const MAX_BYTES: usize = 2_048;
/// How deeply objects may be nested; a pattern whose fields are all at the top has depth 1. A `$or` counts as one
/// level.
pub const MAX_DEPTH: usize = 10;
/// The product of the lengths of all `$or` lists: EventBridge's own limit.
pub const MAX_COMBINATIONS: usize = 1_000;
/// How many fields may be tested. Fields of an object both beside a `$or` and inside it count once for every
/// alternative; only such patterns come near the limit. So such a pattern costs no more work for an event than the
/// longest pattern without such fields.
pub const MAX_FIELD_TESTS: usize = 300;

/// A condition over an event's `data`, with the JSON that it was read from, in which it is shown again.
#[derive(Clone)]
pub struct Pattern {
    source: Box<str>,
    test: ObjectTest,
}

impl Pattern {
    /// Reads a pattern; refuses what is malformed, too large, or can match no event at all.
    pub fn parse(value: &Value) -> Result<Pattern, PatternError> {
        let test = spread::spread(parse::parse(value)?)?;
        Ok(Pattern { source: value.to_string().into(), test })
    }

    /// Whether an event with this `data` satisfies the condition.
    pub fn matches(&self, data: &Value) -> bool {
        self.matches_within(data, &Work::unbounded())
    }

    /// The same, as long as there is work left.
    pub fn matches_within(&self, data: &Value, work: &Work) -> bool {
        self.test.matches_any_in(Some(data), work)
    }

    /// The first field for which `data` does not match; nothing when it matches.
    pub fn explain(&self, data: &Value) -> Option<Mismatch> {
        self.explain_within(data, &Work::unbounded())
    }

    /// The same, as long as there is work left.
    pub fn explain_within(&self, data: &Value, work: &Work) -> Option<Mismatch> {
        explain::explain(&self.test, data, work)
    }

    /// For each value that it accepts, by its pointer: whether the value can be in data that conforms to this JSON Schema.
    pub(super) fn verdicts(&self, schema: &Value) -> BTreeMap<String, Verdict> {
        schema::verdicts(&self.test, schema)
    }

    /// Its size in bytes, as `MAX_BYTES` counts it.
    pub fn size(&self) -> usize {
        self.source.len()
    }

    /// An estimate of the memory that it takes, in bytes. Nested objects and short fields take most.
    pub fn memory(&self) -> usize {
        300 + 30 * self.size()
    }

    /// The pattern as it was given.
    pub fn as_value(&self) -> Value {
        serde_json::from_str(&self.source).unwrap_or_default()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.source)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source || (self.source.len() == other.source.len() && self.as_value() == other.as_value())
    }
}

impl Eq for Pattern {}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Pattern::parse(&Value::deserialize(deserializer)?).map_err(|error| de::Error::custom(error.carried()))
    }
}
