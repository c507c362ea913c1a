//! The tests of one value: a string, a number, `true`, `false` or `null`. `matches` handles lists and objects.

use std::cmp::Ordering;
use std::fmt;

use serde_json::{Number, Value};

use super::wildcard::Wildcard;

/// One entry of a field's list.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// Whether the field has a value at all.
    Exists(bool),
    Scalar(ScalarTest),
}

#[derive(Debug, Clone)]
pub(super) enum ScalarTest {
    Equals(Value),
    Prefix(String),
    PrefixIgnoreCase(Folded),
    Suffix(String),
    SuffixIgnoreCase(Folded),
    EqualsIgnoreCase(Folded),
    Wildcard(Box<Wildcard>),
    /// All of them must match.
    Numeric(Vec<NumberTest>),
    /// None of them may match.
    AnythingBut(Vec<ScalarTest>),
}

impl Test {
    /// How many comparisons it takes to test a value.
    pub(super) fn comparisons(&self) -> usize {
        match self {
            Test::Exists(_) => 0,
            Test::Scalar(scalar) => scalar.comparisons(),
        }
    }
}

impl ScalarTest {
    fn comparisons(&self) -> usize {
        match self {
            ScalarTest::AnythingBut(excluded) => excluded.iter().map(ScalarTest::comparisons).sum(),
            ScalarTest::Wildcard(wildcard) => 1 + wildcard.stars(),
            _ => 1,
        }
    }

    pub(super) fn matches(&self, value: &Value) -> bool {
        match (self, value) {
            (ScalarTest::AnythingBut(excluded), _) => !excluded.iter().any(|test| test.matches(value)),
            (ScalarTest::Equals(Value::Number(wanted)), Value::Number(found)) => {
                compare(found, wanted) == Some(Ordering::Equal)
            }
            (ScalarTest::Equals(wanted), _) => wanted == value,
            (ScalarTest::Numeric(tests), Value::Number(found)) => tests.iter().all(|test| test.matches(found)),
            (ScalarTest::Prefix(prefix), Value::String(found)) => found.starts_with(prefix),
            (ScalarTest::Suffix(suffix), Value::String(found)) => found.ends_with(suffix),
            (ScalarTest::PrefixIgnoreCase(prefix), Value::String(found)) => prefix.begins(found),
            (ScalarTest::SuffixIgnoreCase(suffix), Value::String(found)) => suffix.ends(found),
            (ScalarTest::EqualsIgnoreCase(text), Value::String(found)) => text.equals(found),
            (ScalarTest::Wildcard(wildcard), Value::String(found)) => wildcard.matches(found),
            _ => false,
        }
    }
}

/// A comparison with a number, as in `[">", 0]`.
#[derive(Debug, Clone)]
pub(super) struct NumberTest {
    pub(super) comparison: Comparison,
    pub(super) bound: Number,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Comparison {
    pub(super) fn parse(text: &str) -> Option<Self> {
        use Comparison::{AtLeast, AtMost, Equal, Less, More};
        [Equal, Less, AtMost, More, AtLeast].into_iter().find(|comparison| comparison.as_str() == text)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::More => ">",
            Comparison::AtLeast => ">=",
        }
    }
}

impl NumberTest {
    fn matches(&self, found: &Number) -> bool {
        let Some(ordering) = compare(found, &self.bound) else { return false };
        match self.comparison {
            Comparison::Equal => ordering.is_eq(),
            Comparison::Less => ordering.is_lt(),
            Comparison::AtMost => ordering.is_le(),
            Comparison::More => ordering.is_gt(),
            Comparison::AtLeast => ordering.is_ge(),
        }
    }

    pub(super) fn bound_is_below(&self, other: &NumberTest) -> bool {
        compare(&self.bound, &other.bound) == Some(Ordering::Less)
    }
}

/// Compares by value: 5, 5.0 and 5e0 are equal. Two integers are compared exactly, all other numbers as IEEE doubles.
/// EventBridge's own range (±5e9, six decimals) does not apply, because counts of bytes and times in milliseconds
/// exceed it.
fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// A text that is compared without regard to case. It is stored folded (`ß` as `ss`).
#[derive(Debug, Clone)]
pub(super) struct Folded(String);

impl Folded {
    pub(super) fn new(text: &str) -> Self {
        Self(fold(text).collect())
    }

    fn equals(&self, text: &str) -> bool {
        fold(text).eq(self.0.chars())
    }

    fn begins(&self, text: &str) -> bool {
        let mut letters = fold(text);
        self.0.chars().all(|wanted| letters.next() == Some(wanted))
    }

    fn ends(&self, text: &str) -> bool {
        let mut letters = fold(text).rev();
        self.0.chars().rev().all(|wanted| letters.next() == Some(wanted))
    }
}

/// Converts to capitals first, because some letters differ only in lower case: ς and σ.
fn fold(text: &str) -> impl DoubleEndedIterator<Item = char> {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

impl fmt::Display for ScalarTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScalarTest::Equals(value) => write!(f, "{value}"),
            ScalarTest::Prefix(text) => write!(f, "text that begins with {text:?}"),
            ScalarTest::PrefixIgnoreCase(text) => write!(f, "text that begins with {:?} in any case", text.0),
            ScalarTest::Suffix(text) => write!(f, "text that ends with {text:?}"),
            ScalarTest::SuffixIgnoreCase(text) => write!(f, "text that ends with {:?} in any case", text.0),
            ScalarTest::EqualsIgnoreCase(text) => write!(f, "{:?} in any case", text.0),
            ScalarTest::Wildcard(wildcard) => write!(f, "text like {wildcard:?}"),
            ScalarTest::Numeric(tests) => {
                let tests: Vec<_> = tests.iter().map(|t| format!("{} {}", t.comparison.as_str(), t.bound)).collect();
                write!(f, "a number {}", tests.join(" and "))
            }
            ScalarTest::AnythingBut(excluded) => {
                let excluded: Vec<_> = excluded.iter().map(ToString::to_string).collect();
                write!(f, "anything but {}", excluded.join(" or "))
            }
        }
    }
}
