//! Reads one entry of a field's list: a plain value, or an object with one operator.

use serde_json::{Map, Number, Value};

use super::error::{PatternError, child, refused};
use super::scalar::{Comparison, Folded, NumberTest, ScalarTest, Test};
use super::wildcard::Wildcard;

pub(super) const OPERATORS: [&str; 7] =
    ["prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "exists", "wildcard"];

/// What `anything-but` can exclude besides plain values.
const EXCLUDABLE: [&str; 4] = ["prefix", "suffix", "equals-ignore-case", "wildcard"];

pub(super) fn test(value: &Value, pointer: &str) -> Result<Test, PatternError> {
    match value {
        Value::Object(expression) => {
            let (name, operand) = only_entry(expression, &OPERATORS, pointer)?;
            let pointer = child(pointer, name);
            match name {
                "exists" => operand
                    .as_bool()
                    .map(Test::Exists)
                    .ok_or_else(|| refused(&pointer, "must be true (the field is there) or false (it is not)")),
                _ => scalar(name, operand, &pointer).map(Test::Scalar),
            }
        }
        Value::Array(_) => Err(refused(pointer, "is a list in a list: list the values themselves")),
        plain => Ok(Test::Scalar(ScalarTest::Equals(plain.clone()))),
    }
}

fn scalar(name: &str, operand: &Value, pointer: &str) -> Result<ScalarTest, PatternError> {
    match (name, operand) {
        ("prefix", Value::Object(inner)) => ignoring_case(inner, pointer).map(ScalarTest::PrefixIgnoreCase),
        ("suffix", Value::Object(inner)) => ignoring_case(inner, pointer).map(ScalarTest::SuffixIgnoreCase),
        ("anything-but", _) => anything_but(operand, pointer).map(ScalarTest::AnythingBut),
        ("numeric", _) => numeric(operand, pointer).map(ScalarTest::Numeric),
        _ => textual(name, operand, pointer),
    }
}

/// The operators over strings, with a string as their operand.
fn textual(name: &str, operand: &Value, pointer: &str) -> Result<ScalarTest, PatternError> {
    let text = string(operand, pointer)?;
    match name {
        "prefix" => Ok(ScalarTest::Prefix(text.to_owned())),
        "suffix" => Ok(ScalarTest::Suffix(text.to_owned())),
        "wildcard" => {
            let wildcard = Wildcard::parse(text).map_err(|error| refused(pointer, error))?;
            Ok(ScalarTest::Wildcard(Box::new(wildcard)))
        }
        _ => Ok(ScalarTest::EqualsIgnoreCase(Folded::new(text))),
    }
}

fn ignoring_case(inner: &Map<String, Value>, pointer: &str) -> Result<Folded, PatternError> {
    let (name, operand) = only_entry(inner, &["equals-ignore-case"], pointer)?;
    string(operand, &child(pointer, name)).map(Folded::new)
}

/// The excluded values: one or more strings, one or more numbers, or one operator with one or more strings.
fn anything_but(operand: &Value, pointer: &str) -> Result<Vec<ScalarTest>, PatternError> {
    if let Value::Object(inner) = operand {
        let (name, excluded) = only_entry(inner, &EXCLUDABLE, pointer)?;
        let pointer = child(pointer, name);
        let exclude = |(value, pointer): (&Value, String)| {
            if matches!(name, "prefix" | "suffix") && string(value, &pointer)?.is_empty() {
                return Err(refused(&pointer, "is empty and would exclude every string: write a longer one"));
            }
            textual(name, value, &pointer)
        };
        return one_or_more(excluded, &pointer)?.into_iter().map(exclude).collect();
    }
    let excluded = one_or_more(operand, pointer)?;
    for (value, pointer) in &excluded {
        if !value.is_string() && !value.is_number() {
            return Err(refused(pointer, "must be a string or a number: list the values to accept instead"));
        }
    }
    if excluded.iter().any(|(v, _)| v.is_string()) && excluded.iter().any(|(v, _)| v.is_number()) {
        return Err(refused(pointer, "mixes strings and numbers: list either only strings or only numbers"));
    }
    Ok(excluded.into_iter().map(|(value, _)| ScalarTest::Equals(value.clone())).collect())
}

/// The operand, or the entries of the operand if it is a list, each with its pointer.
fn one_or_more<'v>(operand: &'v Value, pointer: &str) -> Result<Vec<(&'v Value, String)>, PatternError> {
    match operand {
        Value::Array(list) if list.is_empty() => Err(refused(pointer, "is empty: list at least one value to exclude")),
        Value::Array(list) => {
            Ok(list.iter().enumerate().map(|(i, value)| (value, child(pointer, &i.to_string()))).collect())
        }
        single => Ok(vec![(single, pointer.to_owned())]),
    }
}

