//! The parts of an input, and what several targets ask of a value.

use std::fmt::Debug;

use domain::value::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The present, for rules that depend on it: a minute after the events of the samples.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix_ms(1_795_426_200_000)
}

/// The input as text; most parsers get nothing else.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok()
}

/// The first line, and everything after it.
pub(crate) fn line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

/// Reads a value, writes it, and reads it again as the same value in the same form.
pub(crate) fn read_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(text: &str) -> Option<T> {
    let read = serde_json::from_str::<T>(text).ok()?;
    let written = serde_json::to_string(&read).expect("a written form");
    match serde_json::from_str::<T>(&written) {
        Ok(again) => {
            assert_eq!(again, read, "{text} is written as {written}");
            assert_eq!(serde_json::to_string(&again).expect("a written form"), written);
        }
        Err(error) => panic!("{text} is written as {written}, and that is refused: {error}"),
    }
    Some(read)
}

/// Whether `part` has nothing that `whole` does not have. A list of which nothing is of interest is empty in the part.
pub(crate) fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|whole| is_part(value, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.is_empty() || part.len() == whole.len() && part.iter().zip(whole).all(|(a, b)| is_part(a, b))
        }
        (part, whole) => part == whole,
    }
}

/// How deeply objects and lists are nested; 0 for a plain value.
pub(crate) fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
