//! Conditions as customers write them: one line a case.

use serde_json::{Value, json};

use super::Pattern;

mod documented;
mod properties;
mod refused;
mod shown;

fn pattern(value: &Value) -> Pattern {
    Pattern::parse(value).unwrap_or_else(|error| panic!("{value}: {error}"))
}

/// Whether the list `accepted` accepts the field's value `found`.
#[track_caller]
fn check(accepted: Value, found: Value, expected: bool) {
    let (condition, data) = (json!({"f": accepted}), json!({"f": found}));
    assert_eq!(pattern(&condition).matches(&data), expected, "{condition} {data}");
}

#[track_caller]
fn check_object(condition: Value, data: Value, expected: bool) {
    assert_eq!(pattern(&condition).matches(&data), expected, "{condition} {data}");
}

#[test]
fn the_examples_of_the_documentation_match() {
    check_object(json!({"status": ["failed"]}), json!({"status": "failed", "records": null}), true);
    check_object(json!({"status": ["failed"]}), json!({"status": "succeeded"}), false);
    let inserted = json!({"records": {"inserted": [{"numeric": [">", 0]}]}});
    check_object(inserted.clone(), json!({"records": {"inserted": 12, "deleted": 0}}), true);
    check_object(inserted.clone(), json!({"records": {"inserted": 0}}), false);
    check_object(inserted, json!({"status": "failed"}), false);
}

#[test]
fn plain_values_are_compared_by_type_and_value() {
    check(json!(["a", "b"]), json!("b"), true);
    check(json!(["a"]), json!("A"), false);
    check(json!([""]), json!(""), true);
    check(json!([5]), json!(5.0), true);
    check(json!([5e0]), json!(5), true);
    check(json!([5]), json!("5"), false);
    check(json!(["5"]), json!(5), false);
    check(json!([-0.0]), json!(0), true);
    check(json!([0.1]), json!(0.1), true);
    check(json!([9_007_199_254_740_993_u64]), json!(9_007_199_254_740_992_u64), false);
    check(json!([true]), json!(true), true);
    check(json!([true]), json!(false), false);
    check(json!([1]), json!(true), false);
    check(json!(["true"]), json!(true), false);
    check(json!([null]), json!(null), true);
    check(json!([null]), json!(""), false);
    check(json!(["null"]), json!(null), false);
}

#[test]
fn prefix_and_suffix_look_at_strings_only() {
    check(json!([{"prefix": "inv"}]), json!("invoices"), true);
    check(json!([{"prefix": "inv"}]), json!("Invoices"), false);
    check(json!([{"prefix": ""}]), json!(""), true);
    check(json!([{"prefix": ""}]), json!(5), false);
    check(json!([{"prefix": "5"}]), json!(5), false);
    check(json!([{"prefix": {"equals-ignore-case": "INV"}}]), json!("invoices"), true);
    check(json!([{"prefix": {"equals-ignore-case": "inv"}}]), json!("in"), false);
    check(json!([{"suffix": ".csv"}]), json!("a.csv"), true);
    check(json!([{"suffix": ".csv"}]), json!("a.CSV"), false);
    check(json!([{"suffix": {"equals-ignore-case": ".CSV"}}]), json!("a.csv"), true);
    check(json!([{"suffix": {"equals-ignore-case": "ab"}}]), json!("b"), false);
}

#[test]
fn equals_ignore_case_knows_more_than_ascii() {
    check(json!([{"equals-ignore-case": "FAILED"}]), json!("Failed"), true);
    check(json!([{"equals-ignore-case": "failed"}]), json!("failed "), false);
    check(json!([{"equals-ignore-case": "ÉTÉ"}]), json!("été"), true);
    check(json!([{"equals-ignore-case": "STRASSE"}]), json!("straße"), true);
    check(json!([{"equals-ignore-case": "ΟΔΟΣ"}]), json!("οδος"), true);
    check(json!([{"equals-ignore-case": ""}]), json!(null), false);
}

#[test]
fn anything_but_wants_a_value_and_another_one() {
    check(json!([{"anything-but": "a"}]), json!("b"), true);
    check(json!([{"anything-but": "a"}]), json!("a"), false);
    check(json!([{"anything-but": ["a", "b"]}]), json!("b"), false);
    check(json!([{"anything-but": ["a", "b"]}]), json!(5), true);
    check(json!([{"anything-but": ["a"]}]), json!(null), true);
    check(json!([{"anything-but": 5}]), json!(5.0), false);
    check(json!([{"anything-but": [5, 6]}]), json!("5"), true);
    check(json!([{"anything-but": {"prefix": "a"}}]), json!("ab"), false);
    check(json!([{"anything-but": {"prefix": ["a", "b"]}}]), json!("c"), true);
    check(json!([{"anything-but": {"prefix": "5"}}]), json!(5), true);
    check(json!([{"anything-but": {"suffix": ["a", "b"]}}]), json!("ab"), false);
    check(json!([{"anything-but": {"equals-ignore-case": ["A", "b"]}}]), json!("a"), false);
    check(json!([{"anything-but": {"wildcard": ["*a*", "b"]}}]), json!("cab"), false);
    check(json!([{"anything-but": {"wildcard": "*a*"}}]), json!("b"), true);
    check_object(json!({"f": [{"anything-but": "a"}]}), json!({}), false);
    check(json!([{"anything-but": "a"}]), json!([]), false);
}

