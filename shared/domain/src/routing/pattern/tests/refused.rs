//! What is refused, where the error points, and what it says to do.

use serde_json::{Value, json};

use crate::routing::pattern::{MAX_BYTES, MAX_COMBINATIONS, MAX_DEPTH, MAX_FIELD_TESTS, Pattern, PatternError};

#[track_caller]
fn check_refused(condition: &Value, pointer: &str, detail: &str) {
    let PatternError { pointer: at, detail: said } =
        Pattern::parse(condition).map(|_| format!("{condition} was accepted")).unwrap_err();
    assert_eq!(at, pointer, "{condition}: {said}");
    assert!(said.contains(detail), "{condition}: {said}");
}

#[test]
fn what_is_malformed_is_refused_with_what_to_do() {
    check_refused(&json!([1]), "", "must be an object");
    check_refused(&json!({}), "", "name at least one field");
    check_refused(&json!({"a": {}}), "/a", "name at least one field");
    check_refused(&json!({"a": []}), "/a", "list the values to accept");
    check_refused(&json!({"status": "failed"}), "/status", r#"write ["failed"]"#);
    check_refused(&json!({"a/b": {"c": null}}), "/a~1b/c", "write [null]");
    check_refused(&json!({"status": {"prefix": "x"}}), "/status/prefix", r#"write {"<field>": [{"prefix": "x"}]}"#);
    check_refused(&json!({"n": {"numeric": [">", 0]}}), "/n", r#"write [{"numeric":[">",0]}]"#);
    check_refused(&json!({"a": [[1]]}), "/a/0", "list the values themselves");
    check_refused(&json!({"a": [1, {}]}), "/a/1", "names no operator");
    check_refused(&json!({"a": [{"cidr": "10.0.0.0/8"}]}), "/a/0/cidr", "known are: prefix, suffix");
    check_refused(&json!({"a": [{"prefix": "a", "suffix": "b"}]}), "/a/0", "more than one operator");
    check_refused(&json!({"a": [{"prefix": 5}]}), "/a/0/prefix", "must be a string");
    check_refused(
        &json!({"a": [{"prefix": {"wildcard": "a"}}]}),
        "/a/0/prefix/wildcard",
        "known are: equals-ignore-case",
    );
    check_refused(&json!({"a": [{"equals-ignore-case": ["a"]}]}), "/a/0/equals-ignore-case", "must be a string");
    check_refused(&json!({"a": [{"exists": "yes"}]}), "/a/0/exists", "true (the field is there)");
    check_refused(&json!({"a": [{"wildcard": "a**"}]}), "/a/0/wildcard", "two `*` in a row");
    check_refused(&json!({"a": [{"wildcard": r"a\b"}]}), "/a/0/wildcard", r"write `\\`");
}

#[test]
fn a_malformed_anything_but_is_refused() {
    check_refused(&json!({"a": [{"anything-but": []}]}), "/a/0/anything-but", "at least one value");
    check_refused(&json!({"a": [{"anything-but": true}]}), "/a/0/anything-but", "list the values to accept instead");
    check_refused(
        &json!({"a": [{"anything-but": ["a", null]}]}),
        "/a/0/anything-but/1",
        "must be a string or a number",
    );
    check_refused(&json!({"a": [{"anything-but": ["a", 1]}]}), "/a/0/anything-but", "mixes strings and numbers");
    check_refused(&json!({"a": [{"anything-but": {"numeric": [">", 1]}}]}), "/a/0/anything-but/numeric", "known are");
    check_refused(&json!({"a": [{"anything-but": {"prefix": []}}]}), "/a/0/anything-but/prefix", "at least one value");
    check_refused(&json!({"a": [{"anything-but": {"suffix": ["a", ""]}}]}), "/a/0/anything-but/suffix/1", "is empty");
    check_refused(&json!({"a": [{"anything-but": {"wildcard": ["**"]}}]}), "/a/0/anything-but/wildcard/0", "in a row");
}

#[test]
fn a_malformed_or_contradictory_numeric_is_refused() {
    for operand in [json!(5), json!([]), json!([">"]), json!([">", 1, "<"]), json!([">", 1, "<", 2, "<", 3])] {
        check_refused(&json!({"n": [{"numeric": operand}]}), "/n/0/numeric", "must be a comparison");
    }
    for operand in [json!(["=", 1, "<", 2]), json!(["<", 10, ">", 5]), json!([">", 1, ">", 2]), json!([">", 1, "=", 2])]
    {
        check_refused(&json!({"n": [{"numeric": operand}]}), "/n/0/numeric", "from low to high");
    }
    check_refused(&json!({"n": [{"numeric": ["!=", 1]}]}), "/n/0/numeric/0", "must be one of");
    check_refused(&json!({"n": [{"numeric": [">", 1, "<", "5"]}]}), "/n/0/numeric/3", "must be a number");
    check_refused(&json!({"n": [{"numeric": [">", 5, "<", 3]}]}), "/n/0/numeric", "can never match: 5 must be below 3");
    check_refused(&json!({"n": [{"numeric": [">", 5, "<=", 5]}]}), "/n/0/numeric", "can never match");
    check_refused(&json!({"n": [{"numeric": [">=", 5, "<=", 5]}]}), "/n/0/numeric", r#"write ["=", 5]"#);
}

#[test]
fn a_malformed_or_contradictory_or_is_refused() {
    for operand in [json!({"a": [1]}), json!([]), json!([{"a": [1]}]), json!("a")] {
        check_refused(&json!({"$or": operand}), "/$or", "two or more objects");
    }
    check_refused(&json!({"$or": [{"a": [1]}, "b"]}), "/$or/1", "must be an object");
    check_refused(&json!({"$or": [{"a": [1]}, {}]}), "/$or/1", "name at least one field");
    check_refused(&json!({"$or": [{"a": [1]}, {"prefix": ["b"]}]}), "/$or/1/prefix", "is an operator");
    check_refused(&json!({"$or": [{"a": [1]}, {"b": {"exists": [true]}}]}), "/$or/1/b/exists", "is an operator");
    let twice = json!({"a": [1], "$or": [{"a": [2]}, {"b": [1]}]});
    check_refused(&twice, "/$or/0/a", "tested at /a too");
    let deeper = json!({"a": {"x": [1]}, "$or": [{"b": [1]}, {"c": [1], "$or": [{"a": {"x": [2]}}, {"d": [1]}]}]});
    check_refused(&deeper, "/$or/1/$or/0/a/x", "tested at /a/x too");
    check_refused(&json!({"a": [1], "$or": [{"a": {"b": [1]}}, {"b": [1]}]}), "/$or/0/a", "tested at /a too");
}

#[test]
fn limits_are_kept() {
    let long = |length: usize| json!({"a": ["x".repeat(length - r#"{"a":[""]}"#.len())]});
    assert!(Pattern::parse(&long(MAX_BYTES)).is_ok());
    check_refused(&long(MAX_BYTES + 1), "", "2049 bytes without white space; at most 2048");
    let deep = |depth| (1..depth).fold(json!({"a": [1]}), |inner, _| json!({"a": inner}));
    assert!(Pattern::parse(&deep(MAX_DEPTH)).is_ok());
    check_refused(&deep(MAX_DEPTH + 1), &"/a".repeat(MAX_DEPTH), "at most 10 levels");
    let or = |length: usize| (0..length).map(|i| json!({"a": [i]})).collect::<Value>();
    let product = |last| json!({"x": {"$or": or(10)}, "y": {"$or": or(10)}, "z": {"$or": or(last)}});
    assert!(Pattern::parse(&product(MAX_COMBINATIONS / 100)).is_ok());
    check_refused(&product(MAX_COMBINATIONS / 100 + 1), "", "1100 combinations");
    let beside: serde_json::Map<_, _> = (0..40).map(|i| (i.to_string(), json!([1]))).collect();
    let spread =
        |length: usize| json!({"o": beside, "$or": (0..length).map(|i| json!({"o": {"a": [i]}})).collect::<Value>()});
    assert!(Pattern::parse(&spread(MAX_FIELD_TESTS / 41)).is_ok());
    check_refused(&spread(MAX_FIELD_TESTS / 41 + 1), "", "at most 300");
}
