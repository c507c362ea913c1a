//! A subscription, as the API answers it, and a description of it in words.

use domain::routing::AwaitedTransition;
use serde::Deserialize;
use serde_json::Value;

use crate::markup::address::segment;
use crate::model::when::When;

#[derive(Debug, Deserialize)]
pub struct Subscription {
    pub id: String,
    pub name: String,
    pub destination_id: String,
    pub event_types: Vec<String>,
    pub scope: String,
    pub condition: Option<Value>,
    pub transition: Option<String>,
    pub path: Option<String>,
    pub grace_seconds: u64,
    pub enabled: bool,
    /// Reasons why it may never match an event.
    pub warnings: Vec<Warning>,
}

#[derive(Debug, Deserialize)]
pub struct Warning {
    pub detail: String,
}

/// The path of a subscription's page. The paths of its actions begin with it.
pub fn path(id: &str) -> String {
    format!("/subscriptions/{}", segment(id))
}

/// The path of a subscription in the API.
pub fn at(id: &str) -> String {
    format!("/v1/subscriptions/{}", segment(id))
}

impl Subscription {
    /// The text of its badge.
    pub fn state(&self) -> &'static str {
        if self.enabled { "enabled" } else { "off" }
    }

    /// Its condition and transition in a few words.
    pub fn wants(&self) -> String {
        let change = self.transition.as_deref().map(|transition| {
            let usual = When::CHOICES
                .into_iter()
                .find(|when| when.transition().map(AwaitedTransition::as_str) == Some(transition));
            usual.map_or(transition.to_owned(), |when| uncapitalized(when.title()))
        });
        let condition = self.condition.as_ref().map(condition);
        match (change, condition) {
            (None, None) => "all".to_owned(),
            (Some(one), None) | (None, Some(one)) => one,
            (Some(change), Some(condition)) => format!("{change}, {condition}"),
        }
    }

    /// Its event types in one line.
    pub fn types(&self) -> String {
        self.event_types
            .iter()
            .map(|name| if name == "*" { "all events about your data" } else { name })
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Its scope in words.
    pub fn place(&self) -> &str {
        if self.scope == "*" { "everywhere" } else { &self.scope }
    }
}

/// A condition in the wizard's words, if the wizard offers it. Any other is called a pattern.
fn condition(condition: &Value) -> String {
    let usual = When::CHOICES.into_iter().find(|when| when.condition().as_ref() == Some(condition));
    usual.map_or("own pattern".to_owned(), |when| uncapitalized(when.title()))
}

fn uncapitalized(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(wanted: Value, transition: Option<&str>, expected: &str) {
        let subscription: Subscription = serde_json::from_value(json!({
            "id": "s", "name": "n", "destination_id": "d", "event_types": ["*"], "scope": "*", "condition": wanted,
            "transition": transition, "path": null, "grace_seconds": 900, "enabled": true,
            "warnings": []
        }))
        .expect("a subscription");
        assert_eq!(subscription.wants(), expected);
    }

    #[test]
    fn what_the_wizard_offers_has_its_words() {
        check(Value::Null, None, "all");
        check(Value::Null, Some("broke"), "only when it broke");
        check(Value::Null, Some("changed"), "only when it broke or recovered");
        check(When::Failures.condition().unwrap_or_default(), None, "only failures");
        check(When::RowsChanged.condition().unwrap_or_default(), None, "only when rows changed");
        check(json!({ "status": ["failed", "partial"] }), None, "own pattern");
        check(json!({ "status": ["failed"] }), Some("recovered"), "only when it recovered, only failures");
    }
}