/// One comparison, or a lower bound and then an upper one.
fn numeric(operand: &Value, pointer: &str) -> Result<Vec<NumberTest>, PatternError> {
    let malformed =
        || refused(pointer, r#"must be a comparison such as [">", 0], or a range such as [">=", 1, "<", 10]"#);
    let list = operand.as_array().filter(|list| matches!(list.len(), 2 | 4)).ok_or_else(malformed)?;
    let pairs = list.chunks_exact(2).enumerate();
    let tests = pairs.map(|(i, pair)| number_test(pair, 2 * i, pointer)).collect::<Result<Vec<_>, _>>()?;
    let [lower, upper] = tests.as_slice() else { return Ok(tests) };
    let is_range = matches!(lower.comparison, Comparison::More | Comparison::AtLeast)
        && matches!(upper.comparison, Comparison::Less | Comparison::AtMost);
    if !is_range {
        return Err(refused(pointer, r#"must be a range from low to high, such as [">=", 1, "<", 10]"#));
    }
    if !lower.bound_is_below(upper) {
        let detail = if lower.comparison == Comparison::AtLeast && upper.comparison == Comparison::AtMost {
            format!(
                "can never match unless {0} is below {1}: for one number, write [\"=\", {0}]",
                lower.bound, upper.bound
            )
        } else {
            format!("can never match: {} must be below {}", lower.bound, upper.bound)
        };
        return Err(refused(pointer, detail));
    }
    Ok(tests)
}

fn number_test(pair: &[Value], index: usize, pointer: &str) -> Result<NumberTest, PatternError> {
    let [comparison, bound] = pair else { return Err(refused(pointer, "must be comparisons and numbers in turn")) };
    let comparison = comparison.as_str().and_then(Comparison::parse).ok_or_else(|| {
        refused(&child(pointer, &index.to_string()), r#"must be one of "=", "<", "<=", ">", ">=", in quotes"#)
    })?;
    let bound: Number = match bound {
        Value::Number(number) => number.clone(),
        _ => return Err(refused(&child(pointer, &(index + 1).to_string()), "must be a number, without quotes")),
    };
    Ok(NumberTest { comparison, bound })
}

fn string<'v>(operand: &'v Value, pointer: &str) -> Result<&'v str, PatternError> {
    operand.as_str().ok_or_else(|| refused(pointer, "must be a string"))
}

/// The only entry of an object: an operator, which must be one of `known`, and its operand.
fn only_entry<'v>(
    expression: &'v Map<String, Value>,
    known: &[&'static str],
    pointer: &str,
) -> Result<(&'static str, &'v Value), PatternError> {
    let mut entries = expression.iter();
    let Some((name, operand)) = entries.next() else {
        return Err(refused(pointer, format!("names no operator; known here: {}", known.join(", "))));
    };
    if entries.next().is_some() {
        return Err(refused(pointer, "holds more than one operator: write each in an object of its own, [{…}, {…}]"));
    }
    match known.iter().find(|known| *known == name) {
        Some(known) => Ok((known, operand)),
        None => {
            Err(refused(&child(pointer, name), format!("is not an operator here; known are: {}", known.join(", "))))
        }
    }
}
