//! Reads JSON that others wrote. No key may be repeated in an object (`keys`), and a number may have any size. The reason
//! for a refusal says what was expected. It does not repeat what was found, which may be secret, or as long as the text.
//!
//! Invariant: nothing is read of a JSON text with a repeated key (tests: `a_key_that_comes_twice_is_found_at_any_depth`,
//! in the API `a_body_in_which_a_key_comes_twice_is_refused_wherever_it_is`).
//!
//! Invariant: a reason repeats no value, and its length is bounded (tests: `a_reason_says_what_was_expected_and_not_what_was_found`).

use std::borrow::Cow;

use serde_json::Value;

use super::excerpt::excerpt;
use super::keys::{KeyError, check_keys, end_of_string};

/// Why a JSON text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    #[error("has the key `{0}` twice; give it once")]
    Repeated(String),
    #[error("is not JSON: {0}")]
    Malformed(String),
}

/// Reads any JSON in which no key is repeated.
pub fn read(text: &str) -> Result<Value, JsonError> {
    check_keys(text).map_err(|error| match &error {
        KeyError::Repeated(place) => JsonError::Repeated(place.to_string()),
        KeyError::Embedded(place) => JsonError::Malformed(format!("the key `{place}` {error}")),
        KeyError::TooDeep(_) => JsonError::Malformed(error.to_string()),
    })?;
    serde_json::from_str(text).map_err(|error| JsonError::Malformed(reason(&error)))
}

/// Reads JSON that a producer sent and whose keys were checked. A number that is too large for an IEEE double is read as the
/// largest double.
pub fn value(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(&within_doubles(text))
}

/// The same JSON, with the largest IEEE double in place of each number that is too large for one. It is for code that
/// interprets numbers, and never for code that passes them on.
pub(super) fn within_doubles(text: &str) -> Cow<'_, str> {
    let (mut written, mut copied, mut at) = (String::new(), 0, 0);
    let bytes = text.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        let begin = at;
        at += 1;
        match byte {
            b'"' => at = end_of_string(bytes, at),
            b'-' | b'0'..=b'9' => {
                let more = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                at += bytes[at..].iter().take_while(|byte| more(byte)).count();
                let number = &text[begin..at];
                let may_be = number.len() > 300 || number.contains(['e', 'E']);
                if may_be && number.parse::<f64>().is_ok_and(f64::is_infinite) {
                    let largest = if byte == b'-' { f64::MIN } else { f64::MAX };
                    written.push_str(&text[copied..begin]);
                    written.push_str(&format!("{largest:e}"));
                    copied = at;
                }
            }
            _ => {}
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    written.push_str(&text[copied..]);
    Cow::Owned(written)
}

/// Why a text cannot be read, without what was found in it. Line and column are given only if the text is not JSON.
pub fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if !error.is_data() {
        return text;
    }
    let place = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit() || b" column".contains(&byte));
    let reason =
        text.rsplit_once(" at line ").filter(|(_, rest)| place(rest)).map_or(text.as_str(), |(reason, _)| reason);
    without_value(reason)
}

/// The message of serde about a wrong value (`invalid type: string "…", expected …`), without the value.
pub fn without_value(text: &str) -> String {
    for told in ["invalid type: ", "invalid value: "] {
        if let Some((found, expected)) = text.strip_prefix(told).and_then(|rest| rest.rsplit_once(", expected ")) {
            let kind = found.split(['"', '`']).next().unwrap_or_default().trim_end();
            return format!("{told}{kind}, expected {expected}");
        }
    }
    for told in ["unknown field `", "unknown variant `"] {
        for between in ["`, expected ", "`, there are no "] {
            if let Some((name, rest)) = text.strip_prefix(told).and_then(|rest| rest.rsplit_once(between)) {
                return format!("{told}{}{between}{rest}", excerpt(name));
            }
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::value::excerpt::{MAX_REASON, SHOWN, bounded};

    #[test]
    fn nothing_is_read_where_a_key_comes_twice() {
        let told = read(r#"{"b": {"a": 1, "a": 2}}"#).map_err(|error| error.to_string());
        assert_eq!(told, Err("has the key `b.a` twice; give it once".to_owned()));
    }

    #[test]
    fn a_number_of_any_size_is_read_and_a_text_that_looks_like_one_is_left() {
        let text = r#"{"1e999": "1e999 \" -1e999", "n": [1e999, -1E+999, 1e-999, 12345678901234567890123, -0, 1.10]}"#;
        let read = value(text).expect("JSON");
        assert_eq!(read["1e999"], "1e999 \" -1e999");
        assert_eq!(read["n"], json!([f64::MAX, f64::MIN, 0.0, 12345678901234567890123_f64, -0.0, 1.1]));
        assert_eq!(value(&"9".repeat(400)).expect("a number"), json!(f64::MAX));
        for wrong in ["1e", "-", "01", "1e999e", "\"1e999"] {
            assert!(value(wrong).is_err(), "{wrong}");
        }
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read")]
    struct Known {
        number: u8,
        list: Vec<u8>,
    }

    #[track_caller]
    fn check_reason(text: &str, expected: &str) {
        let error = serde_json::from_str::<Known>(text).expect_err(text);
        assert_eq!(reason(&error), expected, "{text}");
    }

    #[test]
    fn a_reason_says_what_was_expected_and_not_what_was_found() {
        check_reason(r#""{\"number\": \"hunter2\", expected \"}""#, "invalid type: string, expected struct Known");
        check_reason(r#"{"number": "hunter2"}"#, "invalid type: string, expected u8");
        check_reason(r#"{"number": 4711}"#, "invalid value: integer, expected u8");
        check_reason(r#"{"list": {"a": "hunter2"}}"#, "invalid type: map, expected a sequence");
        check_reason(r#"{"list": true}"#, "invalid type: boolean, expected a sequence");
        check_reason(r#"{"other": 1}"#, "unknown field `other`, expected `number` or `list`");
        let (long, cut) = ("é".repeat(5_000), "é".repeat(SHOWN));
        check_reason(&format!(r#"{{"{long}": 1}}"#), &format!("unknown field `{cut}…`, expected `number` or `list`"));
        check_reason("{}", "missing field `number`");
        check_reason("{", "EOF while parsing an object at line 1 column 1");
        assert_eq!(bounded("x".repeat(MAX_REASON)).len(), MAX_REASON);
        assert_eq!(bounded(long).chars().count(), MAX_REASON + 1);
    }
}
