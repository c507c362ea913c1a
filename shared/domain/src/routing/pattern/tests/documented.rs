//! Everything that docs/conditions.md shows is true.

use serde_json::{Value, json};

use crate::routing::pattern::operators::OPERATORS;
use crate::routing::pattern::{MAX_BYTES, MAX_COMBINATIONS, MAX_DEPTH, MAX_FIELD_TESTS, MOST_STEPS, Pattern};
use crate::routing::{MAX_CONDITION_BYTES, SubscriptionSettings};

const DOCUMENTED: &str = include_str!("../../../../../../docs/conditions.md");

/// The cells of the tables below a heading, without the heads.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, below) = DOCUMENTED.split_once(&format!("\n## {heading}\n")).expect("a heading");
    let section = below.split("\n## ").next().unwrap_or(below);
    let cells = |line: &'static str| line.trim_matches('|').split(" | ").map(str::trim).collect();
    section.lines().filter(|line| line.starts_with('|')).skip(2).map(cells).collect()
}

/// The texts in backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_documented_operator_is_read() {
    let rows = rows("Operators");
    assert!(rows.len() > 10);
    // Beside the entries, the first column names operators: "also with `suffix`".
    let is_name = |quoted: &&str| OPERATORS.contains(quoted);
    for entry in rows.iter().flat_map(|row| quoted(row[0])).filter(|quoted| !is_name(quoted)) {
        let entry: Value = serde_json::from_str(entry).expect(entry);
        Pattern::parse(&json!({"f": [entry]})).expect("a pattern");
    }
}

#[test]
fn every_documented_condition_is_read() {
    let examples: Vec<_> =
        DOCUMENTED.split("```json\n").skip(1).filter_map(|block| block.split("```").next()).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        serde_json::from_str::<Pattern>(example).expect(example);
    }
}

#[test]
fn every_documented_refusal_happens() {
    let rows = rows("What is refused");
    assert!(rows.len() > 5);
    for row in rows {
        let [condition, pointer, why] = row[..] else { panic!("{row:?}") };
        let condition: Value = serde_json::from_str(condition.trim_matches('`')).expect(condition);
        let error = Pattern::parse(&condition).expect_err("a refusal");
        assert_eq!(format!("`{}`", error.pointer), pointer);
        assert!(error.detail.starts_with(why), "{} {why}", error.detail);
    }
}

#[test]
fn every_documented_value_that_no_event_can_have_is_refused() {
    let rows = rows("What no event can have");
    assert!(rows.len() > 2);
    for row in rows {
        let [condition, pointer, why] = row[..] else { panic!("{row:?}") };
        let condition: Value = serde_json::from_str(condition.trim_matches('`')).expect(condition);
        let settings = json!({
            "name": "s", "destination_id": "dst_img480bv82vq4si5", "event_types": ["sync_run.completed"], "scope": "*",
            "condition": condition,
        });
        let settings: SubscriptionSettings = serde_json::from_value(settings).expect("settings");
        let refused = settings.reach().check().expect_err("a refusal");
        assert_eq!(format!("`{}`", refused.pointer), pointer.replacen('/', "/condition/", 1));
        assert_eq!(refused.detail, why);
    }
}

#[test]
fn the_documented_limits_are_those_kept() {
    let limits: Vec<_> = rows("Limits").iter().map(|row| row[1].replace(',', "")).collect();
    let kept = [
        format!("{MAX_BYTES} bytes"),
        MAX_DEPTH.to_string(),
        MAX_COMBINATIONS.to_string(),
        MAX_FIELD_TESTS.to_string(),
        format!("{MAX_CONDITION_BYTES} bytes"),
        format!("{MOST_STEPS} steps"),
    ];
    assert_eq!(limits, kept);
}