#[test]
fn numeric_compares_numbers() {
    check(json!([{"numeric": [">", 0]}]), json!(1), true);
    check(json!([{"numeric": [">", 0]}]), json!(0), false);
    check(json!([{"numeric": [">=", 0]}]), json!(-0.0), true);
    check(json!([{"numeric": ["<", 1.5]}]), json!(1.4999999), true);
    check(json!([{"numeric": ["<=", 1]}]), json!(1.5), false);
    check(json!([{"numeric": ["=", 3.018e2]}]), json!(301.8), true);
    check(json!([{"numeric": [">", 0, "<=", 5]}]), json!(5), true);
    check(json!([{"numeric": [">", 0, "<", 5]}]), json!(5), false);
    check(json!([{"numeric": [">=", 1, "<", 5]}]), json!(0.5), false);
    check(json!([{"numeric": [">", 5_000_000_000_i64]}]), json!(1_790_000_000_000_i64), true);
    check(json!([{"numeric": ["<", u64::MAX]}]), json!(u64::MAX - 1), true);
    check(json!([{"numeric": [">", 0]}]), json!("1"), false);
    check(json!([{"numeric": [">=", 0]}]), json!(true), false);
}

#[test]
fn exists_asks_for_a_value() {
    check(json!([{"exists": true}]), json!(0), true);
    check(json!([{"exists": true}]), json!(null), true);
    check(json!([{"exists": false}]), json!(null), false);
    check(json!([{"exists": true}]), json!([]), false);
    check(json!([{"exists": false}]), json!([]), true);
    check(json!([{"exists": true}]), json!({"g": 1}), false);
    check(json!([{"exists": false}]), json!({"g": 1}), true);
    check(json!([{"exists": true}]), json!([[], [1]]), true);
    check_object(json!({"f": [{"exists": false}]}), json!({}), true);
    check_object(json!({"f": [{"exists": false}, "a"]}), json!({"f": "a"}), true);
    check_object(json!({"f": {"g": [{"exists": false}]}}), json!({}), true);
    check_object(json!({"f": {"g": [{"exists": false}]}}), json!({"f": 1}), true);
    check_object(json!({"f": {"g": [{"exists": false}]}}), json!({"f": {"g": 1}}), false);
}

#[test]
fn wildcard_takes_stars() {
    check(json!([{"wildcard": "a*c"}]), json!("abc"), true);
    check(json!([{"wildcard": "a*c"}]), json!("abcd"), false);
    check(json!([{"wildcard": r"\*\\*"}]), json!(r"*\x"), true);
    check(json!([{"wildcard": "*"}]), json!(5), false);
}

#[test]
fn a_list_matches_when_one_of_its_elements_does() {
    check(json!(["a"]), json!(["b", "a"]), true);
    check(json!(["a"]), json!([["b"], [["a"]]]), true);
    check(json!(["a"]), json!(["b"]), false);
    check(json!([{"anything-but": "a"}]), json!(["a", "b"]), true);
    check(json!([{"anything-but": "a"}]), json!(["a", "a"]), false);
    check(json!(["a"]), json!([{"g": "a"}]), false);
}

#[test]
fn the_fields_of_one_object_are_matched_by_one_element() {
    let employees = json!({"employees": [{"first": "Anna", "last": "Smith"}, {"first": "Peter", "last": "Jones"}]});
    let nested = json!({"employees": [employees["employees"].clone()]});
    for data in [employees, nested] {
        check_object(json!({"employees": {"first": ["Anna"]}}), data.clone(), true);
        check_object(json!({"employees": {"first": ["Anna"], "last": ["Smith"]}}), data.clone(), true);
        check_object(json!({"employees": {"first": ["Anna"], "last": ["Jones"]}}), data.clone(), false);
        let across = json!({"employees": {"first": ["Anna"]}, "$or": [{"employees": {"last": ["Jones"]}}, {"x": [1]}]});
        check_object(across, data.clone(), false);
        let same = json!({"employees": {"first": ["Anna"]}, "$or": [{"employees": {"last": ["Smith"]}}, {"x": [1]}]});
        check_object(same, data, true);
    }
}

#[test]
fn or_wants_one_of_its_alternatives() {
    let condition = json!({"a": [1], "$or": [{"b": [1]}, {"c": [1], "d": [1]}]});
    check_object(condition.clone(), json!({"a": 1, "b": 1}), true);
    check_object(condition.clone(), json!({"a": 1, "c": 1, "d": 1}), true);
    check_object(condition.clone(), json!({"a": 1, "c": 1}), false);
    check_object(condition, json!({"b": 1}), false);
    let nested = json!({"a": {"$or": [{"b": [1]}, {"$or": [{"c": [1]}, {"c": [2]}]}]}});
    check_object(nested.clone(), json!({"a": {"c": 2}}), true);
    check_object(nested, json!({"a": {"c": 3}}), false);
}

#[test]
fn objects_tested_beside_and_inside_or_are_one_test() {
    let (outer, inner) =
        (json!([{"x": [1]}, {"y": [1]}]), json!([{"a": {"$or": [{"z": [1]}, {"w": [1]}]}}, {"b": [1]}]));
    let condition = json!({"a": {"$or": outer}, "$or": inner});
    check_object(condition.clone(), json!({"a": [{"y": 1, "w": 1}]}), true);
    check_object(condition.clone(), json!({"a": [{"y": 1}, {"w": 1}]}), false);
    check_object(condition, json!({"a": {"x": 1}, "b": 1}), true);
}

#[test]
fn the_size_is_that_of_the_json_without_white_space() {
    for condition in [json!({"status": ["failed"]}), json!({"a": {"b": [1, {"prefix": "\"é"}]}, "c": [null]})] {
        assert_eq!(pattern(&condition).size(), condition.to_string().len());
    }
}
