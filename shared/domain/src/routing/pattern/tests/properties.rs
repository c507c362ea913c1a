//! What holds for any pattern and any data.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::routing::pattern::Pattern;

/// Short words, so that patterns and data often share them.
fn any_json() -> impl Strategy<Value = Value> {
    let special = ["$or", "exists", "numeric", "anything-but", "prefix", "wildcard"].as_slice();
    let name = prop_oneof![3 => "[ab]", 1 => prop::sample::select(special).prop_map(str::to_owned)];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1i64..3).prop_map(Value::from),
        prop::sample::select(["a", "b", "a*", "", ">", "<"].as_slice()).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 3, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..3)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn any_pattern() -> impl Strategy<Value = Value> {
    let values = prop::sample::select(vec![
        json!([1]),
        json!(["a", null]),
        json!([{"exists": false}]),
        json!([{"exists": true}]),
        json!([{"anything-but": ["a"]}]),
        json!([{"prefix": "a"}, true]),
        json!([{"numeric": [">=", 0, "<", 2]}]),
    ]);
    values.prop_map(|values| json!({"a": values})).prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), "[ab]").prop_map(|(inner, name)| json!({name: inner})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"$or": [a, b]})),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| json!({"b": a, "$or": [b, c]})),
        ]
    })
}

proptest! {
    #[test]
    fn reading_and_matching_never_panic(condition in any_json(), data in any_json()) {
        if let Ok(pattern) = Pattern::parse(&condition) {
            pattern.matches(&data);
        }
    }

    #[test]
    fn there_is_an_explanation_exactly_when_it_does_not_match(condition in any_pattern(), data in any_json()) {
        if let Ok(pattern) = Pattern::parse(&condition) {
            let explained = pattern.explain(&data);
            prop_assert_eq!(explained.is_none(), pattern.matches(&data));
            if let Some(mismatch) = explained {
                prop_assert!(condition.pointer(&mismatch.pointer).is_some(), "{} {}", condition, mismatch.pointer);
            }
        }
    }

    #[test]
    fn a_refusal_points_into_the_pattern(condition in any_json()) {
        if let Err(error) = Pattern::parse(&condition) {
            prop_assert!(condition.pointer(&error.pointer).is_some(), "{condition} {error}");
        }
    }
}
