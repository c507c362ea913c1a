//! How a mismatch is explained, and how a pattern is shown again.

use serde_json::{Value, json};

use super::pattern;
use crate::routing::pattern::Pattern;

#[track_caller]
fn check_explained(condition: Value, data: Value, pointer: &str, detail: &str) {
    let mismatch = pattern(&condition).explain(&data).expect("a mismatch");
    assert_eq!((mismatch.pointer.as_str(), mismatch.detail.as_str()), (pointer, detail));
}

#[test]
fn a_mismatch_names_the_field_what_was_found_and_what_was_wanted() {
    let both = json!({"a": ["x"], "status": ["failed", {"prefix": "par"}]});
    let said = r#"`status` is "ok"; wanted: "failed" or text that begins with "par""#;
    check_explained(both, json!({"a": "x", "status": "ok"}), "/status", said);
    let nested = json!({"records": {"inserted": [{"numeric": [">", 0, "<", 9]}]}});
    let said = "`records.inserted` is 0; wanted: a number > 0 and < 9";
    check_explained(nested.clone(), json!({"records": {"inserted": 0}}), "/records/inserted", said);
    let said = "`records.inserted` is not in the event's data; wanted: a number > 0 and < 9";
    check_explained(nested, json!({"records": 1}), "/records/inserted", said);
    let said = "`f` is an object, not a value; wanted: any value";
    check_explained(json!({"f": [{"exists": true}]}), json!({"f": {"g": 1}}), "/f", said);
    let said = "`f` is [1,2], of which no element is accepted; wanted: 3";
    check_explained(json!({"f": [3]}), json!({"f": [1, 2]}), "/f", said);
    let said = "`f` is 1; wanted: no value at all";
    check_explained(json!({"f": [{"exists": false}]}), json!({"f": 1}), "/f", said);
    let said = "none of the 2 elements of `f` matches everything asked of it";
    check_explained(json!({"f": {"g": [1], "h": [1]}}), json!({"f": [{"g": 1}, {"h": 1}]}), "/f", said);
    let said = "`f.h` is not in the event's data; wanted: 1";
    check_explained(json!({"f": {"g": [1], "h": [1]}}), json!({"f": [{"g": 1}]}), "/f/h", said);
    let said = "none of the 2 alternatives of `$or` matches the event's data";
    check_explained(json!({"$or": [{"a": [1]}, {"b": [1]}]}), json!({"a": 2}), "/$or", said);
}

#[test]
fn a_found_value_is_cut_short() {
    let mismatch = pattern(&json!({"f": ["a"]})).explain(&json!({"f": "é".repeat(1_000)})).expect("a mismatch");
    assert!(mismatch.detail.chars().count() < 150 && mismatch.detail.contains("é…; wanted"), "{}", mismatch.detail);
}

#[test]
fn a_pattern_is_shown_as_it_was_given_and_read_back() {
    let given = json!({"$or": [{"a": [5.0]}, {"b": [{"exists": false}]}]});
    let read: Pattern = serde_json::from_value(given.clone()).expect("a pattern");
    assert_eq!(read.as_value(), given);
    assert_eq!(serde_json::to_value(&read).expect("JSON"), given);
    assert_eq!(read, pattern(&given));
    let error = serde_json::from_value::<Pattern>(json!({"status": "failed"})).map_err(|error| error.to_string());
    assert_eq!(error, Err(r#""/status": must be a list of the values to accept: write ["failed"]"#.to_owned()));
}
