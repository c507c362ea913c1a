//! What a subscription wants, in words.

use serde_json::{Value, json};

use crate::model::Subscription;

impl Subscription {
    /// What a badge says of it.
    pub fn state(&self) -> &'static str {
        if self.enabled { "enabled" } else { "off" }
    }

    /// Which of the events, in a few words.
    pub fn wants(&self) -> String {
        let change = self.transition.as_deref().map(|transition| match transition {
            "broke" => "when it broke".to_owned(),
            "recovered" => "when it recovered".to_owned(),
            other => other.to_owned(),
        });
        let condition = self.condition.as_ref().map(condition);
        match (change, condition) {
            (None, None) => "all".to_owned(),
            (Some(one), None) | (None, Some(one)) => one,
            (Some(change), Some(condition)) => format!("{change}, {condition}"),
        }
    }

    /// The events as a list has them.
    pub fn types(&self) -> String {
        self.event_types
            .iter()
            .map(|name| if name == "*" { "all that is published" } else { name })
            .collect::<Vec<_>>()
            .join(", ")
    }

    pub fn place(&self) -> &str {
        if self.scope == "*" { "everywhere" } else { &self.scope }
    }
}

/// The usual conditions have words; others are patterns.
fn condition(condition: &Value) -> String {
    if *condition == json!({ "status": ["failed"] }) {
        "only failures".to_owned()
    } else if is_rows_changed(condition) {
        "only when rows changed".to_owned()
    } else {
        "own pattern".to_owned()
    }
}

/// Whether it asks for a count of records above 0 in one of several places, and for nothing else.
fn is_rows_changed(condition: &Value) -> bool {
    let above_zero = |count: &Value| *count == json!([{ "numeric": [">", 0] }]);
    let one = |alternative: &Value| {
        let records = alternative.get("records").and_then(Value::as_object);
        let alone = alternative.as_object().is_some_and(|fields| fields.len() == 1);
        alone && records.is_some_and(|records| records.len() == 1 && records.values().all(above_zero))
    };
    let alone = condition.as_object().is_some_and(|fields| fields.len() == 1);
    match condition.get("$or").and_then(Value::as_array) {
        Some(alternatives) => alone && alternatives.iter().all(one),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wanted: Value, transition: Option<&str>, expected: &str) {
        let subscription: Subscription = serde_json::from_value(json!({
            "id": "s", "name": "n", "destination_id": "d", "event_types": ["*"], "scope": "*", "condition": wanted,
            "transition": transition, "path": null, "grace_seconds": 900, "enabled": true
        }))
        .expect("a subscription");
        assert_eq!(subscription.wants(), expected);
    }

    #[test]
    fn what_is_usual_has_words() {
        let above = |field: &str| json!({ "records": { field: [{ "numeric": [">", 0] }] } });
        check(Value::Null, None, "all");
        check(Value::Null, Some("broke"), "when it broke");
        check(json!({ "status": ["failed"] }), None, "only failures");
        check(json!({ "status": ["failed", "partial"] }), None, "own pattern");
        check(json!({ "$or": [above("inserted"), above("deleted")] }), None, "only when rows changed");
        check(json!({ "$or": [above("inserted")], "status": ["failed"] }), None, "own pattern");
        check(json!({ "status": ["failed"] }), Some("recovered"), "when it recovered, only failures");
    }
}
